"""Events -> the tables behind the charts; pure, so a chart can be checked without a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hfdemo.finetuning.events import Evaluated, Event, StepLogged


def loss_table(events: Sequence[Event]) -> pd.DataFrame:
    """Columns step, loss and split ("train" or "validation")."""
    rows = [(event.step, event.loss, "train") for event in events if isinstance(event, StepLogged)]
    rows += [
        (event.step, event.metrics["loss"], "validation")
        for event in _validations(events)
        if event.metrics.get("loss") is not None
    ]
    return _table(rows, {"step": float, "loss": float, "split": str})


def metrics_table(events: Sequence[Event]) -> pd.DataFrame:
    """Columns epoch, value and metric (accuracy, f1), one row per metric and evaluation of the validation split."""
    rows = [
        (round(event.epoch, 3), event.metrics[name], name)
        for event in _validations(events)
        for name in ("accuracy", "f1")
        if name in event.metrics
    ]
    return _table(rows, {"epoch": float, "value": float, "metric": str})


def _table(rows: list[tuple[Any, ...]], columns: dict[str, type]) -> pd.DataFrame:
    """An empty table needs its types as well: a chart that once saw a column without numbers draws it as names."""
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _validations(events: Sequence[Event]) -> list[Evaluated]:
    """One evaluation per step: the last one repeats the best epoch for the report and is not part of the curve."""
    seen: dict[int, Evaluated] = {}
    for event in events:
        if isinstance(event, Evaluated) and event.split == "validation":
            seen.setdefault(event.step, event)
    return list(seen.values())
