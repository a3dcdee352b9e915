"""Which column of a table is what, which kind of answers its labels are, and the rows that its cells make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.data_sources.splits import normalize_split_name
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS, Kind, find_kind, kinds_of_task
from hfdemo.finetuning.kinds.kind import ReadCell
from hfdemo.tables import find_text_flaw

_MOST_CELLS = 2_000  # so many cells of a column are looked at for what it holds
_EVERY = tuple(KINDS.values())
# What a row's own columns are in a run's data; the rest say what is wrong with it.
DATA_COLUMNS = ("text", "text_pair", "label")
Splits = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Columns:
    """Which column is what; None where the data has no such column."""

    text_column: str
    label_column: str | None
    text_pair_column: str | None = None
    split_column: str | None = None


def suggest_columns(table: pd.DataFrame, kinds: Sequence[Kind] = _EVERY) -> Columns | None:
    """Suggest which columns are split, text, pair and label, for one of `kinds`; None where none stands out.

    Each kind guesses by usual names first, else by what the cells hold; the surest guess wins, of equal ones the first.
    """
    # One row of train is enough: with a cell that is blank or strange it is a split column all the same.
    split = next(
        (c for c in table.columns if c.lower() == "split" and "train" in map(normalize_split_name, set(table[c]))), None
    )
    rest = table.drop(columns=[split] if split else [])
    samples = {column: sample_cells(rest[column]) for column in rest.columns}
    finders = dict.fromkeys(kind.rows.find_columns for kind in kinds)
    guesses = [guess for find in finders if (guess := find(rest, samples, len(kinds) == 1))]
    if not guesses:
        return None
    surest = max(guesses, key=lambda guess: guess.certainty)
    return Columns(surest.text, surest.label, surest.text_pair, split)


def recognise_kind(table: pd.DataFrame, mapped: Columns, kinds: Sequence[Kind] = _EVERY) -> Kind:
    """Return which of `kinds` the columns in `mapped` hold; the last ones, which ask for more, are asked first."""
    labels = None if mapped.label_column is None else sample_cells(table[mapped.label_column])
    texts = sample_cells(table[mapped.text_column])
    return next((kind for kind in reversed(kinds) if kind.rows.matches(labels, texts)), kinds[0])


def choose_columns(config: RunConfig, table: pd.DataFrame) -> tuple[Columns, Kind]:
    """Choose the columns and the kind of answers that `config` asks for, the rest of them as suggested.

    Raises:
        DataError: there is no such column, one is picked twice, or none looks right.
    """
    first = find_kind(config.task)
    kinds = kinds_of_task(config.task)
    given = {spec.name: getattr(config, spec.name) for spec in dataclasses.fields(Columns)}
    for name, column in given.items():
        if column and column not in table.columns:
            raise DataError(
                f"The data has no column {column!r} (asked for as {name}). "
                f"It has: {', '.join(table.columns)}. Pick one."
            )
    labelled = first.rows.has_labels
    suggested = suggest_columns(table, kinds)
    if suggested is None and not (given["text_column"] and (given["label_column"] or not labelled)):
        raise DataError(
            f"No column looks like {first.rows.needed}. The data has: {', '.join(table.columns)}. Pick the text column"
            f"{' and the label column' if labelled else ''}."
        )
    guess = dataclasses.asdict(suggested) if suggested else {}
    if given["text_column"] not in (None, guess.get("text_column")):
        guess["text_pair_column"] = None  # the suggested partner belongs to the suggested text
    chosen = {name: given[name] if given[name] is not None else guess.get(name) for name in given}
    columns: dict[str, Any] = {name: column or None for name, column in chosen.items()}
    _check_columns(columns, config.task, first, table)
    mapped = Columns(**columns)
    if len(kinds) == 1:
        return mapped, first
    asked = next((kind for kind in kinds if kind.problem_type == config.problem_type), None)
    return mapped, asked or recognise_kind(table, mapped, kinds)


def sample_cells(column: pd.Series) -> Sequence[str]:
    """Return cells from all over the column that are not blank."""
    filled = column[column.str.strip() != ""]
    return list(filled.iloc[:: max(1, len(filled) // _MOST_CELLS)])


def _check_columns(columns: dict[str, Any], task: str, kind: Kind, table: pd.DataFrame) -> None:
    """Refuse columns that the kinds of a task have no use for, lack, or are picked twice."""
    if columns["text_pair_column"] and not kind.rows.takes_pairs:
        raise DataError(f"{task} reads one text a row. Leave text_pair_column out.")
    if columns["label_column"] and not kind.rows.has_labels:
        raise DataError(f"{task} learns the texts themselves. Leave label_column out.")
    for name in ("text_column", "label_column") if kind.rows.has_labels else ("text_column",):
        if columns[name] is None:
            raise DataError(f"The {name} is needed. The data has: {', '.join(table.columns)}. Pick one.")
    used = [column for column in columns.values() if column]
    twice = next((column for column in used if used.count(column) > 1), None)
    if twice:
        raise DataError(f"The column {twice!r} is picked for two things at once. Pick another for one of them.")


def read_rows(tables: Splits, mapped: Columns, kind: Kind) -> dict[str, pd.DataFrame]:
    """Read per split text, text_pair (pairs only) and label (labelled kinds only), every cell as a run's data has it.

    Two more columns say what is wrong: `blank`, the column of the data in which a row has nothing, and `unreadable`,
    the reason why a cell of it can't be read; "" where nothing is. Lists of labels are sorted by name. The index stays.
    """
    named = {"text": mapped.text_column, "text_pair": mapped.text_pair_column, "label": mapped.label_column}
    columns = {name: column for name, column in named.items() if column}
    every = pd.concat([table[list(columns.values())] for table in tables.values()])
    cells: dict[str, list[str]] = {name: list(every[columns[name]]) for name in ("text", "label") if name in columns}
    readers = {"text_pair": str.strip, **kind.rows.readers(cells)}
    return {split: _read(table, columns, readers, kind) for split, table in tables.items()}


def select_data_columns(part: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a run's data, the rows numbered anew."""
    return part[[name for name in DATA_COLUMNS if name in part]].reset_index(drop=True)


