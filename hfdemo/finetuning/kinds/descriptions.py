"""What a report shows of predictions: probabilities, scores of classes, confusion, curves and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CURVE_POINTS = 200
BINS = 10


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits [..., labels], in double precision."""
    exponents = np.exp(np.asarray(logits, np.float64) - np.max(logits, -1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return a probability for each logit, in double precision and without overflow."""
    return (1.0 + np.tanh(np.asarray(logits, np.float64) / 2)) / 2


def array_shapes(logits: np.ndarray, references: np.ndarray | None) -> dict[str, Any]:
    """Return the shapes of both arrays as a Trainer hands them over; None where there are no labels of that form."""
    return {"logits": list(np.shape(logits)), "labels": None if references is None else list(np.shape(references))}


def score_classes(references: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Compute precision, recall and f1 of each label, 0 where undefined, and how many rows truly have it (support).

    Both arrays hold label indices [rows].
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(references, answers, labels=range(len(labels)), zero_division=0.0)
    return {label: class_scores(*row) for label, row in zip(labels, zip(*columns, strict=True), strict=True)}


def class_scores(precision: float, recall: float, f1: float, support: int) -> dict[str, Any]:
    """Return the scores of one class as plain numbers, by name."""
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


def count_confusion(references: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> list[list[int]]:
    """Count true labels (rows) against answers (columns), both in the order of `labels`, of label indices [rows]."""
    size = len(labels)
    counts = np.bincount(np.asarray(references) * size + np.asarray(answers), minlength=size * size)
    matrix: list[list[int]] = counts.reshape(size, size).tolist()
    return matrix


def row_texts(row: Mapping[str, str]) -> dict[str, str]:
    """Return the text of a row, or its pair of texts."""
    return {name: row[name] for name in ("text", "text_pair") if name in row}


def compute_roc(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any] | None:
    """Compute the ROC curve of `probabilities` [rows] of what `truth` [rows] says is so, with the area under all of it.

    At most CURVE_POINTS points are kept, see `thin_curve`. None where only one class occurs, or a probability is NaN:
    there is no such curve.
    """
    from sklearn.metrics import auc, roc_curve

    truth = np.asarray(truth, bool)
    if truth.all() or not truth.any() or not np.isfinite(probabilities).all():
        return None
    false, true, thresholds = roc_curve(truth, probabilities)
    kept = thin_curve(false, true)
    return {
        "auc": float(auc(false, true)),
        "points": len(false),
        "false_positive_rate": false[kept].tolist(),
        "true_positive_rate": true[kept].tolist(),
        # The first point is that of "never", which no threshold stands for.
        "threshold": [None, *thresholds[kept][1:].tolist()],
    }


def compute_precision_recall(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any] | None:
    """Compute the precision-recall curve, as `compute_roc`, with the average precision; None without positives."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    truth = np.asarray(truth, bool)
    if not truth.any() or not np.isfinite(probabilities).all():
        return None
    precision, recall, thresholds = precision_recall_curve(truth, probabilities)
    kept = thin_curve(recall, precision)
    return {
        "average_precision": float(average_precision_score(truth, probabilities)),
        "points": len(precision),
        "precision": precision[kept].tolist(),
        "recall": recall[kept].tolist(),
        "threshold": [float(thresholds[index]) if index < len(thresholds) else None for index in kept],
    }


def thin_curve(x: np.ndarray, y: np.ndarray, most: int = CURVE_POINTS) -> np.ndarray:
    """Return the indices of at most `most` points of a curve: both ends, and the others evenly along its length.

    So no part of the curve is left out; points that are left out lie within a `most`th of its length of a kept one.
    """
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.searchsorted(along, np.linspace(0.0, along[-1], most), side="left").clip(max=len(x) - 1)
    kept[-1] = len(x) - 1
    return np.unique(kept)


def compute_calibration(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """Count how often answers of a confidence are right: rows, mean confidence and accuracy in bins of equal width.

    The expected calibration error is the mean distance between the two, weighted by rows; a bin without rows has None.
    """
    confidences = np.nan_to_num(confidences)
    place = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    filled = np.maximum(rows, 1)
    confidence = np.bincount(place, weights=confidences, minlength=bins) / filled
    accuracy = np.bincount(place, weights=np.asarray(right, float), minlength=bins) / filled
    return {
        "expected_calibration_error": float((rows * np.abs(confidence - accuracy)).sum() / rows.sum()),
        "bins": [
            {
                "from": index / bins,
                "to": (index + 1) / bins,
                "rows": int(rows[index]),
                "confidence": float(confidence[index]) if rows[index] else None,
                "accuracy": float(accuracy[index]) if rows[index] else None,
            }
            for index in range(bins)
        ],
    }
