"""The form's fields by name, and what their values ask for: a run, the data as it is, the data as it would be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import Corpus
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS
from hfdemo.models.hub import Progress
from hfdemo.ui.tabs.finetune import data_step, form_values
from hfdemo.ui.tabs.finetune.dataset_preview import (
    Counted,
    Examined,
    Shelf,
    count_key,
    examine,
    named_splits,
    suggested,
)
from hfdemo.ui.tabs.finetune.form_values import DEFAULTS

Named = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """`fields` are the form's components by the names of filling.DEFAULTS, in the order in which their values come."""

    fields: Mapping[str, Any]
    shelf: Shelf

    def named(self, values: Sequence[Any]) -> Named:
        return dict(zip(self.fields, values, strict=True))

    def asked(self, values: Sequence[Any]) -> tuple[RunConfig, Path | None]:
        """Return (the config, the uploaded file if there is one) that a run is made of.

        Raises:
            DemoError: a field can't be what it is.
        """
        named, path = add_upload(self.named(values))
        return form_values.config_of(named), path

    def corpus(self, named: Named, progress: Progress | None = None) -> tuple[Corpus, RunConfig, Path | None]:
        """Return (the data, what the form asks of it, the uploaded file if it is one).

        Raises:
            DemoError: it can't be read.
        """
        named, path = add_upload(named)
        config = form_values.data_of(named)
        return self.shelf.corpus(config, path, progress), config, path

    def examined(self, named: Named, counted: Counted | None) -> tuple[Examined, Counted | None]:
        """Return (the data as the form asks for it, `counted` if it is of this data and this model).

        Raises:
            DemoError: it can't be read.
        """
        corpus, config, path = self.corpus(named)
        still = counted if counted and counted.of == count_key(config, path, named["model"]) else None
        return examine(corpus, config, still), still


def add_upload(named: Named) -> tuple[Named, Path | None]:
    """Return the values with the name of an uploaded file as the data set's, and that file."""
    path = uploaded_path(named["file"])
    return ({**named, "dataset": path.stem} if path else named), path


def opened(desk: Desk, named: Named, wanted: RunConfig | None, progress: Progress | None = None) -> Named:
    """Return the values of the form when other data was chosen.

    Columns, kind and splits are as they look right, or as `wanted` has them; fixes and labels of the data before are
    gone.

    Raises:
        DemoError: the data can't be read.
    """
    before = form_values.values_of(wanted) if wanted else None
    splits = {name: DEFAULTS[name] for name in ("train_split", "validation_split", "test_split", "found", "split")}
    reading = {**named, **splits, "text": None, "pair": None, "label": None, "fixes": (), "labels": None}
    if before is not None:
        reading |= {name: before[name] for name in splits if name != "found"}
    corpus, _, _ = desk.corpus(reading, progress)
    inspection = suggested(corpus, wanted)
    fresh = data_step.opened(inspection, before)
    names = named_splits(corpus, form_values.column(fresh["split"]))
    return {**named, "positive": None, **fresh, **data_step.split_values(names, before)}


def change_kind(desk: Desk, named: Named) -> Named:
    """Return the values for another kind of answers: the columns that look right for it, as far as any do."""
    unset = {**named, "text": None, "pair": None, "label": None, "split": None, "labels": None, "positive": None}
    corpus, config, _ = desk.corpus(unset)
    none: dict[str, Any] = dict.fromkeys(("text_column", "text_pair_column", "label_column", "split_column"))
    inspection = suggested(corpus, dataclasses.replace(config, **none))
    columns = data_step.columns_of(inspection.suggested) if inspection.suggested else {}
    if not KINDS[named["kind"]].rows.has_labels and not columns:
        columns = {"pair": form_values.NO_COLUMN, "label": form_values.NO_COLUMN}
    return {**named, "labels": None, "positive": None, **columns}


def change_label(desk: Desk, named: Named) -> Named:
    """Return the values for another label column: the order of the labels and the positive one are its own."""
    return {**named, "labels": None, "positive": None}


def update_splits(desk: Desk, named: Named) -> Named:
    """Return the values with the splits that the data has by its present split column."""
    corpus, _, _ = desk.corpus(named)
    names = tuple(named_splits(corpus, form_values.column(named["split"])))
    return named if names == tuple(named["found"] or ()) else {**named, **data_step.split_values(names)}
