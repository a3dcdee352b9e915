"""One text on its way through a tokenizer: raw, normalized, pre-tokenized, pieces, post-processed, with offsets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from hfdemo.errors import wrap_tokenizer_errors
from hfdemo.tasks import check_text
from hfdemo.tokenization.backend import (
    MOST_CHARACTERS,
    TextPart,
    align_characters,
    describe_component,
    describe_model,
    normalize_part,
    pre_tokenize_part,
    split_added_tokens,
)
from hfdemo.tokenization.options import Options

_DEFAULTS = Options()


@dataclass(frozen=True)
class Piece:
    """A part of the text as it stands at its stage.

    It came from the characters `start` to `end` of the raw text number `sequence` (0 or 1); all three are None for what
    the tokenizer added, and `start` and `end` where it keeps no offsets. `id` is None before pieces have ids, `joined`
    says that it goes on with the word before it. Pieces of one stage can share characters: byte-level tokens that are
    parts of one emoji all came from that emoji.
    """

    text: str
    start: int | None = None
    end: int | None = None
    sequence: int | None = None
    id: int | None = None
    special: bool = False
    joined: bool = False


@dataclass(frozen=True)
class Stage:
    """What one component made of the text: `did` names the component with its settings, or says that there is none."""

    name: str
    did: str
    pieces: tuple[Piece, ...]


def name_algorithm(tokenizer: Any) -> str:
    """Return WordPiece, BPE, Unigram or WordLevel; "Python" for a tokenizer without a fast core."""
    return type(tokenizer.backend_tokenizer.model).__name__ if tokenizer.is_fast else "Python"


def trace_stages(tokenizer: Any, text: str, pair: str | None = None, options: Options = _DEFAULTS) -> tuple[Stage, ...]:
    """Return the stages raw, normalized, pre-tokenized, pieces and post-processed; a Python-only tokenizer has fewer.

    Of `options`, those about special tokens count. A tokenizer that skips merges at random skips none here.

    A normalized piece is a run that the normalizer left alone or a run that it changed (its text then differs from the
    raw characters it came from, and is "" where they were removed). The caller must hold the tokenizer for itself.

    Raises:
        DemoError: the text can't be read, or is longer than MOST_CHARACTERS.
    """
    texts = [check_text("The text", text, MOST_CHARACTERS)]
    if pair is not None:
        texts.append(check_text("The second text", pair, MOST_CHARACTERS))
    chosen = {"add_special_tokens": options.add_special_tokens}
    if options.split_special_tokens is not None:
        chosen["split_special_tokens"] = options.split_special_tokens
    with wrap_tokenizer_errors():
        if not tokenizer.is_fast:
            return _trace_python_only(tokenizer, texts, chosen)
        with _disable_dropout(tokenizer.backend_tokenizer.model):
            return _trace_fast(tokenizer, texts, chosen)


@contextmanager
def _disable_dropout(model: Any) -> Iterator[None]:
    """Turn BPE's dropout off: the text is cut twice, as a whole and step by step, and would be cut in two ways."""
    dropout = getattr(model, "dropout", None)
    if dropout is None:
        yield
        return
    model.dropout = None
    try:
        yield
    finally:
        model.dropout = dropout


def _trace_fast(tokenizer: Any, texts: Sequence[str], chosen: Mapping[str, Any]) -> tuple[Stage, ...]:
    backend = tokenizer.backend_tokenizer
    # First, because a call sets the switch that says whether special tokens are looked for in the text.
    batch = tokenizer(*texts, return_offsets_mapping=True, verbose=False, **chosen)
    runs: list[Piece] = []
    words: list[Piece] = []
    pieces: list[Piece] = []
    for sequence, text in enumerate(texts):
        parts = split_added_tokens(backend, text)
        runs += _normalized_pieces(backend, text, parts, sequence)
        for part in parts:
            if part.id is None:
                words += _pre_tokenized_pieces(backend, text, part, sequence)
                pieces += _model_pieces(backend, text, part, sequence)
            else:
                added = _build_added_piece(backend, text, part, sequence)
                words.append(added)
                pieces.append(replace(added, id=part.id))
    return (
        _build_raw_stage(texts),
        Stage("normalized", describe_component(backend.normalizer, "normalizer"), tuple(runs)),
        Stage("pre-tokenized", describe_component(backend.pre_tokenizer, "pre-tokenizer"), tuple(words)),
        Stage("pieces", describe_model(tokenizer), tuple(pieces)),
        Stage(
            "post-processed",
            describe_component(backend.post_processor, "post-processor", pair=len(texts) == 2)
            + ("" if chosen["add_special_tokens"] else ", without special tokens (add_special_tokens=False)"),
            tuple(_post_processed(tokenizer, batch, pieces)),
        ),
    )


def _build_raw_stage(texts: Sequence[str]) -> Stage:
    pieces = [
        Piece(run.group(), run.start(), run.end(), sequence)
        for sequence, text in enumerate(texts)
        for run in re.finditer(r"\s+|\S+", text)
    ]
    count, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
    return Stage("raw", f"the text as it was given: {count:,} characters, {size:,} bytes in UTF-8", tuple(pieces))


def _build_added_piece(backend: Any, text: str, part: TextPart, sequence: int) -> Piece:
    start, end = part.raw
    found = text[start:end]
    if part.within is not None:
        found, (start, end), _ = normalize_part(backend, text, part).get_splits("original", "char")[0]
    return Piece(found, start, end, sequence, special=part.special)


