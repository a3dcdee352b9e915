"""Shortcuts: what tells the labels of a data set without reading its texts, so that a model may learn nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import pandas as pd

from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.findings import Finding
from hfdemo.finetuning.kinds import Kind

_FEWEST = 40  # rows; of fewer anything may tell the labels by chance
_MOST = 5_000  # rows that are looked at
_BINS = 20
# A shortcut is right on so many rows, and leaves so few of the errors of always answering the most frequent label.
_RIGHT, _ERRORS_LEFT = 0.9, 0.3


def _bin_lengths(part: pd.DataFrame) -> pd.Series:
    return pd.qcut(part["text"].str.len().rank(method="first"), _BINS, labels=False).astype(str)


def _first_words(part: pd.DataFrame) -> pd.Series:
    return part["text"].str.split(n=1).str[0].fillna("")


def _last_words(part: pd.DataFrame) -> pd.Series:
    return part["text"].str.rsplit(n=1).str[-1].fillna("")


SHORTCUTS: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = MappingProxyType(
    {"the length of the text": _bin_lengths, "its first word": _first_words, "its last word": _last_words}
)


def judge_shortcut(values: pd.Series, labels: pd.Series) -> float:
    """Return the share of the odd rows whose label is the one that `values` has most often in the even rows."""
    even = pd.Series(range(len(labels)), index=labels.index) % 2 == 0
    counts = pd.DataFrame({"value": values[even], "label": labels[even]}).value_counts()  # the most frequent first
    usual = counts.reset_index().drop_duplicates("value").set_index("value")["label"]
    return float((values[~even].map(usual) == labels[~even]).mean())


def find_shortcuts(parts: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind) -> Iterator[Finding]:
    """Find what tells the one label of each row as well as its text may: its length, its first or its last word."""
    train = parts["train"]
    train = train[(train["blank"] == "") & (train["unreadable"] == "")] if "label" in train else train
    if not kind.rows.is_single_label or len(train) < _FEWEST:
        return
    train = train.sample(min(_MOST, len(train)), random_state=0)  # files are often sorted by their labels
    usual = float(train["label"].value_counts(normalize=True).iloc[0])
    for name, look in SHORTCUTS.items():
        right = judge_shortcut(look(train), train["label"])
        if right >= _RIGHT and 1 - right <= _ERRORS_LEFT * (1 - usual):
            yield Finding(
                0, mapped.text_column,
                f"From {name} alone {right:.0%} of the labels can be told (always the most frequent: {usual:.0%}), so "
                "a model may learn that and nothing of what the texts say.",
                "See whether the texts of one label come from elsewhere, or hold a mark that new texts won't have.",
                "shortcut",
            )  # fmt: skip
