"""The rows of a data set as they are trained on: text, text_pair and label, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.kind import ReadCell
from hfdemo.tables import text_flaw

Splits = Mapping[str, pd.DataFrame]
# What a row's own columns are in a run's data; the rest say what is wrong with it.
DATA_COLUMNS = ("text", "text_pair", "label")


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
                if broken := text_flaw(cell):
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
