"""Events -> the tables behind the charts; pure, so a chart can be checked without a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hfdemo.finetuning.events import Evaluated, Event, StepLogged, valid

# More points than pixels cost time and show nothing.
MOST_POINTS = 400
# Told apart by those who are colour-blind, too, and readable by day and by night.
COLOURS = ("#f59e0b", "#0ea5e9", "#8b5cf6", "#10b981", "#f43f5e", "#a1a1aa")
# Metrics that lie between 0 and 1; the correlations do in all runs that are worth a look.
SHARES = ("accuracy", "f1", "f1_weighted", "f1_micro", "precision", "recall")


def loss_table(events: Sequence[Event]) -> pd.DataFrame:
    """Columns step, loss and split ("train" or "validation")."""
    rows = [(event.step, event.loss, "train") for event in _steps(events)]
    rows += [
        (event.step, event.metrics["loss"], "validation")
        for event in _validations(events)
        if event.metrics.get("loss") is not None
    ]
    return _table(rows, {"step": float, "loss": float, "split": str})


def metrics_table(events: Sequence[Event], names: Sequence[str]) -> pd.DataFrame:
    """Columns epoch, value and metric, one row per name and evaluation of the validation split."""
    rows = [
        (round(event.epoch, 3), event.metrics[name], name)
        for event in _validations(events)
        for name in names
        if event.metrics.get(name) is not None
    ]
    return _table(rows, {"epoch": float, "value": float, "metric": str})


def logged_table(events: Sequence[Event], name: str, unit: float = 1.0) -> pd.DataFrame:
    """Columns step and `name`, a number that StepLogged has, in units of `unit`; steps without it are left out."""
    found = [(event.step, getattr(event, name)) for event in _steps(events)]
    rows = [(step, value / unit) for step, value in found if value is not None]
    return _table(rows, {"step": float, name: float})


def metric_names(events: Sequence[Event]) -> list[str]:
    """What the validation split was judged by, in the order of the events; the loss has a chart of its own."""
    names = dict.fromkeys(name for event in _validations(events) for name in event.metrics)
    return [name for name in names if name != "loss"]


def overlay(runs: Mapping[str, Sequence[Event]], name: str) -> pd.DataFrame:
    """Columns epoch, value and run: one metric (or the loss) of several runs on the validation split, by their names.

    Epochs, because runs with other batch sizes differ in how many steps see the same rows.
    """
    rows = [
        (round(event.epoch, 3), event.metrics[name], run)
        for run, events in runs.items()
        for event in _validations(events)
        if event.metrics.get(name) is not None
    ]
    return _table(rows, {"epoch": float, "value": float, "run": str})


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name."""
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}


def limits(names: Sequence[str]) -> list[float] | None:
    """The ends of the axis for these metrics; None where the values decide."""
    return [0.0, 1.0] if names and all(name in SHARES for name in names) else None


def _table(rows: list[tuple[Any, ...]], columns: dict[str, type]) -> pd.DataFrame:
    """An empty table needs its types as well: a chart that once saw a column without numbers draws it as names."""
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _steps(events: Sequence[Event]) -> list[StepLogged]:
    """At most MOST_POINTS, evenly chosen, the last one among them."""
    found = [event for event in valid(events) if isinstance(event, StepLogged)]
    every = -(-len(found) // MOST_POINTS) or 1
    return found[::-1][::every][::-1]


def _validations(events: Sequence[Event]) -> list[Evaluated]:
    """One evaluation per step: the last one repeats the best epoch for the report and is not part of the curve."""
    seen: dict[int, Evaluated] = {}
    for event in valid(events):
        if isinstance(event, Evaluated) and event.split == "validation":
            seen.setdefault(event.step, event)
    return list(seen.values())
