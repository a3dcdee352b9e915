"""One file of any format -> a table of texts: CSV, JSON, JSON lines, Parquet, CoNLL, or one text a line."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.lazy_imports import import_libraries
from hfdemo.tables import RefusedRow, Sheet, check_columns, decode_file, find_text_flaw, format_cell, read_csv

_ALL = 1 << 62
# Rows that are unpacked at a time: a group of them can take a thousand times what it takes in the file.
_PARQUET_BATCH = 500


def stream_table(
    builder: str, files: Sequence[str], options: Mapping[str, Any], most_rows: int = _ALL, most_bytes: int = _ALL
) -> tuple[pd.DataFrame, tuple[str, ...], bool]:
    """Read `files` with `builder`: (table, columns that were left out, whether rows were).

    Every cell is a text: the name of a class ("" for an unlabelled row's), "" for None, lists and dicts as JSON, `str`
    of other values. Columns of pictures, sound or bytes are left out. Reading ends after `most_rows`, or with the
    batch that passes `most_bytes`.
    """
    from datasets import Features, load_dataset

    stream = load_dataset(builder, data_files={"train": list(files)}, split="train", streaming=True, **options)
    frames: list[pd.DataFrame] = []
    rows = size = 0
    left_out: dict[str, None] = {}
    cut = False
    for batch in stream.with_format("arrow").iter(batch_size=2_000):
        part = batch.slice(0, most_rows - rows if size < most_bytes else 0)
        cut = len(part) < len(batch)
        rows, size = rows + len(part), size + part.nbytes
        features = stream.features or Features.from_arrow_schema(part.schema)
        cells = {name: _format_column(part.column(name), features[name]) for name in part.column_names}
        left_out |= dict.fromkeys(name for name, values in cells.items() if values is None)
        frames.append(pd.DataFrame({name: values for name, values in cells.items() if values is not None}, dtype=str))
        if cut:
            break
    table = pd.concat(frames, ignore_index=True, join="inner") if frames else pd.DataFrame()
    return table, tuple(left_out), cut


def _format_column(column: Any, feature: Any) -> list[str] | None:
    """Write the values of an Arrow column as texts, or None where they are media or bytes."""
    plain = _make_json_converter(feature)
    return None if plain is None else [format_cell(plain(value)) for value in column.to_pylist()]


def _make_json_converter(feature: Any) -> Callable[[Any], Any] | None:
    """Return what turns a value of `feature` into JSON's, with the names of classes; None for media and bytes."""
    from datasets import ClassLabel, Json, LargeList, List, Value

    if isinstance(feature, ClassLabel):
        names = dict(enumerate(feature.names))
        return lambda value: names.get(value, "")
    if isinstance(feature, Value):
        return None if "binary" in feature.dtype else lambda value: value
    if isinstance(feature, Json):
        return lambda value: json.loads(value) if isinstance(value, str | bytes) else value
    if isinstance(feature, List | LargeList):
        each = _make_json_converter(feature.feature)
        return each and (lambda values: None if values is None else [each(value) for value in values])
    if isinstance(feature, dict):
        parts = {name: _make_json_converter(part) for name, part in feature.items()}
        if any(part is None for part in parts.values()):
            return None
        return lambda values: None if values is None else {n: part(values[n]) for n, part in parts.items() if part}
    return None


_TAGGED = re.compile(r"\S+[ \t](?:.*[ \t])?(O|[BIESLU]-\S+)\s*")  # a word, perhaps other columns, and its tag
_LOOKED_AT = 20_000  # characters of a text file, to tell whether it is a list of words and tags


def read_file(path: Path) -> Sheet:
    """Read the table in the file at `path` by the end of its name; one that is none of FORMATS is taken for CSV.

    Raises:
        DataError: missing, empty, of another format than its name says, or without a row that can be read.
    """
    return FORMATS.get(path.suffix.lower(), _read_csv_file)(path)


def _read_csv_file(path: Path) -> Sheet:
    return read_csv(path, lone_column=True)


def _read_json(path: Path) -> Sheet:
    """Read an array of objects, or an object that has one under "data"."""
    text, encoding = decode_file(path, "JSON")
    try:
        found = json.loads(text, object_pairs_hook=_parse_object)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return _read_json_lines(path)  # as many files that are called .json
        raise DataError(f"{path.name} is not JSON: {error}. Mend it and try again.") from error
    rows = found.get("data") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise DataError(
            f"{path.name} holds {_name_type(found)}. Rows are an array of objects, "
            'such as [{"text": "Good.", "label": "positive"}], or the same under the key "data".'
        )
    return _make_sheet(path.name, list(rows), {}, f"{encoding}, a JSON array of objects")


def _read_json_lines(path: Path) -> Sheet:
    text, encoding = decode_file(path, "JSON lines")
    rows: list[Any] = []
    broken = {}
    for line in re.split(r"\r\n|\n|\r", text):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line, object_pairs_hook=_parse_object))
        except (ValueError, RecursionError) as error:
            broken[len(rows)] = f"it is not JSON ({error})"
            rows.append(None)
    return _make_sheet(path.name, rows, broken, f"{encoding}, a JSON object a line")


