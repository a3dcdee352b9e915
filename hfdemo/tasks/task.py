"""The shape of a row: everything the page, the endpoint, the tool and the snippet need to know about a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hfdemo.errors import DemoError

FieldKind = Literal["text", "number", "choice"]
OutputKind = Literal["labels", "vectors"]


class _Required:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()


@dataclass(frozen=True)
class Field:
    """One input or parameter of a task.

    `type` is the Python annotation shown to API clients; `default` is what the endpoint uses when a client leaves
    the field out, and `None` always means "let the pipeline decide".
    """

    name: str
    kind: FieldKind
    type: Any
    label: str
    help: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()
    minimum: int | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def check(self, value: Any, max_characters: int) -> Any:
        """`value` as the pipeline may get it; an empty optional field becomes its default.

        Raises:
            DemoError: the value is missing, too long, not one of the choices or not a number in range.
        """
        if value is None or value == "":
            if self.required:
                raise DemoError(f"{self.label} is empty. Type something first: {self.help}")
            return self.default
        return _CHECKS[self.kind](self, value, max_characters)


def check_text(label: str, value: Any, max_characters: int) -> str:
    """`value` if it is a text that a tokenizer can read.

    Raises:
        DemoError: not a string, only white space, longer than `max_characters`, or not valid Unicode.
    """
    if not isinstance(value, str):
        raise DemoError(f"{label} must be text, but a {type(value).__name__} was sent. Send a string.")
    if not value.strip():
        raise DemoError(f"{label} holds only white space. Type some words first.")
    if len(value) > max_characters:
        raise DemoError(
            f"{label} is {len(value):,} characters long; one call takes at most {max_characters:,}. "
            "Shorten it or send it in parts."
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DemoError(
            f"{label} is not valid Unicode: there is half a surrogate pair at character {error.start + 1}. Remove it."
        ) from error
    return value


def _check_text_field(field: Field, value: Any, max_characters: int) -> str:
    return check_text(field.label, value, max_characters)


def _check_number(field: Field, value: Any, _: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise DemoError(f"{field.label} must be a whole number, but {value!r} was sent.")
    if field.minimum is not None and value < field.minimum:
        raise DemoError(f"{field.label} must be at least {field.minimum}, but {int(value)} was sent.")
    return int(value)


def _check_choice(field: Field, value: Any, _: int) -> str:
    if value not in field.choices:
        raise DemoError(f"{field.label} must be one of {', '.join(field.choices)}, but {value!r} was sent.")
    return str(value)


_CHECKS: Mapping[str, Callable[[Field, Any, int], Any]] = {
    "text": _check_text_field,
    "number": _check_number,
    "choice": _check_choice,
}


@dataclass(frozen=True)
class Call:
    """The arguments of one pipeline call: `pipe(*args, **kwargs)`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Scores:
    """How one row of logits became scores: `labels`, `logits` and `scores` run in the model's own label order."""

    function: str
    labels: tuple[str, ...]
    logits: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Task:
    """One thing that can be run.

    `call` turns checked inputs and parameters into the arguments of the transformers pipeline of the same name.
    `explain` opens the last stage up: (model config, raw model outputs, parameters) -> Scores, for tasks whose
    answer is made from logits. `model_class` is the transformers Auto class that the pipeline loads.
    """

    name: str
    title: str
    summary: str
    inputs: tuple[Field, ...]
    parameters: tuple[Field, ...]
    output: OutputKind
    call: Callable[[Mapping[str, Any], Mapping[str, Any]], Call]
    model_class: str
    default_model: str
    examples: tuple[Mapping[str, Any], ...]
    explain: Callable[[Any, Any, Mapping[str, Any]], Scores] | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.inputs + self.parameters

    @property
    def endpoint(self) -> str:
        """The name of the public endpoint and of the MCP tool."""
        return self.name.replace("-", "_")

    def check(self, values: Mapping[str, Any], max_characters: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """(inputs, parameters) out of `values`, every field checked and filled in.

        Raises:
            DemoError: a field is unknown, missing or wrong.
        """
        unknown = set(values) - {field.name for field in self.fields}
        if unknown:
            raise DemoError(
                f"{self.name} has no {', '.join(sorted(unknown))}. It takes: "
                f"{', '.join(field.name for field in self.fields)}."
            )

        def checked(fields: tuple[Field, ...]) -> dict[str, Any]:
            return {field.name: field.check(values.get(field.name), max_characters) for field in fields}

        return checked(self.inputs), checked(self.parameters)
