"""Several tokenizers on the same text: how many tokens, how long, and where they split differently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.tokenization.encoding import encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.stages import Piece, name_algorithm
from hfdemo.tokenization.warnings import find_unknown_slots

MOST_CHARACTERS = 100_000


@dataclass(frozen=True)
class Segmentation:
    """What one tokenizer makes of the text, without special tokens.

    `boundaries` are the character positions inside the text at which it splits; None for a tokenizer that knows no
    offsets. `vocabulary` is the number of its tokens, `unknown` that of the unknown ones that this text became.
    """

    name: str
    algorithm: str
    vocabulary: int
    pieces: tuple[Piece, ...]
    unknown: int
    characters: int
    boundaries: frozenset[int] | None

    @property
    def tokens(self) -> int:
        return len(self.pieces)

    @property
    def characters_per_token(self) -> float:
        return self.characters / len(self.pieces) if self.pieces else 0.0


def segment_text(tokenizer: Any, name: str, text: str) -> Segmentation:
    """Return `text` cut by one tokenizer, which must be held alone.

    Raises:
        DemoError: a text that can't be read, or is longer than MOST_CHARACTERS.
    """
    columns = encode(tokenizer, [text], None, Options(add_special_tokens=False), MOST_CHARACTERS).columns
    ids, tokens = columns["input_ids"][0], columns["tokens"][0]
    spans: list[Any] = columns["offset_mapping"][0] if tokenizer.is_fast else [(None, None)] * len(ids)
    words = columns["word_ids"][0] if tokenizer.is_fast else [None] * len(ids)
    pieces = tuple(
        Piece(token, start, end, 0, id, joined=word is not None and word == before)
        for token, (start, end), id, word, before in zip(tokens, spans, ids, words, [None, *words], strict=False)
    )
    return Segmentation(
        name=name,
        algorithm=name_algorithm(tokenizer),
        vocabulary=len(tokenizer),
        pieces=pieces,
        unknown=len(find_unknown_slots(tokenizer, columns, 0, [text])),
        characters=len(text),
        boundaries=_find_boundaries(text, spans) if tokenizer.is_fast else None,
    )


def find_disagreements(splits: Sequence[Segmentation]) -> frozenset[int]:
    """Return the positions where some of the tokenizers split and others don't; those without offsets have no say."""
    known = [each.boundaries for each in splits if each.boundaries is not None]
    if not known:
        return frozenset()
    return frozenset.union(*known) - frozenset.intersection(*known)


def _find_boundaries(text: str, spans: Iterable[tuple[int, int]]) -> frozenset[int]:
    """Return where a token starts inside the text.

    Two conventions are no difference in splitting: tokens that share a character's bytes count as one, and white space
    belongs to the token before it, after it or to none, so that a start on it moves on to the next character that is
    not.
    """
    first = at = _skip_white_space(text, 0)
    found, covered = set(), 0
    for start, end in spans:
        if start >= covered:
            at = _skip_white_space(text, max(at, start))
            found.add(at)
        covered = max(covered, end)
    return frozenset(found) - {first, len(text)}


def _skip_white_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
