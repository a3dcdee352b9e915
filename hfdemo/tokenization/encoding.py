"""Texts and options -> what the tokenizer itself returns, plus a sentence for each thing that it would do silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.models.configs import NO_LIMIT
from hfdemo.models.foreign import readable_panics
from hfdemo.tasks import check_text

PADDINGS = (False, True, "longest", "max_length", "do_not_pad")
TRUNCATIONS = (False, True, "longest_first", "only_first", "only_second", "do_not_truncate")
SIDES = (None, "left", "right")
MOST_TEXTS = 256


@dataclass(frozen=True)
class Options:
    """The arguments of a tokenizer's `__call__`, under their own names and with their own defaults."""

    padding: bool | str = False
    truncation: bool | str = False
    max_length: int | None = None
    stride: int = 0
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    add_special_tokens: bool = True
    return_overflowing_tokens: bool = False

    def __post_init__(self) -> None:
        """Raises DemoError for a value that no tokenizer takes."""
        _choice("padding", self.padding, PADDINGS)
        _choice("truncation", self.truncation, TRUNCATIONS)
        _choice("padding_side", self.padding_side, SIDES)
        _whole("max_length", self.max_length, 2)
        _whole("pad_to_multiple_of", self.pad_to_multiple_of, 1)
        _whole("stride", self.stride, 0)

    @property
    def pads(self) -> bool:
        return self.padding not in (False, "do_not_pad")

    @property
    def truncates(self) -> bool:
        return self.truncation not in (False, "do_not_truncate")


def _choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    # 1 == True, but nobody means it.
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise DemoError(f"{name} must be one of {', '.join(map(repr, choices))}, but is {value!r}.")


def _whole(name: str, value: Any, lowest: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < lowest):
        raise DemoError(f"{name} must be a whole number of at least {lowest}, but is {value!r}.")


