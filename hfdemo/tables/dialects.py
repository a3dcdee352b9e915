"""What parts the cells of a text, and what quotes them: found out from its first rows."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from dataclasses import dataclass
from itertools import islice

DELIMITERS = (",", ";", "\t", "|")
# What others write where all usual signs may stand in a text; the long ones are two or three of a usual one.
_RARE = ("\x01", "\x1f", "\x1e", "^", "~", "::", "@@", "##", "¦", "§", "，", "；")
_SNIFFED = 50  # rows that are looked at to find the delimiter
LONE = "\x1f"  # ASCII's own unit separator: commas in a lone column are part of its texts
_SPARE = tuple(map(chr, range(0xE000, 0xE010)))  # of these one is in no text: it stands for what csv can't be told
_NAMES = {"\t": "tabs", " ": "spaces", "\x01": "U+0001", "\x1f": "U+001F", "\x1e": "U+001E"}


@dataclass(frozen=True)
class Dialect:
    """How cells are parted and quoted. `delimiter` is None where a line is one cell, `quote` None where quotes are
    part of the texts; with `has_backslashes` a backslash stands before a quote inside of quotes."""

    delimiter: str | None
    quote: str | None = '"'
    has_backslashes: bool = False
    skips_spaces: bool = False

    @property
    def said(self) -> str:
        """The dialect in words, as a reading has it."""
        if self.delimiter is None:
            return "one column"
        named = _NAMES.get(self.delimiter, f"`{self.delimiter}`")
        more = ", single quotes around them" if self.quote == "'" else ""
        return f"{named} between the cells{more}" + (", backslashes before quotes" if self.has_backslashes else "")


def find_spare_character(text: str) -> str | None:
    """Return a character that is not in `text`; None where all that are tried are."""
    return next((each for each in _SPARE if each not in text), None)


def replace_escapes(text: str, quote: str, spare: str) -> str:
    """Replace each quote behind a backslash by `spare`, and two backslashes by one."""
    marked = {"\\": "\\", quote: spare}
    return re.sub(rf"\\([\\{quote}])", lambda found: marked[found[1]], text)


def guess_dialect(text: str, suffix: str) -> Dialect:
    """Guess the dialect of `text`; its delimiter is None where nothing parts the first rows.

    Where quotes are closed right before a delimiter everywhere, that tells more than how many rows fit: a quoted cell
    may hold whatever else parts cells.
    """
    head = "".join(islice(io.StringIO(text, newline=""), 4 * _SNIFFED))
    quote = _guess_quote(head)
    if suffix == ".tsv" and "\t" in head.partition("\n")[0]:
        return Dialect("\t", quote)
    fits = {each: fit for each in DELIMITERS if (fit := _fit(head, each, quote))}
    if not fits:
        rare = {each: alike for each in _RARE if (alike := _fit_rare(head, each))}
        return Dialect(max(rare, key=lambda each: rare[each]) if rare else None, quote)
    best = max(fits, key=lambda each: fits[each])
    longer = next((best * times for times in (3, 2) if _is_always(head, best, times)), best)
    spaced = len(re.findall(f"{re.escape(best)} {quote}", head)) > len(re.findall(f"{re.escape(best)}{quote}", head))
    return Dialect(longer, quote, skips_spaces=spaced and longer == best)


def read_first_rows(text: str, dialect: Dialect, most: int = 200) -> list[list[str]]:
    """Read the first rows of `text` as they come, whatever is wrong with them."""
    lines = list(islice(io.StringIO(text, newline=""), most))
    if dialect.has_backslashes and dialect.quote and (spare := find_spare_character(text)):
        lines = [replace_escapes(line, dialect.quote, spare) for line in lines]
    if dialect.delimiter is None or dialect.quote is None or len(dialect.delimiter) > 1:
        return [line.split(dialect.delimiter or LONE) for line in lines if line.strip()]
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        reader = csv.reader(
            lines, delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=dialect.skips_spaces
        )
        rows.extend(filter(None, reader))
    return rows


def _guess_quote(head: str) -> str:
    """Return what quotes cells: a single quote only where most lines begin and end with one, and no other does."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    single = sum(len(line) > 1 and line[0] == line[-1] == "'" for line in lines)
    double = sum(line.startswith('"') for line in lines)
    return "'" if single > max(len(lines) / 2, double) else '"'


def _read_first(head: str, delimiter: str, quote: str, *, strict: bool = False) -> list[list[str]]:
    lines = io.StringIO(head, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=strict, skipinitialspace=True)
    return list(filter(None, islice(reader, _SNIFFED)))


def _fit(head: str, delimiter: str, quote: str) -> tuple[bool, float, int] | None:
    """Return how well `delimiter` parts the first rows; None where it does not part most of them."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        rows = _read_first(head, delimiter, quote)
    if not rows:
        return None
    widths = [len(row) for row in rows]
    # The first row tells the width where it is a header; without one it may be the odd one out.
    width = widths[0] if widths[0] > 1 else max(sorted(set(widths)), key=widths.count)
    if width < 2:
        return None
    share = widths.count(width) / len(rows)
    if widths[0] == 1 and share < 0.8:
        return None
    try:
        _read_first(head, delimiter, quote, strict=True)
    except csv.Error:
        return (False, share, width)
    return (True, share, width)


def _fit_rare(head: str, delimiter: str) -> tuple[float, int] | None:
    """Return how well a rare delimiter parts the lines: it has to part nearly all of them alike."""
    counts = [line.count(delimiter) for line in head.splitlines()[:_SNIFFED] if line.strip()]
    usual = max(sorted(set(counts)), key=counts.count) if counts else 0
    share = counts.count(usual) / len(counts) if counts else 0
    return (share, usual) if usual and share >= 0.95 and len(counts) > 1 else None


def _is_always(head: str, delimiter: str, times: int) -> bool:
    """Say whether `delimiter` only ever stands there `times` at once, in every line."""
    lines = [line for line in head.splitlines()[:_SNIFFED] if line.strip()]
    runs = [each for line in lines for each in re.findall(f"{re.escape(delimiter)}+", line)]
    return bool(runs) and all(len(run) == times for run in runs) and all(delimiter * times in line for line in lines)
