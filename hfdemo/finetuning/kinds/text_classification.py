"""What the kinds of text-classification share: rows of a text or a pair of texts, and a label column beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from hfdemo.data_sources.column_roles import (
    find_longest_column,
    guess_pair_column,
    guess_text_pair,
    is_bookkeeping,
    is_id_name,
    normalize_name,
)
from hfdemo.finetuning.kinds.cells import are_nearly_all, is_missing, parse_decimal, parse_words
from hfdemo.finetuning.kinds.kind import CERTAIN, LIKELY, MOST_LABELS, ColumnGuess, Samples
from hfdemo.finetuning.kinds.numbers import are_numbers, find_number_form, read_numbers

TASK = "text-classification"
MODEL_CLASS = "AutoModelForSequenceClassification"
PEFT_TASK = "SEQ_CLS"

MOST_NUMBERS = 20  # more different numbers than these, with gaps between them, are quantities and no classes
ASKED_NUMBERS = 10  # of more different whole numbers it is asked whether they are classes
# By what `normalize_name` makes of a name; the first that is there is the label.
_LABEL_NAMES = (
    *("label", "labels", "intent", "class", "category", "target", "sentiment", "topic"),
    *("labelname", "labeltext", "goldlabel", "gold", "quality", "isduplicate", "duplicate", "emotion", "emotions"),
    *("polarity", "stance", "classes", "categories", "genre", "genres", "classlabel", "targetlabel", "y", "judgment"),
    *("judgement", "relevance", "labelid", "annotation", "answer", "tags"),
)
_SCORE_NAMES = (
    *("score", "stars", "rating", "similarity", "star", "grade", "overall", "points", "relatedness", "ratings"),
    *("similarityscore", "relatednessscore", "starrating", "reviewscore", "percent", "percentage", "price", "value"),
)
_NAMELESS = re.compile(r"column \d+")
_SWITCHES = ("is", "has", "was", "contains", "verified")  # begin names of what is known of a text, not learned from it
# How flags are written: a column holds words of one of these alone, besides cells in which there is nothing.
_FLAGS: tuple[dict[str, bool], ...] = (
    {"1": True, "0": False, "1.0": True, "0.0": False},
    {"true": True, "false": False},
    {"yes": True, "no": False},
    {"y": True, "n": False},
    {"t": True, "f": False},
    {"x": True},
)


def find_columns(table: pd.DataFrame, samples: Samples, alone: bool) -> ColumnGuess | None:
    """Guess the label column by its name, then by its few values, numbers or lists; and the text beside it."""
    label = _find_label(table, samples)
    guess = None if label is None else _find_texts(table, samples, (label,))
    return guess and ColumnGuess(LIKELY, guess[0], label, guess[1])


def find_flag_columns(table: pd.DataFrame, samples: Samples, alone: bool) -> ColumnGuess | None:
    """Guess the columns of which each says of one label whether a row has it, all of them; and the text beside them.

    Where a column has the name of a label, or there is another with few values beside only two flags, that is it.
    """
    flags = find_flags(table)
    named = _find_named_label(table)
    if len(flags) < 2 or (named is not None and named not in flags):
        return find_columns(table, samples, alone)
    others = _find_likely_labels(table.drop(columns=list(flags)), samples)
    guess = _find_texts(table, samples, flags)
    if guess is None or (len(flags) == 2 and others):
        return find_columns(table, samples, alone)
    return ColumnGuess(CERTAIN, guess[0], flags, guess[1])


def find_flags(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns of flags that are written alike: those of the way in which most are written."""
    found: dict[int, list[str]] = {}
    for column in table.columns:
        style = find_flag_style(table[column])
        if style is not None and not is_id_name(column):
            found.setdefault(style, []).append(column)
    flags = max(found.values(), key=len, default=[])
    told = [column for column in flags if not _is_switch(column)]
    return tuple(told if len(told) > 1 else flags)


def find_flag_style(column: pd.Series) -> int | None:
    """Return the number of the way in which a column writes flags; None where it holds other things, or nothing."""
    written = column.unique()
    if len(written) > MOST_NUMBERS:
        return None
    cells = {cell.strip().casefold() for cell in written}
    filled = {cell for cell in cells if not is_missing(cell) and cell not in ("-1", "-1.0")}
    return next((number for number, words in enumerate(_FLAGS) if filled and filled <= words.keys()), None)


