"""Texts and options -> what the tokenizer itself returns, plus a sentence for each thing that it would do silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfdemo.errors import wrap_tokenizer_errors
from hfdemo.models.model_facts import ModelFacts
from hfdemo.tokenization.options import (
    Counts,
    Options,
    check_options,
    check_pad_token,
    check_size,
    check_texts,
    will_pad,
)
from hfdemo.tokenization.warnings import TokenizerCall, TokenizerWarning, find_warnings


class Cell(NamedTuple):
    """One slot of a row. `kind` is token, special or pad; `sequence` is 0 or 1 for the text it came from.

    `start` and `end` are character positions in that text; None for special tokens, padding and a tokenizer that knows
    no offsets. A named tuple, because a long text has 100,000 of them, and they are made three times as fast.
    """

    token: str
    id: int
    kind: str
    sequence: int | None
    word: int | None
    type_id: int | None
    attention: int
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Encoding:
    """The columns that the tokenizer returned: one list per row in each, of numbers, strings and pairs of numbers.

    `word_ids`, `sequence_ids` and `offset_mapping` are empty for a tokenizer written in Python only.
    """

    columns: Mapping[str, list[Any]]
    warnings: tuple[TokenizerWarning, ...]

    @property
    def lengths(self) -> list[int]:
        """Real tokens per row, special tokens included."""
        return [sum(mask) for mask in self.columns["attention_mask"]]

    def head(self, rows: int) -> Encoding:
        """Return the same of the first rows alone."""
        return Encoding({name: column[:rows] for name, column in self.columns.items()}, self.warnings)

    def rows(self) -> list[list[Cell]]:
        """Return the same as rows of cells, for drawing."""
        return [self.row(index) for index in range(len(self.columns["input_ids"]))]

    def row(self, index: int) -> list[Cell]:
        """Return one row as cells."""
        columns = self.columns
        ids, attention = columns["input_ids"][index], columns["attention_mask"][index]
        nothing: list[Any] = [None] * len(ids)
        words, sequences, types = (
            columns[name][index] if columns.get(name) else nothing
            for name in ("word_ids", "sequence_ids", "token_type_ids")
        )
        kinds = [
            "pad" if not attended else "special" if special else "token"
            for attended, special in zip(attention, columns["special_tokens_mask"][index], strict=True)
        ]
        starts, ends = nothing, nothing
        if columns.get("offset_mapping"):
            spans = list(zip(columns["offset_mapping"][index], kinds, strict=True))
            starts = [span[0] if kind == "token" else None for span, kind in spans]
            ends = [span[1] if kind == "token" else None for span, kind in spans]
        tokens = columns["tokens"][index]
        return list(map(Cell, tokens, ids, kinds, sequences, words, types, attention, starts, ends))

    def group_slots(self, index: int) -> list[range]:
        """Return the slots of a row in groups that stand on the same characters: an emoji cut into bytes is one of
        several.

        Together they are all slots in order. Where the tokenizer knows no offsets, each slot is a group.
        """
        ids = self.columns["input_ids"][index]
        if not self.columns.get("offset_mapping"):
            return [range(slot, slot + 1) for slot in range(len(ids))]
        sequences, spans = self.columns["sequence_ids"][index], self.columns["offset_mapping"][index]
        starts = [0]
        reached = 0
        for slot, ((start, end), sequence) in enumerate(zip(spans, sequences, strict=True)):
            same = slot > 0 and sequence is not None and sequence == sequences[slot - 1]
            if slot > 0 and not (same and start < end and start < reached):
                starts.append(slot)
                reached = 0
            reached = max(reached, end)
        return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True) if start < stop]

    def to_json(self) -> dict[str, Any]:
        said = [{"code": w.code, "message": w.message, "fix": w.fix, "rows": list(w.rows)} for w in self.warnings]
        return {**self.columns, "warnings": said}


def encode(
    tokenizer: Any,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    options: Options,
    max_characters: int,
    model: ModelFacts | None = None,
) -> Encoding:
    """Call `tokenizer` on a batch and return its columns, with a warning for each trap that the call fell into.

    The caller must hold the tokenizer for itself: a call changes its padding and truncation state. `model` is the one
    that will read the ids.

    Raises:
        DemoError: no text, a text that can't be read, as many pairs as texts are missing, options that exclude
            each other, or a call that would fill the memory.
    """
    check_texts(texts, text_pairs, max_characters)
    check_options(tokenizer, text_pairs is not None, options)
    with wrap_tokenizer_errors():
        counts = _count_tokens(tokenizer, texts, text_pairs, options)
    check_size(tokenizer, text_pairs is not None, counts, options)
    borrowed = options.pad_token if will_pad(tokenizer, options) else None
    with wrap_tokenizer_errors(), borrow_pad_token(tokenizer, borrowed):
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
            split_special_tokens=options.split_special_tokens,
            return_overflowing_tokens=options.return_overflowing_tokens and tokenizer.is_fast,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            return_offsets_mapping=tokenizer.is_fast,
            verbose=False,
        )
        columns = collect_columns(tokenizer, batch)
    return Encoding(
        columns, find_warnings(TokenizerCall(tokenizer, texts, text_pairs, options, columns, counts, model))
    )


def _count_tokens(tokenizer: Any, texts: Sequence[str], text_pairs: Sequence[str] | None, options: Options) -> Counts:
    """Count the tokens in a dry run where something may be cut or padded: afterwards it is too late to count what is
    lost, or too much.
    """
    if not (options.pads or options.truncates):
        return []
    lengths = [
        [
            len(ids)
            for ids in tokenizer(
                list(batch),
                add_special_tokens=False,
                split_special_tokens=options.split_special_tokens,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )["input_ids"]
        ]
        for batch in (texts, [""] * len(texts) if text_pairs is None else text_pairs)
    ]
    return list(zip(*lengths, strict=True))


@contextmanager
def borrow_pad_token(tokenizer: Any, token: str | None) -> Iterator[None]:
    """Set `token` as the pad token for the time of the block, where the tokenizer, which must be held alone, has none.

    Raises:
        DemoError: it is not in the vocabulary: the library would pad with the unknown token, or with id 0.
    """
    if token is None or tokenizer.pad_token is not None:
        yield
        return
    check_pad_token(tokenizer, token)
    tokenizer.pad_token = token
    try:
        yield
    finally:
        tokenizer.pad_token = None


def collect_columns(tokenizer: Any, batch: Any) -> dict[str, list[Any]]:
    """Return what a call returned as plain lists, with the tokens, words and sequences of each row."""
    columns: dict[str, list[Any]] = dict(batch.items())
    # Not `batch.tokens()`: where a Unigram piece is unknown, that has the characters of the text.
    columns["tokens"] = [tokenizer.convert_ids_to_tokens(ids) for ids in columns["input_ids"]]
    if not tokenizer.is_fast:
        return {**columns, "word_ids": [], "sequence_ids": [], "offset_mapping": []}
    rows = range(len(columns["input_ids"]))
    columns["word_ids"] = [batch.word_ids(row) for row in rows]
    columns["sequence_ids"] = [batch.sequence_ids(row) for row in rows]
    return columns
