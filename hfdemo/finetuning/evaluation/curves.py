"""Curves of probabilities: ROC and precision-recall of one label, and how far a model's confidence can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

CURVE_POINTS = 200
BINS = 10


def roc(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any] | None:
    """The ROC curve of `probabilities` [rows] of what `truth` [rows] says is so, with the area under all of it.

    At most CURVE_POINTS points are kept, see `thin`. None where only one class occurs, or a probability is NaN:
    there is no such curve.
    """
    from sklearn.metrics import auc, roc_curve

    truth = np.asarray(truth, bool)
    if truth.all() or not truth.any() or not np.isfinite(probabilities).all():
        return None
    false, true, thresholds = roc_curve(truth, probabilities)
    kept = thin(false, true)
    return {
        "auc": float(auc(false, true)),
        "points": len(false),
        "false_positive_rate": false[kept].tolist(),
        "true_positive_rate": true[kept].tolist(),
        # The first point is that of "never", which no threshold stands for.
        "threshold": [None, *thresholds[kept][1:].tolist()],
    }


def precision_recall(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any] | None:
    """The precision-recall curve, as `roc`, with the average precision. None where nothing is positive."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    truth = np.asarray(truth, bool)
    if not truth.any() or not np.isfinite(probabilities).all():
        return None
    precision, recall, thresholds = precision_recall_curve(truth, probabilities)
    kept = thin(recall, precision)
    return {
        "average_precision": float(average_precision_score(truth, probabilities)),
        "points": len(precision),
        "precision": precision[kept].tolist(),
        "recall": recall[kept].tolist(),
        "threshold": [float(thresholds[index]) if index < len(thresholds) else None for index in kept],
    }


def thin(x: np.ndarray, y: np.ndarray, most: int = CURVE_POINTS) -> np.ndarray:
    """Indices of at most `most` points of a curve: both ends, and the others evenly along its length.

    So no part of the curve is left out; points that are left out lie within a `most`th of its length of a kept one.
    """
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.searchsorted(along, np.linspace(0.0, along[-1], most), side="left").clip(max=len(x) - 1)
    kept[-1] = len(x) - 1
    return np.unique(kept)


def calibration(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """How often answers of a confidence are right: rows, mean confidence and accuracy in bins of equal width.

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
