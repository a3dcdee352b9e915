"""Inputs and parameters that several rows share, short ways to declare others, and checks of their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.field import Field, FieldKind

LARGEST = 4096


def parameter(name: str, kind: FieldKind, help: str, default: Any = None, **limits: Any) -> Field:
    """Declare a parameter of the library, labelled with its own name; None lets the pipeline decide."""
    return Field(name, kind, name, help, default=default, **limits)


def whole_number(name: str, help: str, minimum: int = 1, maximum: int = LARGEST) -> Field:
    """Declare a whole number that the pipeline decides when it is left out."""
    return parameter(name, "number", help, minimum=minimum, maximum=maximum)


def real_number(name: str, help: str, minimum: float, maximum: float) -> Field:
    """Declare a number that the pipeline decides when it is left out."""
    return parameter(name, "number", help, minimum=minimum, maximum=maximum, whole=False)


def fraction(name: str, help: str) -> Field:
    """Declare a number between 0 and 1 that the pipeline decides when it is left out."""
    return real_number(name, help, 0, 1)


TEXT = Field("text", "text", "Text", "one text, in the language that the model was trained on")
QUESTION = Field("question", "text", "Question", "what you want to know")
IMAGE = Field("image", "image", "Picture", "a PNG, JPEG or WebP file")
AUDIO = Field("audio", "audio", "Audio", "a recording; it is made mono and resampled to what the model was trained on")
ALL_LABELS = whole_number("top_k", "labels to return; left out: all")
FIVE_LABELS = whole_number("top_k", "labels to return; left out: 5")
FUNCTION_TO_APPLY = parameter(
    "function_to_apply",
    "choice",
    "what turns logits into scores; left out: what the model's config asks for",
    choices=("softmax", "sigmoid", "none"),
)


def hypothesis_template(example: str) -> Field:
    """Declare the sentence that a label of one's own is put into; `example` is what the pipeline takes by itself."""
    return parameter(
        "hypothesis_template", "text", f"the sentence that each label is put into, at {{}}; left out: {example}"
    )


def check_template(example: str, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse a hypothesis_template that is not one sentence with one place for the label.

    Raises:
        DemoError: it has no {}, several, or other braces, which `str.format` would follow.
    """
    template = parameters["hypothesis_template"]
    if template is None:
        return
    rest = template.replace("{}", "", 1)
    if rest == template or "{" in rest or "}" in rest:
        raise DemoError(
            f"hypothesis_template must hold {{}} once, where the label goes, and no other braces, but {template!r} "
            f"was sent. An example: {example}"
        )


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
