"""What is known of the chosen data before a run: as read, after the fixes, and whether it could be trained on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.data_sources import Corpus
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Inspection, inspect, read_data
from hfdemo.finetuning.preprocessing import Lengths
from hfdemo.models.hub import Progress
from hfdemo.settings import Settings

_KEPT = 4


@dataclass(frozen=True)
class Examined:
    """A corpus with its Inspection. `split_rows` and `labels` are what a run would have, `made` says which splits it
    would make, and `refusal` is the sentence with which it would be refused; "" where it would not."""

    corpus: Corpus
    inspection: Inspection
    split_rows: Mapping[str, int]
    labels: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def train_rows(self) -> int:
        return self.split_rows.get("train", self.inspection.train_rows)


@dataclass(frozen=True)
class Counted:
    """The lengths of a data set's rows, and `of` which data and model: nobody takes them for those of another."""

    of: tuple[Any, ...]
    counts: Lengths


class Shelf:
    """The data sets that were read last: one that is looked at again after each click is not read, or asked for on the
    Hub, again. Local paths are, as their files may change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._read: OrderedDict[tuple[Any, ...], Corpus] = OrderedDict()
        self._lock = threading.Lock()

    def corpus(self, config: RunConfig, file: Path | None, progress: Progress | None = None) -> Corpus:
        """Read the data that `config` is about.

        Raises:
            DataError: it can't be read.
        """
        named = tuple(name for name in config.splits.values() if isinstance(name, str) and not config.split_column)
        key = (file, config.dataset if file is None else "", config.dataset_config, named)
        with self._lock:
            known = self._read.get(key)
        if known is not None:
            return known
        corpus = read_data(config, self.settings, file, progress)
        if file is not None or not config.dataset.startswith(("/", "./", "../", "~", "run:")):
            with self._lock:
                self._read[key] = corpus
                while len(self._read) > _KEPT:
                    self._read.popitem(last=False)
        return corpus


def suggested(corpus: Corpus, config: RunConfig | None = None) -> Inspection:
    """Inspect the data by the columns and the kind that look right; with a `config` by those that it asks for."""
    return inspect(corpus.tables, None, config, corpus.refused)


def examine(corpus: Corpus, config: RunConfig, counted: Counted | None = None) -> Examined:
    """Inspect the data as `config` asks for it."""
    lengths, limit = (counted.counts.lengths, counted.counts.limit) if counted else (None, None)
    inspection = inspect(corpus.tables, None, config, corpus.refused, lengths, limit)
    ready = inspection.prepared
    if ready is None:
        return Examined(corpus, inspection, inspection.splits, inspection.label_order, refusal=inspection.refusal)
    made = tuple(note for note in ready.notes if note not in inspection.notes)
    return Examined(corpus, inspection, {name: len(part) for name, part in ready.splits.items()}, ready.labels, made)


def count_key(config: RunConfig, file: Path | None, model: str) -> tuple[Any, ...]:
    """Return what the lengths of the rows depend on."""
    columns = (config.text_column, config.text_pair_column, config.label_column, config.task, config.problem_type)
    return (str(file), config.dataset, config.dataset_config, *columns, tuple(config.fixes), model)


def example_row(examined: Examined, row: int) -> tuple[str, str] | None:
    """Return (text, label) of a row by its number, where the data is one table: in several it names no one row."""
    tables, mapped = list(examined.corpus.tables.values()), examined.inspection.suggested
    if row < 1 or len(tables) != 1 or mapped is None or row - 1 not in tables[0].index:
        return None
    found = tables[0].loc[row - 1]
    named = [mapped.text_column, mapped.label_column]
    text, label = (str(found[name]) if name in found else "" for name in named)
    return text, label


def named_splits(corpus: Corpus, split_column: str | None) -> Sequence[str]:
    """List the names of the splits that the data has: its tables', or those in its split column."""
    tables = corpus.tables
    if "" not in tables:
        return list(tables)
    column = tables[""].get(split_column) if split_column else None
    return [] if column is None else [name for name in dict.fromkeys(map(str, column)) if name.strip()][:20]
