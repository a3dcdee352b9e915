"""A CSV file as a table of texts, read and written by rules that change no cell, and what readers of tables share."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from hfdemo.errors import DataError

DELIMITERS = ",;\t|"
MOST_COLUMNS = 1_000
_SEP = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n)', re.IGNORECASE)  # a line for Excel, and no header
_SNIFFED = 50  # rows that are looked at to find the delimiter
_LONE = "\x1f"  # ASCII's own unit separator: commas in a lone column are part of its texts
_BINARY = (b"PK\x03\x04", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"PAR1", b"\x1f\x8b")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile("[\udc80-\udcff]+")  # how Python's surrogateescape keeps a byte that is no character


@dataclass(frozen=True)
class RefusedRow:
    """A row that is in no table because it doesn't fit: `row` counts from 1 under the header, `split` may be ""."""

    split: str
    row: int
    reason: str


@dataclass(frozen=True)
class Sheet:
    """One file as a table of texts, whose index is the row's number in the file less one.

    `refused` are the rows that the table lacks, and `reading` says how the file was understood.
    """

    table: pd.DataFrame
    refused: tuple[RefusedRow, ...] = ()
    reading: str = ""


def read_table(path: Path, *, lone_column: bool = False) -> pd.DataFrame:
    """Read a table as `read_csv` does, but with no row refused.

    Raises:
        DataError: as there, or rows that don't fit the header.
    """
    sheet = read_csv(path, lone_column=lone_column)
    for row in sheet.refused:
        raise DataError(f"{path.name}, row {row.row}: {row.reason}.")
    return sheet.table


def read_csv(path: Path, *, lone_column: bool = False) -> Sheet:
    """Read the CSV (or TSV) file at `path` as a table of texts: "NA" stays "NA", an empty cell is "".

    The delimiter is the one of , ; tab | by which most of the first rows have as many cells as the header, and of
    several the one that makes most. With `lone_column` a header without any of them names the only column, and every
    line is one cell of it.

    Raises:
        DataError: missing, empty, not text, or no rows that fit the header.
    """
    text, encoding = decode_file(path, "CSV")
    text = text.lstrip("\r\n")
    said = _SEP.match(text)
    text = text[said.end() :] if said else text
    header = next(iter(text.splitlines()), "")
    if broken := find_text_flaw(header):
        raise DataError(f"The first line of {path.name} can't be read: {broken}. Save the file as UTF-8.")
    delimiter = said[1] if said else _guess_delimiter(text, path.suffix.lower())
    if delimiter is None and (not lone_column or len(text.splitlines()) == 1):
        raise DataError(
            f"{path.name} is not a CSV file with columns: its first line is {header[:80]!r}. "
            "A text column and a label column are needed."
        )
    names = {"\t": "tabs", None: "one column"}
    between = names.get(delimiter, f"`{delimiter}`")
    table, refused = _read_rows(path.name, text, delimiter or _LONE)
    return Sheet(table, refused, f"{encoding}, {between}" + (" between the cells" if delimiter else ""))


def decode_file(path: Path, kind: str) -> tuple[str, str]:
    """Decode the file at `path`: its text and the name of its encoding, UTF-8, UTF-16 by its mark, else Windows-1252.

    A file with more characters of UTF-8 than bytes that are none is UTF-8, and `flaw` finds those bytes in its text.

    Raises:
        DataError: missing, empty or binary; the sentence calls what was expected a `kind` file.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{path.name} is empty. Give a {kind} file with rows.")
    wide = raw.startswith(_UTF16)
    if (b"\0" in raw and not wide) or raw.startswith(_BINARY):
        raise DataError(f"{path.name} is not a {kind} file: it holds binary data. Save it as {kind} (UTF-8) first.")
    if wide:
        try:
            return raw.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            raise DataError(f"{path.name} begins as UTF-16, but is not. Save it as UTF-8.") from None
    text = raw.decode("utf-8-sig", "surrogateescape")
    if not text.isascii():
        strange = sum(map(len, _ESCAPED.findall(text)))
        if strange > sum(map(len, _BEYOND_ASCII.findall(text))) - strange:
            try:
                return raw.decode("cp1252"), "Windows-1252"
            except UnicodeDecodeError:  # it has no character for some bytes; the next has one for each
                return raw.decode("latin-1"), "Latin-1"
    return text, "UTF-8"


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write `table` as a CSV file of UTF-8 that reads back as as many rows of the same cells, whatever stands in them.

    Every cell is quoted: a lone carriage return would else end its row, and a header without quotes can look like a
    file of another kind. What no text file holds is replaced.
    """
    table.map(lambda cell: replace_text_flaws(cell) if isinstance(cell, str) else cell).to_csv(
        path, index=False, lineterminator="\n", quoting=csv.QUOTE_ALL
    )


def replace_text_flaws(text: str) -> str:
    """Replace what no text file holds, a NUL or a lone surrogate, by U+FFFD."""
    return _NO_TEXT.sub("\ufffd", text)


