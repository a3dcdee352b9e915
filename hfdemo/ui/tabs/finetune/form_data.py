"""The data that the form names, read, kept and inspected before a run, and the fields that follow from it."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES, Corpus
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Inspection
from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.preparing import arrange_data, read_source
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS
from hfdemo.finetuning.kinds.text_classification import find_flag_style
from hfdemo.finetuning.preflight import RunData
from hfdemo.finetuning.preprocessing import Lengths, inspect_as_read
from hfdemo.models.hub import Progress
from hfdemo.ui.field_group import FieldGroup
from hfdemo.ui.tabs.finetune import form_values
from hfdemo.ui.tabs.finetune.form_table import DEFAULTS, NO_COLUMN, NO_SPLIT, READING, column_name
from hfdemo.ui.tabs.finetune.form_values import find_usual_splits

_KEPT = 4
FieldValues = dict[str, Any]


@dataclass(frozen=True)
class ExaminedData:
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
class CountedTokens:
    """The lengths of a data set's rows; `key` says of which data and model, so nobody takes them for another's."""

    key: tuple[Any, ...]
    counts: Lengths


class DatasetCache:
    """The data sets that were read last: one that is looked at again after each click is not read, or asked for on the
    Hub, again. Local paths are, as their files may change."""

    def __init__(self, app: App) -> None:
        self._app = app  # whose settings are those of whoever asks: a run's data is its owner's
        self._read: OrderedDict[tuple[Any, ...], Corpus] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, config: RunConfig, file: Path | None, progress: Progress | None = None) -> Corpus:
        """Read the data that `config` is about.

        Raises:
            DataError: it can't be read.
        """
        named = tuple(name for name in config.splits.values() if isinstance(name, str) and not config.split_column)
        name = config.dataset if file is None else ""
        source = (file, name, config.dataset_config, named, config.read_options)
        columns = (config.text_column, config.text_pair_column, config.label_column)
        corpus = self._recall(source, config, file, lambda: self._read_source(config, file, progress))
        return self._recall((*source, config.layout, *columns), config, file, lambda: arrange_data(corpus, config))

    def _read_source(self, config: RunConfig, file: Path | None, progress: Progress | None) -> Corpus:
        if file is None and config.dataset in EXAMPLE_NAMES:  # the page opens with one, before there is a worker
            return read_source(config, self._app.settings)
        return self._app.engine.call(read_source, config, self._app.settings, file, progress, caller_left())

    def _recall(self, key: tuple[Any, ...], config: RunConfig, file: Path | None, make: Callable[[], Corpus]) -> Corpus:
        """Return what is kept under `key`, else make it, and keep it where it can't change."""
        with self._lock:
            known = self._read.get(key)
        if known is not None:
            return known
        corpus = make()
        if file is not None or not config.dataset.startswith(("/", "./", "../", "~", "run:")):
            with self._lock:
                self._read[key] = corpus
                while len(self._read) > _KEPT:
                    self._read.popitem(last=False)
        return corpus


def examine_data(corpus: Corpus, config: RunConfig, counted: CountedTokens | None = None) -> ExaminedData:
    """Inspect the data as `config` asks for it."""
    inspection = inspect_as_read(corpus, config, counted.counts if counted else None)
    ready = inspection.prepared
    if ready is None:
        return ExaminedData(corpus, inspection, inspection.splits, inspection.label_order, refusal=inspection.refusal)
    made = tuple(note for note in ready.notes if note not in inspection.notes)
    return ExaminedData(
        corpus, inspection, {name: len(part) for name, part in ready.splits.items()}, ready.labels, made
    )


def make_count_key(config: RunConfig, file: Path | None, model: str) -> tuple[Any, ...]:
    """Return what the lengths of the rows depend on."""
    columns = (config.text_column, config.text_pair_column, config.label_column, config.task, config.problem_type)
    return (str(file), config.dataset, config.dataset_config, config.read_options, *columns, tuple(config.fixes), model)


def find_row(examined: ExaminedData, row: int) -> tuple[str, str] | None:
    """Return (text, label) of a row by its number, where the data is one table: in several it names no one row."""
    tables, mapped = list(examined.corpus.tables.values()), examined.inspection.suggested
    if row < 1 or len(tables) != 1 or mapped is None or row - 1 not in tables[0].index:
        return None
    found = tables[0].loc[row - 1]
    text = str(found.get(mapped.text_column, ""))
    labels = {name: str(found[name]) for name in mapped.label_columns if name in found}
    # Of several flags their names have to be said, too.
    return text, ", ".join(f"{name} {cell}" for name, cell in labels.items()) if len(labels) > 1 else "".join(
        labels.values()
    )


