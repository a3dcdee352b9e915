"""What the components of the page can hold, checked before a function of it gets it: gradio passes most through."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import gradio as gr

from hfdemo.api.argument_types import check_texts
from hfdemo.api.visitors import list_files
from hfdemo.errors import DemoError


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_one_of(kinds: tuple[type, ...], value: Any) -> bool:
    return isinstance(value, kinds)


def _is_index(count: int, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


# What each holds, in words, and how that is recognised; None is what an empty one sends.
_HOLDS: Mapping[type[gr.components.Component], tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        gr.Number: ("a number", _is_number),
        gr.Slider: ("a number", _is_number),
        gr.Checkbox: ("true or false", _is_flag),
        gr.Textbox: ("a text", _is_text),
        gr.Code: ("a text", _is_text),
        gr.Button: ("a text", _is_text),
    }
)
_NEVER_EMPTY = (gr.Checkbox, gr.Radio, gr.BrowserState, gr.Dataset)  # unless they begin so


def check_values(components: Sequence[Any], values: Sequence[Any]) -> None:
    """Check that each of `components` can hold its value.

    Raises:
        DemoError: one that it can't hold, or one with half a surrogate pair, which no answer can hold.
    """
    for component, value in zip(components, values, strict=False):
        name = getattr(component, "label", None) or type(component).__name__
        check_texts(name, value)
        wanted, holds = _HOLDS.get(type(component), ("", None))
        first: Any = getattr(component, "value", None)
        if isinstance(component, gr.Radio | gr.Dropdown):  # a value that is typed is a text
            kinds: tuple[type, ...] = (str, *{type(choice) for _, choice in component.choices or ()})
            wanted, holds = "one of the choices or a text", partial(_is_one_of, kinds)
        if isinstance(component, gr.Dataset):  # which of its examples was chosen
            first, wanted, holds = 0, "the number of an example", partial(_is_index, len(component.samples or ()))
        if isinstance(component, gr.BrowserState):  # the browser's storage is anybody's
            first = component.default_value
            wanted, holds = "of the kind that it began with", partial(_is_one_of, (type(first),))
        if holds is None or (value is None and not (isinstance(component, _NEVER_EMPTY) and first is not None)):
            continue
        several = getattr(component, "multiselect", False)
        if several and not isinstance(value, list):
            raise DemoError(f"{name} is {value!r:.80}, but must be a list.")
        for each in value if several else [value]:
            if not holds(each):
                raise DemoError(f"{name} is {each!r:.80}, but must be {wanted}.")


def check_objects(value: Any) -> None:
    """Refuse an object with texts under both "path" and "meta": gradio takes it for a file, and fails on it.

    Raises:
        DemoError: there is one, however deep.
    """
    if isinstance(value, dict):
        if isinstance(value.get("path"), str) and "meta" in value and not isinstance(value["meta"], dict):
            raise DemoError('An object with both a "path" and a "meta" is read as a file here. Rename one of them.')
        for item in value.values():
            check_objects(item)
    elif isinstance(value, list | tuple):
        for item in value:
            check_objects(item)


def check_event(event: gr.EventData | None) -> None:
    """Check that what the page's script sent with an event can be read: gradio opens the files that it names.

    Raises:
        DemoError: it holds half a surrogate pair, or what gradio reads as a file and is none, or names a file by a path
            that no system has.
    """
    sent = None if event is None else event._data
    check_texts("The event", sent)
    check_objects(sent)
    if any("\0" in path for path in list_files(sent)):
        raise DemoError("The event names a file by a path that no system has.")
