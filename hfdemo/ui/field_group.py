"""Many fields in one component, for events that take all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from hfdemo.api.component_values import check_values
from hfdemo.errors import DemoError
from hfdemo.ui.event_handling import PRIVATE


class FieldGroup:
    """What `fields` show, by their names: a handler that takes `component` has what they would send `read` from it.

    With every message of any event, gradio's page looks up each component that was ever an input of one, and copies its
    value. With the 45 fields of a form as inputs, each message kept the browser busy for 50 ms.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)
        self.component = gr.JSON({name: field.value for name, field in fields.items()}, visible=False)

    def gather_on(self, event: Callable[..., Any]) -> Any:
        """Have the browser take the fields' values on `event`; what comes next in the chain gets them."""
        call = f"hfdemo.gather({json.dumps(list(self._fields))})"
        return event(None, list(self._fields.values()), self.component, js=call, **PRIVATE)

    def read(self, payload: Any) -> dict[str, Any]:
        """Return the values of the fields.

        Raises:
            DemoError: it is not the object that a page sends, or a field can't hold its value.
        """
        if not isinstance(payload, dict) or payload.keys() != self._fields.keys():
            raise DemoError(f"The values of a form are an object with {', '.join(self._fields)}.")
        check_values([*self._fields.values()], [payload[name] for name in self._fields])
        return {name: field.preprocess(payload[name]) for name, field in self._fields.items()}