def list_splits(corpus: Corpus, split_column: str | None) -> Sequence[str]:
    """List the names of the splits that the data has: its tables', or those in its split column."""
    tables = corpus.tables
    if "" not in tables:
        return list(tables)
    column = tables[""].get(split_column) if split_column else None
    return [] if column is None else [name for name in dict.fromkeys(map(str, column)) if name.strip()][:20]


def summarise_data(examined: ExaminedData) -> RunData:
    """Return what a run on the data would have: a page keeps it, so it is made of tuples that gradio can hash."""
    if examined.inspection.prepared is not None:
        return RunData.of(examined.inspection.prepared)
    rows = {**examined.split_rows, "train": examined.train_rows}
    return RunData(tuple(rows.items()), examined.labels, refusal=examined.refusal)


@dataclass(frozen=True)
class FormFields:
    """`fields` are the form's components by the names of form_table.FORM.

    `shown` holds what those show that the browser knows; files and states are sent by themselves.
    """

    fields: Mapping[str, Any]
    datasets: DatasetCache
    shown: FieldGroup | None = None

    @classmethod
    def lay_out(cls, fields: Mapping[str, Any], datasets: DatasetCache) -> FormFields:
        """Return the form of a page."""
        known = {name: field for name, field in fields.items() if not isinstance(field, gr.State | gr.File)}
        return cls(fields, datasets, FieldGroup(known))

    def handle_on(
        self, event: Callable[..., Any], handler: Callable[..., Any], states: Sequence[Any], outputs: Any, **how: Any
    ) -> Any:
        """Have `handler` run on `event` with `states` and the values of the form, which `by_name` reads."""
        return self.gather_on(event).then(handler, [*states, *self.inputs], outputs, **how)

    def gather_on(self, event: Callable[..., Any]) -> Any:
        """Have the inputs be what the fields show at `event`."""
        return self._group.gather_on(event)

    @property
    def inputs(self) -> list[Any]:
        """What a handler takes to know the values of the form."""
        return [self.component, *self._sent.values()]

    @property
    def component(self) -> gr.JSON:
        """The component that holds what the fields show."""
        return self._group.component

    @property
    def _group(self) -> FieldGroup:
        assert self.shown is not None, "this form is on no page"
        return self.shown

    @property
    def _sent(self) -> dict[str, Any]:
        return {name: field for name, field in self.fields.items() if isinstance(field, gr.State | gr.File)}

    def by_name(self, values: Sequence[Any]) -> FieldValues:
        """Return the values of the fields, from those of `inputs`.

        Raises:
            DemoError: no page sends these.
        """
        shown, *sent = values
        return {**self._group.read(shown), **dict(zip(self._sent, sent, strict=True))}

    def read_config(self, values: Sequence[Any]) -> tuple[RunConfig, Path | None]:
        """Return (the config, the uploaded file if there is one) that a run is made of.

        Raises:
            DemoError: a field can't be what it is.
        """
        named, path = add_upload(self.by_name(values))
        return form_values.config_from_values(named), path

    def read_data(self, named: FieldValues, progress: Progress | None = None) -> tuple[Corpus, RunConfig, Path | None]:
        """Return (the data, what the form asks of it, the uploaded file if it is one).

        Raises:
            DemoError: it can't be read.
        """
        named, path = add_upload(named)
        config = form_values.data_config_from_values(named)
        return self.datasets.read(config, path, progress), config, path

    def examine(self, named: FieldValues, counted: CountedTokens | None) -> tuple[ExaminedData, CountedTokens | None]:
        """Return (the data as the form asks for it, `counted` if it is of this data and this model).

        Raises:
            DemoError: it can't be read.
        """
        corpus, config, path = self.read_data(named)
        still = counted if counted and counted.key == make_count_key(config, path, named["model"]) else None
        return examine_data(corpus, config, still), still


def add_upload(named: FieldValues) -> tuple[FieldValues, Path | None]:
    """Return the values with the name of an uploaded file as the data set's, and that file."""
    path = uploaded_path(named["file"])
    return ({**named, "dataset": path.stem} if path else named), path