def find_text_flaw(text: str) -> str:
    """Say what keeps `text` from being stored and read again, in words; "" where nothing does."""
    if "\0" in text:
        return "it holds a NUL, which is no character of a text"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        strange = text[error.start]
        if _ESCAPED.fullmatch(strange):
            return f"it holds the byte 0x{ord(strange) - 0xDC00:02X}, which is no character in UTF-8"
        return "it holds half of a character (a lone surrogate)"
    return ""


def format_cell(value: Any) -> str:
    """Write a value as a cell: a text as it is, "" for None, lists and dicts as JSON, `str` of everything else."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN is how a table of numbers leaves a cell empty
        return ""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def format_row_numbers(numbers: Sequence[int], most: int = 5) -> str:
    """Write row numbers in words: "row 3", "rows 3, 5 and 8", "rows 1, 2, 3, 4, 5 and 7 more"."""
    first, more = [str(number) for number in numbers[:most]], len(numbers) - most
    last = f"{more:,} more" if more > 0 else first.pop() if len(first) > 1 else ""
    return f"row{'s' if len(numbers) > 1 else ''} {', '.join(first)}{f' and {last}' if last else ''}"


def check_columns(name: str, columns: int) -> None:
    """Refuse a table that is wider than any that a person reads: every column is looked at, listed and shown.

    Raises:
        DataError: it is.
    """
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{name} has {columns:,} columns, and a table may have {MOST_COLUMNS:,} here. Keep those with the "
            "texts and the labels."
        )


def _guess_delimiter(text: str, suffix: str) -> str | None:
    """Guess what stands between the cells; None where nothing parts the header.

    Where quotes are closed right before it everywhere, that tells more than how many rows fit: a quoted cell may hold
    whatever else parts cells.
    """
    if suffix == ".tsv" and "\t" in text.partition("\n")[0]:
        return "\t"
    fitting = {}
    for each in DELIMITERS:
        rows: list[list[str]] = []
        with contextlib.suppress(csv.Error):
            rows.extend(filter(None, islice(csv.reader(io.StringIO(text, newline=""), delimiter=each), _SNIFFED)))
        if rows and len(rows[0]) > 1:
            fitting[each] = (_quotes_fit(text, each), sum(len(row) == len(rows[0]) for row in rows), len(rows[0]))
    return max(fitting, key=lambda each: fitting[each]) if fitting else None


def _quotes_fit(text: str, delimiter: str) -> bool:
    """Return whether each quoted cell among the first rows ends where a cell may end."""
    try:
        for _ in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), _SNIFFED):
            pass
    except csv.Error:
        return False
    return True


def _quotes_are_text(text: str, delimiter: str) -> bool:
    """Say whether a quote that begins a cell is part of its text: taken as the beginning of a quoted cell it would
    swallow the lines after it, while every line by itself has as many cells as the header."""
    if '"' not in text:
        return False
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line]
        return len({line.count(delimiter) for line in lines}) == 1
    return False


def _find_row_flaw(row: Sequence[str], columns: int, sound: bool) -> str:
    """Say why a row is refused, "" where it is not; nothing of a `sound` file has a flaw."""
    if len(row) != columns:
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        return f"{cells} where the header has {columns}: put texts that hold the delimiter or a line break in quotes"
    return "" if sound else find_text_flaw("".join(row))


def _read_rows(name: str, text: str, delimiter: str) -> tuple[pd.DataFrame, tuple[RefusedRow, ...]]:
    sound = not find_text_flaw(text)  # of the whole, so that most files needn't be looked at row by row
    csv.field_size_limit(2**31 - 1)  # a text may be as long as it likes
    try:
        # Not splitlines(): that would also break rows at form feeds and at Unicode's own line separators.
        lines = io.StringIO(text, newline="")
        if _quotes_are_text(text, delimiter):
            reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(lines, delimiter=delimiter)
        first = next(filter(None, reader))
        check_columns(name, len(first))
        rows = [first, *filter(None, reader)]
    except csv.Error as error:
        raise DataError(f"{name} can't be read as CSV: {error}. Look for a quote that is never closed.") from error
    header = [column.strip() or f"column {number}" for number, column in enumerate(rows[0], start=1)]
    twice = sorted(column for column, times in Counter(header).items() if times > 1)
    if twice:
        raise DataError(f"{name} has the column {', '.join(map(repr, twice))} more than once. Rename one of them.")
    if len(rows) == 1:
        raise DataError(f"{name} has a header ({', '.join(header)}) but no rows. Add some.")
    wrong = {
        number: reason for number, row in enumerate(rows[1:]) if (reason := _find_row_flaw(row, len(header), sound))
    }
    refused = tuple(RefusedRow("", number + 1, reason) for number, reason in wrong.items())
    if len(refused) == len(rows) - 1:
        raise DataError(f"{name} has no row that fits its header; row 1: {refused[0].reason}.")
    kept = [number for number in range(len(rows) - 1) if number not in wrong]
    return pd.DataFrame([rows[number + 1] for number in kept], columns=header, index=kept, dtype=str), refused
