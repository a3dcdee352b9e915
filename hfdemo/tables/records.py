"""Lines of a text -> records of cells. A record that is broken costs its own lines, and no others; in linear time."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hfdemo.tables.dialects import LONE, Dialect, find_spare_character, replace_escapes

NEVER_CLOSED = "a quote is opened that is never closed where a cell ends: close it, or double it"
_MOST_WASTED = 30  # times the lines of a file that broken quotes may have read again, before each line is read alone
_FEW_VALUES = 50  # different cells of a column that is taken for labels
_SHORT = 40  # characters that the name of a label has at most
_KNOWN = 20_000  # lines that are looked at for the names of labels
_FEWEST_KNOWN = 20


@dataclass
class Records:
    """The records of a text: their cells, and the lines that each spans, counted from 0.

    `flaws` say by place why a record is none. `lines` are how many lines the text has, and `blank` how many of them
    hold nothing. `mended` are the lines where quotes stand inside of a quoted cell without being doubled.
    """

    dialect: Dialect
    width: int
    rows: list[list[str]] = field(default_factory=list)
    first: array[int] = field(default_factory=lambda: array("q"))
    last: array[int] = field(default_factory=lambda: array("q"))
    flaws: dict[int, str] = field(default_factory=dict)
    lines: int = 0
    blank: int = 0
    mended: list[int] = field(default_factory=list)

    @property
    def trouble(self) -> int:
        """How many lines are broken, or were mended."""
        return sum(self.last[at] - self.first[at] + 1 for at in self.flaws) + len(self.mended)


def read_records(text: str, dialect: Dialect, width: int) -> Records:
    """Read all records of `text`, those that don't have `width` cells as broken ones.

    Whether a backslash stands before a quote, and whether quotes are part of the texts, is found out: what leaves the
    fewest records in trouble.
    """
    found = _RecordReader(text, dialect, width).read()
    if dialect.quote is None or not found.trouble:
        return found
    ways = []
    if f"\\{dialect.quote}" in text:
        ways.append(dataclasses.replace(dialect, has_backslashes=True))
    # A quote that begins a cell is part of its text where most of them are closed nowhere.
    quoted = sum(_begins_quoted(line, dialect) for line in split_lines(text))
    if found.trouble > quoted - found.trouble:
        ways.append(dataclasses.replace(dialect, quote=None))
    return min((found, *(_RecordReader(text, way, width).read() for way in ways)), key=lambda each: each.trouble)


def split_lines(text: str) -> list[str]:
    """Split at line ends alone, which stay: not at form feeds and Unicode's own separators, as str.splitlines does."""
    return list(io.StringIO(text, newline=""))


def format_width_flaw(cells: int, width: int) -> str:
    """Say that a row has another number of cells than the others."""
    counted = "1 cell" if cells == 1 else f"{cells} cells"
    return f"{counted} where the header has {width}: put texts that hold the delimiter or a line break in quotes"


def _begins_quoted(line: str, dialect: Dialect) -> bool:
    quote = dialect.quote or ""
    return line.startswith(quote) or f"{dialect.delimiter}{quote}" in line


class _TooLong(Exception):
    """A record spans more lines than may be looked at for it."""


