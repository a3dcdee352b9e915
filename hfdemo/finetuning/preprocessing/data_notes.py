"""Sentences on what of the rows is not learned or judged as one would think, for the beginning of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.preprocessing.inputs import conversation

NAMED_ROWS = 5


def words_cut_off(
    split: str, rows: Mapping[str, Sequence[str]], labels: Sequence[Sequence[int]], tokenizer: Any, cut: int | None
) -> list[str]:
    """How many words of tagged rows have a label, where not all have; `cut` is the most tokens of a row."""
    words = sum(len(json.loads(cell)) for cell in rows["label"])
    judged = sum(tag != -100 for own in labels for tag in own)
    if judged == words:
        return []
    done = "learned" if split == "train" else "judged"
    beyond = "" if cut is None else f"stand beyond the {cut} tokens that max_length or the model leaves a row, or "
    return [f"{split}: {judged:,} of {words:,} words are {done}. The others {beyond}have no token of their own."]


def chats_learned_whole(
    split: str, rows: Mapping[str, Sequence[str]], labels: Sequence[Sequence[int]], tokenizer: Any, cut: int | None
) -> list[str]:
    """Which rows of messages are learned with all that was asked in them, too."""
    whole = []
    for row, (cell, own) in enumerate(zip(rows["text"], labels, strict=True)):
        if -100 in own:
            continue
        text, learned = conversation(cell, tokenizer)
        if learned and (learned == [(0, len(text))] or not tokenizer.is_fast):
            whole.append(row)
    if not whole:
        return []
    many, done = len(whole) > 1, "learned" if split == "train" else "judged"
    return [
        f"{split}: {len(whole):,} row{'s' if many else ''} of messages {'are' if many else 'is'} {done} whole, not the "
        f"answers alone: there are none, or this tokenizer can't tell where they stand ({named(whole)})."
    ]


def left_out(split: str, rows: Sequence[int], cut: int | None) -> str:
    """That nothing is learned or judged in `rows` of a split."""
    many, train = len(rows) > 1, split == "train"
    return (
        f"{split}: {len(rows):,} row{'s have' if many else ' has'} nothing to {'learn' if train else 'judge'}"
        f"{_within(cut)}, so {'they are' if many else 'it is'} {'not trained on' if train else 'without a score'} "
        f"({named(rows)})."
    )


def nothing_left(split: str, rows: int, cut: int | None) -> str:
    """That nothing is learned or judged in a whole split, and what to do."""
    what = "learn" if split == "train" else "judge"
    advice = "Give longer texts." if cut is None else "Raise max_length, or pick a model that reads longer texts."
    return f"Of the {rows:,} rows of {split} none has anything to {what}{_within(cut)}. {advice}"


def named(rows: Sequence[int]) -> str:
    """The first of some rows by their numbers in the file, from 1: "rows 1, 4, 7, 9, 12 and 3 more"."""
    first = ", ".join(str(row + 1) for row in rows[:NAMED_ROWS])
    more = f" and {len(rows) - NAMED_ROWS:,} more" if len(rows) > NAMED_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"


def _within(cut: int | None) -> str:
    return "" if cut is None else f" in the {cut} tokens that max_length or the model leaves it"
