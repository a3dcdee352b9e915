"""A CSV file as a table of texts, read by rules that change no cell."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from hfdemo.errors import DataError


def read_table(path: Path, *, lone_column: bool = False) -> pd.DataFrame:
    """The CSV (or TSV) file at `path` as a table of texts: "NA" stays "NA", an empty cell is "".

    The encoding is UTF-8, else Windows-1252; the delimiter is the one of , ; tab | that the header has most of. With
    `lone_column` a header without any of them names the only column, and every line is one cell of it.

    Raises:
        DataError: missing, empty, not text, no rows, or rows that don't fit the header.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{path.name} is empty. Give a CSV file with a header line and rows.")
    if b"\0" in raw or raw.startswith((b"PK", b"%PDF", b"\x89PNG", b"\xff\xd8")):
        raise DataError(f"{path.name} is not a CSV file: it holds binary data. Save it as CSV (UTF-8) first.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    text = text.lstrip("\r\n")
    header = text.splitlines()[0]
    delimiter = max(",;\t|", key=header.count)
    if not header.count(delimiter) and lone_column:
        delimiter = "\x1f"  # ASCII's own unit separator: commas in a lone column are part of its texts
    elif not header.count(delimiter):
        raise DataError(
            f"{path.name} is not a CSV file with columns: its first line is {header[:80]!r}. "
            "A text column and a label column are needed."
        )
    return _rows_of(path.name, text, delimiter)


def _rows_of(name: str, text: str, delimiter: str) -> pd.DataFrame:
    try:
        # Not splitlines(): that would also break rows at form feeds and at Unicode's own line separators.
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise DataError(f"{name} can't be read as CSV: {error}. Look for a quote that is never closed.") from error
    header = [column.strip() for column in rows[0]]
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise DataError(f"{name} has the column {', '.join(map(repr, twice))} more than once. Rename one of them.")
    if len(rows) == 1:
        raise DataError(f"{name} has a header ({', '.join(header)}) but no rows. Add some.")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise DataError(
                f"{name}, row {number}: {len(row)} cells where the header has {len(header)}. "
                "Put texts that hold the delimiter or a line break in quotes."
            )
    return pd.DataFrame(rows[1:], columns=header, dtype=str)