def join_texts(part: pd.DataFrame) -> pd.Series:
    """Return what two rows with the same text, or the same pair of texts, have in common."""
    return part["text"] if "text_pair" not in part else part["text"] + "\x1f" + part["text_pair"]


def _read(table: pd.DataFrame, columns: Mapping[str, str], readers: Mapping[str, ReadCell], kind: Kind) -> pd.DataFrame:
    rows = pd.DataFrame(index=table.index)
    blank = pd.Series("", index=table.index, dtype=str)
    unreadable = pd.Series("", index=table.index, dtype=str)
    for name, column in columns.items():
        is_blank = table[column].str.strip() == ""
        blank = blank.mask(is_blank & (blank == ""), column)
        read, reasons = {"": ""}, {"": ""}
        for cell in table[column][~is_blank].unique():
            try:
                if broken := find_text_flaw(cell):
                    raise ValueError(broken)
                read[cell] = readers[name](cell)
            except ValueError as error:
                read[cell], reasons[cell] = cell, f"in {column!r}, {error}"
        rows[name] = table[column].where(~is_blank, "").map(read).astype(str)
        reason = table[column].map(reasons).fillna("").astype(str)
        unreadable = unreadable.mask((unreadable == "") & (reason != ""), reason)
    if kind.rows.find_mismatch is not None:
        fine = (blank == "") & (unreadable == "")
        pairs = zip(rows["text"][fine], rows["label"][fine], strict=True)
        differ = [kind.rows.find_mismatch(text, label) for text, label in pairs]
        unreadable = unreadable.mask(fine, pd.Series(differ, index=table.index[fine], dtype=str))
    return rows.assign(blank=blank, unreadable=unreadable)