def _pre_tokenized_pieces(backend: Any, text: str, part: TextPart, sequence: int) -> list[Piece]:
    splits = pre_tokenize_part(backend, text, part).get_splits("original", "char")
    return [Piece(word, start, end, sequence) for word, (start, end), _ in splits]


def _model_pieces(backend: Any, text: str, part: TextPart, sequence: int) -> list[Piece]:
    string = pre_tokenize_part(backend, text, part)
    string.tokenize(backend.model.tokenize)
    found = string.to_encoding()
    rows = zip(found.tokens, found.offsets, found.ids, found.word_ids, [None, *found.word_ids], strict=False)
    return [
        Piece(token, start, end, sequence, id, joined=word == before) for token, (start, end), id, word, before in rows
    ]


def _post_processed(tokenizer: Any, batch: Any, pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Yield the tokenizer's own result; what does not come from the text was added by the post-processor."""
    ids, sequences = batch["input_ids"], batch.sequence_ids()
    came: dict[int | None, Iterator[Piece]] = {}
    for sequence in {0, 1} & set(sequences):
        found = [piece for piece in pieces if piece.sequence == sequence]
        count = sequences.count(sequence)
        # A post-processor may take tokens away, and nothing says which.
        came[sequence] = iter(found if len(found) == count else [Piece("", sequence=sequence)] * count)
    rows = zip(tokenizer.convert_ids_to_tokens(ids), ids, batch["offset_mapping"], sequences, strict=True)
    for token, id, (start, end), sequence in rows:
        if sequence is None:
            yield Piece(token, id=id, special=True)
        else:
            yield replace(next(came[sequence]), text=token, start=start, end=end, id=id)


# --- Normalized characters as runs that changed or did not. ---


@dataclass(frozen=True)
class _Unit:
    """Normalized characters that came from the same raw characters; "" for raw characters that were removed."""

    text: str
    start: int
    end: int
    changed: bool
    blank: bool
    added: bool = False
    special: bool = False


def _normalized_pieces(backend: Any, text: str, parts: Sequence[TextPart], sequence: int) -> list[Piece]:
    pieces: list[Piece] = []
    before: _Unit | None = None
    units = _add_removed_units(text, _list_units(backend, text, parts))
    # An added token is a run of its own, whatever stands beside it.
    for _, run in groupby(units, lambda unit: (unit.changed, unit.blank, unit.start if unit.added else None)):
        first, *rest = run
        last = rest[-1] if rest else first
        joined = before is not None and not (before.blank or before.added or first.blank or first.added)
        found = "".join(unit.text for unit in (first, *rest))
        pieces.append(Piece(found, first.start, last.end, sequence, special=first.special, joined=joined))
        before = last
    return pieces


def _list_units(backend: Any, text: str, parts: Sequence[TextPart]) -> Iterator[_Unit]:
    for part in parts:
        if part.id is not None:
            added = _build_added_piece(backend, text, part, 0)
            yield _make_unit(text, added.text, (added.start or 0, added.end or 0), added=True, special=part.special)
            continue
        held, span = "", (0, 0)
        for char, (start, end) in align_characters(backend, text, part):
            if held and start < span[1]:
                held, span = held + char, (span[0], max(span[1], end))
                continue
            if held:
                yield _make_unit(text, held, span)
            held, span = char, (start, end)
        yield _make_unit(text, held, span)


def _make_unit(text: str, found: str, span: tuple[int, int], added: bool = False, special: bool = False) -> _Unit:
    start, end = span
    raw = text[start:end]
    return _Unit(found, start, end, found != raw, not raw.strip(), added, special)


def _add_removed_units(text: str, units: Iterable[_Unit]) -> Iterator[_Unit]:
    """Yield the units, and "" for each raw character between them from which nothing came."""
    at = 0
    for unit in units:
        yield from (_make_unit(text, "", (gap, gap + 1)) for gap in range(at, unit.start))
        yield unit
        at = max(at, unit.end)
    yield from (_make_unit(text, "", (gap, gap + 1)) for gap in range(at, len(text)))


# --- A tokenizer without a fast core. ---


def _trace_python_only(tokenizer: Any, texts: Sequence[str], chosen: Mapping[str, Any]) -> tuple[Stage, ...]:
    kind = type(tokenizer).__name__
    special = set(tokenizer.all_special_tokens)
    pieces = [
        Piece(token, sequence=sequence, id=tokenizer.convert_tokens_to_ids(token), special=token in special)
        for sequence, text in enumerate(texts)
        for token in tokenizer.tokenize(text, **chosen)
    ]
    ids = tokenizer(*texts, verbose=False, **chosen)["input_ids"]
    processed: list[Piece] = []
    left = list(reversed(pieces))
    for token, id in zip(tokenizer.convert_ids_to_tokens(ids), ids, strict=True):
        # Not by the special tokens mask: ByT5's is wrong for a text that ends with </s>.
        if left and left[-1].id == id:
            processed.append(replace(left.pop(), text=token))
        else:
            processed.append(Piece(token, id=id, special=True))
    return (
        _build_raw_stage(texts),
        Stage("pieces", f"{kind}.tokenize: written in Python, so it keeps no offsets", tuple(pieces)),
        Stage("post-processed", f"{kind} adds its special tokens", tuple(processed)),
    )
