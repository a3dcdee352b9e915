"""The labels of a data set: which each row has, how many rows each has, and their order in the model."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.cells import NUMBER, to_json
from hfdemo.finetuning.dataset.columns import MOST_LABELS, Kind
from hfdemo.finetuning.evaluation.scores import entity_tags

_POSITIVE = ("positive", "yes", "true", "1", "spam", "paraphrase", "entailment", "duplicate", "pos")
FEWEST_ROWS = 4
_FEWEST_OF_MANY = 3  # times that each of more than MOST_LABELS labels has to stand there on average
_RANGES = 5


def labels_of(part: pd.DataFrame, kind: Kind) -> list[list[str]]:
    """The labels of each row, a tag as often as it stands there; none for numbers and for texts alone."""
    if kind == "single_label":
        return [[label] for label in part["label"]]
    if kind in ("multi_label", "tokens"):
        known = {cell: json.loads(cell) for cell in part["label"].unique()}
        return [known[cell] for cell in part["label"]]
    return [[] for _ in range(len(part))]


def count_labels(part: pd.DataFrame, kind: Kind) -> dict[str, int]:
    """How many rows (of tags: words) each label has, the most frequent first; numbers are counted in ranges."""
    if kind == "regression":
        numbers = part["label"].astype(float)
        if numbers.nunique() <= _RANGES:
            return {f"{number:g}": int(count) for number, count in numbers.value_counts().sort_index().items()}
        counts, edges = np.histogram(numbers, _RANGES)
        return {f"{edges[i]:.3g} to {edges[i + 1]:.3g}": int(count) for i, count in enumerate(counts)}
    return dict(Counter(label for row in labels_of(part, kind) for label in row).most_common())


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Numbers by value, texts by name with the numbers in them by value; of IOB tags O first, then by entity."""
    found = set(labels)
    if entity_tags(found):
        return tuple(sorted(found, key=lambda tag: (tag != "O", _natural(tag[2:]), tag)))
    if found and all(NUMBER.fullmatch(label) for label in found):
        return tuple(sorted(found, key=lambda label: (float(label), label)))
    return tuple(sorted(found, key=lambda label: (_natural(label), label)))


def find_labels(config: RunConfig, parts: Mapping[str, pd.DataFrame], kind: Kind) -> tuple[str, ...]:
    """The labels of the training rows in the model's order: as the config has it, else `in_order`; () without labels.

    Raises:
        DataError: there is too little to learn from, or a split has a label that is not among them.
    """
    train = parts["train"]
    if kind == "language":
        _check_rows(train)
        return ()
    if kind == "regression":
        if train["label"].astype(float).nunique() < 2:
            raise DataError("Every training row has the same number, so there is nothing to learn. Add other rows.")
        _check_rows(train)
        return ()
    found = in_order(label for row in labels_of(train, kind) for label in row)
    if len(found) < (1 if kind == "multi_label" else 2):
        have = f"the label {found[0]!r}" if found else "no label"
        raise DataError(
            f"Every training row has {have}, so there is nothing to learn. "
            "Pick another label column, or add rows with a second label."
        )
    _check_rows(train)
    seldom = len(found) * _FEWEST_OF_MANY > sum(map(len, labels_of(train, kind)))
    if (len(found) > MOST_LABELS and seldom) or (kind == "single_label" and len(found) == len(train)):
        raise DataError(
            f"The label column has {len(found):,} different values in {len(train):,} rows: that looks like text, "
            "not like classes. Pick another label column."
        )
    labels = tuple(config.labels) if config.labels is not None else found
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise DataError(f"The labels have {twice!r} more than once. Name each label once.")
    for split, part in parts.items():
        strange = sorted({label for row in labels_of(part, kind) for label in row} - set(labels))
        if strange:
            raise DataError(f"The {split} split has the label {strange[0]!r}, which is not among: {', '.join(labels)}.")
    return labels


def in_model_order(part: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """The same rows with the labels of each (a JSON list) in the order of `labels`."""
    place = {label: index for index, label in enumerate(labels)}
    cells = {cell: to_json(sorted(json.loads(cell), key=place.__getitem__)) for cell in part["label"].unique()}
    return part.assign(label=part["label"].map(cells).astype(str))


def positive_of(config: RunConfig, labels: Sequence[str], kind: Kind) -> str | None:
    """The class that binary F1 is about: the config's, else one with a telling name, else the last of two.

    Raises:
        DataError: the config's is no label.
    """
    chosen = config.positive_label
    if chosen is not None and (kind != "single_label" or chosen not in labels):
        have = f"The labels are: {', '.join(labels)}." if labels else "There are no classes here: leave it out."
        raise DataError(f"positive_label {chosen!r} is not a label. {have}")
    if chosen is not None or kind != "single_label" or len(labels) != 2:
        return chosen if kind == "single_label" else None
    return next((label for label in labels if label.lower() in _POSITIVE), labels[-1])


def _check_rows(train: pd.DataFrame) -> None:
    if len(train) < FEWEST_ROWS:
        raise DataError(f"There are {len(train)} training rows. Add more: a handful per label at the very least.")


def _natural(text: str) -> list[tuple[int, int, str]]:
    # isdecimal, because int() reads nothing more: "²" is a digit, too.
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
