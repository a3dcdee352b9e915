"""A CSV file as a table of texts, read and written by rules that change no cell."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.tables.cells import check_columns, find_text_flaw, format_row_numbers, replace_text_flaws
from hfdemo.tables.dialects import Dialect, guess_dialect, read_first_rows
from hfdemo.tables.encodings import Decoded, decode_file
from hfdemo.tables.headers import clean_header, doubt_header, name_columns, weigh_header
from hfdemo.tables.records import NEVER_CLOSED, Records, read_records
from hfdemo.tables.sheet import Doubt, LineCount, ReadOptions, RefusedRow, Sheet

_SEP = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n)', re.IGNORECASE)  # a line for Excel, and no header
_USUAL = 0.8  # of the first rows, that have as many cells as the others
_PREAMBLE = 10  # lines that may stand above a header
_SAMPLED = 200  # rows that tell what the first one is
_NO_HEADER = "no header"


def read_table(path: Path, *, lone_column: bool = False, options: ReadOptions | None = None) -> pd.DataFrame:
    """Read a table as `read_csv` does, but with no row refused.

    Raises:
        DataError: as there, or rows that don't fit the header.
    """
    sheet = read_csv(path, lone_column=lone_column, options=options)
    for row in sheet.refused:
        raise DataError(f"{path.name}, {row.place}: {row.reason}.")
    return sheet.table


def read_csv(path: Path, *, lone_column: bool = False, options: ReadOptions | None = None) -> Sheet:
    """Read the CSV (or TSV) file at `path` as a table of texts: "NA" stays "NA", an empty cell is "".

    The delimiter is the one of , ; tab | (or a rarer sign) by which most of the first rows have as many cells as the
    others. With `lone_column` a header without any of them names the only column, and every line is one cell of it.
    A row that doesn't fit costs the lines that it spans; a quote that is never closed costs the line that it stands in,
    and those after it that fit the header no better.

    Raises:
        DataError: missing, empty, not text, not in the encoding asked for, or no rows that fit the header.
    """
    return parse_csv(path, decode_file(path, "CSV", options), lone_column=lone_column, options=options)


def parse_csv(
    path: Path,
    decoded: Decoded,
    *,
    lone_column: bool = False,
    options: ReadOptions | None = None,
    dialect: Dialect | None = None,
) -> Sheet:
    """Read the text of a CSV file; see `read_csv`."""
    csv.field_size_limit(2**31 - 1)  # a text may be as long as it likes
    text = decoded.text.removeprefix("\ufeff")
    whole, text = text, text.lstrip("\r\n")
    above = len(whole[: len(whole) - len(text)].replace("\r\n", "\n"))
    said = _SEP.match(text)
    text = text[said.end() :] if said else text
    dialect = dialect or (Dialect(said[1]) if said else guess_dialect(text, path.suffix.lower()))
    first = text.splitlines()[0] if text.strip() else ""
    if broken := find_text_flaw(first, decoded.encoding):
        raise DataError(f"The first line of {path.name} can't be read: {broken}. Save the file as UTF-8.")
    if dialect.delimiter is None and (not lone_column or not text.strip().partition(first.strip())[2]):
        raise DataError(
            f"{path.name} is not a CSV file with columns: its first line is {first[:80]!r}. "
            "A text column and a label column are needed."
        )
    check_columns(path.name, first.count(dialect.delimiter) + 1 if dialect.delimiter else 1)
    dialect = _find_backslashes(text, dialect)
    records = read_records(text, dialect, _find_width(text, dialect))
    return _build_sheet(_Source(path.name, decoded, options or ReadOptions(), above + bool(said), bool(said)), records)


@dataclass(frozen=True)
class _Source:
    """What a table is made from: `above` are the lines above its first, all blank but that for Excel."""

    name: str
    decoded: Decoded
    options: ReadOptions
    above: int
    has_sep: bool


def _find_backslashes(text: str, dialect: Dialect) -> Dialect:
    """Return the dialect with a backslash before quotes, where so the first rows are as wide as the first, else not."""
    if dialect.quote is None or f"\\{dialect.quote}" not in text:
        return dialect
    with_backslashes = dataclasses.replace(dialect, has_backslashes=True)
    plain, escaped = ({len(row) for row in read_first_rows(text, each)} for each in (dialect, with_backslashes))
    return with_backslashes if len(escaped) == 1 < len(plain) else dialect


def _find_width(text: str, dialect: Dialect) -> int:
    """Find how many cells a row has: as many as the first has, unless nearly all of the first rows have others."""
    widths = [len(row) for row in read_first_rows(text, dialect)]
    usual = max(sorted(set(widths)), key=widths.count)
    return usual if len(widths) > 2 and usual > 1 and widths.count(usual) >= _USUAL * len(widths) else widths[0]


@dataclass(frozen=True)
class _Header:
    """What the columns are called, and how many of the first records are no rows."""

    names: list[str]
    skipped: int
    said: str = ""
    doubts: tuple[Doubt, ...] = ()
    is_header: bool = True


def _find_header(source: _Source, records: Records) -> _Header:
    """Find out whether the first record names the columns; a line or a few above those that do is none of them."""
    name, width, asked = source.name, records.width, source.options.header
    place = next((at for at in range(min(len(records.rows), _PREAMBLE)) if at not in records.flaws), 0)
    first = records.rows[0]
    below = [row for at, row in enumerate(records.rows[:_SAMPLED]) if at not in records.flaws and at > place]
    if asked is False:
        return _Header(name_columns(width), 0, _NO_HEADER, is_header=False)
    if records.flaws.get(0) == NEVER_CLOSED:
        raise DataError(f"The first line of {name} can't be read: {NEVER_CLOSED}.")
    if not place:
        weight = 2.0 if asked else weigh_header(first, below)
        if weight < 0:
            return _Header(name_columns(width), 0, _NO_HEADER, doubt_header(first, False, weight), is_header=False)
        return _Header(clean_header(name, first), 1, doubts=doubt_header(first, True, weight))
    above = records.rows[place]
    of_above = weigh_header(above, below)
    of_first = weigh_header(first, [row[1:] for row in below]) if len(first) == width - 1 else -1.0
    if of_first >= max(of_above, 0.0):
        if not any(row[-1].strip() for row in records.rows[1:_SAMPLED] if len(row) == width):
            return _Header(clean_header(name, first), 1)  # a delimiter more at the end of each row
        return _Header(clean_header(name, ["", *first]), 1, "row names in column 1")
    if asked or of_above > 0:
        lines = "line stands" if place == 1 else f"{place} lines stand"
        return _Header(clean_header(name, above), place + 1, f"the first {lines} above the header")
    return _Header(name_columns(width), 0, _NO_HEADER, is_header=False)


def _build_sheet(source: _Source, records: Records) -> Sheet:
    """Build the table of what fits, and say what does not and how the lines add up."""
    header = _find_header(source, records)
    name, skipped = source.name, header.skipped
    check_columns(name, len(header.names))
    rows = records.rows[skipped:]
    if not rows:
        raise DataError(f"{name} has a header ({', '.join(header.names)}) but no rows. Add some.")
    flaws = {at - skipped: flaw for at, flaw in records.flaws.items() if at >= skipped}
    if find_text_flaw(source.decoded.text):  # of the whole, so that most files needn't be looked at row by row
        of_cells = {at: find_text_flaw("".join(row), source.decoded.encoding) for at, row in enumerate(rows)}
        flaws = {at: flaw for at, flaw in of_cells.items() if flaw} | flaws
    if len(flaws) == len(rows):
        raise DataError(f"{name} has no row that fits its header; row 1: {flaws[0]}.")
    refused = tuple(
        RefusedRow(
            "", at + 1, flaws[at] if header.is_header else flaws[at].replace("the header has", "the others have"),
            records.first[at + skipped] + source.above + 1, records.last[at + skipped] + source.above + 1,
        )
        for at in sorted(flaws)
    )  # fmt: skip
    kept = [at for at in range(len(rows)) if at not in flaws] if flaws else range(len(rows))
    columns = {column: [rows[row][at] for row in kept] for at, column in enumerate(header.names)}
    table = pd.DataFrame(columns, index=kept, columns=header.names, dtype=str)
    lines = _count_lines(source, records, skipped, refused)
    said = filter(None, (source.decoded.said, records.dialect.said, header.said, lines.format_sum(len(table))))
    doubts = (*source.decoded.doubts, *header.doubts)
    return Sheet(
        table, refused, ", ".join(said), doubts, source.decoded.encoding, header.is_header, lines,
        _tell_mended([line + source.above for line in records.mended]),
    )  # fmt: skip


def _count_lines(source: _Source, records: Records, skipped: int, refused: Sequence[RefusedRow]) -> LineCount:
    header = sum(records.last[at] - records.first[at] + 1 for at in range(skipped)) + source.has_sep
    lost = sum(row.last_line - row.first_line + 1 for row in refused)
    blank = records.blank + source.above - source.has_sep
    return LineCount(header, records.lines + source.above - header - lost - blank, lost, blank)


def _tell_mended(lines: Sequence[int]) -> tuple[str, ...]:
    if not lines:
        return ()
    where = format_row_numbers(lines).replace("row", "line")
    return (f"Quotes inside of quoted cells are not doubled in {where}: they were read as part of the text.",)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write `table` as a CSV file of UTF-8 that reads back as as many rows of the same cells, whatever stands in them.

    Every cell is quoted: a lone carriage return would else end its row, and a header without quotes can look like a
    file of another kind. What no text file holds is replaced.
    """
    table.map(lambda cell: replace_text_flaws(cell) if isinstance(cell, str) else cell).to_csv(
        path, index=False, lineterminator="\n", quoting=csv.QUOTE_ALL
    )
