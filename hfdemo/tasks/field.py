"""One input or parameter of a task: what it is called, what it may hold, and the check that says so in a sentence.

After the class and its checks come short ways to declare one, and those that several rows share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hfdemo.errors import DemoError
from hfdemo.example_files import EXAMPLES
from hfdemo.tasks.messages import check_messages

EXAMPLE_MEDIA = EXAMPLES / "media"


FieldKind = Literal[
    "text",
    "texts",
    "number",
    "choice",
    "flag",
    "labels",
    "words",
    "messages",
    "table",
    "json",
    "boxes",
    "image",
    "audio",
    "video",
]
MEDIA: tuple[FieldKind, ...] = ("image", "audio", "video")
MOST_CELLS = 10_000
MOST_LABELS = 100
LARGEST = 4096
LARGEST_NUMBER = 1e15


class _Required:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"

    def __reduce__(self) -> str:
        """Return the name of the one that there is, in another process, too."""
        return "REQUIRED"


REQUIRED: Any = _Required()


@dataclass(frozen=True)
class Field:
    """One input or parameter of a task.

    `default` is what the endpoint uses when a client leaves the field out, and `None` always means "let the pipeline
    decide". A number is whole unless `whole` is False. `maximum` bounds a number, the characters of a text, or the
    pixels of a picture. A media field (image, audio, video) holds the path of a file; it is decoded once the model is
    known.
    """

    name: str
    kind: FieldKind
    label: str
    help: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = True

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    @property
    def is_media(self) -> bool:
        return self.kind in MEDIA

    @property
    def annotation(self) -> Any:
        """The Python type shown to API clients; a media field's is the caller's own file type."""
        found = int if self.kind == "number" and self.whole else _TYPES.get(self.kind, str)
        if self.choices:
            found = Literal[self.choices]
        return found | None if self.default is None else found

    def check(self, value: Any, max_characters: int) -> Any:
        """Return `value` as the pipeline may get it; an empty optional field becomes its default.

        Raises:
            DemoError: the value is missing, too long, not one of the choices or not a number in range.
        """
        if value is None or value == "" or value == [] or value == {}:
            if self.is_required:
                raise DemoError(f"{self.label} is empty. {_ASKS.get(self.kind, 'Fill it in')} first: {self.help}")
            return self.default
        return _CHECKS[self.kind](self, value, max_characters)


_TYPES: Mapping[str, Any] = {
    "texts": str | list[str],
    "number": float,
    "flag": bool,
    "labels": str | list[str],
    "words": str | list[str],
    "messages": list[dict[str, Any]],
    "table": dict[str, Any],
    "json": dict[str, Any],
    "boxes": list[Any],
}
_ASKS: Mapping[str, str] = {
    "text": "Type something",
    "texts": "Type something",
    **dict.fromkeys(MEDIA, "Choose a file"),
}


def check_text(label: str, value: Any, max_characters: int) -> str:
    """Return `value` if it is a text that a tokenizer can read.

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
    if isinstance(value, str) and value.isspace() and not field.is_required:
        return value  # a line break can be meant, to stop at for one
    return check_text(field.label, value, min(max_characters, int(field.maximum or max_characters)))


def _check_texts(field: Field, value: Any, max_characters: int) -> str | list[str]:
    """Check one text, or several of them; a list stays a list, as the pipeline answers it with one."""
    if not isinstance(value, list | tuple):
        return check_text(field.label, value, max_characters)
    check_text(field.label, " ".join(map(str, value)), max_characters)
    return [check_text(field.label, each, max_characters) for each in value]


def _check_number(field: Field, value: Any, _: int) -> int | float:
    kind = "a whole number" if field.whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise DemoError(f"{field.label} must be {kind}, but {value!r:.80} was sent.")
    if field.whole and value != int(value):
        raise DemoError(f"{field.label} must be a whole number, but {value!r:.80} was sent.")
    if field.minimum is not None and value < field.minimum:
        raise DemoError(f"{field.label} must be at least {field.minimum:g}, but {value:g} was sent.")
    if field.maximum is not None and value > field.maximum:
        raise DemoError(f"{field.label} must be at most {field.maximum:g}, but {value:g} was sent.")
    return int(value) if field.whole else float(value)


def _check_choice(field: Field, value: Any, _: int) -> str:
    if isinstance(value, bool) or value in ("True", "False"):  # a yes, a no or neither: clients send Python's own
        value = str(value).lower()
    if value not in field.choices:
        raise DemoError(f"{field.label} must be one of {', '.join(field.choices)}, but {value!r:.80} was sent.")
    return str(value)


def _check_flag(field: Field, value: Any, _: int) -> bool:
    if not isinstance(value, bool):
        raise DemoError(f"{field.label} must be true or false, but {value!r:.80} was sent.")
    return value


