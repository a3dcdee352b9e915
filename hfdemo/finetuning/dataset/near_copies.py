"""Near copies: texts that say the same but for case, white space and punctuation, and long ones but for a few words."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence

_NO_WORD = re.compile(r"[\W_]+")
# A long text has words enough for a share of them to mean something. With so many hashes in so many bands, a pair with
# half of its words in common is a candidate once in 65, one with 85 of 100 always but once in 3,000.
LONG = 12
MOST_LONG = 100_000  # ten seconds on one core
_HASHES, _BANDS, _SEED = 64, 16, 1
_ALIKE = 0.8  # of the pairs of neighbouring words that two near copies have between them


def simplify_text(text: str) -> str:
    """Return the words of `text` in lower case with one space between them; a text without any is what it was."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _NO_WORD.sub(" ", plain.casefold()).strip() or text


def mark_near_copies(texts: Sequence[str], known: Sequence[str]) -> list[bool]:
    """Return which of `texts` are near copies of one of `known`, or copies; in time linear in both.

    Texts of LONG words or more, MOST_LONG of each at most, are compared by MinHash, and then by their pairs of
    neighbouring words, of which near copies have 80 of 100 in common: one of twenty words may be another.
    """
    simple, others = list(map(simplify_text, texts)), dict.fromkeys(map(simplify_text, known))
    marked = [text in others for text in simple]
    asked = [number for number, text in enumerate(simple) if not marked[number] and _is_long(text)][:MOST_LONG]
    long = list(filter(_is_long, others))[:MOST_LONG]
    if not asked or not long:
        return marked
    for number, candidates in zip(asked, _find_candidates([simple[number] for number in asked], long), strict=True):
        pairs = _pair_words(simple[number])
        marked[number] = any(_share_in_common(pairs, _pair_words(long[place])) >= _ALIKE for place in candidates)
    return marked


def _is_long(text: str) -> bool:
    return text.count(" ") >= LONG - 1


def _find_candidates(texts: Sequence[str], known: Sequence[str]) -> list[list[int]]:
    """Return the places in `known` of the texts that have most words in common with each of `texts`."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(_ALIKE, _HASHES, _BANDS)
    index.insert_pairs(list(enumerate(RMinHash.from_token_sets([set(text.split()) for text in known], _HASHES, _SEED))))
    found: list[list[int]] = index.query_all(
        RMinHash.from_token_sets([set(text.split()) for text in texts], _HASHES, _SEED)
    )
    return found


def _pair_words(text: str) -> set[tuple[str, str]]:
    return set(itertools.pairwise(text.split()))


def _share_in_common(first: set[tuple[str, str]], second: set[tuple[str, str]]) -> float:
    return len(first & second) / len(first | second)