class _RecordReader:
    """Reads the records of one text in one dialect: by the csv module as long as it can, then line by line."""

    def __init__(self, text: str, dialect: Dialect, width: int) -> None:
        self._width = width
        self._quote = dialect.quote
        self._put_back: tuple[str, str] | None = None
        self._delimiter = dialect.delimiter or LONE
        self._strips = len(self._delimiter) > 1  # spaces around a long one are for the eye
        if dialect.has_backslashes and dialect.quote and (spare := find_spare_character(text)):
            text = replace_escapes(text, dialect.quote, spare)
            self._put_back = (spare, dialect.quote)
        elif len(self._delimiter) > 1 and (spare := find_spare_character(text)):
            text = text.replace(self._delimiter, spare)
            self._put_back, self._delimiter = (spare, self._delimiter), spare
        self._lines = split_lines(text)
        self._skips_spaces = dialect.skips_spaces
        self._found = Records(dialect, width, lines=len(self._lines))
        self._begin = 0  # of the record that is being read
        self._wasted = 0
        self._is_recovering = False
        self._labels: dict[int, set[str]] | None = None

    def read(self) -> Records:
        """Read all records."""
        if self._quote is None:
            for number, line in enumerate(self._lines):
                self._take(line.rstrip("\r\n").split(self._delimiter), number, number)
            return self._found
        while self._begin < len(self._lines):
            reader = csv.reader(
                self._feed(self._begin), delimiter=self._delimiter, quotechar=self._quote, strict=True,
                skipinitialspace=self._skips_spaces,
            )  # fmt: skip
            before = self._begin
            try:
                for cells in reader:
                    first, self._begin = self._begin, before + reader.line_num
                    if not self._take(cells, first, self._begin - 1):
                        self._break(first, self._begin)
                        break
            except (csv.Error, _TooLong):
                self._break(self._begin, before + reader.line_num)
        return self._found

    def _feed(self, start: int) -> Iterator[str]:
        for number in range(start, len(self._lines)):
            if number > self._begin and self._wasted > _MOST_WASTED * len(self._lines):
                raise _TooLong
            yield self._lines[number]

    def _take(self, cells: list[str], first: int, last: int) -> bool:
        """Take a record; False where it is none because a quote of its first line was closed by accident."""
        count, width = len(cells), self._width
        if count > width and not "".join(cells[width:]).strip():  # a delimiter too many at the end
            cells, count = cells[:width], width
        if count == width and first == last and (width > 1 or cells[0].strip()):
            self._keep(cells, first, last)
        elif count < 2 and not "".join(cells).strip("\x1a \t\r\n"):
            self._found.blank += last - first + 1
            self._is_recovering = False
        elif count == width:
            if self._looks_like_rows(first, last):
                return False
            self._keep(cells, first, last)
        elif first < last and self._fits_alone(first + 1):
            return False
        else:
            self._refuse(cells, first, last, format_width_flaw(count, width))
        return True

    def _keep(self, cells: list[str], first: int, last: int) -> None:
        found = self._found
        if self._put_back:
            cells = [cell.replace(*self._put_back) for cell in cells]
        if self._strips:
            cells = [cell.strip() for cell in cells]
        found.rows.append(cells)
        found.first.append(first)
        found.last.append(last)
        self._is_recovering = False

    def _refuse(self, cells: list[str], first: int, last: int, reason: str) -> None:
        found = self._found
        if self._is_recovering:  # it belongs to what the broken quote began
            found.last[-1] = last
            return
        found.flaws[len(found.rows)] = reason
        found.rows.append(cells)
        found.first.append(first)
        found.last.append(last)

    def _break(self, first: int, read: int) -> None:
        """Take the line `first`, whose quotes are broken, alone, and go on after it."""
        self._wasted += max(0, read - first - 1)
        self._begin = first + 1
        cells = self._split_leniently(self._lines[first].rstrip("\r\n"))
        if len(cells) == self._width:
            self._keep(cells, first, first)
            self._found.mended.append(first + 1)
        else:
            self._refuse(cells, first, first, NEVER_CLOSED)
            self._is_recovering = True

    def _split_leniently(self, line: str) -> list[str]:
        """Split a line whose quoted cells end at a quote before a delimiter alone; [] where one never ends."""
        quote, delimiter = self._quote or "", self._delimiter
        cells: list[str] = []
        place = 0
        while len(cells) <= self._width:
            if line.startswith(quote, place):
                ended = re.compile(f"{re.escape(quote)}(?={re.escape(delimiter)}|$)").search(line, place + 1)
                if ended is None:
                    return []
                cells.append(line[place + 1 : ended.start()].replace(quote * 2, quote))
                place = ended.end()
            else:
                end = line.find(delimiter, place)
                end = len(line) if end < 0 else end
                cells.append(line[place:end])
                place = end
            if place >= len(line):
                return cells
            place += len(delimiter)
        return cells

    def _parse_line(self, line: str) -> list[str]:
        """Return the cells of a line that is a record by itself; [] where it is none."""
        if self._quote is None or self._quote not in line:
            return line.rstrip("\r\n").split(self._delimiter)
        try:
            return next(csv.reader([line], delimiter=self._delimiter, quotechar=self._quote, strict=True), [])
        except csv.Error:
            return []

    def _fits_alone(self, number: int) -> bool:
        return len(self._parse_line(self._lines[number])) == self._width

    def _looks_like_rows(self, first: int, last: int) -> bool:
        """Say whether a record of several lines is as many rows that a quote without an end has swallowed: each line
        has as many cells as a row, and those of the label columns are names of labels."""
        if last - first < 2 or self._width < 2:
            return False
        rows = [line.rstrip("\r\n").split(self._delimiter) for line in self._lines[first : last + 1] if line.strip()]
        if any(len(row) != self._width for row in rows):
            return False
        labels = self._find_labels()
        return bool(labels) and all(row[at].strip(self._quote) in names for row in rows for at, names in labels.items())

    def _find_labels(self) -> dict[int, set[str]]:
        """Find by column the cells of those columns that hold few different and short ones, in lines of one record."""
        if self._labels is None:
            rows = [self._parse_line(line) for line in self._lines[1 :: max(1, len(self._lines) // _KNOWN)]]
            self._labels = find_label_columns([row for row in rows if len(row) == self._width])
        return self._labels


def find_label_columns(rows: Sequence[Sequence[str]]) -> dict[int, set[str]]:
    """Find by column the cells of those columns that hold few different and short ones, each of them several times."""
    found: dict[int, set[str]] = {}
    if len(rows) < _FEWEST_KNOWN:
        return found
    for column, cells in enumerate(zip(*rows, strict=True)):
        counts = Counter(cells)
        if len(counts) <= min(_FEW_VALUES, len(rows) / 4) and max(map(len, counts)) <= _SHORT:
            found[column] = set(counts)
    return found
