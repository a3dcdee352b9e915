"""Data sets by name: an upload, an example, a path or a Hub id -> tables of texts, one per split."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pandas as pd

from hfdemo.data_sources.archives import COMPRESSED
from hfdemo.data_sources.column_roles import (
    find_longest_column,
    find_split_column,
    guess_pair_column,
    guess_text_column,
    guess_text_pair,
)
from hfdemo.data_sources.folders import FolderContents, read_archive, read_folder
from hfdemo.data_sources.formats import read_file
from hfdemo.data_sources.hub import read_from_hub
from hfdemo.data_sources.splits import SPLIT_ALIASES, find_split
from hfdemo.errors import DataError, ModelError
from hfdemo.example_files import EXAMPLES
from hfdemo.models.folders import expand_path
from hfdemo.models.hub import Progress, stop_with_progress
from hfdemo.models.reference import ModelRef, is_run_id
from hfdemo.ownership import find_folder, is_of_all
from hfdemo.settings import Settings
from hfdemo.tables import Doubt, ReadOptions, RefusedRow, check_encoding

EXAMPLE_NAMES = ("tickets", "paraphrases")

_RUN = re.compile(r"run:(.*)", re.DOTALL)


@dataclass(frozen=True)
class Corpus:
    """Tables by split name (one that is not split yet is under ""), and in `notes` what of the data was left out.

    The index of a table that comes from files is the row's number in its file less one. `reading` says how the files
    were understood, `doubts` where that may be another way, and `refused` are the rows that fit no table. `layout`
    names what the rows were arranged from, "" where the tables are as they stand in their files. `encoding` and
    `header` are the options that a RunConfig records; None where the files have none, or several.
    """

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...] = ()
    refused: tuple[RefusedRow, ...] = ()
    reading: str = ""
    layout: str = ""
    doubts: tuple[Doubt, ...] = ()
    encoding: str | None = None
    header: bool | None = None

    def join_splits(self) -> pd.DataFrame:
        """Join all splits below each other; a cell that one of them has no column for is ""."""
        return pd.concat(self.tables.values(), ignore_index=True).fillna("")


@dataclass(frozen=True)
class DatasetSource:
    """Where a data set is, and how its files are to be read: what `read_corpus` takes."""

    dataset: str
    file: Path | None = None
    config: str | None = None
    split: str | None = None
    options: ReadOptions = ReadOptions()


@dataclass(frozen=True)
class DatasetOutline:
    """What a data set holds: its columns, and which of them are taken for the texts if nobody says another.

    `reading` is how its files were understood; `notes` say where that was a guess, too.
    """

    rows: int
    columns: tuple[str, ...]
    text: str
    pair: str | None
    notes: tuple[str, ...]
    reading: str = ""


@dataclass(frozen=True)
class TextRows:
    """The texts of all splits row by row, and the columns that they stand in."""

    texts: list[str]
    pairs: list[str] | None
    text_column: str
    pair_column: str | None


def outline_dataset(source: DatasetSource, settings: Settings, stop: Event | None = None) -> DatasetOutline:
    """Return what a data set holds.

    Raises:
        DataError: see `read_corpus`.
        Stopped: `stop` was set while it was downloaded.
    """
    corpus = _read_source(source, settings, None, stop)
    table = corpus.join_splits()
    text, pair = guess_text_columns(table)
    notes = (*corpus.notes, *(doubt.problem for doubt in corpus.doubts))
    return DatasetOutline(len(table), tuple(map(str, table.columns)), text, pair, notes, corpus.reading)


def read_text_rows(
    source: DatasetSource,
    settings: Settings,
    text: str | None = None,
    pair: str | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> TextRows:
    """Read the texts in the columns asked for, or else guessed: see `guess_text_columns`.

    Raises:
        DataError: see `read_corpus`, or there is no such column.
        Stopped: `stop` was set while it was downloaded.
    """
    table = _read_source(source, settings, progress, stop).join_splits()
    first, second = guess_text_columns(table, text, pair)
    return TextRows(list(table[first]), list(table[second]) if second else None, first, second)


def _read_source(source: DatasetSource, settings: Settings, progress: Progress | None, stop: Event | None) -> Corpus:
    report = stop_with_progress(progress, stop)
    return read_corpus(
        source.dataset, settings, source.file, source.config, source.split, report, options=source.options
    )


def read_tables(
    dataset: str, settings: Settings, file: Path | None = None, config: str | None = None, split: str | None = None
) -> dict[str, pd.DataFrame]:
    """Read the tables of a data set by split name; see `read_corpus`.

    Raises:
        DataError: as there, or a row doesn't fit.
    """
    corpus = read_corpus(dataset, settings, file, config, split)
    for row in corpus.refused:
        raise DataError(f"{row.split.capitalize() + ' row' if row.split else 'Row'} {row.row}: {row.reason}.")
    return corpus.tables


def read_corpus(
    dataset: str,
    settings: Settings,
    file: Path | None = None,
    config: str | None = None,
    split: str | None = None,
    progress: Progress | None = None,
    wanted_splits: Sequence[str] = (),
    options: ReadOptions | None = None,
) -> Corpus:
    """Read a data set: `file` (an upload) wins over `dataset`: an example's name, `run:<id>`, a path or a Hub id.

    A path is a file (see `formats`) or a folder of them (see `folders`); `run:<id>` is the data that a run was trained
    on. Every cell is a text: as it stands in a CSV file; else the name of a class (an unlabelled row's is ""), "" for
    None, lists and dicts as JSON, and `str` of other values, while columns of pictures or sound are left out. Of a Hub
    data set a bounded number of rows a split is read. `config` is for Hub data sets that have several; `split` asks for
    one split alone, `wanted_splits` for several of a Hub data set by their own names. `options` say how files are to be
    read; a run's own data needs none.

    Raises:
        DataError: there is no such data set, config or split, or it can't be read or reached.
    """
    run = _RUN.match(dataset) if file is None else None
    if file is None and not run and dataset not in EXAMPLE_NAMES and not dataset.startswith(("/", "./", "../", "~")):
        encoding = options.encoding if options else None
        found = read_from_hub(_parse_hub_ref(dataset), settings, config, split, progress, wanted_splits, encoding)
        if found is None:
            raise DataError(
                f"{dataset!r} is no example, and the Hub, where it may be, can't be reached from here. Take an example "
                f"({', '.join(EXAMPLE_NAMES)}) or upload a file."
            )
        return _make_corpus(found)
    if config:
        raise DataError(f"Only data sets of the Hub have configs, so there is no {config!r}. Leave the config out.")
    asked = options or ReadOptions()
    if asked.encoding:
        check_encoding(asked.encoding)
    bounded = dataclasses.replace(asked, most_rows=settings.max_rows, most_bytes=settings.max_data_bytes)
    if file is not None:
        found_in = _read_one(file, bounded)
    elif run:
        found_in = _read_run(run[1], settings)
    elif dataset in EXAMPLE_NAMES:
        found_in = FolderContents({"": read_file(EXAMPLES / f"{dataset}.csv")})
    else:
        found_in = _read_path(dataset, settings, bounded)
    corpus = _make_corpus(found_in)
    rows = sum(map(len, corpus.tables.values()))
    if rows > settings.max_rows:
        raise DataError(f"The data set has {rows:,} rows; at most {settings.max_rows:,} are read here. Keep fewer.")
    return dataclasses.replace(corpus, tables=_select_split(corpus.tables, split)) if split else corpus


def _make_corpus(found: FolderContents) -> Corpus:
    """Make a corpus of sheets, with what their readers have to say."""
    sheets = list(found.sheets.values())
    refused = tuple(row for sheet in sheets for row in sheet.refused)
    notes = [*found.notes, *(note for sheet in sheets for note in sheet.notes)]
    if refused:
        first, count = refused[0], len(refused)
        place = f"{first.place[0].upper()}{first.place[1:]}"
        notes.append(f"{count:,} {'row' if count == 1 else 'rows'} can't be read. {place}: {first.reason}.")
    doubts = {doubt.code: doubt for sheet in sheets for doubt in sheet.doubts}
    encodings = {sheet.encoding for sheet in sheets if sheet.encoding}
    headers = {sheet.header for sheet in sheets if sheet.header is not None}
    return Corpus(
        tables={name: sheet.table for name, sheet in found.sheets.items()},
        notes=tuple(dict.fromkeys(notes)),
        refused=refused,
        reading="; ".join(dict.fromkeys(sheet.reading for sheet in sheets)),
        doubts=tuple(doubts.values()),
        encoding=encodings.pop() if len(encodings) == 1 and encodings != {"UTF-8"} else None,
        header=headers.pop() if len(headers) == 1 and (headers == {False} or doubts) else None,
    )


def guess_text_columns(
    table: pd.DataFrame, asked_text: str | None = None, asked_pair: str | None = None
) -> tuple[str, str | None]:
    """Choose columns as `choose_text_columns` does; where no name tells, the one with the longest cells is the text.

    Raises:
        DataError: there is no such column, or both are the same.
    """
    columns = list(table.columns)
    if asked_text is None and len(columns) > 1 and guess_text_column(columns) is None:
        asked_text = find_longest_column(table, [column for column in columns if column != asked_pair])
    return choose_text_columns(columns, asked_text, asked_pair)


def choose_text_columns(
    columns: Sequence[str], asked_text: str | None = None, asked_pair: str | None = None
) -> tuple[str, str | None]:
    """Choose (text, text pair): those asked for, else the only one or those with likely names; "" asks for no pair.

    Raises:
        DataError: there is no such column, none stands out, or both are the same.
    """
    for asked in filter(None, (asked_text, asked_pair)):
        if asked not in columns:
            raise DataError(f"There is no column {asked!r}. There are: {', '.join(map(repr, columns))}.")
    text = asked_text or (columns[0] if len(columns) == 1 else guess_text_column(columns))
    if text is None:
        raise DataError(f"Which column holds the texts? Name one of: {', '.join(map(repr, columns))}.")
    if asked_text is None and asked_pair is None and len(columns) > 1:
        text, pair = guess_text_pair(columns) or (text, None)
        return text, pair
    if text == asked_pair:
        raise DataError(f"The column {text!r} is picked for both texts of a pair. Pick another for one of them.")
    return text, (guess_pair_column(text, columns) if asked_pair is None else asked_pair) or None


def _read_one(path: Path, options: ReadOptions) -> FolderContents:
    if path.suffix.lower() in COMPRESSED:
        return read_archive(path, options)
    return FolderContents({"": read_file(path, options)})


def _read_path(dataset: str, settings: Settings, options: ReadOptions) -> FolderContents:
    if settings.public:
        raise DataError("This is a shared server: it reads no local paths. Upload the file instead.")
    path = expand_path(dataset)
    if path is None or not is_of_all(path, settings):
        raise DataError(f"There can be no file {dataset[:80]!r} here. Give a path to a file or a folder.")
    return read_folder(path, options) if path.is_dir() else _read_one(path, options)


def _read_run(run: str, settings: Settings) -> FolderContents:
    folder = find_folder(settings.runs, run, settings) if is_run_id(run) else None
    if folder is None and settings.owner:
        raise DataError("There is no such run.")
    if folder is None or not (folder / "data").is_dir():
        raise DataError(f"There is no run {run!r} with data of its own. The list of runs shows which there are.")
    return read_folder(folder / "data", ReadOptions("utf-8", header=True))


def _select_split(tables: Mapping[str, pd.DataFrame], split: str) -> dict[str, pd.DataFrame]:
    """Pick the file of that split out of a data set in files, or the rows that a split column gives to it."""
    found = dict(tables)
    if "" in tables and (column := find_split_column(tables[""])):
        found = {str(name): part.reset_index(drop=True) for name, part in tables[""].groupby(column)}
    name = find_split(split, [name for name in found if name])
    return {SPLIT_ALIASES.get(name, name): found[name]}


def _parse_hub_ref(dataset: str) -> ModelRef:
    try:
        ref = ModelRef.parse(dataset)
    except ModelError:
        ref = None
    if ref is None or ref.source != "hub":
        raise DataError(
            f"{dataset!r} names no data set. Name an example ({', '.join(EXAMPLE_NAMES)}), a Hub id (`owner/name`, "
            "also with `@revision`), a run (`run:<id>`) or a path that starts with `/`, `./` or `~`; or upload a file."
        )
    return ref
