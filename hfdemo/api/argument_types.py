"""The plain types of arguments: gradio hands over whatever a client has sent."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any

from hfdemo.errors import DemoError

_PLAIN: Mapping[type, str] = MappingProxyType(
    {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        dict: "a JSON object",
        list: "a JSON list",
    }
)


def check_types(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `arguments` of `function`, each of the plain type that its annotation names; 3.0 is a whole number, too.

    Raises:
        DemoError: an argument of another type.
    """
    hints = typing.get_type_hints(function)
    return {name: _check_type(name, value, hints.get(name)) for name, value in arguments.items()}


def _check_type(name: str, value: Any, hint: Any) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = next((each for one in kinds if (each := typing.get_origin(one) or one) in _PLAIN), None)
    if kind is None or (value is None and NoneType in kinds):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int and is_number and value == value // 1:
        return int(value)
    if is_number if kind is float else type(value) is kind:
        return value
    raise DemoError(f"{name} is {value!r:.80}, but must be {_PLAIN[kind]}.")
