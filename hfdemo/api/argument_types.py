"""What clients send as an endpoint's arguments, checked against the annotations of its function."""

from __future__ import annotations

import math
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
_MOST = 2**53  # beyond it, JSON's numbers are not whole in every client


def check_types(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `arguments` of `function`, each of a plain type that its annotation names.

    3.0 is a whole number, too, and "true" and "false" are switches: some clients can only send text.

    Raises:
        DemoError: an argument of another type, or one that holds what is no text.
    """
    hints = typing.get_type_hints(function)
    for name, value in arguments.items():
        check_texts(name, value)
    return {name: _check_type(name, value, hints.get(name)) for name, value in arguments.items()}


def check_texts(name: str, value: Any) -> None:
    """Refuse lone surrogates, however deep: no file and no answer can hold them.

    Raises:
        DemoError: there is one.
    """
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise DemoError(f"{name} is not valid Unicode: it holds half a surrogate pair. Remove it.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_texts(name, key)
            check_texts(name, item)
    elif isinstance(value, list | tuple):
        for item in value:
            check_texts(name, item)


def _check_type(name: str, value: Any, hint: Any) -> Any:
    hints = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = [typing.get_origin(each) or each for each in hints]
    if not all(kind in _PLAIN or kind is NoneType for kind in kinds) or (value is None and NoneType in kinds):
        return value
    for kind, each in zip(kinds, hints, strict=True):
        found = _read_as(kind, value)
        if found is None:
            continue
        (of_items,) = typing.get_args(each) if kind is list and typing.get_args(each) else (None,)
        return found if of_items is None else [_check_type(f"an item of {name}", item, of_items) for item in found]
    wanted = " or ".join(_PLAIN[kind] for kind in kinds if kind is not NoneType)
    raise DemoError(f"{name} is {value!r:.80}, but must be {wanted}.")


def _read_as(kind: type, value: Any) -> Any:
    """Return `value` as a `kind`, None where it is no such thing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST
    if kind is int:
        return int(value) if is_number and value == math.floor(value) else None
    if kind is float:
        return value if is_number else None
    if kind is bool and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if type(value) is kind else None