def _check_labels(field: Field, value: Any, max_characters: int) -> list[str]:
    """Check a list of labels, or one text with commas between them."""
    return list(dict.fromkeys(label.strip() for label in _check_words(field, value, max_characters)))


def _check_words(field: Field, value: Any, max_characters: int) -> list[str]:
    """Check a list of words, or one text with commas between them; white space stays, as it may be part of a token."""
    labels = value.split(",") if isinstance(value, str) else value
    if not isinstance(labels, list | tuple):
        raise DemoError(f"{field.label} must be a list of texts, but a {type(value).__name__} was sent.")
    checked = [check_text(field.label, label, max_characters) for label in labels if label != ""]
    if not checked:
        raise DemoError(f"{field.label} is empty. Write labels with commas between them: {field.help}")
    if len(checked) > MOST_LABELS:
        raise DemoError(f"{field.label} are {len(checked):,}; one call takes at most {MOST_LABELS}. Send it in parts.")
    check_text(field.label, ", ".join(checked), max_characters)
    return list(dict.fromkeys(checked))


def _check_messages(field: Field, value: Any, max_characters: int) -> list[dict[str, Any]]:
    """Check a conversation: [{"role": "user", "content": "..."}, ...]."""
    found = _parse_json(field, value)
    try:
        return check_messages(field.label, found, max_characters)
    except DemoError as error:
        if field.label in str(error):
            raise
        raise DemoError(f"{field.label}: {error}") from error


def _check_table(field: Field, value: Any, max_characters: int) -> dict[str, list[str]]:
    """Check columns by name, each a list of cells; every cell becomes text, as the tokenizers of tables read it."""
    columns = _parse_json(field, value)
    if not isinstance(columns, dict) or not all(isinstance(cells, list) for cells in columns.values()):
        raise DemoError(f'{field.label} must be columns by name, like {{"city": ["Oslo", "Rome"]}}.')
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1:
        raise DemoError(f"{field.label} has columns of different lengths: {', '.join(map(str, sorted(lengths)))}.")
    if lengths == {0} or sum(map(len, columns.values())) > MOST_CELLS:
        raise DemoError(f"{field.label} must have between 1 row and {MOST_CELLS:,} cells.")
    table = {str(name): ["" if cell is None else str(cell) for cell in cells] for name, cells in columns.items()}
    check_text(field.label, " ".join([*table, *(cell for cells in table.values() for cell in cells)]), max_characters)
    return table


def _check_json(field: Field, value: Any, _: int) -> Any:
    found = _parse_json(field, value)
    if not isinstance(found, dict):
        raise DemoError(f'{field.label} must be a JSON object, like {{"name": 1}}, but {value!r:.80} was sent.')
    return found


def _check_boxes(field: Field, value: Any, max_characters: int) -> list[list[Any]]:
    """Check words with their boxes: [["word", [x0, y0, x1, y1]], ...], coordinates from 0 to 1000."""
    boxes = _parse_json(field, value)
    shape = 'a list like [["word", [0, 0, 120, 40]]] with coordinates from 0 to 1000'
    if not isinstance(boxes, list):
        raise DemoError(f"{field.label} must be {shape}.")
    for entry in boxes:
        whole = isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[1], list | tuple)
        if not whole or len(entry[1]) != 4 or not all(isinstance(n, int) and 0 <= n <= 1000 for n in entry[1]):
            raise DemoError(f"{field.label} must be {shape}, but {entry!r:.80} was sent.")
        check_text(field.label, entry[0], max_characters)
    check_text(field.label, " ".join(entry[0] for entry in boxes), max_characters)
    return [[word, list(box)] for word, box in boxes]


def _check_file(field: Field, value: Any, _: int) -> Path:
    path = Path(value) if isinstance(value, str | Path) else None
    if path is None or not path.is_file():
        raise DemoError(f"{field.label} must be a file, but none was sent. Choose one: {field.help}")
    return path


def _parse_json(field: Field, value: Any) -> Any:
    """Parse JSON, which clients that can only send text send as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DemoError(f"{field.label} is not valid JSON: {error}. Mend it and send it again.") from error


_CHECKS: Mapping[str, Callable[[Field, Any, int], Any]] = {
    "text": _check_text_field,
    "texts": _check_texts,
    "number": _check_number,
    "choice": _check_choice,
    "flag": _check_flag,
    "labels": _check_labels,
    "words": _check_words,
    "messages": _check_messages,
    "table": _check_table,
    "json": _check_json,
    "boxes": _check_boxes,
    **dict.fromkeys(MEDIA, _check_file),
}


# --- Short ways to declare a field, and fields of several rows. ---


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


def check_hypothesis_template(example: str, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
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
            f"hypothesis_template must hold {{}} once, where the label goes, and no other braces, but {template!r:.80} "
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
        raise DemoError(f"{name} must be a number or true or false, but {values!r:.80} was sent.")
    elif not abs(values) <= largest:
        raise DemoError(f"{name} must be at most {largest}, but {values!r:.80} was sent.")
