"""What the kinds of text-classification share: rows of a text or a pair of texts, and a label column beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hfdemo.data_sources import find_longest_column, guess_pair_column, guess_text_column
from hfdemo.finetuning.kinds.cells import NUMBER, are_nearly_all, parse_decimal, parse_number, parse_words
from hfdemo.finetuning.kinds.kind import LIKELY, MOST_LABELS, ColumnGuess, Samples

TASK = "text-classification"
MODEL_CLASS = "AutoModelForSequenceClassification"
PEFT_TASK = "SEQ_CLS"

MOST_NUMBERS = 20  # more different numbers than these, with gaps between them, are quantities and no classes
_LABEL_NAMES = (
    *("label", "labels", "intent", "class", "category", "target", "sentiment", "topic"),
    *("score", "stars", "rating", "similarity"),
)


def find_columns(table: pd.DataFrame, samples: Samples, alone: bool) -> ColumnGuess | None:
    """Guess the label column by its name, then by its few values, numbers or lists; and the text beside it."""
    label = _find_label(table, samples)
    texts = [column for column in table.columns if column != label]
    if label is None or not texts:
        return None
    text = guess_text_column(texts) or find_longest_column(table, texts)
    return ColumnGuess(LIKELY, text, label, guess_pair_column(text, texts))


def are_numbers(labels: Sequence[str]) -> bool:
    """Return whether the label cells are numbers, be it of classes or quantities."""
    return are_nearly_all(labels, parse_number) and any(NUMBER.fullmatch(cell.strip()) for cell in labels)


def are_class_numbers(labels: Sequence[str]) -> bool:
    """Return whether numbers look like those of classes: whole, and few or without a gap."""
    numbers = {float(cell) for cell in labels if NUMBER.fullmatch(cell.strip())}
    whole = all(number.is_integer() for number in numbers)
    gapless = whole and max(numbers) - min(numbers) == len(numbers) - 1 and min(numbers) in (0, 1)
    return whole and len(numbers) <= (MOST_LABELS if gapless else MOST_NUMBERS)


def tokenize_texts(rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None) -> Any:
    """Tokenize texts, or pairs of them, cut to `max_length` tokens (None: the tokenizer's own limit)."""
    return tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_length)


def _find_label(table: pd.DataFrame, samples: Samples) -> str | None:
    columns = list(table.columns)
    lower = {column.lower(): column for column in columns}
    named = next((lower[name] for name in _LABEL_NAMES if name in lower), None)
    if named:
        return named
    few = [c for c in columns if 2 <= table[c].nunique() <= min(MOST_LABELS, max(2, len(table) // 2))]
    if few:
        return few[-1]
    found = [c for c in columns if are_nearly_all(samples[c], parse_words) or are_nearly_all(samples[c], parse_decimal)]
    return found[-1] if found else None
