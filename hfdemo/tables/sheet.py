"""One file as a table: what was read, what was refused, how its lines add up, and what a reader is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

_MOST = 1 << 62


@dataclass(frozen=True)
class ReadOptions:
    """How a file is to be read, where it does not say so itself, and what it may hold at most.

    `encoding` is any name that Python knows, None to find it out. With `header` true the first line names the columns,
    with false it is a row like the others, with None that is found out. `most_rows` and `most_bytes` bound what a
    file unpacks to.
    """

    encoding: str | None = None
    header: bool | None = None
    most_rows: int = _MOST
    most_bytes: int = _MOST


@dataclass(frozen=True)
class RefusedRow:
    """A row that is in no table because it doesn't fit: `row` counts from 1 under the header, `split` may be "".

    `first_line` and `last_line` are the lines of the file that it spans, 0 where a file has no lines.
    """

    split: str
    row: int
    reason: str
    first_line: int = 0
    last_line: int = 0

    @property
    def lines(self) -> str:
        """The lines in words, such as "line 7" or "lines 7 to 9"; "" where a file has none."""
        if not self.first_line:
            return ""
        return f"line {self.first_line}" if self.first_line == self.last_line else (
            f"lines {self.first_line} to {self.last_line}"
        )  # fmt: skip

    @property
    def place(self) -> str:
        """The row in words, with its lines."""
        return f"row {self.row}{f' ({self.lines})' if self.lines else ''}"


@dataclass(frozen=True)
class LineCount:
    """Where the lines of a file went: each is in one of the four."""

    header: int
    rows: int
    refused: int
    blank: int

    @property
    def total(self) -> int:
        return self.header + self.rows + self.refused + self.blank

    def format_sum(self, rows: int) -> str:
        """Write the sum in words; `rows` is how many rows stand on the lines of rows."""
        on = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        if rows != self.rows:
            on = f"{self.rows:,} in {rows:,} row{'' if rows == 1 else 's'}"
        parts = [*([f"{self.header:,} header"] if self.header else []), on, f"{self.refused:,} refused"]
        total = f"{self.total:,} line{'' if self.total == 1 else 's'}"
        return f"{total} = {' + '.join([*parts, f'{self.blank:,} blank'])}"


@dataclass(frozen=True)
class Doubt:
    """A reading that may be another: `change` has the keys of ReadOptions, and values that give the other one."""

    code: str
    problem: str
    fix: str
    change: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """One file as a table of texts, whose index is the row's number in the file less one.

    `refused` are the rows that the table lacks, `reading` says how the file was understood and `doubts` where that was
    a guess. `encoding` and `header` are what ReadOptions would ask for to have it read so again; None where a file has
    none.
    """

    table: pd.DataFrame
    refused: tuple[RefusedRow, ...] = ()
    reading: str = ""
    doubts: tuple[Doubt, ...] = ()
    encoding: str | None = None
    header: bool | None = None
    lines: LineCount | None = None
    notes: tuple[str, ...] = ()
