"""A folder as a data set: files named after the splits, or folders of texts named after their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hfdemo.data_sources.archives import unpack
from hfdemo.data_sources.formats import FORMATS, read_file
from hfdemo.data_sources.splits import SPLIT_ALIASES, SPLITS
from hfdemo.errors import DataError
from hfdemo.tables import ReadOptions, RefusedRow, Sheet, decode_file, find_text_flaw

_ONE_OF = "|".join(sorted(SPLIT_ALIASES, key=len, reverse=True))
_FIRST = re.compile(rf"({_ONE_OF})(?![A-Za-z])")  # train.csv, train-00000-of-00002.parquet
_WITHIN = re.compile(rf"(?<![A-Za-z0-9])({_ONE_OF})(?![A-Za-z0-9])")  # reviews_train.csv
_TABLES = FORMATS.keys() - {".txt"}
_HUB = "data"  # where data sets of the Hub have their files


@dataclass(frozen=True)
class FolderContents:
    """What a folder holds: a sheet per split, and notes of what was left out."""

    sheets: Mapping[str, Sheet]
    notes: tuple[str, ...] = ()


def read_folder(folder: Path, options: ReadOptions | None = None) -> FolderContents:
    """Read the data set in `folder`.

    Either files of any format that are named after the splits (train.csv, dev.jsonl, reviews_test.tsv,
    train-00000-of-00002.parquet), or the same in folders called so, here or in the folder data; or one table; or texts,
    one a file, in a folder per label (pos/1.txt, train/pos/1.txt); or texts without labels (1.txt, train/1.txt).

    Raises:
        DataError: it holds none of these, or a file that can't be read.
    """
    asked = options or ReadOptions()
    for home in (folder, folder / _HUB, *_list_folders(folder)):
        if home.is_dir() and "train" in (files := _sort_into_splits(home)):
            return _read_splits(files, (path for path in sorted(home.iterdir()) if path.is_file()), asked)
    inside = _find_split_folders(folder)
    tables = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.lower() in _TABLES]
    if len(tables) == 1 and not inside:
        return FolderContents({"": read_file(tables[0], asked)})
    notes: list[str] = []
    homes = {split: inside[split] for split in SPLITS if split in inside} if "train" in inside else {"": folder}
    sheets = {split: _read_text_files(home, split, notes, asked) for split, home in homes.items()}
    if any(sheet is None for sheet in sheets.values()):
        empty = next(home for split, home in homes.items() if sheets[split] is None)
        raise DataError(
            f"The folder {str(empty)!r} has no train file and no texts. Name the files train.csv, validation.csv, "
            f"test.csv ({', '.join(FORMATS)}), or put texts (*.txt) into a folder per label."
        )
    return FolderContents({split: sheet for split, sheet in sheets.items() if sheet is not None}, tuple(notes))


def read_archive(path: Path, options: ReadOptions) -> FolderContents:
    """Read a compressed file: the one table in it, or tables that are named after the splits.

    Raises:
        DataError: it can't be unpacked, or holds neither.
    """
    with unpack(path, options.most_bytes) as found:
        files: dict[str, list[Path]] = {}
        for each in found if len(found) > 1 else ():
            if (split := _find_split_of(each)) and each.suffix.lower() in FORMATS:
                files.setdefault(split, []).append(each)
        if "train" in files:
            return _read_splits(files, found, options)
    return FolderContents({"": read_file(path, options)})


def _find_split_of(path: Path) -> str | None:
    """Return the split that a file is named after."""
    name = path.name.lower()
    named = _FIRST.match(name) or _WITHIN.search(name)
    return SPLIT_ALIASES[named[1]] if named else None


def _find_split_folders(folder: Path) -> dict[str, Path]:
    return {
        SPLIT_ALIASES[path.name.lower()]: path for path in _list_folders(folder) if path.name.lower() in SPLIT_ALIASES
    }


def _sort_into_splits(folder: Path) -> dict[str, list[Path]]:
    """Find the files of each split: those named after it, or in a folder that is."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in FORMATS and (split := _find_split_of(path)):
            files.setdefault(split, []).append(path)
    for split, path in _find_split_folders(folder).items():
        tables = [each for each in sorted(path.iterdir()) if each.suffix.lower() in _TABLES]
        if tables and split not in files:
            files[split] = tables
    return files


def _read_splits(files: Mapping[str, Sequence[Path]], others: Iterable[Path], options: ReadOptions) -> FolderContents:
    """Read the files of each split, and name the other tables beside them."""
    taken = {path for paths in files.values() for path in paths}
    left = [path.name for path in others if path not in taken and path.suffix.lower() in _TABLES]
    named = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
    notes = (f"Files that are named after no split were left out: {named}.",) if left else ()
    return FolderContents(
        {split: join_files(files[split], split, options) for split in SPLITS if split in files}, notes
    )


def _list_folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir()]


def _list_text_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.lower() == ".txt"]


def join_files(paths: Sequence[Path], split: str, options: ReadOptions) -> Sheet:
    """Join the rows of several files below each other, numbered through."""
    tables, refused, before = [], [], 0
    sheets = [read_file(path, options) for path in paths]
    for path, sheet in zip(paths, sheets, strict=True):
        tables.append(sheet.table.set_axis(sheet.table.index + before))
        where = f"in {path.name}: " if len(paths) > 1 else ""
        refused += [
            replace(row, split=split, row=row.row + before, reason=f"{where}{row.reason}") for row in sheet.refused
        ]
        before += len(sheet.table) + len(sheet.refused)
    reading = "; ".join(dict.fromkeys(sheet.reading for sheet in sheets))
    # Filled only where a file lacks a column: all cells are texts already.
    doubts = {doubt.code: doubt for sheet in sheets for doubt in sheet.doubts}
    notes = tuple(f"{path.name}: {note}" for path, sheet in zip(paths, sheets, strict=True) for note in sheet.notes)
    first = sheets[0]
    return Sheet(
        pd.concat(tables).fillna(""), tuple(refused), reading, tuple(doubts.values()), first.encoding, first.header,
        notes=notes,
    )  # fmt: skip


def _read_text_files(home: Path, split: str, notes: list[str], options: ReadOptions) -> Sheet | None:
    """Read the text files of `home`, with the name of their folder as the label where there are such folders."""
    labelled = [(path, folder.name) for folder in _list_folders(home) for path in _list_text_files(folder)]
    loose = [(path, "") for path in _list_text_files(home)]
    if labelled and loose:
        names = ", ".join(path.name for path, _ in loose[:3]) + (" and more" if len(loose) > 3 else "")
        notes.append(f"Texts that stand beside the labels' folders were left out: {names}.")
    rows, refused = [], []
    for number, (path, label) in enumerate(labelled or loose, start=1):
        try:
            decoded = decode_file(path, "text", options)
            text, broken = decoded.text, find_text_flaw(decoded.text, decoded.encoding)
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
