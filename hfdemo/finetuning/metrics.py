"""Numbers a person can trust: evaluate modules that need no network, the baseline, and the rows that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODULES = Path(__file__).parent / "evaluate_modules"


def classification_metrics(labels: Sequence[str], positive_label: str | None) -> Callable[[Any], dict[str, float]]:
    """compute_metrics for a Trainer: logits -> argmax -> accuracy, f1 and f1_weighted.

    `f1` is that of `positive_label` when there are two labels, else the unweighted mean over the classes (macro).
    """
    import evaluate

    accuracy = evaluate.load(str(MODULES / "accuracy"))
    f1 = evaluate.load(str(MODULES / "f1"))
    indices = list(range(len(labels)))
    if positive_label is not None:
        averaging: dict[str, Any] = {"average": "binary", "pos_label": list(labels).index(positive_label)}
    else:
        averaging = {"average": "macro", "labels": indices}

    def compute(prediction: Any) -> dict[str, float]:
        pairs = {"predictions": prediction.predictions.argmax(-1), "references": prediction.label_ids}
        weighted = f1.compute(**pairs, average="weighted", labels=indices)["f1"]
        return {**accuracy.compute(**pairs), **f1.compute(**pairs, **averaging), "f1_weighted": weighted}

    return compute


@dataclass(frozen=True)
class Baseline:
    """What always answering with the most frequent training label would score on the evaluated split."""

    label: str
    accuracy: float


def majority_baseline(train_labels: np.ndarray, evaluated_labels: np.ndarray, labels: Sequence[str]) -> Baseline:
    most = int(np.bincount(train_labels, minlength=len(labels)).argmax())
    return Baseline(labels[most], float((evaluated_labels == most).mean()))


def per_class(references: np.ndarray, predictions: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, f1 and support of each label."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(references, predictions, labels=range(len(labels)), zero_division=0.0)
    names = ("precision", "recall", "f1", "support")
    return {
        label: {name: float(column[index]) for name, column in zip(names, columns, strict=True)}
        for index, label in enumerate(labels)
    }


def confusion(references: np.ndarray, predictions: np.ndarray, labels: Sequence[str]) -> list[list[int]]:
    """Rows are the true labels, columns the predicted ones, both in the order of `labels`."""
    from sklearn.metrics import confusion_matrix

    matrix: list[list[int]] = confusion_matrix(references, predictions, labels=range(len(labels))).tolist()
    return matrix


def errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows that the model got wrong, the most confident mistakes first.

    `rows` are the evaluated rows in the order of `logits` [rows, labels]; `row` counts from 1.
    """
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = exponents / exponents.sum(-1, keepdims=True)
    predictions = logits.argmax(-1)
    wrong = np.flatnonzero(predictions != references)
    wrong = wrong[np.argsort(-probabilities[wrong, predictions[wrong]], kind="stable")]
    return [
        {
            "row": int(index) + 1,
            "label": labels[references[index]],
            "predicted": labels[predictions[index]],
            "confidence": round(float(probabilities[index, predictions[index]]), 6),
            **{name: text for name, text in rows[index].items() if name != "label"},
        }
        for index in wrong
    ]
