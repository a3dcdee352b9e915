"""Which column of a table is what, which kind of answers its labels are, and the rows that its cells make."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.data_sources.column_roles import find_split_column
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig, list_columns
from hfdemo.finetuning.dataset.label_cells import read_label_cells
from hfdemo.finetuning.kinds import KINDS, Kind, find_kind, kinds_of_task
from hfdemo.finetuning.kinds.kind import ReadCell
from hfdemo.tables import find_text_flaw, format_cell

_MOST_CELLS = 2_000  # so many cells of a column are looked at for what it holds
_MOST_OBJECTS = 50  # of those it is tried whether they are objects
_EVERY = tuple(KINDS.values())
# What a row's own columns are in a run's data; the rest say what is wrong with it.
DATA_COLUMNS = ("text", "text_pair", "label")
Splits = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Columns:
    """Which column is what; None where the data has no such column. Several label columns are flags, one a label."""

    text_column: str
    label_column: str | tuple[str, ...] | None
    text_pair_column: str | None = None
    split_column: str | None = None

    @property
    def label_columns(self) -> tuple[str, ...]:
        return list_columns(self.label_column)

    @property
    def label_name(self) -> str:
        """The label columns in words, "" where there is none."""
        return ", ".join(self.label_columns)

    def needed(self) -> tuple[str, ...]:
        """Return the columns that hold texts and labels."""
        texts = (self.text_column, self.text_pair_column)
        return (*(column for column in texts if column), *self.label_columns)


def suggest_columns(table: pd.DataFrame, kinds: Sequence[Kind] = _EVERY) -> Columns | None:
    """Suggest which columns are split, text, pair and label, for one of `kinds`; None where none stands out.

    Each kind guesses by usual names first, else by what the cells hold; the surest guess wins, of equal ones the first.
    """
    split = find_split_column(table)
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
    if len(mapped.label_columns) > 1:
        return next((kind for kind in kinds if kind.rows.is_label_set), kinds[0])
    labels = None if mapped.label_column is None else sample_cells(table[mapped.label_columns[0]])
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
    asked = next((kind for kind in kinds if kind.problem_type == config.problem_type), None)
    named = [(name, each) for name, columns in given.items() for each in list_columns(columns)]
    for name, column in named:
        if column not in table.columns:
            raise DataError(
                f"The data has no column {column!r} (asked for as {name}). "
                f"It has: {', '.join(table.columns)}. Pick one."
            )
    labelled = first.rows.has_labels
    # Of several columns of flags, a kind with one label takes none but what it finds for itself.
    suggested = suggest_columns(table, kinds if asked is None or len(kinds) == 1 else [asked])
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
    kind = first if len(kinds) == 1 else asked or recognise_kind(table, mapped, kinds)
    if len(mapped.label_columns) > 1 and not kind.rows.is_label_set:
        sets = ", ".join(str(each.problem_type) for each in KINDS.values() if each.rows.is_label_set)
        raise DataError(
            f"Several label columns ({mapped.label_name}) are several labels per row, which {kind.page.choice} is not. "
            f"Set problem_type to {sets}, or pick one label column."
        )
    return mapped, kind


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
    used = [each for column in columns.values() for each in list_columns(column)]
    twice = next((column for column in used if used.count(column) > 1), None)
    if twice:
        raise DataError(f"The column {twice!r} is picked for two things at once. Pick another for one of them.")


def open_objects(tables: Splits) -> dict[str, pd.DataFrame]:
    """Return the tables with a column for each value inside of columns that hold objects, named by its path: data.text.

    A column that holds anything else is left as it is.
    """
    nested = {column for table in tables.values() for column in table.columns if _holds_objects(table[column])}
    if not nested:
        return dict(tables)
    opened = {}
    for split, table in tables.items():
        parts = []
        for column in table.columns:
            if column not in nested:
                parts.append(table[[column]])
                continue
            objects = [_parse_object(cell) or {} for cell in table[column]]
            keys = dict.fromkeys(key for each in objects for key in each)
            cells = {f"{column}.{key}": [format_cell(each.get(key)) for each in objects] for key in keys}
            parts.append(pd.DataFrame(cells, index=table.index, dtype=str))
        opened[split] = pd.concat(parts, axis=1)
    return open_objects(opened)


def _holds_objects(column: pd.Series) -> bool:
    filled = column[column.str.startswith("{")]
    if filled.empty:
        return False
    some = sample_cells(column)
    return all(_parse_object(cell) is not None for cell in some[:_MOST_OBJECTS])


def _parse_object(cell: str) -> dict[str, Any] | None:
    text = cell.strip()
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)  # as pandas writes one into a CSV file
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return found if isinstance(found, dict) and all(isinstance(key, str) and key for key in found) else None


def read_rows(tables: Splits, mapped: Columns, kind: Kind) -> dict[str, pd.DataFrame]:
    """Read per split text, text_pair (pairs only) and label (labelled kinds only), every cell as a run's data has it.

    Three more columns say what is wrong: `blank`, the column of the data in which a row has nothing, `unreadable`, the
    reason why a cell of it can't be read, and `unlabelled`, what stands where a label would; "" where nothing is. Lists
    of labels are sorted by name. The index stays.
    """
    texts = {"text": mapped.text_column, "text_pair": mapped.text_pair_column}
    columns = {name: column for name, column in texts.items() if column}
    labels = read_label_cells(tables, mapped.label_columns, kind) if mapped.label_columns else {}
    cells = {"text": [cell for table in tables.values() for cell in table[mapped.text_column]]}
    if labels:
        # A number may be written in a way of its column: what means none of them doesn't say how.
        cells["label"] = [cell for part in labels.values() for cell in part["cell"]]
    readers = {"text_pair": str.strip, **kind.rows.readers(cells)}
    return {
        split: _read(table, columns, labels.get(split), mapped.label_name, readers, kind)
        for split, table in tables.items()
    }


def select_data_columns(part: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a run's data, the rows numbered anew."""
    return part[[name for name in DATA_COLUMNS if name in part]].reset_index(drop=True)


