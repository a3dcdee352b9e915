"""The labels of a data set: which each row has, how many rows each has, and their order in the model."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.cells import NUMBER, sort_labels, write_list
from hfdemo.finetuning.kinds.kind import MOST_LABELS

# What two labels are about, the surest first, and what the other one is called; compared without signs and capitals.
_POSITIVE = (
    *("positive", "yes", "true", "spam", "toxic", "paraphrase", "entailment", "duplicate", "equivalent", "pos"),
    *("hate", "hateful", "offensive", "off", "hof", "abusive", "insult", "sarcastic", "sarcasm", "ironic", "irony"),
    *("fake", "phishing", "fraud", "scam", "malicious", "attack", "anomaly", "acceptable", "relevant", "similar"),
    *("match", "correct", "urgent", "important", "biased", "subjective", "depressed", "depression", "suicide"),
    *("clickbait", "good", "pass", "accept", "accepted", "approved", "unsafe", "jailbreak", "injection", "complaint"),
    *("1", "1.0", "y", "t", "like", "up"),
)
_NEGATIVE = frozenset(
    (
        *("negative", "no", "false", "ham", "neg", "not", "none", "normal", "neutral", "benign", "clean", "safe"),
        *("other", "real", "legit", "legitimate", "0", "0.0", "-1", "-1.0", "n", "f", "neither", "rest", "ok", "bad"),
        *("contradiction", "different", "nonspam", "control", "objective", "wrong", "fail", "dislike", "down", "noise"),
    )
)
_NEGATIONS = re.compile(
    r"(not|no|non|isn'?t|without|never|un|in|im|ir|dis|mis)[\W_]*(?P<of>.+)|(?P<of2>.+)[\W_](not|no|none|free)"
)
FEWEST_ROWS = 4
_FEWEST_OF_MANY = 3  # times that each of more than MOST_LABELS labels has to stand there on average


def list_labels(part: pd.DataFrame, kind: Kind) -> list[list[str]]:
    """Return the labels of each row, a tag as often as it stands there; none for numbers, for texts alone, and of a row
    without a label."""
    parse = kind.rows.parse_labels
    if parse is None:
        return [[] for _ in range(len(part))]
    known = {cell: parse(cell) if cell else [] for cell in part["label"].unique()}
    return [known[cell] for cell in part["label"].tolist()]  # pandas is ten times slower to go through it


def count_labels(part: pd.DataFrame, kind: Kind) -> dict[str, int]:
    """Count the rows (of tags: words) that each label has, the most frequent first; numbers are counted in ranges."""
    if kind.rows.count_values is not None:
        return kind.rows.count_values(part["label"][part["label"] != ""])
    return dict(Counter(label for row in list_labels(part, kind) for label in row).most_common())


def order_found(labels: Iterable[str], names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return labels as a model numbers them: in the order in which the data names them, else sorted."""
    found = set(labels)
    named = [name for name in names if name in found]
    return (*named, *sort_labels(found.difference(named)))


def find_labels(
    config: RunConfig, parts: Mapping[str, pd.DataFrame], kind: Kind, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the labels of the training rows in the model's order: the config's, else by `names` or sorted; () without
    labels.

    Raises:
        DataError: there is too little to learn from, or a split has a label that is not among them.
    """
    train = parts["train"]
    if kind.rows.find_refusal is not None and (refusal := kind.rows.find_refusal(train["label"])):
        raise DataError(refusal)
    if not kind.rows.has_classes:
        _check_rows(train)
        return ()
    found = order_found((label for row in list_labels(train, kind) for label in row), names)
    if len(found) < (1 if kind.rows.is_label_set else 2):
        have = f"the label {found[0]!r}" if found else "no label"
        raise DataError(
            f"Every training row has {have}, so there is nothing to learn. "
            "Pick another label column, or add rows with a second label."
        )
    _check_rows(train)
    seldom = len(found) * _FEWEST_OF_MANY > sum(map(len, list_labels(train, kind)))
    if (len(found) > MOST_LABELS and seldom) or (kind.rows.is_single_label and len(found) == len(train)):
        raise DataError(
            f"The label column has {len(found):,} different values in {len(train):,} rows: that looks like text, "
            "not like classes. Pick another label column."
        )
    labels = tuple(config.labels) if config.labels is not None else found
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise DataError(f"The labels have {twice!r} more than once. Name each label once.")
    for split, part in parts.items():
        strange = sorted({label for row in list_labels(part, kind) for label in row} - set(labels))
        if strange:
            raise DataError(f"The {split} split has the label {strange[0]!r}, which is not among: {', '.join(labels)}.")
    return labels


def order_labels(part: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Return the same rows with the labels of each (a JSON list) in the order of `labels`."""
    place = {label: index for index, label in enumerate(labels)}
    cells = {
        cell: write_list(sorted(json.loads(cell), key=place.__getitem__)) if cell else ""
        for cell in part["label"].unique()
    }
    return part.assign(label=part["label"].map(cells).astype(str))


def choose_positive_label(config: RunConfig, labels: Sequence[str], kind: Kind) -> str | None:
    """Return the class that binary F1 is about: the config's, else the one that two labels mean, else the last of them.

    Raises:
        DataError: the config's is no label.
    """
    chosen = config.positive_label
    if chosen is not None and (not kind.rows.is_single_label or chosen not in labels):
        have = f"The labels are: {', '.join(labels)}." if labels else "There are no classes here: leave it out."
        raise DataError(f"positive_label {chosen!r} is not a label. {have}")
    if chosen is not None or not kind.rows.is_single_label or len(labels) != 2:
        return chosen
    first, second = labels
    for label, other in ((first, second), (second, first)):
        if is_negation(other, label):
            return label
    positive = [label for label in labels if _plain(label) in _POSITIVE]
    if positive:
        return min(positive, key=lambda label: _POSITIVE.index(_plain(label)))
    return first if _plain(second) in _NEGATIVE and _plain(first) not in _NEGATIVE else second


def is_negation(label: str, of: str) -> bool:
    """Return whether a label says that another is not so: not_equivalent, non-toxic, unacceptable, NOT."""
    word, other = _plain(label), _plain(of)
    if word in ("not", "non", "no") and other not in _NEGATIVE:
        return True
    found = _NEGATIONS.fullmatch(label.strip().casefold())
    return found is not None and _plain(found["of"] or found["of2"]) == other


def _plain(label: str) -> str:
    text = label.strip().casefold()
    return text if NUMBER.fullmatch(text) else re.sub(r"[\W_]+", "", text)


def _check_rows(train: pd.DataFrame) -> None:
    if len(train) < FEWEST_ROWS:
        raise DataError(f"There are {len(train)} training rows. Add more: a handful per label at the very least.")
