"""The tables of a data set -> checked splits of text, text_pair and label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pandas as pd

from hfdemo.data_sources import Corpus, read_corpus
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig, list_columns
from hfdemo.finetuning.dataset.columns import Columns, choose_columns, open_objects, read_rows, select_data_columns
from hfdemo.finetuning.dataset.fixes import FIXES, apply_fixes
from hfdemo.finetuning.dataset.label_cells import name_labels
from hfdemo.finetuning.dataset.labels import choose_positive_label, find_labels, order_labels
from hfdemo.finetuning.dataset.layouts import arrange_corpus
from hfdemo.finetuning.dataset.readings import describe_reading
from hfdemo.finetuning.dataset.splitting import find_given_splits, find_rows_of_no_split, make_splits
from hfdemo.finetuning.kinds import Kind
from hfdemo.models.hub import Progress, stop_with_progress
from hfdemo.settings import Settings
from hfdemo.tables import RefusedRow


@dataclass(frozen=True)
class Prepared:
    """Splits with the columns text, text_pair (pairs) and label, and the labels in the model's order.

    Of test rows without a label the cell is "". `kind` says how label cells are written; `notes` say how columns were
    understood, what the fixes removed and which splits were made, and `usual_fixes` name those that nobody asked for.
    """

    splits: Mapping[str, pd.DataFrame]
    labels: tuple[str, ...]
    positive_label: str | None
    mapped: Columns
    kind: Kind
    notes: tuple[str, ...] = ()
    usual_fixes: tuple[str, ...] = ()

    @property
    def problem_type(self) -> str | None:
        return self.kind.problem_type


def read_data(
    config: RunConfig,
    settings: Settings,
    file: Path | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> Corpus:
    """Read the tables that `config` is about, and arrange them by their layout; see `read_source`, `arrange_data`."""
    return arrange_data(read_source(config, settings, file, progress, stop), config)


def read_source(
    config: RunConfig,
    settings: Settings,
    file: Path | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> Corpus:
    """Read the tables that `config` is about as they stand; `file` (an upload) wins over its dataset.

    Raises:
        DataError: see `read_corpus`.
        Stopped: `stop` was set while they were downloaded.
    """
    report = stop_with_progress(progress, stop)
    named = [name for name in config.splits.values() if isinstance(name, str)] if config.split_column is None else []
    return read_corpus(
        config.dataset, settings, file, config.dataset_config, progress=report, wanted_splits=named,
        options=config.read_options,
    )  # fmt: skip


def record_reading(config: RunConfig, corpus: Corpus) -> RunConfig:
    """Return `config` with the encoding, the header and the layout that were found, so that it is read so again."""
    return dataclasses.replace(
        config,
        encoding=config.encoding or corpus.encoding,
        header=corpus.header if config.header is None else config.header,
        layout=config.layout or corpus.layout or None,
    )


def arrange_data(corpus: Corpus, config: RunConfig) -> Corpus:
    """Return `corpus` with its rows arranged by the layout that `config` asks for, or that is found in them, and with
    the values inside of objects as columns.

    Raises:
        DataError: see `find_layout`.
    """
    columns = (config.text_column, config.text_pair_column, *list_columns(config.label_column))
    arranged = arrange_corpus(corpus, config.layout, filter(None, columns))
    return dataclasses.replace(arranged, tables=open_objects(arranged.tables))


@dataclass(frozen=True)
class SelectedRows:
    """The rows that a config asks for, per split and before any fix: see `columns.read_rows`; `refused` fit no table.

    `names` are labels in the order that the data gives them, where it gives one.
    """

    parts: Mapping[str, pd.DataFrame]
    mapped: Columns
    kind: Kind
    refused: tuple[RefusedRow, ...]
    names: tuple[str, ...] = ()


def prepare(config: RunConfig, tables: Mapping[str, pd.DataFrame], refused: Sequence[RefusedRow] = ()) -> Prepared:
    """Return the splits that `config` asks for, after its fixes, checked, as a run's data/*.csv has them.

    Columns: text, text_pair (pairs only) and label (not for texts alone). Label cells are a name, a JSON list of names
    in the model's order, a number, or a JSON list of tags beside a JSON list of words. Without a validation split, a
    fifth of the training rows is held out; see `make_splits`.

    Raises:
        DataError: a column, split or fix is missing, a row is refused, blank or can't be read and no fix is asked for,
            or there is too little to learn from.
    """
    tables = open_objects(tables)
    whole = pd.concat(tables.values(), ignore_index=True).fillna("")
    mapped, kind = choose_columns(config, whole)
    prepared = split_rows(config, select_rows(config, tables, mapped, kind, refused))
    readings = tuple(describe_reading(whole, mapped, kind, prepared.labels))
    return dataclasses.replace(prepared, notes=(*readings, *prepared.notes))


def select_rows(
    config: RunConfig,
    tables: Mapping[str, pd.DataFrame],
    mapped: Columns,
    kind: Kind,
    refused: Sequence[RefusedRow] = (),
) -> SelectedRows:
    """Read the rows of the splits that the data has, by the columns in `mapped`.

    Raises:
        DataError: a split or a column of one is missing.
    """
    given = find_given_splits(config, tables, mapped)
    names = name_labels(given, mapped.label_columns, kind)
    left_out = find_rows_of_no_split(config, tables, mapped)
    return SelectedRows(read_rows(given, mapped, kind), mapped, kind, (*refused, *left_out), names)


def split_rows(config: RunConfig, rows: SelectedRows) -> Prepared:
    """Apply the config's fixes to `rows`, check what is left, and make the splits that the data lacks.

    Raises:
        DataError: see `prepare`.
    """
    kind = rows.kind
    parts, notes = apply_fixes(config.fixes, rows.parts, kind, rows.refused)
    done = [note.split()[0] for note in notes]
    usual = tuple(name for name in done if name in FIXES and name not in config.fixes)
    if "test" in parts and (unlabelled := int((parts["test"]["unlabelled"] != "").sum())):
        whole = unlabelled == len(parts["test"])
        told = "The test split has no label" if whole else f"{unlabelled:,} rows of test have no label"
        notes.append(f"{told}: {'its rows' if whole else 'they'} are answered in answers.csv, without a score.")
    _check_rows(config, parts, rows.refused)
    parts, left_out = _drop_empty_splits(parts)
    labels = find_labels(config, parts, kind, rows.names)
    positive = choose_positive_label(config, labels, kind)
    parts, made = make_splits(config, parts, kind)
    if kind.rows.is_label_set:
        parts = {split: order_labels(part, labels) for split, part in parts.items()}
    splits = {split: select_data_columns(part) for split, part in parts.items()}
    return Prepared(splits, labels, positive, rows.mapped, kind, (*notes, *left_out, *made), usual)


def _check_rows(config: RunConfig, parts: Mapping[str, pd.DataFrame], refused: Sequence[RefusedRow]) -> None:
    """Refuse what can't be trained on."""
    if refused and "drop_refused_rows" not in config.fixes:
        first = refused[0]
        raise DataError(
            f"{'Row' if not first.split else first.split.capitalize() + ' row'} {first.row} can't be read: "
            f"{first.reason}{_count_more(len(refused))}. Mend the file, or add the fix drop_refused_rows."
        )
    for split, part in parts.items():
        where = f" of {split}" if len(parts) > 1 else ""
        for column, fix, said in (
            ("blank", "drop_blank_rows", "has nothing in the column {!r}"),
            ("unreadable", "drop_unreadable_labels", "can't be read: {}"),
        ):
            wrong = part[part[column] != ""]
            if len(wrong):
                raise DataError(
                    f"Row {wrong.index[0] + 1}{where} {said.format(wrong[column].iloc[0])}{_count_more(len(wrong))}. "
                    f"Mend the data, or add the fix {fix}."
                )


def _drop_empty_splits(parts: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the splits that have rows left, and a note of the others."""
    if parts["train"].empty:
        raise DataError(
            "No training rows are left: none has a label, or the fixes removed them. Take fixes out, or label rows."
        )
    empty = [split for split, part in parts.items() if part.empty]
    notes = [f"The {split} split has no rows left, so there is none." for split in empty]
    return {split: part for split, part in parts.items() if split not in empty}, notes


def _count_more(rows: int) -> str:
    return f" (and {rows - 1:,} more)" if rows > 1 else ""
