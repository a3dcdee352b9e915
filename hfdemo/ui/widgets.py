"""Field -> component and output kind -> drawing: the only place that knows which is which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from hfdemo.tasks import Field
from hfdemo.ui import html


def field_widget(field: Field, value: Any = None) -> gr.components.Component:
    """The component in which a person fills `field` in; `value` is what it starts with."""
    return _FIELDS[field.kind](field, value)


# Inside gr.render a component with a value is drawn disabled unless it says that it is interactive.


def _text(field: Field, value: Any) -> gr.components.Component:
    lines = 3 if field.required else 1
    return gr.Textbox(value=value, label=field.label, info=field.help, lines=lines, max_lines=12, interactive=True)


def _number(field: Field, value: Any) -> gr.components.Component:
    # gradio draws an empty number as 0, so 0 has to mean "not set" where a field may be left out.
    return gr.Number(value=value or 0, label=field.label, info=field.help, precision=0, minimum=0, interactive=True)


def _choice(field: Field, value: Any) -> gr.components.Component:
    choices = [("as the model says", ""), *((choice, choice) for choice in field.choices)]
    return gr.Dropdown(choices, value=value or "", label=field.label, info=field.help, interactive=True)


_FIELDS: Mapping[str, Callable[[Field, Any], gr.components.Component]] = {
    "text": _text,
    "number": _number,
    "choice": _choice,
}


def field_value(field: Field, value: Any) -> Any:
    """What a person meant by leaving `value` in the component of `field`."""
    return None if field.kind == "number" and not value else value


# What a person sees of an output; the plain JSON stands beside it in any case.
DRAWINGS: Mapping[str, Callable[[Any], str]] = {"labels": html.label_bars, "vectors": html.vectors}