@dataclass(frozen=True)
class Warning:
    """Something the tokenizer does without saying; `rows` are the texts concerned, counted from 0."""

    code: str
    message: str
    fix: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One slot of a row. `kind` is token, special or pad; `sequence` is 0 or 1 for the text it came from."""

    token: str
    id: int
    kind: str
    sequence: int | None
    word: int | None
    type_id: int | None
    attention: int


@dataclass(frozen=True)
class Encoding:
    """The columns that the tokenizer returned: one list per text in each, all as plain numbers and strings.

    `word_ids`, `sequence_ids` and `offset_mapping` are empty for a tokenizer written in Python only.
    """

    columns: Mapping[str, list[Any]]
    warnings: tuple[Warning, ...]

    @property
    def lengths(self) -> list[int]:
        """Real tokens per row, special tokens included."""
        return [sum(mask) for mask in self.columns["attention_mask"]]

    def rows(self) -> list[list[Cell]]:
        """The same as rows of cells, for drawing."""
        columns = self.columns
        types = columns.get("token_type_ids")
        drawn = []
        for index, ids in enumerate(columns["input_ids"]):
            attention, special = columns["attention_mask"][index], columns["special_tokens_mask"][index]
            words = columns["word_ids"][index] if columns["word_ids"] else [None] * len(ids)
            sequences = columns["sequence_ids"][index] if columns["sequence_ids"] else [None] * len(ids)
            drawn.append(
                [
                    Cell(
                        token=columns["tokens"][index][slot],
                        id=ids[slot],
                        kind="pad" if not attention[slot] else "special" if special[slot] else "token",
                        sequence=sequences[slot],
                        word=words[slot],
                        type_id=types[index][slot] if types else None,
                        attention=attention[slot],
                    )
                    for slot in range(len(ids))
                ]
            )
        return drawn

    def to_json(self) -> dict[str, Any]:
        said = [{"code": w.code, "message": w.message, "fix": w.fix, "rows": list(w.rows)} for w in self.warnings]
        return {**self.columns, "warnings": said}


def encode(
    tokenizer: Any,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    options: Options,
    max_characters: int,
) -> Encoding:
    """Call `tokenizer` on a batch and return its columns.

    The caller must hold the tokenizer for itself: a call changes its padding and truncation state.

    Raises:
        DemoError: no text, a text that can't be read, as many pairs as texts are missing, or options that exclude
            each other.
    """
    _check_texts(texts, text_pairs, max_characters)
    _check_options(tokenizer, text_pairs, options)
    with readable_panics():
        batch = tokenizer(
            list(texts),
            list(text_pairs) if text_pairs is not None else None,
            padding=options.padding,
            truncation=options.truncation,
            max_length=options.max_length,
            stride=options.stride,
            pad_to_multiple_of=options.pad_to_multiple_of,
            padding_side=options.padding_side,
            add_special_tokens=options.add_special_tokens,
            return_overflowing_tokens=options.return_overflowing_tokens and tokenizer.is_fast,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            return_offsets_mapping=tokenizer.is_fast,
            verbose=False,
        )
    columns: dict[str, list[Any]] = {
        name: [list(row) if isinstance(row, list) else row for row in column] for name, column in batch.items()
    }
    count = len(columns["input_ids"])
    columns["tokens"] = [tokenizer.convert_ids_to_tokens(ids) for ids in columns["input_ids"]]
    columns["word_ids"] = [batch.word_ids(row) for row in range(count)] if tokenizer.is_fast else []
    columns["sequence_ids"] = [batch.sequence_ids(row) for row in range(count)] if tokenizer.is_fast else []
    columns["offset_mapping"] = [[list(span) for span in row] for row in columns.get("offset_mapping", [])]
    return Encoding(columns, tuple(_warnings(tokenizer, columns, options)))


def _check_texts(texts: Sequence[str], text_pairs: Sequence[str] | None, max_characters: int) -> None:
    if not texts:
        raise DemoError("There is no text. Type at least one.")
    if len(texts) > MOST_TEXTS:
        raise DemoError(f"{len(texts)} texts were sent; one call takes at most {MOST_TEXTS}. Send them in parts.")
    if text_pairs is not None and len(text_pairs) != len(texts):
        raise DemoError(
            f"Texts: {len(texts)}, second texts: {len(text_pairs)}. Each text needs its own, or none has one."
        )
    for kind, batch in (("Text", texts), ("Second text", text_pairs or ())):
        for number, text in enumerate(batch, start=1):
            check_text(f"{kind} {number}" if len(texts) > 1 else kind, text, max_characters)
    total = sum(map(len, (*texts, *(text_pairs or ()))))
    if total > max_characters:
        raise DemoError(f"The texts have {total:,} characters together; one call takes at most {max_characters:,}.")


def _check_options(tokenizer: Any, text_pairs: Sequence[str] | None, options: Options) -> None:
    if options.pads and tokenizer.pad_token is None:
        raise DemoError("This tokenizer has no pad token, so it can't pad. Set padding to False.")
    if options.truncation == "only_second" and text_pairs is None:
        raise DemoError('truncation "only_second" needs second texts. Add them, or use True.')
    special = tokenizer.num_special_tokens_to_add(text_pairs is not None) * options.add_special_tokens
    if options.max_length is not None and options.truncates and options.max_length <= special:
        raise DemoError(
            f"max_length is {options.max_length}, but {special} special tokens take all of it. "
            f"Use {special + 1} or more."
        )
    multiple = options.pad_to_multiple_of
    if options.max_length and options.truncates and options.pads and multiple and options.max_length % multiple:
        raise DemoError(
            f"max_length {options.max_length} is no multiple of {multiple}, so rows can't be cut to it and padded to a "
            f"multiple of {multiple} at once. Use {-(-options.max_length // multiple) * multiple}."
        )
    limit = options.max_length or tokenizer.model_max_length
    if options.return_overflowing_tokens and options.truncates:
        room = limit - special
        if options.stride >= room:
            raise DemoError(
                f"stride is {options.stride}, but a window has room for {room} tokens only. "
                "Make stride smaller or max_length larger."
            )


def _warnings(tokenizer: Any, columns: Mapping[str, list[Any]], options: Options) -> list[Warning]:
    said = []
    unlimited = options.max_length is None and tokenizer.model_max_length > NO_LIMIT
    if unlimited and options.padding == "max_length":
        fix = "Give a max_length."
        said.append(Warning("padding_ignored", 'padding="max_length" did nothing: no length is known.', fix))
    if unlimited and options.truncates:
        said.append(Warning("truncation_ignored", "Truncation did nothing: no length is known.", "Give a max_length."))
    if len({len(ids) for ids in columns["input_ids"]}) > 1 and options.pads:
        message = "A row is longer than max_length, so padding could not make the rows equally long."
        said.append(Warning("ragged", message, "Set truncation to True."))
    if options.max_length is not None and not options.truncates and options.padding != "max_length":
        message = f"max_length {options.max_length} has no effect: nothing is cut and nothing is padded to it."
        said.append(Warning("max_length_ignored", message, 'Set truncation to True, or padding to "max_length".'))
    if not tokenizer.is_fast:
        message = "This tokenizer is written in Python only: it knows no offsets and no word ids."
        said.append(Warning("no_offsets", message, "Use a tokenizer with a tokenizer.json to see them."))
    counted = [sum(mask) for mask in columns["attention_mask"]]
    long = tuple(row for row, length in enumerate(counted) if length > tokenizer.model_max_length)
    if long:
        message = f"Rows longer than the {tokenizer.model_max_length} tokens that the model can read: {len(long)}."
        said.append(Warning("too_long", message, "Set truncation to True.", long))
    unknown = tuple(row for row, ids in enumerate(columns["input_ids"]) if tokenizer.unk_token_id in ids)
    if unknown and tokenizer.unk_token_id is not None:
        message = f"Some characters are not in the vocabulary and became {tokenizer.unk_token}."
        fix = "The model can't see them. Rewrite them, or change the model."
        said.append(Warning("unknown_tokens", message, fix, unknown))
    return said
