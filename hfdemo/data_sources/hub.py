"""Data sets on the Hub: asked for first, downloaded into the cache, read from there as tables of texts."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from hfdemo.data_sources.folders import FolderContents, join_files
from hfdemo.data_sources.formats import stream_table
from hfdemo.data_sources.splits import SPLIT_ALIASES, SPLITS, find_split
from hfdemo.errors import DataError
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.hub import Progress, download_files, hub_info
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tables import ReadOptions, Sheet

# Of a data set on the Hub, what is read at most: rows of each split, and bytes of all its files.
MOST_ROWS = 200_000
# CSV files of a split that are read whole; of larger ones the library streams the first rows.
MOST_WHOLE_BYTES = 64 * 1024**2

# The builder of `datasets` for each kind of file that holds texts, and what it has to be told.
_BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".parquet": ("parquet", {}),
    ".arrow": ("arrow", {}),
    ".csv": ("csv", {}),
    ".tsv": ("csv", {"sep": "\t"}),
    ".jsonl": ("json", {}),
    ".ndjson": ("json", {}),
    ".json": ("json", {}),
    ".txt": ("text", {}),
}
_TEXTUAL = ("csv", "json", "text")  # builders of files that have an encoding
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
# What a data set's card may tell the builder: how its files are written, and nothing about where.
_OPTIONS = {"sep", "delimiter", "header", "names", "column_names", "skiprows", "quotechar", "encoding", "field"}
_OPTIONS |= {"columns", "sample_by"}


def read_from_hub(
    ref: ModelRef,
    settings: Settings,
    config: str | None = None,
    split: str | None = None,
    progress: Progress | None = None,
    wanted_splits: Sequence[str] = (),
    encoding: str | None = None,
) -> FolderContents | None:
    """Read a Hub data set's sheets by split, and notes of what was left out; None without a network and a cached copy.

    `split` asks for one alone, `wanted_splits` for several by their own names instead of the usual three, and
    `encoding` is that of text files whose card says none, or another. What the data set's card says of its files is
    followed within the repository only, whatever it says.

    Raises:
        DataError: no such data set, config or split, one that can't be read here, or may not be, or a busy Hub.
    """
    info = hub_info(ref, settings.public, "dataset", _find_cached_folder)
    here = _find_cached_folder(ref) if info is None else None
    if info is None and here is None:
        return None
    import_libraries()
    with _wrap_reading_errors(f"The description of {ref}"):
        sizes, card = (_count_file_bytes(here, ref), _read_card(here)) if here else _fetch_listing(info)
        name, described = _choose_config(ref, card, sizes, config)
        patterns = _read_card_patterns(described)
        features = _read_card_features(card, name)
    if patterns and split:
        split = find_split(split, list(patterns))
        patterns = {split: patterns[split]}
    top = PurePosixPath(described.get("data_dir") or "")
    readable = [file for file in sizes if _suffix(file) in _BUILDERS]
    wanted = [
        each for each in readable if (_fitting(each, patterns) if patterns else PurePosixPath(each).is_relative_to(top))
    ]
    _check_files(ref, sizes, wanted, settings.max_data_bytes)
    if here and not all((here / file).is_file() for file in wanted):
        raise DataError(f"Only a part of {ref} was downloaded before, and the Hub can't be reached now. Try it later.")
    folder = here or download_files(ref, ["README.md", *wanted], settings.public, progress, "dataset")
    if patterns:
        files = {each: [file for file in wanted if _fitting(file, {each: patterns[each]})] for each in patterns}
    else:
        with _wrap_reading_errors(f"The folder of {ref}"):
            files = _guess_patterns(folder, top, wanted)
        split = find_split(split, list(files)) if split else None
    notes: list[str] = []
    if wanted_splits:
        names = [find_split(each, list(files)) for each in wanted_splits]
    else:
        names, notes = ([split], []) if split else _choose_splits(ref, [each for each in files if files[each]])
    options = {key: value for key, value in described.items() if key in _OPTIONS}
    options |= {"features": features, **({"encoding": encoding} if encoding else {})}
    sheets = {}
    for each in names:
        with _wrap_reading_errors(f"The split {each} of {ref}"):
            called = each if wanted_splits else SPLIT_ALIASES.get(each, each)
            sheets[called] = _read_split(each, [folder / file for file in files[each]], options, settings)
    return FolderContents(sheets, tuple(notes))


@contextlib.contextmanager
def _wrap_reading_errors(what: str) -> Iterator[None]:
    """Wrap what the library raises over files that others wrote, which may be wrong in any way."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, DatasetsError) as error:
        reason = str(error).strip().partition("\n")[0][:300]
        raise DataError(f"{what} can't be read ({type(error).__name__}: {reason}). Take another data set.") from error


