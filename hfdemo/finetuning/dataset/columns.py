"""Which column of a table is what, and which kind of answers its labels are."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pandas as pd

from hfdemo.data_sources import likely_pair, likely_text, longest_texts
from hfdemo.data_sources.splits import usual_split
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import cells

Kind = Literal["single_label", "multi_label", "regression", "tokens", "language"]

# The task and the problem_type with which each kind of answers is trained.
KINDS: Mapping[Kind, tuple[str, str | None]] = MappingProxyType(
    {
        "single_label": ("text-classification", "single_label_classification"),
        "multi_label": ("text-classification", "multi_label_classification"),
        "regression": ("text-classification", "regression"),
        "tokens": ("token-classification", None),
        "language": ("text-generation", None),
    }
)

MOST_LABELS = 200
MOST_NUMBERS = 20  # more different numbers than these, with gaps between them, are quantities and no classes
_MOST_CELLS = 2_000  # so many cells of a column are looked at for what it holds
_NEARLY_ALL = 0.9

_LABEL_NAMES = (
    *("label", "labels", "intent", "class", "category", "target", "sentiment", "topic"),
    *("score", "stars", "rating", "similarity"),
)
_WORD_NAMES = ("tokens", "words", "text", "sentence")
_TAG_NAMES = ("ner_tags", "tags", "labels", "label", "ner", "tag")


@dataclass(frozen=True)
class Mapped:
    """Which column is what; None where the data has no such column."""

    text_column: str
    label_column: str | None
    text_pair_column: str | None = None
    split_column: str | None = None


def kinds_of(task: str) -> tuple[Kind, ...]:
    """The kinds of answers that `task` is trained for."""
    return tuple(kind for kind, (name, _) in KINDS.items() if name == task)


def suggest(table: pd.DataFrame, kinds: Collection[Kind] = tuple(KINDS)) -> Mapped | None:
    """Which columns look like split, text, pair and label, for one of `kinds`; None where none stands out.

    By their usual names first, else by their content: lists of words and of tags, chat messages, few different values.
    """
    # One row of train is enough: with a cell that is blank or strange it is a split column all the same.
    split = next(
        (c for c in table.columns if c.lower() == "split" and "train" in map(usual_split, set(table[c]))), None
    )
    rest = [column for column in table.columns if column != split]
    looked = {column: _some(table[column]) for column in rest}
    if "tokens" in kinds and (pair := _words_and_tags(looked)):
        return Mapped(*pair, None, split)
    if "language" in kinds:
        chat = next((column for column in rest if mostly(looked[column], cells.messages)), None)
        if chat:
            return Mapped(chat, None, None, split)
    if any(KINDS[kind][0] == KINDS["single_label"][0] for kind in kinds):
        label = _label(table, rest, looked)
        texts = [column for column in rest if column != label]
        if label is not None and texts:
            text = likely_text(texts) or longest_texts(table, texts)
            return Mapped(text, label, likely_pair(text, texts), split)
    if "language" in kinds and rest and (len(rest) == 1 or len(kinds) == 1):
        return Mapped(likely_text(rest) or longest_texts(table, rest), None, None, split)
    return None


def kind_of(table: pd.DataFrame, mapped: Mapped) -> Kind:
    """The kind of answers that the columns in `mapped` hold."""
    if mapped.label_column is None:
        return "language"
    labels = _some(table[mapped.label_column])
    if mostly(labels, cells.words):
        words = _some(table[mapped.text_column])
        return "tokens" if mostly(words, cells.words) else "multi_label"
    numbers = {float(cell) for cell in labels if cells.NUMBER.fullmatch(cell.strip())}
    if numbers and mostly(labels, cells.number):
        whole = all(number.is_integer() for number in numbers)
        gapless = whole and max(numbers) - min(numbers) == len(numbers) - 1 and min(numbers) in (0, 1)
        few = len(numbers) <= (MOST_LABELS if gapless else MOST_NUMBERS)
        return "single_label" if whole and few else "regression"
    return "multi_label" if cells.separator(list(labels)) else "single_label"


def choose(config: RunConfig, table: pd.DataFrame) -> tuple[Mapped, Kind]:
    """The columns and the kind of answers that `config` asks for, the rest of them as suggested.

    Raises:
        DataError: there is no such column, one is picked twice, or none looks right.
    """
    kinds = kinds_of(config.task)
    if not kinds:
        tasks = ", ".join(dict.fromkeys(task for task, _ in KINDS.values()))
        raise DataError(f"{config.task!r} can't be fine-tuned here. What can: {tasks}.")
    given = {spec.name: getattr(config, spec.name) for spec in dataclasses.fields(Mapped)}
    for name, column in given.items():
        if column and column not in table.columns:
            raise DataError(
                f"The data has no column {column!r} (asked for as {name}). "
                f"It has: {', '.join(table.columns)}. Pick one."
            )
    labelled = "language" not in kinds
    suggested = suggest(table, kinds)
    if suggested is None and not (given["text_column"] and (given["label_column"] or not labelled)):
        needed = "lists of words and of their tags" if "tokens" in kinds else "a label"
        raise DataError(
            f"No column looks like {needed}. The data has: {', '.join(table.columns)}. Pick the text column"
            f"{' and the label column' if labelled else ''}."
        )
    guess = dataclasses.asdict(suggested) if suggested else {}
    if given["text_column"] not in (None, guess.get("text_column")):
        guess["text_pair_column"] = None  # the suggested partner belongs to the suggested text
    chosen = {name: given[name] if given[name] is not None else guess.get(name) for name in given}
    columns: dict[str, Any] = {name: column or None for name, column in chosen.items()}
    if columns["text_pair_column"] and "single_label" not in kinds:
        raise DataError(f"{config.task} reads one text a row. Leave text_pair_column out.")
    if columns["label_column"] and not labelled:
        raise DataError(f"{config.task} learns the texts themselves. Leave label_column out.")
    for name in ("text_column", "label_column") if labelled else ("text_column",):
        if columns[name] is None:
            raise DataError(f"The {name} is needed. The data has: {', '.join(table.columns)}. Pick one.")
    mapped = Mapped(**columns)
    used = [column for column in dataclasses.astuple(mapped) if column]
    twice = next((column for column in used if used.count(column) > 1), None)
    if twice:
        raise DataError(f"The column {twice!r} is picked for two things at once. Pick another for one of them.")
    if len(kinds) == 1:
        return mapped, kinds[0]
    asked = next((kind for kind in kinds if KINDS[kind][1] == config.problem_type), None)
    found = asked or kind_of(table, mapped)
    return mapped, found if found in kinds else "multi_label"


def _some(column: pd.Series) -> Sequence[str]:
    """Cells from all over the column that are not blank."""
    filled = column[column.str.strip() != ""]
    return list(filled.iloc[:: max(1, len(filled) // _MOST_CELLS)])


def mostly(looked: Sequence[str], read: Any) -> bool:
    """Whether nearly all of the cells can be read by `read`."""
    allowed = len(looked) - _NEARLY_ALL * len(looked)
    for cell in looked:
        try:
            read(cell)
        except ValueError:
            allowed -= 1
            if allowed < 0:
                return False
    return bool(looked)


def _words_and_tags(looked: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """Two columns of lists of the same lengths, by their names where several could be."""
    lists = [column for column, some in looked.items() if mostly(some, cells.words)]
    lower = {column.lower(): column for column in lists}
    words = next((lower[name] for name in _WORD_NAMES if name in lower), lists[0] if lists else None)
    if words is None:
        return None
    lengths = [len(each) for each in map(cells.list_or_none, looked[words]) if each]
    others = [column for column in lists if column != words]
    fitting = [c for c in others if _share_of_equal(lengths, looked[c]) >= _NEARLY_ALL]
    named = next((lower[name] for name in _TAG_NAMES if lower.get(name) in fitting), None)
    tags = named or (fitting[-1] if fitting else None)
    return (words, tags) if tags else None


def _share_of_equal(lengths: Sequence[int], tags: Sequence[str]) -> float:
    others = [len(each) for each in map(cells.list_or_none, tags) if each]
    # Without as many rows, something can't be read: compared by place, every length would be off.
    same = sum(a == b for a, b in zip(lengths, others, strict=False))
    return same / max(len(lengths), len(others), 1)


def _label(table: pd.DataFrame, columns: Sequence[str], looked: Mapping[str, Sequence[str]]) -> str | None:
    lower = {column.lower(): column for column in columns}
    named = next((lower[name] for name in _LABEL_NAMES if name in lower), None)
    if named:
        return named
    few = [c for c in columns if 2 <= table[c].nunique() <= min(MOST_LABELS, max(2, len(table) // 2))]
    if few:
        return few[-1]
    found = [c for c in columns if mostly(looked[c], cells.words) or mostly(looked[c], cells.decimal)]
    return found[-1] if found else None