def parse_flag(cell: str) -> bool:
    """Read whether a flag is set.

    Raises:
        ValueError: it is none.
    """
    word = cell.strip().casefold()
    found = next((words[word] for words in _FLAGS if word in words), None)
    if found is None:
        raise ValueError(word)
    return found


def are_class_numbers(labels: Sequence[str]) -> bool:
    """Return whether numbers look like those of classes: whole, and few or without a gap."""
    numbers = set(read_numbers(labels))
    whole = all(number.is_integer() for number in numbers) and not is_marked_quantity(labels)
    gapless = whole and max(numbers) - min(numbers) == len(numbers) - 1 and min(numbers) in (0, 1)
    return whole and len(numbers) <= (MOST_LABELS if gapless else MOST_NUMBERS)


def names_classes(column: str, numbers: Iterable[float]) -> bool:
    """Return whether whole numbers are surely those of classes: they have no gap, and their column is called so."""
    found = set(numbers)
    gapless = max(found) - min(found) == len(found) - 1 and min(found) in (0, 1)
    return gapless and normalize_name(column) in _LABEL_NAMES


def is_marked_quantity(labels: Sequence[str]) -> bool:
    """Return whether numbers are written as no classes are: in percent, or with a comma."""
    form = find_number_form(labels)
    return bool(form.percent or form.comma)


def tokenize_texts(rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None) -> Any:
    """Tokenize texts, or pairs of them, cut to `max_length` tokens (None: the tokenizer's own limit)."""
    return tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_length)


def _find_texts(table: pd.DataFrame, samples: Samples, labels: Sequence[str]) -> tuple[str, str | None] | None:
    """Return the columns of the text and of its pair, beside those of the labels."""
    every = [column for column in table.columns if column not in labels]
    texts = [column for column in every if not is_bookkeeping(column, samples[column])] or every
    if not texts:
        return None
    named = guess_text_pair(texts)
    if named is not None:
        return named
    longest = find_longest_column(table, texts)
    return longest, guess_pair_column(longest, texts)


def _find_label(table: pd.DataFrame, samples: Samples) -> str | None:
    named = _find_named_label(table)
    if named:
        return named
    likely = _find_likely_labels(table, samples)
    if likely:
        # Where no name tells anything, the fewest classes do: of a tweet its mood, not who wrote it.
        nameless = all(_NAMELESS.fullmatch(column) for column in likely)
        return min(reversed(likely), key=lambda column: table[column].nunique()) if nameless else likely[-1]
    found = [c for c in table.columns if are_nearly_all(samples[c], parse_words) or _are_decimals(samples[c])]
    found = [c for c in found if not is_bookkeeping(c, samples[c])]
    return found[-1] if found else None


def _find_named_label(table: pd.DataFrame) -> str | None:
    """Return the column with the name of a label; one of a score only where none of a class is there."""
    named: dict[str, str] = {}
    for column in table.columns:
        named.setdefault(normalize_name(column), column)
    for column in table.columns:
        if "." in column:
            named.setdefault(normalize_name(column.rpartition(".")[2]), column)
    return next((named[name] for name in (*_LABEL_NAMES, *_SCORE_NAMES) if name in named), None)


def _find_likely_labels(table: pd.DataFrame, samples: Samples) -> list[str]:
    """Return the columns with so few different cells that they may be classes; the kind of a thing before a person."""
    most = min(MOST_LABELS, max(2, len(table) // 2))
    few = [column for column in table.columns if 2 <= table[column].nunique() <= most]
    usual = [column for column in few if not is_bookkeeping(column, samples[column])]
    # Which language a text is in may be what is learned, where nothing else is there.
    return usual or [column for column in few if not is_bookkeeping(column, samples[column], soft=False)]


def _are_decimals(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if not is_missing(cell)]
    form = find_number_form(filled)
    return are_nearly_all(filled, lambda cell: parse_decimal(form.normalize(cell))) or (
        are_numbers(filled) and is_marked_quantity(filled)
    )


def _is_switch(column: str) -> bool:
    return column.casefold().replace("-", "_").split("_")[0] in _SWITCHES
