"""JSON in all the ways that tables are kept in it -> a table of texts: by rows, columns or splits, or in a wrapper."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hfdemo.data_sources.splits import normalize_split_name
from hfdemo.errors import DataError
from hfdemo.tables import (
    Decoded,
    LineCount,
    ReadOptions,
    RefusedRow,
    Sheet,
    build_table,
    check_columns,
    decode_file,
    find_text_flaw,
    format_cell,
    has_usual_name,
)

_BROKEN = object()  # a row that is no JSON
# Where lists of rows lie in what services answer.
_WRAPPERS = ("data", "rows", "examples", "records", "items", "instances", "results", "samples", "entries")
_FEWEST = 6  # texts that tell that the values beside them are labels
_CHATS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns")  # lists that are a row's own


@dataclass(frozen=True)
class _Rows:
    """The rows of a JSON text, objects or lists, and in words how they lay in it."""

    rows: Sequence[Any]
    said: str


def read_json(path: Path, options: ReadOptions) -> Sheet:
    """Read a JSON file: rows as an array of objects, texts or lists, or an object by columns, rows or splits.

    What is JSON lines is read as such.

    Raises:
        DataError: it is no JSON, or holds no rows.
    """
    return parse_json(path, decode_file(path, "JSON", options), options)


def parse_json(path: Path, decoded: Decoded, options: ReadOptions) -> Sheet:
    """Read the text of a JSON file; see `read_json`."""
    try:
        found = _load(decoded.text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        if decoded.text.lstrip("\ufeff \t\r\n").startswith(("{", "[")) and "\n" in decoded.text.strip():
            return _parse_lines(path, decoded, options)  # as many files that are called .json
        raise DataError(f"{path.name} is not JSON: {error}. Mend it and try again.") from error
    return _make_table(path.name, decoded, _find_rows(path.name, found), options)


def read_json_lines(path: Path, options: ReadOptions) -> Sheet:
    """Read a JSON value a line, each a row; what is one JSON text over many lines is read as such.

    Raises:
        DataError: no line is a row.
    """
    return _parse_lines(path, decode_file(path, "JSON lines", options), options)


def _parse_lines(path: Path, decoded: Decoded, options: ReadOptions) -> Sheet:
    rows: list[Any] = []
    broken: dict[int, str] = {}
    places: list[int] = []
    lines = re.split(r"\r\n|\n|\r", decoded.text.removeprefix("\ufeff"))
    lines = lines[:-1] if lines and not lines[-1] else lines  # the end of the last line begins no other
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_load(line))
        except (ValueError, RecursionError) as error:
            broken[len(rows)] = f"it is not JSON ({error})"
            rows.append(_BROKEN)
        places.append(number)
    if len(rows) == 1 and not broken and _is_table(rows[0]):
        return _make_table(path.name, decoded, _find_rows(path.name, rows[0]), options)
    if len(broken) > len(rows) / 2 and (whole := _load_whole(decoded.text)) is not None:
        found = _find_rows(path.name, whole) if not isinstance(whole, _Rows) else whole
        return _make_table(path.name, decoded, found, options)
    said = "a JSON array a line" if _are_arrays(rows) else "a JSON object a line"
    count = LineCount(0, 0, 0, len(lines) - len(rows))
    return _make_table(path.name, decoded, _Rows(rows, said), options, broken, places, count)


def _load(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_parse_object)


def _load_whole(text: str) -> Any:
    """Load a JSON text over many lines, or several of them one after the other as rows; None where it is neither."""
    decoder = json.JSONDecoder(object_pairs_hook=_parse_object)
    text = text.removeprefix("\ufeff")
    values: list[Any] = []
    place = 0
    try:
        while (begin := _skip_between(text, place)) < len(text):
            value, place = decoder.raw_decode(text, begin)
            values.append(value)
    except (ValueError, RecursionError):
        return None
    return values[0] if len(values) == 1 else _Rows(values, "JSON objects one after the other")


def _skip_between(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _find_rows(name: str, found: Any) -> _Rows:
    """Find the rows in a JSON value.

    Raises:
        DataError: it holds none.
    """
    rows = _rows_of_list(found) if isinstance(found, list) else _rows_of_object(found)
    if rows is None:
        raise DataError(
            f"{name} holds {_name_type(found)}. Rows are an array of objects, "
            'such as [{"text": "Good.", "label": "positive"}], the same under the key "data" or by splits '
            '({"train": [...], "test": [...]}), or an object of columns.'
        )
    return rows


def _rows_of_list(found: list[Any]) -> _Rows:
    objects = [row for row in found if isinstance(row, dict)]
    if found and not any(isinstance(row, dict | list) for row in found):
        return _Rows([{"text": value} for value in found], "a JSON array of texts")
    if _are_arrays(found):
        return _Rows(found, "a JSON array of arrays")
    if objects and all(isinstance(row.get("row"), dict) and "row_idx" in row for row in objects):
        return _Rows([row.get("row") if isinstance(row, dict) else row for row in found], "rows as the Hub serves them")
    if objects and all(isinstance(row.get("paragraphs"), list) for row in objects):
        return _Rows(list(_explode_paragraphs(objects)), "questions on paragraphs, as SQuAD has them")
    return _Rows(found, "a JSON array of objects")


def _rows_of_object(found: Any) -> _Rows | None:
    """Return the rows in a JSON object, in whichever way they lie in it."""
    if not isinstance(found, dict) or not found:
        return None
    data = found.get("data")
    if isinstance(data, list) and isinstance(found.get("columns"), list):
        names = [str(each) for each in found["columns"]]
        rows = [dict(zip(names, row, strict=True)) if _has_width(row, len(names)) else row for row in data]
        return _Rows(rows, "JSON by columns and data")
    if isinstance(data, list) and isinstance(found.get("schema"), dict):
        index = found["schema"].get("primaryKey") or ()
        return _Rows([_without(row, index) for row in data], "JSON with a schema and data")
    if all(normalize_split_name(key) and isinstance(value, list | dict) for key, value in found.items()):
        return _rows_of_splits(found)
    if len(found) > 1 and _are_columns(list(found.values())):
        keys = list(found)
        return _Rows(
            [dict(zip(keys, row, strict=True)) for row in zip(*found.values(), strict=True)], "JSON by columns"
        )
    if all(isinstance(value, dict) for value in found.values()):
        return _rows_of_objects(found)
    return _rows_of_wrapper(found) or _rows_of_labels(found)


def _rows_of_labels(found: Mapping[str, Any]) -> _Rows | None:
    """Return the rows of an object that has lists of texts by label, or a label by text."""
    values = list(found.values())
    if len(found) > 1 and all(
        isinstance(value, list) and all(isinstance(text, str) for text in value) for value in values
    ):
        rows = [{"text": text, "label": label} for label, texts in found.items() for text in texts]
        return _Rows(rows, "JSON of texts by label")
    labels = {value for value in values if isinstance(value, str | int)}
    if (
        len(found) >= _FEWEST
        and len(labels) <= len(found) / 2
        and all(isinstance(value, str | int) for value in values)
    ):
        return _Rows([{"text": text, "label": label} for text, label in found.items()], "JSON of labels by text")
    return None


def _rows_of_splits(found: Mapping[str, Any]) -> _Rows | None:
    rows: list[Any] = []
    for split, value in found.items():
        part = _rows_of_list(value) if isinstance(value, list) else _rows_of_object(value)
        if part is None:
            return None
        named = normalize_split_name(split)
        rows += [{**row, "split": named} if isinstance(row, dict) else row for row in part.rows]
    return _Rows(rows, "JSON by splits, as the column split")


def _rows_of_objects(found: Mapping[str, Mapping[str, Any]]) -> _Rows | None:
    """Return the rows of an object of objects: pandas writes columns of numbered cells so, and others rows by id."""
    inner = dict.fromkeys(key for value in found.values() for key in value)
    if not inner:
        return None
    outer_numbers, inner_numbers = (all(key.isdecimal() for key in keys) for keys in (found, inner))
    if inner_numbers != outer_numbers:
        by_columns = inner_numbers
    elif has_usual_name(inner) != has_usual_name(found):
        by_columns = has_usual_name(found)
    else:
        by_columns = len(found) <= len(inner)
    if by_columns:
        rows: list[Any] = [{name: cells.get(key) for name, cells in found.items()} for key in inner]
        return _Rows(rows, "JSON by columns")
    own = "id" if not outer_numbers and "id" not in inner else None
    return _Rows([{own: key, **row} if own else row for key, row in found.items()], "JSON by rows")


def _is_table(value: Any) -> bool:
    """Say whether the only line of a file is a whole table, and no row with lists in it."""
    if isinstance(value, list):
        return any(isinstance(row, dict | list) for row in value)
    return isinstance(value, dict) and (
        any(isinstance(value.get(key), list) for key in _WRAPPERS)
        or all(normalize_split_name(key) and isinstance(part, list | dict) for key, part in value.items())
        or (len(value) > 1 and all(isinstance(part, dict) and len(part) > 1 for part in value.values()))
    )


def _rows_of_wrapper(found: Mapping[str, Any]) -> _Rows | None:
    lists = {key: value for key, value in found.items() if isinstance(value, list) and value}
    of_rows = [
        key for key, value in lists.items() if key not in _CHATS and all(isinstance(row, dict | list) for row in value)
    ]
    named = [key for key in _WRAPPERS if key in lists or isinstance(found.get(key), dict)]
    key = named[0] if named else of_rows[0] if len(of_rows) == 1 else None
    if key is None:
        return None
    value = found[key]
    rows = _rows_of_list(value) if isinstance(value, list) else _rows_of_object(value)
    if rows is None or key == "data":
        return rows
    return replace(rows, said=f"{rows.said} under the key “{key}”")


def _are_arrays(rows: Sequence[Any]) -> bool:
    """Say whether rows are arrays of cells."""
    return bool(rows) and all(isinstance(row, list) for row in rows) and any(len(row) > 1 for row in rows)


def _are_columns(values: Sequence[Any]) -> bool:
    """Say whether the values are columns: lists of as many cells, not all of them lists of objects."""
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) != len(values) or len({len(value) for value in lists}) != 1 or not lists[0]:
        return False
    return any(not isinstance(cell, dict) for value in lists for cell in value[:1])


def _explode_paragraphs(articles: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Make a row of each question on each paragraph, with the first of its answers."""
    for article in articles:
        for paragraph in article["paragraphs"]:
            if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
                yield {**_without(article, ["paragraphs"]), "paragraph": paragraph}
                continue
            for question in paragraph["qas"]:
                same = {**_without(article, ["paragraphs"]), **_without(paragraph, ["qas"])}
                asked = question if isinstance(question, dict) else {"question": question}
                answers = asked.get("answers")
                first = answers[0] if isinstance(answers, list) and answers else None
                text = first.get("text") if isinstance(first, dict) else first
                yield {**same, **asked, **({} if "answer" in asked else {"answer": text})}