def _make_sheet(name: str, rows: Sequence[Any], broken: Mapping[int, str], reading: str) -> Sheet:
    reasons, cells = dict(broken), {}
    for number, row in enumerate(rows):
        if number in broken:
            continue
        if not isinstance(row, dict):
            reasons[number] = f"it is {_name_type(row)}, not an object"
            continue
        texts = {column: format_cell(value) for column, value in row.items()}
        if reason := find_text_flaw("".join((*texts, *texts.values()))):
            reasons[number] = reason
        else:
            cells[number] = texts
    refused = tuple(RefusedRow("", number + 1, reasons[number]) for number in sorted(reasons))
    seen: dict[str, None] = {}
    for row in cells.values():
        seen |= dict.fromkeys(row)
        check_columns(name, len(seen))  # each row may have keys of its own, and each is a column of all rows
    columns = list(seen)
    if not columns:
        why = f"; row 1: {refused[0].reason}" if refused else ""
        raise DataError(f"{name} has no rows that can be read{why}. A row is an object with a text in it.")
    table = {column: [row.get(column, "") for row in cells.values()] for column in columns}
    return Sheet(pd.DataFrame(table, index=list(cells), dtype=str), refused, reading)


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _name_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _read_conll(path: Path) -> Sheet:
    """Read a word and its tag a line, first and last column, and a blank line between sentences."""
    return _read_tagged(path, *decode_file(path, "CoNLL"))


def _read_conllu(path: Path) -> Sheet:
    """Read Universal Dependencies: ten columns, the second the word and the fourth its part of speech.

    Lines of several words (1-2) and of words that are not there (1.1) are left out.
    """
    text, encoding = decode_file(path, "CoNLL-U")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if not re.match(r"\d+[-.]\d", line)]
    return _read_tagged(path, "\n".join(lines), encoding, 1, 3)


def _read_tagged(path: Path, text: str, encoding: str, word: int = 0, tag: int = -1) -> Sheet:
    """Read a sentence per row from `text`, whose columns `word` and `tag` have a word and its tag a line."""
    # Only tabs and spaces part columns: a no-break space is a word of its own in some files.
    lines = [(number, line.rstrip(" \t")) for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1)]
    cells = {number: line.split("\t") if "\t" in line else re.split(" +", line) for number, line in lines}
    usual = Counter(len(row) for row in cells.values() if row and any(row)).most_common(1)[0][0]
    if usual < max(2, tag + 1):
        what = f"a word and a tag on every line{f', in columns {word + 1} and {tag + 1}' if tag > 0 else ''}"
        have = "one column" if usual == 1 else f"{usual} columns"
        raise DataError(f"{path.name} has {have}, but a CoNLL file has {what}.")
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
        broken = find_text_flaw("".join(itertools.chain.from_iterable(cells[number] for number in sentence)))
        if wrong is not None or broken:
            reason = broken if wrong is None else f"line {wrong} has {len(cells[wrong])} instead of {usual} columns"
            refused.append(RefusedRow("", index + 1, reason))
            continue
        words, tags = zip(*((cells[number][word], cells[number][tag]) for number in sentence), strict=True)
        rows.append((format_cell(words), format_cell(tags)))
        kept.append(index)
    if not rows:
        raise DataError(f"{path.name} has no sentence of words and tags. Put a word and its tag on every line.")
    table = pd.DataFrame(rows, columns=["tokens", "tags"], index=kept, dtype=str)
    columns = f"columns {word + 1} and {tag % usual + 1} of {usual}"
    return Sheet(table, tuple(refused), f"{encoding}, CoNLL: word and tag from {columns}")


