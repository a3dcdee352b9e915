"""The merges that BPE has learned, in their order, and what a text becomes when only the first of them are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hfdemo.errors import DemoError, wrap_tokenizer_errors
from hfdemo.tasks import check_text
from hfdemo.tokenization.options import check_whole_number

MOST_CHARACTERS = 2_000
LISTED = 12


@dataclass(frozen=True)
class Merge:
    """The merge number `rank`, counted from 1: `left` and `right` became one token."""

    rank: int
    left: str
    right: str


@dataclass(frozen=True)
class MergedText:
    """The tokens of a text after the first `applied` of `total` merges.

    `latest` are the last merges among those, the newest first; `before` and `after` count the tokens without any and
    with all of them.
    """

    total: int
    applied: int
    latest: tuple[Merge, ...]
    tokens: tuple[str, ...]
    before: int
    after: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def apply_first_merges(tokenizer: Any, text: str, count: int) -> MergedText:
    """Cut `text` with the first `count` merges of a BPE tokenizer alone, without special tokens; more than all is all.

    It is the tokenizer's own core that cuts, with a shorter list. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: it has no merges, a text that can't be read or is longer than MOST_CHARACTERS, or a negative count.
    """
    check_whole_number("merges", count, 0)
    check_text("The text", text, MOST_CHARACTERS)
    with wrap_tokenizer_errors():
        state, merges = _read_merges(tokenizer)
        applied = min(count, len(merges))
        tokens = _cut(state, merges[:applied], text)
        before, after = (len(_cut(state, few, text)) for few in ([], merges))
    latest = tuple(Merge(rank, *merges[rank - 1]) for rank in range(applied, max(0, applied - LISTED), -1))
    return MergedText(len(merges), applied, latest, tuple(tokens), before, after)


def count_merges(tokenizer: Any) -> int:
    """Return how many merges a BPE tokenizer has learned; 0 for any other."""
    return len(_read_merges(tokenizer)[1]) if _has_merges(tokenizer) else 0


def _has_merges(tokenizer: Any) -> bool:
    return bool(tokenizer.is_fast) and type(tokenizer.backend_tokenizer.model).__name__ == "BPE"


def _read_merges(tokenizer: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return a backend as its JSON says it, and its merges in their order.

    Raises:
        DemoError: it has none.
    """
    if not _has_merges(tokenizer):
        kind = type(tokenizer.backend_tokenizer.model).__name__ if tokenizer.is_fast else "written in Python"
        raise DemoError(
            f"This tokenizer is {kind}: it keeps no list of merges, only its vocabulary. Choose one that is BPE, such "
            "as tokenizer:bpe, or look at the vocabulary."
        )
    # Without what the last call may have left in it.
    state = {**json.loads(tokenizer.backend_tokenizer.to_str()), "truncation": None, "padding": None}
    return state, [_split_pair(each) for each in state["model"]["merges"]]


def _split_pair(merge: str | Sequence[str]) -> tuple[str, str]:
    """Return both halves of a merge: older files write them as one text with a space between."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _cut(state: dict[str, Any], merges: Sequence[tuple[str, str]], text: str) -> list[str]:
    from tokenizers import Tokenizer

    # Whole words that are in the vocabulary would be taken without a merge, and a drawn lot would skip some.
    model = {**state["model"], "merges": merges, "ignore_merges": False, "dropout": None}
    cut = Tokenizer.from_str(json.dumps({**state, "model": model}))
    return list(cut.encode(text, add_special_tokens=False).tokens)