def _fetch_listing(info: Any) -> tuple[dict[str, int], Any]:
    """Fetch the bytes of every file and the card from the Hub."""
    from huggingface_hub import DatasetCardData

    return {file.rfilename: file.size or 0 for file in info.siblings or []}, info.card_data or DatasetCardData()


def _find_cached_folder(ref: ModelRef) -> Path | None:
    """Return the folder of a data set of which something was downloaded before."""
    from huggingface_hub import snapshot_download

    try:
        # Without patterns it would have to be whole; which of its files are needed is not known yet.
        return Path(
            snapshot_download(
                ref.name, repo_type="dataset", revision=ref.revision, allow_patterns="README.md", local_files_only=True
            )
        )
    except (OSError, ValueError):
        return None


def _count_file_bytes(folder: Path, ref: ModelRef) -> dict[str, int]:
    """Count the bytes of every file of a data set that was downloaded before, those not fetched included."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        tree = get_cached_repo_tree(ref.name, repo_type="dataset", revision=ref.revision)
    except CachedRepoTreeNotFoundError:  # downloaded by another program; what is there has to do
        found = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}
    return {file.path: file.size for file in tree}


def _read_card(folder: Path) -> Any:
    from huggingface_hub import DatasetCard, DatasetCardData

    path = folder / "README.md"
    return DatasetCard.load(path, ignore_metadata_errors=True).data if path.is_file() else DatasetCardData()


def _choose_config(ref: ModelRef, card: Any, files: Iterable[str], asked: str | None) -> tuple[str, Any]:
    """Return the name of the config to read, and what the card says of it ({} where it says nothing)."""
    configs = {str(each["config_name"]): each for each in card.get("configs") or []}
    if not configs and (ref.revision or "").endswith("convert/parquet"):
        # The Hub's own copies in Parquet, which have no card, are at config/split/number.parquet.
        for config, split, _ in (file.split("/") for file in files if file.count("/") == 2):
            listed = configs.setdefault(config, {"data_files": {}})["data_files"]
            listed[split.removeprefix("partial-")] = f"{config}/{split}/*"
    preferred = [name for name, said in configs.items() if said.get("default") or name == "default"]
    if asked is None and len(configs) > 1 and not preferred:
        raise DataError(f"{ref} has several configs: {_format_some(configs)}. Choose one of them.")
    name = asked or next(iter(preferred or configs), "default")
    if name not in (configs or {"default"}):
        have = f"It has: {_format_some(configs)}." if configs else "It has one only: leave the config out."
        raise DataError(f"{ref} has no config {name!r}. {have}")
    return name, configs.get(name, {})


def _format_some(names: Iterable[str], most: int = 30) -> str:
    first = list(names)
    return ", ".join(first[:most]) + (f" and {len(first) - most} more" if len(first) > most else "")


def _read_card_patterns(described: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the patterns of the files of each split, as the card gives them; {} where it gives none."""
    from datasets.data_files import sanitize_patterns

    if not described.get("data_files"):
        return {}
    top = PurePosixPath(described.get("data_dir") or "")
    given = sanitize_patterns(described["data_files"])
    return {split: [str(top / pattern) for pattern in patterns] for split, patterns in given.items()}


def _fitting(file: str, patterns: Mapping[str, Sequence[str]]) -> bool:
    def fits(pattern: str) -> bool:
        if "**" in pattern:
            return fnmatchcase(file, pattern.replace("**/", "*"))
        return file.count("/") == pattern.count("/") and fnmatchcase(file, pattern)

    return any(fits(pattern) for each in patterns.values() for pattern in each)


def _suffix(file: str) -> str:
    path = PurePosixPath(file)
    return (path.with_suffix("") if path.suffix in _COMPRESSED else path).suffix.lower()


def _check_files(ref: ModelRef, sizes: Mapping[str, int], wanted: Sequence[str], most: int) -> None:
    """Refuse what can't be read here, or is too large, before it is downloaded."""
    script = next((file for file in sizes if file == f"{ref.name.split('/')[-1]}.py"), None)
    if not wanted and script:
        raise DataError(
            f"{ref} is made by a loading script ({script}), and the datasets library runs none any more. Try "
            f"{ref.name}@refs/convert/parquet, where the Hub keeps copies in Parquet, or another data set."
        )
    if not wanted:
        raise DataError(
            f"{ref} has no file that texts are read from here: {', '.join(_BUILDERS)}. "
            f"It has: {_format_some(sizes, 5)}."
        )
    size = sum(sizes[file] for file in wanted)
    if size > most:
        raise DataError(
            f"{ref} is {size / 1024**2:,.0f} MB, and at most {most / 1024**2:,.0f} MB are read here. "
            "Choose a smaller config or one split, or upload a part of it as a CSV file."
        )