def _read_lines(path: Path) -> Sheet:
    text, encoding = decode_file(path, "text")
    if _are_tags(text):
        return _read_tagged(path, text, encoding)
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    refused = tuple(
        RefusedRow("", number, broken) for number, line in enumerate(lines, start=1) if (broken := find_text_flaw(line))
    )
    wrong = {row.row - 1 for row in refused}
    kept = {number: line for number, line in enumerate(lines) if number not in wrong}
    return Sheet(pd.DataFrame({"text": kept}, dtype=str), refused, f"{encoding}, one text a line")


def _are_tags(text: str) -> bool:
    """Say whether the lines are words with tags like B-PER and O, as those of CoNLL-2003's train.txt are."""
    whole = text[:_LOOKED_AT].splitlines()[: -1 if len(text) > _LOOKED_AT else None]
    lines = [line for line in whole if line.strip() and "-DOCSTART-" not in line]
    tags = [tagged[1] for line in lines if (tagged := _TAGGED.fullmatch(line))]
    return len(tags) == len(lines) and any(tag != "O" for tag in tags)


def _read_parquet(path: Path) -> Sheet:
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    import_libraries()
    try:
        table, left_out, _ = stream_table("parquet", [str(path)], {"batch_size": _PARQUET_BATCH})
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(f"{path.name} can't be read as Parquet: {reason}. Save it again, or as CSV.") from error
    if table.empty:
        raise DataError(f"{path.name} has no rows of texts, numbers or lists of them. Give a file that has.")
    left = f"; columns of media were left out: {', '.join(left_out)}" if left_out else ""
    return Sheet(table, (), f"Parquet{left}")


def check_parquet(path: Path, most_rows: int, most_bytes: int) -> None:
    """Refuse a Parquet file that would be larger than that as texts, by its own counts and by what its cells point to.

    Compressed, a gigabyte of equal texts takes a few kilobytes. What is no Parquet file passes, for its reader to say.

    Raises:
        DataError: it has too many rows or columns, or too much text.
    """
    import pyarrow.parquet as pq

    with contextlib.suppress(OSError, ValueError, TypeError, NotImplementedError), pq.ParquetFile(path) as file:
        known = file.metadata
        check_columns(path.name, known.num_columns)
        stored = sum(known.row_group(group).total_byte_size for group in range(known.num_row_groups))
        if known.num_rows > most_rows:
            raise DataError(f"{path.name} has {known.num_rows:,} rows; at most {most_rows:,} are read here.")
        if stored > most_bytes or _count_text_bytes(path, file.schema_arrow, most_bytes) > most_bytes:
            raise DataError(
                f"{path.name} is small as a file, but holds more than {most_bytes / 1024**2:,.0f} MB of text, which is "
                "the most that is read here. Keep fewer rows or columns."
            )


def _count_text_bytes(path: Path, schema: Any, most_bytes: int) -> int:
    """Count the bytes of the cells in a Parquet file, each of which it may hold once and name a million times."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kinds = {field.name: field.type for field in schema if not pa.types.is_nested(field.type)}
    plain = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()}
    long = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    texts = [name for name, kind in plain.items() if kind in long]
    size = 0
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(2_000, columns=texts):
            for column in batch.columns:
                cells = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
                lengths = pc.binary_length(cells.dictionary)
                size += pc.sum(pc.cast(lengths.take(cells.indices.drop_null()), pa.int64())).as_py() or 0
            if size > most_bytes:
                break
    return size


FORMATS: Mapping[str, Callable[[Path], Sheet]] = MappingProxyType(
    {
        **dict.fromkeys((".csv", ".tsv"), _read_csv_file),
        ".json": _read_json,
        **dict.fromkeys((".jsonl", ".ndjson"), _read_json_lines),
        ".parquet": _read_parquet,
        **dict.fromkeys((".conll", ".bio", ".iob"), _read_conll),
        ".conllu": _read_conllu,
        ".txt": _read_lines,
    }
)
