"""Several labels per row, or none: logits [rows, labels] against 0/1 [rows, labels]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation import metrics
from hfdemo.finetuning.evaluation.curves import precision_recall
from hfdemo.finetuning.evaluation.evaluate_inputs import flags_handed
from hfdemo.finetuning.evaluation.evaluator import Judge, scores, shapes, sigmoid, texts
from hfdemo.finetuning.evaluation.scores import multi_label_scores

THRESHOLD = 0.5


def _metrics(labels: Sequence[str], positive_label: str | None, extra: Sequence[str]) -> metrics.Computing:
    each: np.ndarray = np.eye(len(labels), dtype=np.int64)
    return metrics.computing("multi_label", labels, positive_label, extra, flags_handed, flags_handed, (each, each))


def _baseline(train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """Always the set of labels that is most frequent in training."""
    sets, counts = np.unique(np.asarray(train) > 0, axis=0, return_counts=True)
    most = sets[counts.argmax()]
    named = ", ".join(f"'{label}'" for label, given in zip(labels, most, strict=True) if given)
    found = multi_label_scores(np.tile(most, (len(evaluated), 1)), evaluated, list(labels))
    return {"answer": f"always {named or 'no label'}", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """per_class with each label's threshold and average precision, labels_per_row, shapes and example."""
    truth, answers, probabilities = references > 0, logits > 0, sigmoid(logits)
    return {
        "per_class": {
            label: _label(truth[:, index], answers[:, index], probabilities[:, index])
            for index, label in enumerate(labels)
        },
        "labels_per_row": {"label": float(truth.sum(-1).mean()), "predicted": float(answers.sum(-1).mean())},
        "shapes": shapes(logits, references),
        "example": {
            "row": 1,
            "logits": logits[0].tolist(),
            "sigmoid": probabilities[0].tolist(),
            "argmax": int(logits[0].argmax()),
            "name": _names(answers[0], labels),
            "label": _names(truth[0], labels),
        },
    }


def _label(truth: np.ndarray, answers: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    hits, given, support = int((truth & answers).sum()), int(answers.sum()), int(truth.sum())
    found = scores(hits / max(given, 1), hits / max(support, 1), 2 * hits / max(given + support, 1), support)
    ranked = precision_recall(truth, probabilities)
    average = None if ranked is None else ranked["average_precision"]
    return {**found, "threshold": THRESHOLD, "average_precision": average}


def _names(given: np.ndarray, labels: Sequence[str]) -> list[str]:
    return [label for label, is_given in zip(labels, given, strict=True) if is_given]


def _errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows with a label too many or missing: those with most wrong labels first, then the surest mistakes.

    `confidence` is the highest probability among a row's wrong decisions.
    """
    truth, answers, probabilities = references > 0, logits > 0, sigmoid(logits)
    sure = np.where(answers, probabilities, 1.0 - probabilities)
    is_wrong = truth != answers
    counts, surest = is_wrong.sum(-1), np.where(is_wrong, sure, 0.0).max(-1)
    order = np.lexsort((-surest, -counts))
    return [
        {
            "row": int(index) + 1,
            "label": ", ".join(_names(truth[index], labels)),
            "predicted": ", ".join(_names(answers[index], labels)),
            "wrong_labels": int(counts[index]),
            "confidence": round(float(surest[index]), 6),
            **texts(rows[index]),
        }
        for index in order[: int((counts > 0).sum())]
    ]


MULTI_LABEL = Judge(
    kind="multi_label",
    selection="f1",
    greater_is_better=True,
    scores=multi_label_scores,
    names=("accuracy", "f1", "f1_micro"),
    hand_over=flags_handed,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="f1 is the plain mean over the labels (macro); accuracy counts the rows of which every label is right.",
    use='print(pipe("some text", top_k=None))  # a label counts as given from a score of 0.5',
)
