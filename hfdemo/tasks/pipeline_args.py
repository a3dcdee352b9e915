"""From the parameters of a row to the arguments of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.errors import DemoError

LARGEST = 4096


def chosen(parameters: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The parameters that were set, of `names` or of all; what is None or False the pipeline decides."""
    asked = names or tuple(parameters)
    return {name: parameters[name] for name in asked if parameters[name] is not None and parameters[name] is not False}


def check_numbers(name: str, values: Any, largest: int = LARGEST) -> None:
    """Refuse arguments for a library that are more than numbers and switches, however deep they are nested.

    A text among the arguments of `generate` or of a processor can name code to run or a model to fetch, and a large
    number asks for more memory than there is.

    Raises:
        DemoError: something else is in there, or a number above `largest`.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            check_numbers(f"{name}.{key}", value, largest)
    elif isinstance(values, list | tuple):
        for value in values:
            check_numbers(name, value, largest)
    elif not isinstance(values, int | float):
        raise DemoError(f"{name} must be a number or true or false, but {values!r} was sent.")
    elif not abs(values) <= largest:
        raise DemoError(f"{name} must be at most {largest}, but {values} was sent.")


def check_template(template: str | None, example: str) -> None:
    """Refuse a hypothesis_template that is not one sentence with one place for the label.

    Raises:
        DemoError: it has no {}, several, or other braces, which `str.format` would follow.
    """
    if template is None:
        return
    rest = template.replace("{}", "", 1)
    if rest == template or "{" in rest or "}" in rest:
        raise DemoError(
            f"hypothesis_template must hold {{}} once, where the label goes, and no other braces, but {template!r} "
            f"was sent. An example: {example}"
        )
