"""Files that the datasets library reads -> a table of texts, a batch of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from hfdemo.tables import cell_text

_ALL = 1 << 62


def stream_table(
    builder: str, files: Sequence[str], options: Mapping[str, Any], most_rows: int = _ALL, most_bytes: int = _ALL
) -> tuple[pd.DataFrame, tuple[str, ...], bool]:
    """(table, columns that were left out, whether rows were): the `files` as `builder` reads them.

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
        cells = {name: _cells(part.column(name), features[name]) for name in part.column_names}
        left_out |= dict.fromkeys(name for name, values in cells.items() if values is None)
        frames.append(pd.DataFrame({name: values for name, values in cells.items() if values is not None}, dtype=str))
        if cut:
            break
    table = pd.concat(frames, ignore_index=True, join="inner") if frames else pd.DataFrame()
    return table, tuple(left_out), cut


def _cells(column: Any, feature: Any) -> list[str] | None:
    """The values of an Arrow column as texts, or None where they are media or bytes."""
    plain = _plain(feature)
    return None if plain is None else [cell_text(plain(value)) for value in column.to_pylist()]


def _plain(feature: Any) -> Callable[[Any], Any] | None:
    """What turns a value of `feature` into one that JSON knows, with the names of classes; None for media and bytes."""
    from datasets import ClassLabel, Json, LargeList, List, Value

    if isinstance(feature, ClassLabel):
        names = dict(enumerate(feature.names))
        return lambda value: names.get(value, "")
    if isinstance(feature, Value):
        return None if "binary" in feature.dtype else lambda value: value
    if isinstance(feature, Json):
        return lambda value: json.loads(value) if isinstance(value, str | bytes) else value
    if isinstance(feature, List | LargeList):
        each = _plain(feature.feature)
        return each and (lambda values: None if values is None else [each(value) for value in values])
    if isinstance(feature, dict):
        parts = {name: _plain(part) for name, part in feature.items()}
        if any(part is None for part in parts.values()):
            return None
        return lambda values: None if values is None else {n: part(values[n]) for n, part in parts.items() if part}
    return None
