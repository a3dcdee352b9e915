"""What tells the labels without the text is said; labels that need the text are not."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from hfdemo.finetuning.dataset.columns import Columns, read_rows
from hfdemo.finetuning.dataset.shortcuts import find_shortcuts
from hfdemo.finetuning.kinds import DEFAULT_KIND

WORDS = [f"word{number}" for number in range(200)]


def draw(count: int, prefix: tuple[str, str] = ("", ""), longer: int = 0, noise: float = 0.0) -> pd.DataFrame:
    """Draw texts of two labels that differ by a prefix, or by so many words more."""
    drawn = random.Random(0)
    rows = []
    for number in range(count):
        told = number % 2 if drawn.random() >= noise else 1 - number % 2
        words = drawn.choices(WORDS, k=8 + told * longer)
        rows.append((f"{prefix[told]} {' '.join(words)}".strip(), ("no", "yes")[number % 2]))
    return pd.DataFrame(sorted(rows, key=lambda row: row[1]), columns=["text", "label"])


def found(table: pd.DataFrame) -> list[str]:
    mapped = Columns("text", "label")
    return [
        each.problem for each in find_shortcuts(read_rows({"train": table}, mapped, DEFAULT_KIND), mapped, DEFAULT_KIND)
    ]


def test_a_mark_at_the_beginning_or_the_end_is_a_shortcut() -> None:
    (said,) = found(draw(200, ("[a]", "[b]")))
    assert said.startswith("From its first word alone 100% of the labels can be told (always the most frequent: 50%)")
    turned = draw(200, ("[a]", "[b]"))
    turned["text"] = [" ".join(reversed(text.split())) for text in turned["text"]]
    assert "its last word" in found(turned)[0]


def test_texts_of_one_label_that_are_longer_are_a_shortcut() -> None:
    (said,) = found(draw(200, longer=12))
    assert "the length of the text" in said


@pytest.mark.parametrize("table", [draw(200), draw(200, ("[a]", "[b]"), noise=0.3), draw(30, ("[a]", "[b]"))])
def test_labels_that_only_the_text_tells_and_few_rows_are_not(table: pd.DataFrame) -> None:
    assert found(table) == []
