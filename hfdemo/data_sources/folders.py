"""A folder as a data set: files named after the splits, or folders of texts named after their labels.

What a split is called, here and by others, stands here for every source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hfdemo.data_sources.formats import FORMATS, read_file
from hfdemo.errors import DataError
from hfdemo.tables import RefusedRow, Sheet, decode_file, find_text_flaw

SPLITS = ("train", "validation", "test")
SPLIT_ALIASES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation"}
SPLIT_ALIASES |= {"val": "validation", "dev": "validation", "eval": "validation", "test": "test"}
_NAMED = re.compile(rf"({'|'.join(sorted(SPLIT_ALIASES, key=len, reverse=True))})(?![A-Za-z0-9])")


def normalize_split_name(name: str) -> str | None:
    """Return the split that `name` is a usual name of, however it is capitalised; None if of none."""
    return SPLIT_ALIASES.get(name.strip().lower())


def find_split(split: str, names: Sequence[str]) -> str:
    """Find the one of `names` that is meant by `split`, by its own name or by a usual one for the same."""
    same = (name for name in names if (normalize_split_name(name) or name) == (normalize_split_name(split) or split))
    found = split if split in names else next(same, None)
    if found is None:
        have = f"It has: {', '.join(names)}." if names else "It is not split: leave the split out."
        raise DataError(f"The data has no split {split!r}. {have}")
    return found


@dataclass(frozen=True)
class FolderContents:
    """What a folder holds: a sheet per split, and notes of what was left out."""

    sheets: Mapping[str, Sheet]
    notes: tuple[str, ...] = ()


def read_folder(folder: Path) -> FolderContents:
    """Read the data set in `folder`.

    Either files of any format whose names begin with a split's (train.csv, dev.jsonl, train-00000-of-00002.parquet), or
    the same in folders called so; or texts, one a file, in a folder per label (pos/1.txt, train/pos/1.txt); or texts
    without labels (1.txt, train/1.txt).

    Raises:
        DataError: it holds none of these, or a file that can't be read.
    """
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        named = _NAMED.match(path.name.lower())
        if named and path.is_file() and path.suffix.lower() in FORMATS:
            files.setdefault(SPLIT_ALIASES[named[1]], []).append(path)
    inside = {SPLIT_ALIASES[path.name]: path for path in _list_folders(folder) if path.name in SPLIT_ALIASES}
    for split, path in inside.items():
        tables = [each for each in sorted(path.iterdir()) if each.suffix.lower() in FORMATS.keys() - {".txt"}]
        if tables and split not in files:
            files[split] = tables
    if "train" in files:
        return FolderContents({split: _join_tables(files[split], split) for split in SPLITS if split in files})
    notes: list[str] = []
    homes = {split: inside[split] for split in SPLITS if split in inside} if "train" in inside else {"": folder}
    sheets = {split: _read_text_files(home, split, notes) for split, home in homes.items()}
    if any(sheet is None for sheet in sheets.values()):
        empty = next(home for split, home in homes.items() if sheets[split] is None)
        raise DataError(
            f"The folder {str(empty)!r} has no train file and no texts. Name the files train.csv, validation.csv, "
            f"test.csv ({', '.join(FORMATS)}), or put texts (*.txt) into a folder per label."
        )
    return FolderContents({split: sheet for split, sheet in sheets.items() if sheet is not None}, tuple(notes))


def _list_folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir()]


def _list_text_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.lower() == ".txt"]


def _join_tables(paths: Sequence[Path], split: str) -> Sheet:
    """Join the rows of several files below each other, numbered through."""
    tables, refused, before = [], [], 0
    sheets = [read_file(path) for path in paths]
    for path, sheet in zip(paths, sheets, strict=True):
        tables.append(sheet.table.set_axis(sheet.table.index + before))
        where = f"in {path.name}: " if len(paths) > 1 else ""
        refused += [RefusedRow(split, row.row + before, f"{where}{row.reason}") for row in sheet.refused]
        before += len(sheet.table) + len(sheet.refused)
    reading = "; ".join(dict.fromkeys(sheet.reading for sheet in sheets))
    # Filled only where a file lacks a column: all cells are texts already.
    return Sheet(pd.concat(tables).fillna(""), tuple(refused), reading)


def _read_text_files(home: Path, split: str, notes: list[str]) -> Sheet | None:
    """Read the text files of `home`, with the name of their folder as the label where there are such folders."""
    labelled = [(path, folder.name) for folder in _list_folders(home) for path in _list_text_files(folder)]
    loose = [(path, "") for path in _list_text_files(home)]
    if labelled and loose:
        names = ", ".join(path.name for path, _ in loose[:3]) + (" and more" if len(loose) > 3 else "")
        notes.append(f"Texts that stand beside the labels' folders were left out: {names}.")
    rows, refused = [], []
    for number, (path, label) in enumerate(labelled or loose, start=1):
        try:
            text, _ = decode_file(path, "text")
            broken = find_text_flaw(text)
        except DataError as error:
            broken = str(error).rstrip(".")
        if broken:
            refused.append(RefusedRow(split, number, f"{path.relative_to(home)}: {broken}"))
            continue
        rows.append((number - 1, text, label))
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=["row", "text", "label"]).set_index("row").astype(str).rename_axis(None)
    by = ", labelled by its folder" if labelled else ""
    return Sheet(table if labelled else table[["text"]], tuple(refused), f"one text a file{by}")
