"""A sheet of an Excel workbook -> a table of texts."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hfdemo.data_sources.archives import check_size
from hfdemo.errors import DataError
from hfdemo.tables import MOST_COLUMNS, ReadOptions, Sheet, build_table, format_cell

_MOST_CELLS = 50_000_000  # blank ones included: a lone cell at the far end of a sheet makes billions of them


def read_workbook(path: Path, options: ReadOptions) -> Sheet:
    """Read the first sheet of a workbook that has rows; the others are named in the notes.

    Of a formula the value is read that Excel last saved. Blank rows are left out.

    Raises:
        DataError: it is no workbook, unpacks to more than may be read, or has no rows.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    with _open(path, options) as book:
        for sheet in book.worksheets:
            rows = list(_read_rows(path.name, sheet, options))
            if rows:
                break
        else:
            raise DataError(f"{path.name} has no rows in any of its sheets. Add some.")
        others = [other.title for other in book.worksheets if other is not sheet]
    width = max(len(row) for row in rows)
    said = f"Excel, the sheet “{sheet.title}”"
    found = build_table(path.name, [row + [""] * (width - len(row)) for row in rows], options, said)
    named = ", ".join(f"“{name}”" for name in others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    notes = (f"Only the sheet “{sheet.title}” was read. Others of the workbook: {named}.",) if others else ()
    return Sheet(found.table, found.refused, found.reading, found.doubts, None, found.header, notes=notes)


@contextlib.contextmanager
def _open(path: Path, options: ReadOptions) -> Iterator[Any]:
    """Open a workbook to be read row by row."""
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as packed:
            check_size(path.name, packed, options.most_bytes)
        with path.open("rb") as file:  # openpyxl goes by the ending of a name, which may be another
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, SyntaxError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.name} can't be read as an Excel workbook ({type(error).__name__}). Save it as .xlsx, or as CSV."
        ) from error


def _read_rows(name: str, sheet: Any, options: ReadOptions) -> Iterator[list[str]]:
    """Read the rows of a sheet that are not blank, without the blank cells at their ends."""
    read = size = looked_at = 0
    for values in sheet.iter_rows(values_only=True):
        looked_at += len(values)
        if looked_at > _MOST_CELLS:
            raise DataError(f"{name} has more cells than are read here, blank ones included. Save it as CSV.")
        if all(value is None for value in values):
            continue
        cells = [_format_value(value) for value in values]
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise DataError(f"{name} has {len(cells):,} columns, and a table may have {MOST_COLUMNS:,} here.")
        read, size = read + 1, size + sum(map(len, cells))
        if read > options.most_rows + 1 or size > options.most_bytes:
            raise DataError(f"{name} holds more rows or text than are read here. Keep fewer rows.")
        yield cells


def _format_value(value: Any) -> str:
    """Write a cell as a text: a whole number without a fraction, a day without its midnight."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format_cell(value).removesuffix(" 00:00:00")
