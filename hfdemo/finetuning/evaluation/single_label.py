"""One label per row: logits [rows, labels] against label indices [rows]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation import metrics
from hfdemo.finetuning.evaluation.curves import calibration, precision_recall, roc
from hfdemo.finetuning.evaluation.evaluate_inputs import classes_handed
from hfdemo.finetuning.evaluation.evaluator import Judge, confusion, per_label, shapes, softmax, texts
from hfdemo.finetuning.evaluation.scores import single_label_scores


def _metrics(labels: Sequence[str], positive_label: str | None, extra: Sequence[str]) -> metrics.Computing:
    every = np.arange(len(labels))
    return metrics.computing(
        "single_label", labels, positive_label, extra, classes_handed, classes_handed, (every, every)
    )


def _baseline(train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """Always the label that is most frequent in training."""
    most = int(np.bincount(np.asarray(train), minlength=len(labels)).argmax())
    found = single_label_scores(np.full(len(evaluated), most), evaluated, list(labels), positive)
    name = labels[most]
    return {"answer": f"always '{name}'", "metrics": found, "label": name, "accuracy": found["accuracy"]}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """per_class, confusion_matrix, calibration, shapes and example; roc and precision_recall of two labels (of the
    positive one, else of the second; None where the split lacks a class that they need)."""
    probabilities, answers = softmax(logits), logits.argmax(-1)
    found: dict[str, Any] = {
        "per_class": per_label(references, answers, labels),
        "confusion_matrix": confusion(references, answers, labels),
        "calibration": calibration(probabilities.max(-1), answers == references),
        "shapes": shapes(logits, references),
        "example": {
            "row": 1,
            "logits": logits[0].tolist(),
            "softmax": probabilities[0].tolist(),
            "argmax": int(answers[0]),
            "name": labels[int(answers[0])],
            "label": labels[int(references[0])],
        },
    }
    if len(labels) == 2:
        of = 1 if positive is None else list(labels).index(positive)
        found["roc"] = roc(references == of, probabilities[:, of])
        found["precision_recall"] = precision_recall(references == of, probabilities[:, of])
    return found


def _errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows that the model got wrong, the most confident mistakes first."""
    probabilities, answers = softmax(logits), logits.argmax(-1)
    wrong = np.flatnonzero(answers != references)
    wrong = wrong[np.argsort(-probabilities[wrong, answers[wrong]], kind="stable")]
    return [
        {
            "row": int(index) + 1,
            "label": labels[references[index]],
            "predicted": labels[answers[index]],
            "confidence": round(float(probabilities[index, answers[index]]), 6),
            **texts(rows[index]),
        }
        for index in wrong
    ]


SINGLE_LABEL = Judge(
    kind="single_label",
    selection="f1",
    greater_is_better=True,
    scores=single_label_scores,
    names=("accuracy", "f1", "f1_weighted"),
    hand_over=classes_handed,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="f1 is that of the positive label where one is named, else the plain mean over the labels (macro).",
    use='print(pipe("some text", top_k=None))',
)
