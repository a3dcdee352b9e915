"""What a run writes of its evaluations: epochs/N.json while it trains, report.json and errors.csv at the end."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.atomic_files import write_atomically
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Evaluator, Kind, find_kind
from hfdemo.finetuning.kinds.descriptions import row_texts
from hfdemo.finetuning.launcher import command

if TYPE_CHECKING:
    import numpy as np

_LOOKED_AT = 100  # rows, for one with a label
LIBRARIES = ("torch", "transformers", "datasets", "accelerate")
# Shown once, of the model that is kept; besides, grouping by length shows the rows of an evaluation in another order
# than that of their file, and these name single rows.
_ONCE = ("example", "shapes", "worst", "longest")


@dataclass(frozen=True)
class Predicted:
    """What the model that is kept says of one split, in the order of its rows, and how good that is.

    `logits` and `references` have the shapes that the kind of answer names; `metrics` go by evaluate's names. Of rows
    of words, `labelled_words` has the numbers of those that have a reference.
    """

    logits: np.ndarray
    references: np.ndarray
    metrics: Mapping[str, float]
    labelled_words: Sequence[Sequence[int]] | None = None


def write_report(
    config: RunConfig,
    folder: Path,
    facts: Mapping[str, Any],
    predictions: Mapping[str, Predicted],
    train_labels: Any,
) -> dict[str, Any]:
    """Evaluate the predictions on every held-out split, write report.json and errors.csv, and return the report.

    `train_labels` are those of the training rows, as the kind has encoded them. `facts` are what only the trainer
    knows: run, device, rows, steps, best_step, seconds, `notes` on how it ended, and in `before` the metrics on the
    validation split before training, or None. A split without predictions was not evaluated, and has no metrics. What
    the evaluator describes (per_class, confusion_matrix, ...) stands in the report under its own name, by split; a
    number that is not defined is null. errors.csv is of the validation split.

    Raises:
        ValueError: the predictions of a split are not one per row of its file in folder/data.
    """
    kind = find_kind(config.task, config.problem_type)
    evaluator = kind.evaluator
    labels, before = list(config.labels or ()), facts.get("before")
    report: dict[str, Any] = {
        "model": config.model,
        "task": config.task,
        "kind": kind.name,
        "method": config.method,
        "dataset": config.dataset,
        "labels": labels,
        "positive_label": config.positive_label,
        "command": shlex.join(command(config, "config.json")),
        "data_sha256": data_hash(folder),
        "versions": {name: version(name) for name in LIBRARIES},
        **facts,
        "before": {} if before is None else {"validation": dict(before)},
        "metrics": {},
        "baseline": {},
    }
    report["notes"] = [*facts.get("notes", ()), *find_constant_answers(kind, predictions, labels)]
    for split, found in predictions.items():
        rows = rows_of(folder, split)
        if len(rows) != len(found.logits):
            raise ValueError(f"{split} has {len(rows)} rows, but there are predictions of {len(found.logits)}")
        report["metrics"][split] = dict(found.metrics)
        baseline = evaluator.baseline(train_labels, found.references, labels, config.positive_label)
        report["baseline"][split] = {**baseline, "metrics": baseline["metrics"] or report["before"].get(split, {})}
        described = evaluator.describe(found.logits, found.references, labels, config.positive_label)
        for name, value in described.items():
            report.setdefault(name, {})[split] = value
        if split == "validation":
            _write_errors(folder, evaluator, rows, found, labels)
    if "validation" not in predictions:
        (folder / "errors.csv").unlink(missing_ok=True)  # of a model that was kept before
    report = replace_non_finite(report)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "report.json", text + "\n")
    return report


def find_constant_answers(kind: Kind, predictions: Mapping[str, Predicted], labels: Sequence[str]) -> list[str]:
    """Say of which splits a model answers every row alike, though the rows differ: a score may not show it."""
    find = kind.evaluator.find_constant
    said = []
    for split, found in predictions.items():
        answer = find(found.logits, labels) if find is not None and len(found.logits) > 1 else ""
        if answer:
            said.append(
                f"On {split} the model answers {answer} whatever the text is: nothing was learned that tells the rows "
                "apart. Train longer, raise the learning rate, weigh the classes, or look at the data."
            )
    return said


def data_hash(folder: Path) -> str:
    """Return sha256 over the names and bytes of data/*.csv, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted((folder / "data").glob("*.csv")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def rows_of(folder: Path, split: str) -> list[dict[str, str]]:
    """Return the rows of a split that are learned or evaluated, as a run's data has them."""
    return [row for _, row in read_numbered_rows(folder, split) if row.get("label") != ""]


def unlabelled_rows(folder: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of the test split that have no label, with their numbers in its file, which begin with 1."""
    return [(number, row) for number, row in read_numbered_rows(folder, "test") if row.get("label") == ""]


def find_held_out_row(folder: Path) -> tuple[str, int, dict[str, str]] | None:
    """Find a row that a run has not learned from: (its split, its number there, the row); None where there is none."""
    for split in ("test", "validation"):
        for number, row in read_numbered_rows(folder, split, most=_LOOKED_AT):
            if row.get("label") != "":
                return split, number, row
    return None


def read_numbered_rows(folder: Path, split: str, most: int | None = None) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a split of a run's data, the first `most` of them, with their numbers in its file, which begin
    with 1."""
    import pandas as pd

    path = folder / "data" / f"{split}.csv"
    if not path.is_file():
        return []
    table = pd.read_csv(path, dtype=str, keep_default_na=False, nrows=most)
    return list(enumerate(table.to_dict("records"), start=1))


def write_answers(
    folder: Path, kind: Kind, labels: Sequence[str], rows: Sequence[tuple[int, dict[str, str]]], logits: np.ndarray
) -> None:
    """Write answers.csv: what the model that is kept says of `rows`, numbered, which have no label to be scored by."""
    answers = kind.evaluator.answers(logits, labels) if kind.evaluator.answers else []
    lines = [{"row": row, **row_texts(own), **said} for (row, own), said in zip(rows, answers, strict=True)]
    _write_table(folder / "answers.csv", lines, list(lines[0]))


def _write_errors(
    folder: Path, evaluator: Evaluator, rows: Sequence[dict[str, str]], found: Predicted, labels: Sequence[str]
) -> None:
    names_of_none = ["row", "label", "predicted", *row_texts(rows[0])]
    if found.labelled_words is not None:
        labelled = zip(rows, found.labelled_words, strict=True)
        rows = [{**row, "labelled": json.dumps(words)} for row, words in labelled]
    wrong = evaluator.find_errors(rows, found.logits, found.references, labels)
    _write_table(folder / "errors.csv", wrong, list(wrong[0]) if wrong else names_of_none)


def _write_table(path: Path, lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)


def write_epoch(
    folder: Path,
    kind: Kind,
    labels: Sequence[str],
    positive_label: str | None,
    epoch: float,
    step: int,
    logits: np.ndarray,
    references: Any,
) -> None:
    """Write epochs/N.json below `folder`: what the evaluator describes, under the names of report.json, by split.

    N counts from 0, before training. An evaluation in the middle of an epoch stands under that epoch's number until
    its end.
    """
    described = kind.evaluator.describe(logits, references, labels, positive_label)
    found = {
        "kind": kind.name,
        "labels": list(labels),
        "positive_label": positive_label,
        "epoch": epoch,
        "step": step,
        **{name: {"validation": value} for name, value in described.items() if name not in _ONCE},
    }
    path = folder / "epochs" / f"{math.ceil(epoch - 1e-6)}.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps(replace_non_finite(found), ensure_ascii=False, allow_nan=False))


def delete_epochs_after(folder: Path, epoch: float) -> None:
    """Delete what was written after `epoch`, where a run goes on from again."""
    for number in epoch_numbers(folder):
        if number > epoch + 1e-6:
            (folder / "epochs" / f"{number}.json").unlink(missing_ok=True)


def epoch_numbers(folder: Path) -> list[int]:
    """Return the epochs that were evaluated so far, in order."""
    return sorted(int(path.stem) for path in (folder / "epochs").glob("*.json"))


def replace_non_finite(value: Any) -> Any:
    """Return `value` with None in place of every number that JSON has no form for, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: replace_non_finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_non_finite(item) for item in value]
    return value