def suggest_values(
    form: FormFields, named: FieldValues, wanted: RunConfig | None, progress: Progress | None = None
) -> FieldValues:
    """Return the values of the form when other data was chosen.

    How it is read, columns, kind and splits are as they look right, or as `wanted` has them, but a reading in `named`
    stays; fixes and labels of the data before are gone.

    Raises:
        DemoError: the data can't be read.
    """
    before = form_values.values_from_config(wanted) if wanted else None
    splits = {name: DEFAULTS[name] for name in ("train_split", "validation_split", "test_split", "found", "split")}
    reading = {**named, **splits, "text": None, "pair": None, "label": None, "fixes": (), "labels": None}
    if before is not None:
        reading |= {name: before[name] for name in splits if name != "found"}
        reading |= {name: reading[name] or before[name] for name in READING}
    corpus, _, _ = form.read_data(reading, progress)
    inspection = inspect_as_read(corpus, wanted)
    fresh = fill_data_fields(inspection, before)
    names = list_splits(corpus, column_name(fresh["split"]))
    return {**reading, "positive": None, **fresh, **fill_split_fields(names, before)}


def fill_data_fields(found: Inspection, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the data fields' values for data that was just read: as they look right, or as `wanted` has them."""

    def fits(chosen: Any) -> bool:
        names = chosen if isinstance(chosen, list | tuple) else [chosen]
        return all(name in (NO_COLUMN, *found.columns) for name in names)

    columns = fill_column_fields(found.suggested)
    fresh = {name: DEFAULTS[name] for name in ("labels", "positive", "fixes", "validation_share", "test_share")}
    if wanted is not None:
        fresh = {name: wanted[name] for name in fresh}
        columns |= {name: wanted[name] for name in columns if wanted[name] is not None and fits(wanted[name])}
    return {"kind": found.kind or (wanted or DEFAULTS)["kind"], **columns, **fresh}


def fill_column_fields(mapped: Columns | None) -> dict[str, Any]:
    """Return the fields that name columns."""
    if mapped is None:
        return {"text": None, "pair": NO_COLUMN, "label": [], "split": NO_COLUMN}
    return {
        "text": mapped.text_column,
        "pair": mapped.text_pair_column or NO_COLUMN,
        "label": list(mapped.label_columns),
        "split": mapped.split_column or NO_COLUMN,
    }


def fill_split_fields(names: Any, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return which of the data's splits is which: by their usual names, or as `wanted` has them."""
    usual = find_usual_splits(names)
    fields = {f"{split}_split": usual.get(split, NO_SPLIT) for split in ("train", "validation", "test")}
    if wanted is not None and any(wanted[name] != NO_SPLIT for name in fields):
        fields = {name: wanted[name] for name in fields}
    return {"found": tuple(names), **fields}


def change_kind(form: FormFields, named: FieldValues) -> FieldValues:
    """Return the values for another kind of answers: the columns that look right for it, as far as any do."""
    unset = {**named, "text": None, "pair": None, "label": None, "split": None, "labels": None, "positive": None}
    corpus, config, _ = form.read_data(unset)
    none: dict[str, Any] = dict.fromkeys(("text_column", "text_pair_column", "label_column", "split_column"))
    inspection = inspect_as_read(corpus, dataclasses.replace(config, **none))
    columns = fill_column_fields(inspection.suggested) if inspection.suggested else {}
    if not KINDS[named["kind"]].rows.has_labels and not columns:
        columns = {"pair": NO_COLUMN, "label": []}
    return {**named, "labels": None, "positive": None, **columns}


def change_label(form: FormFields, named: FieldValues) -> FieldValues:
    """Return the values for other label columns: the order of the labels and the positive one are their own.

    Several are several labels per row, where all of them are columns of flags; else the one picked last is meant.
    """
    picked = list(named["label"] or ())
    table = form.read_data(named)[0].join_splits()
    are_flags = all(name in table and find_flag_style(table[name]) is not None for name in picked)
    learned = KINDS[named["kind"] or DEFAULT_KIND.name]
    if len(picked) > 1 and are_flags:
        learned = next(kind for kind in KINDS.values() if kind.rows.is_label_set)
    elif are_flags and learned.rows.is_label_set:
        learned = DEFAULT_KIND  # of several flags one is left
    return {
        **named,
        "kind": learned.name,
        "label": picked if are_flags else picked[-1:],
        "labels": None,
        "positive": None,
    }


def update_splits(form: FormFields, named: FieldValues) -> FieldValues:
    """Return the values with the splits that the data has by its present split column."""
    corpus, _, _ = form.read_data(named)
    names = tuple(list_splits(corpus, column_name(named["split"])))
    return named if names == tuple(named["found"] or ()) else {**named, **fill_split_fields(names)}
