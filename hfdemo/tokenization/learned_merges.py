"""The merges that BPE has learned, in their order, and what a text becomes when only the first of them are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, Stopped, wrap_library_errors, wrap_tokenizer_errors
from hfdemo.tasks import check_text
from hfdemo.tokenization.options import check_whole_number

MOST_CHARACTERS = 2_000
LISTED = 12


@dataclass(frozen=True)
class Merge:
    """The merge number `rank`, counted from 1: `left` and `right` became `made`."""

    rank: int
    left: str
    right: str
    made: str


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


@dataclass(frozen=True)
class WrittenMerges:
    """A BPE backend as its JSON says it, and the tokens that it makes of a text with all its merges."""

    backend: str
    whole: tuple[str, ...]


def write_merges(tokenizer: Any, text: str) -> WrittenMerges:
    """Write down what `apply_first_merges` needs, which is all for which the caller must hold the tokenizer.

    Raises:
        DemoError: it has no merges, or a text that can't be read or is longer than MOST_CHARACTERS.
    """
    check_text("The text", text, MOST_CHARACTERS)
    if not _has_merges(tokenizer):
        kind = type(tokenizer.backend_tokenizer.model).__name__ if tokenizer.is_fast else "written in Python"
        raise DemoError(
            f"This tokenizer is {kind}: it keeps no list of merges, only its vocabulary. Choose one that is BPE, such "
            "as tokenizer:bpe, or look at the vocabulary."
        )
    with wrap_tokenizer_errors():
        whole = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        return WrittenMerges(tokenizer.backend_tokenizer.to_str(), tuple(whole))


def apply_first_merges(written: WrittenMerges, text: str, count: int, stop: Event | None = None) -> MergedText:
    """Cut `text` with the first `count` merges alone, without special tokens; more than there are is all.

    It is the tokenizer's own core that cuts, with a shorter list.

    Raises:
        DemoError: a negative count, or merges that are not to be had.
        Stopped: `stop` was set.
    """
    check_whole_number("merges", count, 0)
    with wrap_library_errors("These merges can't be applied", "Take another tokenizer."):
        state = json.loads(written.backend)
        prefix = len(state["model"]["continuing_subword_prefix"] or "")
        pairs: list[list[str]] = state["model"]["merges"]
        made = [left + right[prefix:] for left, right in pairs]
        applied = min(count, len(made))
        cuts = []
        for few in (0, applied):
            if stop is not None and stop.is_set():
                raise Stopped
            cuts.append(list(written.whole) if few == len(made) else _cut(state, made, few, text))
    ranks = range(applied, max(0, applied - LISTED), -1)
    latest = (Merge(rank, left, right, made[rank - 1]) for rank in ranks for left, right in [pairs[rank - 1]])
    return MergedText(len(made), applied, tuple(latest), tuple(cuts[1]), len(cuts[0]), len(written.whole))


def count_merges(tokenizer: Any) -> int:
    """Return how many merges a BPE tokenizer has learned; 0 for any other."""
    if not _has_merges(tokenizer):
        return 0
    return len(json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"])


def _has_merges(tokenizer: Any) -> bool:
    return bool(tokenizer.is_fast) and type(tokenizer.backend_tokenizer.model).__name__ == "BPE"


def _cut(state: dict[str, Any], made: Sequence[str], count: int, text: str) -> list[str]:
    from tokenizers import Tokenizer

    # Without what later merges make, it is built in no time, whatever the vocabulary is.
    later = set(made[count:]) - set(made[:count])
    model = {
        **state["model"],
        "vocab": {token: id for token, id in state["model"]["vocab"].items() if token not in later},
        "merges": state["model"]["merges"][:count],
        # Whole words that are in the vocabulary would be taken without a merge, and a drawn lot would skip some.
        "ignore_merges": False,
        "dropout": None,
    }
    # Without the limits that the last call may have left in it.
    cut = Tokenizer.from_str(json.dumps({**state, "model": model, "truncation": None, "padding": None}))
    return list(cut.encode(text, add_special_tokens=False).tokens)
