"""Values as the texts that stand in cells, and what no text may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from hfdemo.errors import DataError

MOST_COLUMNS = 1_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
ESCAPED = re.compile("[\udc80-\udcff]+")  # how Python's surrogateescape keeps a byte that is no character


def replace_text_flaws(text: str) -> str:
    """Replace what no text file holds, a NUL or a lone surrogate, by U+FFFD."""
    return _NO_TEXT.sub("\ufffd", text)


def find_text_flaw(text: str, encoding: str = "UTF-8") -> str:
    """Say what keeps `text` from being stored and read again, in words; "" where nothing does.

    `encoding` is what the text was decoded by.
    """
    if "\0" in text:
        return "it holds a NUL, which is no character of a text"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        strange = text[error.start]
        if ESCAPED.fullmatch(strange):
            return f"it holds the byte 0x{ord(strange) - 0xDC00:02X}, which is no character in {encoding}"
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
