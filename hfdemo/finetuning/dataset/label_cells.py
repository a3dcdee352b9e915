"""The label cells of a table: columns of flags joined to one cell a row, and which cells say that there is no label."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.cells import NUMBER, count_positions, is_missing, parse_positions, shorten, write_list
from hfdemo.finetuning.kinds.text_classification import parse_flag

BLANK = " "  # what stands in `unlabelled` for a cell with nothing in it
_RARE_SHARE, _RARE_BESIDE = 0.05, 0.2
_UNSET_FLAGS = ("-1", "-1.0")  # Jigsaw's way to say that a row was not looked at
_HEADER = re.compile(r"[\[(:](.*?)[\])]?$")


def read_label_cells(tables: Mapping[str, pd.DataFrame], columns: Sequence[str], kind: Kind) -> dict[str, pd.DataFrame]:
    """Return per split one label cell a row (`cell`), and why it can't be read (`reason`, "" where it can).

    `unlabelled` is "" where a row has a label, else what is written in its place, BLANK for nothing; its cell is "".
    Several `columns` are flags; lists of 0 and 1 become lists of names. A blank cell among sets of labels is left as it
    is, for it may mean none of them, unless it is so in a whole split.
    """
    if len(columns) > 1:
        return _join_flags(tables, columns)
    raw = {split: table[columns[0]].str.strip() for split, table in tables.items()}
    every = pd.concat(raw.values())
    if kind.rows.is_label_set and (positions := count_positions(list(every.unique()))):
        return _name_positions(raw, name_positions(columns[0], positions))
    none, _ = find_missing_labels(raw, kind)
    found = {}
    for split, cells in raw.items():
        unlabelled = cells.isin(none)
        if kind.rows.is_label_set and not (unlabelled | (cells == "")).all():
            unlabelled &= cells != ""
        written = cells.where(cells != "", BLANK)
        found[split] = _frame(cells.mask(unlabelled, ""), "", written.where(unlabelled, ""))
    return found


def find_missing_labels(cells: Mapping[str, pd.Series], kind: Kind) -> tuple[set[str], set[str]]:
    """Return (the cells that say that there is no label, those that might, but are read as a label).

    `cells` are those of each split, stripped. NaN, None, N/A and the like are none; "none" is a class where it is
    written as the others are, and is about as frequent. -1 is none beside 0, 1, 2 and so on, and where training has
    none of it; beside 0 and 1 alone, or 1 and 2, it is a class unless it is rare, and beside 1 alone it is one.
    """
    counts: Counter[str] = Counter()
    for part in cells.values():
        counts.update(part.value_counts().to_dict())
    none = {cell for cell in counts if is_missing(cell)}
    maybe: set[str] = set()
    others = {cell: count for cell, count in counts.items() if cell not in none}
    if kind.rows.is_single_label:
        maybe = {cell for cell in none if cell.casefold() == "none" and _is_like(cell, counts[cell], others)}
    minus = {cell for cell in others if NUMBER.fullmatch(cell) and float(cell) == -1}
    if minus and (kind.rows.is_single_label or kind.one_number):
        if (means := _read_minus_one(cells, minus, others, kind)) == "none":
            none |= minus
        elif means == "maybe":
            maybe |= minus
    return none - maybe, maybe


def _is_like(cell: str, count: int, others: Mapping[str, int]) -> bool:
    """Return whether `cell` is written as the other labels are, and is at least half as frequent as the usual one."""
    if not others:
        return False
    styles = {(each.islower(), each.isupper()) for each in others if each.casefold() != each.upper()}
    return styles == {(cell.islower(), cell.isupper())} and 2 * count >= statistics.median(others.values())


def _read_minus_one(cells: Mapping[str, pd.Series], minus: set[str], others: Mapping[str, int], kind: Kind) -> str:
    """Return whether -1 means "none", "maybe" (it is read as a label), or is a "label" without a doubt."""
    train = cells["train"] if "train" in cells else pd.concat(cells.values())
    trained = int(train.isin(minus).sum())
    rest = {cell: count for cell, count in others.items() if cell not in minus}
    if not rest:
        return "label"
    if not all(NUMBER.fullmatch(cell) for cell in rest):
        return "none" if kind.rows.is_single_label else "label"
    values = {float(cell) for cell in rest}
    if min(values) < 0:
        return "label"
    if not trained:
        return "none"
    if kind.one_number:
        return "label"
    if values in ({0.0, 1.0}, {1.0, 2.0}):
        rare = trained < _RARE_SHARE * len(train) and trained < _RARE_BESIDE * min(rest.values())
        return "none" if rare else "maybe"
    return "none" if len(values) > 2 and all(value.is_integer() for value in values) else "label"


def name_positions(header: str, count: int) -> list[str]:
    """Return a name for each place of lists of 0 and 1: those in the name of the column, else label 0, label 1, ..."""
    inside = _HEADER.search(header)
    for text in (inside[1] if inside else "", header):
        names = [name for name in re.split(r"\s*[,;|/]\s*|\s+", text.strip()) if name]
        if len(names) == count and len(set(names)) == count:
            return names
    return [f"label {number}" for number in range(count)]


def name_labels(tables: Mapping[str, pd.DataFrame], columns: Sequence[str], kind: Kind) -> tuple[str, ...]:
    """Return the labels in the order in which a table has them: as its columns of flags, or as the places of its lists
    of 0 and 1; () where it has none."""
    if len(columns) > 1:
        return tuple(columns)
    if not columns or not kind.rows.is_label_set:
        return ()
    cells = pd.concat([table[columns[0]] for table in tables.values() if columns[0] in table])
    return tuple(name_positions(columns[0], count_positions(list(cells.unique()))))


def _name_positions(raw: Mapping[str, pd.Series], names: Sequence[str]) -> dict[str, pd.DataFrame]:
    found = {}
    for split, cells in raw.items():
        read, reasons = {}, {}
        for cell in cells.unique():
            read[cell], reasons[cell] = "", ""
            if is_missing(cell):
                continue
            try:
                flags = parse_positions(cell)
                if len(flags) != len(names):
                    raise ValueError(f"{shorten(cell)} has {len(flags)} places where others have {len(names)}")
                read[cell] = write_list([name for name, flag in zip(names, flags, strict=True) if flag])
            except ValueError as error:
                read[cell], reasons[cell] = cell, str(error)
        missing = cells.map(is_missing).astype(bool)
        written = cells.where(cells != "", BLANK)
        found[split] = _frame(cells.map(read), cells.map(reasons), written.where(missing, ""))
    return found


def _join_flags(tables: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Join columns of flags to a list of the names of those that are set; an empty flag is one that is not.

    Of a row all of whose flags are empty, where others write 0, or with -1 in one, nothing is known.
    """
    flags = {split: _read_flags(table[list(columns)]) for split, table in tables.items()}
    writes_unset = any((each == 0).any() for each in flags.values())
    found = {}
    for split, table in tables.items():
        known = flags[split]
        empty, unset = np.isnan(known), known == -1
        unlabelled = unset.any(axis=1) | (empty.all(axis=1) & (writes_unset or bool(empty.all())))
        sets, places = np.unique(known == 1, axis=0, return_inverse=True)
        cells = [write_list([columns[place] for place in np.flatnonzero(own).tolist()]) for own in sets]
        joined = pd.Series([cells[place] for place in places.reshape(-1)], index=table.index, dtype=str)
        reason = pd.Series("", index=table.index, dtype=str)
        for place in np.flatnonzero((known == 2).any(axis=0)).tolist():
            column = columns[place]
            said = table[column].map(lambda cell, column=column: f"in {column!r}, {shorten(cell)} is neither 0 nor 1")
            reason = reason.mask(pd.Series(known[:, place] == 2, index=table.index) & (reason == ""), said)
        none = pd.Series(unlabelled, index=table.index) & (reason == "")
        written = pd.Series(np.where(unset.any(axis=1), _UNSET_FLAGS[0], BLANK), index=table.index, dtype=str)
        found[split] = _frame(joined.mask(none, ""), reason, written.where(none, ""))
    return found


def _read_flags(table: pd.DataFrame) -> np.ndarray:
    """Read flags [rows, columns]: 1 set, 0 not set, NaN nothing there, -1 not known, 2 no flag at all."""
    read = np.empty(table.shape)
    for place, column in enumerate(table.columns):
        cells: dict[str, float] = {}
        for cell in table[column].unique():
            if is_missing(cell):
                cells[cell] = np.nan
            elif cell.strip() in _UNSET_FLAGS:
                cells[cell] = -1.0
            else:
                try:
                    cells[cell] = float(parse_flag(cell))
                except ValueError:
                    cells[cell] = 2.0
        read[:, place] = table[column].map(cells).to_numpy(float)
    return read


def _frame(cell: pd.Series, reason: pd.Series | str, unlabelled: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"cell": cell.astype(str), "reason": reason, "unlabelled": unlabelled.astype(str)})
