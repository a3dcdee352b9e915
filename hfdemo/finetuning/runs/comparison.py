"""Several runs side by side: what was set differently, what came of it, and which is the best."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Resumed, Started, StepLogged, valid
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.runs.run import Run


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Compare `runs`, by their ids, as JSON.

    runs         {id: {"state", "metrics": the latest on the validation split, "test": those of the report or None,
                 "notes", "positive_label": the class that f1 is of, or None, "rows": sha256 of the validation rows, the
                 same where scores can be compared}}
    differences  {key: {id: value}} of the settings that differ; keys of `training` and `lora` as "training.seed"
    curves       {id: {"train": [[step, loss], ...], "validation": {metric: [[step, value], ...]}}}
    metric       the name of what the best has the most of (least, unless greater_is_better); None where the runs learn
                 different things
    best         the id of the best of those that were scored on the same rows; None where none or not all were
    """
    named = {run.id: run for run in runs}
    events = {name: run.events() for name, run in named.items()}
    described = {name: _described(run, events[name]) for name, run in named.items()}
    metric, greater = _metric(runs)
    return {
        "runs": described,
        "differences": differences({name: run.config.to_json() for name, run in named.items()}),
        "curves": {name: curves(events[name]) for name in named},
        "metric": metric,
        "greater_is_better": greater,
        "best": best(described, metric, greater) if metric else None,
    }


def estimate_seconds(runs: Iterable[Run], config: RunConfig, steps: int) -> float | None:
    """Return how long `steps` of a run of `config` take, by the first of `runs` that finished the same training.

    None where none did: with another model, method, batch, length or other data a step takes another time.
    """
    for run in runs:
        try:
            if _pace_of(run.config) != _pace_of(config):
                continue
            events = run.events()
        except (DemoError, OSError):  # deleted this moment, or damaged
            continue
        started = next((event for event in events if isinstance(event, Started)), None)
        finished = next((event for event in events if isinstance(event, Finished)), None)
        if started and finished and started.total_steps and not any(isinstance(event, Resumed) for event in events):
            return finished.seconds / started.total_steps * steps
    return None


def _pace_of(config: RunConfig) -> tuple[Any, ...]:
    """Return what the time of a step depends on."""
    sizes = ("per_device_train_batch_size", "gradient_accumulation_steps")
    numbers = (config.training.get(name) for name in sizes)
    return (config.dataset, config.model, config.method, config.padding, config.max_length, config.processes, *numbers)


def differences(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return {key: {name: value}} of the keys whose values differ; one that is missing is None."""
    flat = {name: _flat(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for config in flat.values() for key in config)
    rows = {key: {name: config.get(key) for name, config in flat.items()} for key in keys}
    return {key: row for key, row in rows.items() if any(value != next(iter(row.values())) for value in row.values())}


def curves(events: Sequence[Event]) -> dict[str, Any]:
    """Return points of the training loss and of each validation metric by optimizer step, in the valid history."""
    counted = valid(events)
    validation: dict[str, list[list[float]]] = {}
    for event in counted:
        if isinstance(event, Evaluated) and event.split == "validation":
            for name, value in event.metrics.items():
                points = validation.setdefault(name, [])
                # The best checkpoint is evaluated once more at the end, under the step of the last.
                if not points or points[-1][0] < event.step:
                    points.append([event.step, value])
    train = [[event.step, event.loss] for event in counted if isinstance(event, StepLogged)]
    return {"train": train, "validation": validation}


def best(described: Mapping[str, Mapping[str, Any]], metric: str, greater: bool) -> str | None:
    """Return the id of the run with the best `metric`, if all that have it were scored on the same rows."""
    scores = {name: each["metrics"].get(metric) for name, each in described.items()}
    known = {name: score for name, score in scores.items() if score is not None and math.isfinite(score)}
    if not known or len({described[name]["rows"] for name in known}) > 1:
        return None
    return (max if greater else min)(known, key=lambda name: known[name])


def _described(run: Run, events: list[Event]) -> dict[str, Any]:
    status = run.status(events)
    validation = run.folder / "data" / "validation.csv"
    rows = hashlib.sha256(validation.read_bytes()).hexdigest() if validation.is_file() else None
    test = run.report().get("metrics", {}).get("test") if (run.folder / "report.json").is_file() else None
    return {
        "state": status.state,
        "metrics": status.metrics,
        "test": test,
        "notes": run.notes,
        "rows": rows,
        "positive_label": run.config.positive_label,
    }


def _metric(runs: Sequence[Run]) -> tuple[str | None, bool]:
    """Return the metric that all `runs` pick the best by, if it is the same, and whether higher is better."""
    configs = [run.config for run in runs]
    kinds = [find_kind(config.task, config.problem_type) for config in configs]
    if len({kind.name for kind in kinds}) != 1:
        return None, True
    return kinds[0].evaluator.selection, kinds[0].evaluator.greater_is_better


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: value for name, value in config.items() if name in ("training", "lora", "splits")}
    flat = {name: value for name, value in config.items() if name not in nested}
    return flat | {f"{name}.{key}": each for name, value in nested.items() for key, each in value.items()}
