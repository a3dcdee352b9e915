"""One file of any format -> a table of texts: CSV, JSON, JSON lines, Parquet, CoNLL, or one text a line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from hfdemo.corpora.arrow import stream_table
from hfdemo.errors import DataError
from hfdemo.heavy import import_libraries
from hfdemo.tables import Refused, Sheet, cell_text, decode, read_csv


def read_file(path: Path) -> Sheet:
    """The table in the file at `path`, by the end of its name; one that is none of FORMATS is taken for CSV.

    Raises:
        DataError: missing, empty, of another format than its name says, or without a row that can be read.
    """
    return FORMATS.get(path.suffix.lower(), _csv)(path)


def _csv(path: Path) -> Sheet:
    return read_csv(path, lone_column=True)


def _json(path: Path) -> Sheet:
    """An array of objects, or an object that has one under "data"."""
    text, encoding = decode(path, "JSON")
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return _json_lines(path)  # as many files that are called .json
        raise DataError(f"{path.name} is not JSON: {error}. Mend it and try again.") from error
    rows = found.get("data") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise DataError(
            f"{path.name} holds {_kind(found)}. Rows are an array of objects, "
            'such as [{"text": "Good.", "label": "positive"}], or the same under the key "data".'
        )
    return _sheet_of(path.name, list(rows), {}, f"{encoding}, a JSON array of objects")


def _json_lines(path: Path) -> Sheet:
    text, encoding = decode(path, "JSON lines")
    rows: list[Any] = []
    broken = {}
    for line in re.split(r"\r\n|\n|\r", text):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line, object_pairs_hook=_object))
        except (ValueError, RecursionError) as error:
            broken[len(rows)] = f"it is not JSON ({error})"
            rows.append(None)
    return _sheet_of(path.name, rows, broken, f"{encoding}, a JSON object a line")


def _sheet_of(name: str, rows: Sequence[Any], broken: Mapping[int, str], reading: str) -> Sheet:
    reasons, cells = dict(broken), {}
    for number, row in enumerate(rows):
        if number in broken:
            continue
        if not isinstance(row, dict):
            reasons[number] = f"it is {_kind(row)}, not an object"
            continue
        texts = {column: cell_text(value) for column, value in row.items()}
        if _half_characters("".join((*texts, *texts.values()))):
            reasons[number] = "it holds half of a character (a lone surrogate)"
        else:
            cells[number] = texts
    refused = tuple(Refused("", number + 1, reasons[number]) for number in sorted(reasons))
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    if not columns:
        why = f"; row 1: {refused[0].reason}" if refused else ""
        raise DataError(f"{name} has no rows that can be read{why}. A row is an object with a text in it.")
    table = {column: [row.get(column, "") for row in cells.values()] for column in columns}
    return Sheet(pd.DataFrame(table, index=list(cells), dtype=str), refused, reading)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _half_characters(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _conll(path: Path) -> Sheet:
    """A word and its tag a line, first and last column, and a blank line between sentences."""
    text, encoding = decode(path, "CoNLL")
    # Only tabs and spaces part columns: a no-break space is a word of its own in some files.
    lines = [(number, line.rstrip(" \t")) for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1)]
    cells = {number: line.split("\t") if "\t" in line else re.split(" +", line) for number, line in lines}
    usual = Counter(len(row) for row in cells.values() if row and any(row)).most_common(1)[0][0]
    if usual < 2:
        raise DataError(f"{path.name} has one column, but a CoNLL file has a word and a tag on every line.")
    sentences: list[list[int]] = [[]]
    for number, line in lines:
        comment = line.startswith("#") and len(cells[number]) != usual
        if not line or line.startswith("-DOCSTART-"):
            sentences.append([])
        elif not comment:
            sentences[-1].append(number)
    sentences = [sentence for sentence in sentences if sentence]
    rows, kept, refused = [], [], []
    for index, sentence in enumerate(sentences):
        wrong = next((number for number in sentence if len(cells[number]) != usual), None)
        if wrong is not None:
            reason = f"line {wrong} has {len(cells[wrong])} instead of {usual} columns"
            refused.append(Refused("", index + 1, reason))
            continue
        words, tags = zip(*((cells[number][0], cells[number][-1]) for number in sentence), strict=True)
        rows.append((cell_text(words), cell_text(tags)))
        kept.append(index)
    if not rows:
        raise DataError(f"{path.name} has no sentence of words and tags. Put a word and its tag on every line.")
    table = pd.DataFrame(rows, columns=["tokens", "tags"], index=kept, dtype=str)
    return Sheet(table, tuple(refused), f"{encoding}, CoNLL: word and tag from columns 1 and {usual} of {usual}")


def _lines(path: Path) -> Sheet:
    text, encoding = decode(path, "text")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    return Sheet(pd.DataFrame({"text": lines}, dtype=str), (), f"{encoding}, one text a line")


def _parquet(path: Path) -> Sheet:
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    import_libraries()
    try:
        table, left_out, _ = stream_table("parquet", [str(path)], {})
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(f"{path.name} can't be read as Parquet: {reason}. Save it again, or as CSV.") from error
    if table.empty:
        raise DataError(f"{path.name} has no rows of texts, numbers or lists of them. Give a file that has.")
    left = f"; columns of media were left out: {', '.join(left_out)}" if left_out else ""
    return Sheet(table, (), f"Parquet{left}")


FORMATS: Mapping[str, Callable[[Path], Sheet]] = MappingProxyType(
    {
        **dict.fromkeys((".csv", ".tsv"), _csv),
        ".json": _json,
        **dict.fromkeys((".jsonl", ".ndjson"), _json_lines),
        ".parquet": _parquet,
        **dict.fromkeys((".conll", ".bio", ".iob"), _conll),
        ".txt": _lines,
    }
)