def _guess_patterns(folder: Path, top: PurePosixPath, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Sort the files into splits where no card does: by the library's rules for names like train.csv."""
    from datasets.data_files import DataFilesDict, get_data_patterns

    base = folder / top
    found = DataFilesDict.from_patterns(get_data_patterns(str(base)), base_path=str(base))
    here = {str((folder / file).resolve()): file for file in wanted}
    files = {split: [here[path] for path in map(_resolved, paths) if path in here] for split, paths in found.items()}
    return {str(split): names for split, names in files.items() if names}


def _resolved(path: str) -> str:
    return str(Path(path).resolve())


def _choose_splits(ref: ModelRef, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Choose the splits to read when none is asked for, and a note of those that are left out."""
    if len(names) == 1:
        return list(names), []
    usual = {SPLIT_ALIASES[name]: name for name in reversed(names) if name in SPLIT_ALIASES}
    if not usual:
        raise DataError(f"{ref} has the splits {_format_some(names)}. Choose one of them.")
    others = [name for name in names if name not in usual.values()]
    note = f"Splits that are none of train, validation and test were left out: {_format_some(others)}."
    return [usual[split] for split in SPLITS if split in usual], [note] if others else []


def _read_card_features(card: Any, config: str) -> Any:
    """Return the datasets.Features that the card lists, which know the names of the classes; or None."""
    from datasets.info import DatasetInfosDict

    info = DatasetInfosDict.from_dataset_card_data(card).get(config)
    return info.features if info else None


def _read_split(split: str, paths: Sequence[Path], options: Mapping[str, Any], settings: Settings) -> Sheet:
    """Read the files of one split as one table, with notes of what was left out of it."""
    builders = [_BUILDERS[_suffix(path.name)] for path in paths]
    (builder, more), *_ = sorted(builders, key=builders.count, reverse=True)
    same = [path for path, (each, _) in zip(paths, builders, strict=True) if each == builder]
    most_rows = min(MOST_ROWS, settings.max_rows)
    if builder == "csv" and _can_be_read_whole(same, options):
        # A broken quote costs its line, where the builder's reader loses all lines up to the next.
        asked = ReadOptions(options.get("encoding"), most_bytes=settings.max_data_bytes)
        sheet = join_files(same, split, asked)
        table, cut = _name_classes(sheet.table.iloc[:most_rows], options["features"]), len(sheet.table) > most_rows
        notes = list(sheet.notes)
    else:
        chosen = {**more, **options}
        if builder not in _TEXTUAL:
            chosen.pop("encoding", None)
        texts = [str(path) for path in same]
        if builder == "csv" and not chosen["features"] and not chosen.keys() & {"header", "names", "column_names"}:
            chosen |= _build_csv_options(texts[0], chosen)
        table, left_out, cut = stream_table(builder, texts, chosen, most_rows, settings.max_data_bytes)
        sheet = Sheet(table)
        notes = [f"Columns of media were left out: {', '.join(left_out)}."] if left_out else []
    if table.empty:
        raise DataError(f"The split {split} has no rows of texts, numbers or lists of them. Choose another.")
    notes = [f"Of the split {split}, the first {len(table):,} rows were read."] * cut + notes
    return replace(sheet, table=table, notes=tuple(notes))


def _can_be_read_whole(paths: Sequence[Path], options: Mapping[str, Any]) -> bool:
    """Return whether CSV files are small, and their card leaves it to their reader how they are written."""
    is_plain = options.keys() <= {"features", "encoding"} and all(path.suffix not in _COMPRESSED for path in paths)
    return is_plain and sum(path.stat().st_size for path in paths) <= MOST_WHOLE_BYTES


def _build_csv_options(path: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the CSV builder leave every cell the text that it is: "NA" is "NA", 007 is "007"."""
    from datasets import Features, Value

    line = "\x1f"  # no delimiter at all
    header = str(
        pd.read_csv(path, sep=line, nrows=0, quoting=csv.QUOTE_NONE, encoding=chosen.get("encoding")).columns[0]
    )
    delimiter = chosen.get("sep") or chosen.get("delimiter") or max(",;\t|", key=header.count)
    columns = pd.read_csv(path, sep=delimiter, nrows=0, encoding=chosen.get("encoding")).columns
    every = Features({str(column): Value("string") for column in columns})
    return {"sep": delimiter, "features": every, "keep_default_na": False}


def _name_classes(table: pd.DataFrame, features: Mapping[str, Any] | None) -> pd.DataFrame:
    """Write the names of the classes where a card has them and the table their numbers; "" is that of none (-1)."""
    named = {name: each.names for name, each in (features or {}).items() if hasattr(each, "names") and name in table}
    return table.assign(**{name: table[name].map(_ClassNames(names)) for name, names in named.items()})


class _ClassNames(dict[str, str]):
    """The names of classes by their numbers as texts; what is no number is a name already."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__({"-1": "", **{str(number): name for number, name in enumerate(names)}})

    def __missing__(self, cell: str) -> str:
        return cell
