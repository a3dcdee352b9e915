"""Data sets by name: an upload, an example, a path or a Hub id -> tables of texts, one per split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hfdemo.corpora.hub import from_hub
from hfdemo.corpora.splits import SPLIT_ALIASES, SPLITS, named_split
from hfdemo.errors import DataError, ModelError
from hfdemo.models.hub import Progress
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tables import read_table

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE_NAMES = ("tickets", "paraphrases")

TEXT_NAMES = (
    *("text", "sentence1", "sentence", "message", "content", "body", "review"),
    *("question1", "question", "premise"),
)
PAIR_NAMES = {"sentence1": "sentence2", "text": "text_pair", "premise": "hypothesis", "question1": "question2"}


@dataclass(frozen=True)
class Corpus:
    """Tables by split name (one that is not split yet is under ""), and in `notes` what of the data was left out."""

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...] = ()

    def whole(self) -> pd.DataFrame:
        """All splits below each other; a cell that one of them has no column for is ""."""
        return pd.concat(self.tables.values(), ignore_index=True).fillna("")


def read_tables(
    dataset: str, settings: Settings, file: Path | None = None, config: str | None = None, split: str | None = None
) -> dict[str, pd.DataFrame]:
    """The tables of a data set by split name; see `read_corpus`."""
    return read_corpus(dataset, settings, file, config, split).tables


def read_corpus(
    dataset: str,
    settings: Settings,
    file: Path | None = None,
    config: str | None = None,
    split: str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """A data set: `file` (an upload) wins over `dataset`, an example's name, a path or a Hub id.

    Every cell is a text: as it stands in a CSV file; on the Hub the name of a class (an unlabelled row's is ""), "" for
    None and `str` of other values, while columns of lists, dicts, pictures or sound are left out. Of a Hub data set a
    bounded number of rows a split is read. `config` is for Hub data sets that have several; `split` asks for one alone.

    Raises:
        DataError: there is no such data set, config or split, or it can't be read or reached.
    """
    if file is None and dataset not in EXAMPLE_NAMES and not dataset.startswith(("/", "./", "../", "~")):
        found = from_hub(_hub_ref(dataset), settings.public, config, split, progress)
        if found is None:
            raise DataError(
                f"{dataset!r} is no example, and the Hub, where it may be, can't be reached from here. Take an example "
                f"({', '.join(EXAMPLE_NAMES)}) or upload a CSV file."
            )
        return Corpus(*found)
    if config:
        raise DataError(f"Only data sets of the Hub have configs, so there is no {config!r}. Leave the config out.")
    if file is not None:
        tables = {"": read_table(file)}
    elif dataset in EXAMPLE_NAMES:
        tables = {"": read_table(EXAMPLES / f"{dataset}.csv")}
    else:
        tables = _from_path(dataset, settings)
    return Corpus(_one_split(tables, split) if split else tables)


def likely_text(columns: Sequence[str]) -> str | None:
    """The column that by its name holds the texts, or None."""
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in TEXT_NAMES if name in lower), None)


def likely_pair(text: str, columns: Sequence[str]) -> str | None:
    """The column that by its name holds the second texts to those in the column `text`, or None."""
    lower = {column.lower(): column for column in columns}
    return lower.get(PAIR_NAMES.get(text.lower(), ""))


def longest_texts(table: pd.DataFrame, columns: Sequence[str]) -> str:
    """The one of `columns` whose cells are the longest: what stays to be guessed where no name tells."""
    return max(columns, key=lambda column: table[column].str.len().mean())


def likely_columns(
    table: pd.DataFrame, asked_text: str | None = None, asked_pair: str | None = None
) -> tuple[str, str | None]:
    """As `text_columns`, but where no name tells, the column with the longest cells is the text.

    Raises:
        DataError: there is no such column, or both are the same.
    """
    columns = list(table.columns)
    if asked_text is None and len(columns) > 1 and likely_text(columns) is None:
        asked_text = longest_texts(table, [column for column in columns if column != asked_pair])
    return text_columns(columns, asked_text, asked_pair)


def text_columns(
    columns: Sequence[str], asked_text: str | None = None, asked_pair: str | None = None
) -> tuple[str, str | None]:
    """(text, text pair): the columns asked for, else the only one or those with likely names; "" asks for no pair.

    Raises:
        DataError: there is no such column, none stands out, or both are the same.
    """
    for asked in filter(None, (asked_text, asked_pair)):
        if asked not in columns:
            raise DataError(f"There is no column {asked!r}. There are: {', '.join(map(repr, columns))}.")
    text = asked_text or (columns[0] if len(columns) == 1 else likely_text(columns))
    if text is None:
        raise DataError(f"Which column holds the texts? Name one of: {', '.join(map(repr, columns))}.")
    if text == asked_pair:
        raise DataError(f"The column {text!r} is picked for both texts of a pair. Pick another for one of them.")
    return text, (likely_pair(text, columns) if asked_pair is None else asked_pair) or None


def _from_path(dataset: str, settings: Settings) -> dict[str, pd.DataFrame]:
    if settings.public:
        raise DataError("This is a shared server: it reads no local paths. Upload the file instead.")
    path = Path(dataset).expanduser()
    if not path.is_dir():
        return {"": read_table(path)}
    parts = {SPLIT_ALIASES[part.stem]: part for part in sorted(path.glob("*.csv")) if part.stem in SPLIT_ALIASES}
    if "train" not in parts:
        raise DataError(f"The folder {dataset!r} has no train.csv. Name the files train.csv, validation.csv, test.csv.")
    return {split: read_table(parts[split]) for split in SPLITS if split in parts}


def _one_split(tables: Mapping[str, pd.DataFrame], split: str) -> dict[str, pd.DataFrame]:
    """Of a data set in files: the file of that split, or the rows that a column called split gives to it."""
    found = dict(tables)
    if "" in tables and "split" in tables[""]:
        found = {str(name): part.reset_index(drop=True) for name, part in tables[""].groupby("split")}
    name = named_split(split, [name for name in found if name])
    return {SPLIT_ALIASES.get(name, name): found[name]}


def _hub_ref(dataset: str) -> ModelRef:
    try:
        ref = ModelRef.parse(dataset)
    except ModelError:
        ref = None
    if ref is None or ref.source != "hub":
        raise DataError(
            f"{dataset!r} names no data set. Name an example ({', '.join(EXAMPLE_NAMES)}), a Hub id (`owner/name`, "
            "also with `@revision`) or a path that starts with `/`, `./` or `~`; or upload a file."
        )
    return ref