def _without(row: Any, keys: Iterable[str]) -> Any:
    return {key: value for key, value in row.items() if key not in keys} if isinstance(row, dict) else row


def _has_width(row: Any, width: int) -> bool:
    return isinstance(row, list) and len(row) == width


def _make_table(
    name: str,
    decoded: Decoded,
    found: _Rows,
    options: ReadOptions,
    broken: Mapping[int, str] | None = None,
    places: Sequence[int] = (),
    lines: LineCount | None = None,
) -> Sheet:
    """Make the table of rows; `broken` says by place which are none, `places` on which lines they stand."""
    said = f"{decoded.said}, {found.said}"
    if _are_arrays(found.rows):
        cells = [[format_cell(value) for value in row] for row in found.rows]
        sheet = build_table(name, cells, options, said)
        return _count_lines(replace(sheet, encoding=decoded.encoding), decoded, places, lines)
    reasons, kept = dict(broken or {}), {}
    for number, row in enumerate(found.rows):
        if number in reasons:
            continue
        if not isinstance(row, dict):
            reasons[number] = f"it is {_name_type(row)}, not an object"
            continue
        texts = {column: format_cell(value) for column, value in row.items()}
        if reason := find_text_flaw("".join((*texts, *texts.values())), decoded.encoding):
            reasons[number] = reason
        else:
            kept[number] = texts
    refused = tuple(RefusedRow("", number + 1, reasons[number]) for number in sorted(reasons))
    seen: dict[str, None] = {}
    for row in kept.values():
        seen |= dict.fromkeys(row)
        check_columns(name, len(seen))  # each row may have keys of its own, and each is a column of all rows
    if not seen:
        why = f"; row 1: {refused[0].reason}" if refused else ""
        raise DataError(f"{name} has no rows that can be read{why}. A row is an object with a text in it.")
    table = {column: [row.get(column, "") for row in kept.values()] for column in seen}
    sheet = Sheet(pd.DataFrame(table, index=list(kept), dtype=str), refused, said, encoding=decoded.encoding)
    return _count_lines(sheet, decoded, places, lines)


def _count_lines(sheet: Sheet, decoded: Decoded, places: Sequence[int], lines: LineCount | None) -> Sheet:
    """Return `sheet` with the lines of its rows, and the doubts of its encoding."""
    sheet = replace(sheet, doubts=(*decoded.doubts, *sheet.doubts))
    if lines is None:
        return sheet
    header = 1 if sheet.header else 0
    at = [places[row.row - 1 + header] for row in sheet.refused]
    refused = tuple(replace(row, first_line=line, last_line=line) for row, line in zip(sheet.refused, at, strict=True))
    count = LineCount(header, len(sheet.table), len(refused), lines.blank)
    return replace(
        sheet, refused=refused, lines=count, reading=f"{sheet.reading}, {count.format_sum(len(sheet.table))}"
    )


def _name_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
