"""One file of any format -> a table of texts: by the end of its name, and by what stands in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from hfdemo.data_sources.archives import COMPRESSED, unpack
from hfdemo.data_sources.json_tables import parse_json, read_json, read_json_lines
from hfdemo.data_sources.text_files import read_conll, read_conllu, read_special_lines, read_text
from hfdemo.data_sources.workbooks import read_workbook
from hfdemo.errors import DataError
from hfdemo.lazy_imports import import_libraries
from hfdemo.tables import ReadOptions, Sheet, check_columns, decode_file, format_cell, parse_csv

_ALL = 1 << 62
# Rows that are unpacked at a time: a group of them can take a thousand times what it takes in the file.
_PARQUET_BATCH = 500
# What files begin with whose names say another format, or none.
_SIGNS = ((b"PK\x03\x04", ".zip"), (b"PAR1", ".parquet"), (b"\x1f\x8b", ".gz"))
_TEXTUAL = (".csv", ".tsv", ".tab", ".psv", ".txt", ".json", ".jsonl", ".ndjson", "")
_OLD = {".xls": "xlsx", ".ods": "xlsx", ".xlsb": "xlsx", ".doc": "txt", ".docx": "txt", ".pdf": "txt", ".rar": "zip"}


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


def read_file(path: Path, options: ReadOptions | None = None) -> Sheet:
    """Read the table in the file at `path` by the end of its name, or else by what it begins with.

    A file that is none of FORMATS, and of no binary format, is taken for CSV, or JSON where it is that.

    Raises:
        DataError: missing, empty, of another format than its name says, too large, or without a row that can be read.
    """
    asked = options or ReadOptions()
    suffix = path.suffix.lower()
    if suffix in _OLD:
        raise DataError(
            f"{path.name} is a {suffix} file, which is not read here. Save it as .{_OLD[suffix]}, or as CSV."
        )
    if suffix in _TEXTUAL or suffix not in FORMATS:
        suffix = _find_binary_format(path) or suffix
    return FORMATS.get(suffix, _read_any)(path, asked)


def _find_binary_format(path: Path) -> str | None:
    """Return the format of a file by its first bytes; None where it is text, or no file that can be opened."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        begin = file.read(4)
    found = next((suffix for sign, suffix in _SIGNS if begin.startswith(sign)), None)
    if found != ".zip":
        return found
    import zipfile

    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as packed:
        return ".xlsx" if "xl/workbook.xml" in packed.namelist() else ".zip"


def _read_csv_file(path: Path, options: ReadOptions) -> Sheet:
    decoded = decode_file(path, "CSV", options)
    return read_special_lines(path, decoded, options) or parse_csv(path, decoded, lone_column=True, options=options)


def _read_any(path: Path, options: ReadOptions) -> Sheet:
    decoded = decode_file(path, "CSV", options)
    if decoded.text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        with contextlib.suppress(DataError):
            return parse_json(path, decoded, options)
    return _read_csv_file(path, options)


def _read_compressed(path: Path, options: ReadOptions) -> Sheet:
    """Read the one file in a compressed one."""
    with unpack(path, options.most_bytes) as files:
        if len(files) != 1:
            names = ", ".join(file.name for file in files[:5]) + (" and more" if len(files) > 5 else "")
            have = f"{len(files)} files ({names})" if files else "no file"
            raise DataError(f"{path.name} holds {have}. Put one table into it, or give the files unpacked in a folder.")
        inner = files[0]
        if {inner.suffix.lower(), _find_binary_format(inner)} & {*COMPRESSED}:
            raise DataError(f"{path.name} holds {inner.name}, which is compressed itself. Unpack it first.")
        sheet = read_file(inner, options)
    return replace(sheet, reading=f"{inner.name} of {path.name}: {sheet.reading}")


def _read_checked_parquet(path: Path, options: ReadOptions) -> Sheet:
    check_parquet(path, options.most_rows, options.most_bytes)
    return _read_parquet(path)


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


FORMATS: Mapping[str, Callable[[Path, ReadOptions], Sheet]] = MappingProxyType(
    {
        **dict.fromkeys((".csv", ".tsv", ".tab", ".psv"), _read_csv_file),
        ".json": read_json,
        **dict.fromkeys((".jsonl", ".ndjson"), read_json_lines),
        ".parquet": _read_checked_parquet,
        **dict.fromkeys((".xlsx", ".xlsm"), read_workbook),
        **dict.fromkeys((".conll", ".bio", ".iob"), read_conll),
        ".conllu": read_conllu,
        ".txt": read_text,
        **dict.fromkeys(COMPRESSED, _read_compressed),
    }
)
