"""Reports of small predictions of every kind, and run folders that hold them."""

import csv
import json
from typing import Any

import numpy as np

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.report import Predicted, write_epoch, write_report
from hfdemo.finetuning.events import Evaluated, Event, Finished, Started, StepLogged
from hfdemo.finetuning.kinds import KINDS, find_kind
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings
from tests.ui.samples import EVIL

ROWS = 30
CONFIGS: dict[str, dict[str, Any]] = {
    "single_label": {"labels": ("no", EVIL), "positive_label": EVIL},
    "multi_label": {"problem_type": "multi_label_classification", "labels": (EVIL, "loud", "warm")},
    "regression": {"problem_type": "regression"},
    "tokens": {"task": "token-classification", "labels": ("O", f"B-{EVIL}", f"I-{EVIL}")},
    "language": {"task": "text-generation"},
}
SPLITS = ("validation", "test")


def answers(kind: str, labels: int, noise: float) -> tuple[Any, Any]:
    """Logits that are mostly right, and references."""
    rng, row = np.random.default_rng(3), KINDS[kind]
    if row.one_number:
        truth = rng.uniform(0, 5, ROWS)
        return (truth + rng.normal(0, noise, ROWS)).reshape(-1, 1), truth
    if kind == "language":
        tokens = rng.integers(1, 9, ROWS)
        return np.stack([tokens * rng.gamma(3, 0.3, ROWS), tokens], -1), tokens
    if row.rows.is_label_set:
        truth = rng.integers(0, 2, (ROWS, labels))
        return 4 * (truth - 0.5) + rng.normal(0, noise, truth.shape), truth
    if kind == "tokens":
        truth = rng.integers(0, labels, (ROWS, 4))
        truth[:, 0] = -100
        return 3 * np.eye(labels)[truth.clip(0)] + rng.normal(0, noise, (ROWS, 4, labels)), truth
    assert row.rows.is_single_label, f"add the predictions of {kind} here, and its label cells below"
    truth = np.arange(ROWS) % labels
    return 3 * np.eye(labels)[truth] + rng.normal(0, noise, (ROWS, labels)), truth


def cells(kind: str, labels: tuple[str, ...], truth: Any) -> dict[str, list[str]]:
    """The columns of a split's file."""
    if kind == "tokens":
        tags = [[labels[tag] for tag in row[1:]] for row in truth]
        return {"text": [json.dumps([EVIL, "b", "c"])] * ROWS, "label": [json.dumps(row) for row in tags]}
    texts, row = {"text": [EVIL] * ROWS}, KINDS[kind]
    if not row.rows.has_labels:
        return texts
    if row.one_number:
        return {**texts, "label": [str(value) for value in truth]}
    if row.rows.is_label_set:
        given = [[label for label, has in zip(labels, row, strict=True) if has] for row in truth]
        return {**texts, "label": [json.dumps(names) for names in given]}
    return {**texts, "label": [labels[index] for index in truth]}


def a_run(
    settings: Settings, kind: str = "single_label", name: str = "20260101-120000-x", *, noise: float = 2.0, **more: Any
) -> Run:
    """A finished run with a report on two splits and a model that only looks like one."""
    folder = settings.runs / name
    (folder / "data").mkdir(parents=True)
    assert kind in CONFIGS, f"add {kind} to CONFIGS of tests/ui/tabs/finetune/reports.py"
    config = RunConfig(**{"dataset": "made", **CONFIGS[kind], **more})
    kind_row = find_kind(config.task, config.problem_type)
    labels = config.labels or ()
    logits, truth = answers(kind, len(labels), noise)
    found = {"loss": 0.5, **kind_row.evaluator.scores(logits, truth, list(labels), config.positive_label)}
    for split in ("train", *SPLITS):
        columns = cells(kind, labels, truth)
        with (folder / "data" / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    for epoch in range(3):
        worse, _ = answers(kind, len(labels), noise + 2 - epoch)
        positive = config.positive_label
        write_epoch(folder, kind_row, labels, positive, float(epoch), 20 * epoch, worse, truth)
    before = {**dict.fromkeys(found, 0.125), "loss": 0.9}
    facts = {
        "run": name,
        "device": "CPU",
        "rows": dict.fromkeys(("train", *SPLITS), ROWS),
        "steps": 40,
        "best_step": 20,
        "seconds": 65.0,
        "before": before,
    }
    predicted = Predicted(logits, truth, found)
    write_report(config, folder, facts, dict.fromkeys(SPLITS, predicted), truth)
    events: list[Event] = [
        Started(0, 1.0, 40, 2.0, "CPU", notes=(EVIL,)),
        Evaluated(0, 1.5, 0.0, "validation", before),
        *(StepLogged(step, 1.0 + step, step / 20, 1.0 / step, 1e-4, 1.0) for step in (10, 20, 30, 40)),
        Evaluated(40, 50.0, 2.0, "validation", found),
        Finished(40, 51.0, found, 50.0),
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event.to_json()) + "\n" for event in events))
    (folder / "config.json").write_text(json.dumps(config.to_json()))
    (folder / "train.py").write_text("print('the same run')\n")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    return Run(folder)