def join_texts(part: pd.DataFrame) -> pd.Series:
    """Return what two rows with the same text, or the same pair of texts, have in common."""
    return part["text"] if "text_pair" not in part else part["text"] + "\x1f" + part["text_pair"]


def _read(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    labels: pd.DataFrame | None,
    label_name: str,
    readers: Mapping[str, ReadCell],
    kind: Kind,
) -> pd.DataFrame:
    rows = pd.DataFrame(index=table.index)
    blank = pd.Series("", index=table.index, dtype=str)
    unreadable = pd.Series("", index=table.index, dtype=str)
    unlabelled = blank if labels is None else labels["unlabelled"]
    cells = {name: table[column] for name, column in columns.items()}
    named = dict(columns)
    if labels is not None:
        cells["label"], named["label"] = labels["cell"], label_name
        unreadable = labels["reason"]
    for name, column in cells.items():
        is_blank = column.str.strip() == ""
        lacks = is_blank & (unlabelled == "") if name == "label" else is_blank
        blank = blank.mask(lacks & (blank == ""), named[name])
        read, reasons = {"": ""}, {"": ""}
        known_reason = labels["reason"] if labels is not None and name == "label" else pd.Series("", index=table.index)
        for cell in column[~is_blank & (known_reason == "")].unique():
            try:
                if broken := find_text_flaw(cell):
                    raise ValueError(broken)
                read[cell] = readers[name](cell)
            except ValueError as error:
                read[cell], reasons[cell] = cell, f"in {named[name]!r}, {error}"
        # What can't be read is kept as it is.
        filled = column.where(~is_blank, "").tolist()  # pandas is ten times slower to go through it
        rows[name] = pd.Series([read.get(cell, cell) for cell in filled], index=table.index, dtype=str)
        if len(reasons) > 1:
            reason = column.map(reasons).fillna("").astype(str)
            unreadable = unreadable.mask((unreadable == "") & (reason != ""), reason)
    if kind.rows.find_mismatch is not None:
        fine = (blank == "") & (unreadable == "") & (unlabelled == "")
        pairs = zip(rows["text"][fine], rows["label"][fine], strict=True)
        differ = [kind.rows.find_mismatch(text, label) for text, label in pairs]
        unreadable = unreadable.mask(fine, pd.Series(differ, index=table.index[fine], dtype=str))
    return rows.assign(blank=blank, unreadable=unreadable, unlabelled=unlabelled)
