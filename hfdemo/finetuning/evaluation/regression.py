"""A number per row: logits [rows] or [rows, 1] against numbers [rows]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation import metrics
from hfdemo.finetuning.evaluation.evaluate_inputs import numbers_handed
from hfdemo.finetuning.evaluation.evaluator import Judge, shapes, texts
from hfdemo.finetuning.evaluation.scores import regression_scores

POINTS = 1000
BINS = 20


def _metrics(labels: Sequence[str], positive_label: str | None, extra: Sequence[str]) -> metrics.Computing:
    trial = np.array([0.0, 0.5, 2.0])
    return metrics.computing(
        "regression", labels, positive_label, extra, numbers_handed, numbers_handed, (trial, trial)
    )


def _baseline(train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """Always the mean of training."""
    mean = float(np.mean(np.asarray(train, np.float64)))
    found = regression_scores(np.full(np.size(evaluated), mean), evaluated, list(labels))
    return {"answer": f"always {mean:.4g}, the mean of training", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """fit (the metrics, rmse and r2), points, residuals (predicted - label), shapes and example.

    r2, pearson and spearmanr are None where they are not defined, because one side is all the same number. Of more
    than POINTS rows the points are a random sample, always the same one.
    """
    answers, truth = numbers_handed(logits, references, labels)
    found: dict[str, float | None] = dict(regression_scores(logits, references, list(labels)))
    found["rmse"] = float(np.sqrt(np.square(answers - truth).mean()))
    spread: float = float(np.square(truth - truth.mean()).sum()) if np.ptp(truth) else 0.0
    found["r2"] = 1.0 - float(np.square(answers - truth).sum()) / spread if spread else None
    if not np.ptp(answers) or not np.ptp(truth):
        found |= {"pearson": None, "spearmanr": None}
    shown = np.arange(len(truth))
    if len(truth) > POINTS:
        shown = np.sort(np.random.default_rng(0).choice(len(truth), POINTS, replace=False))
    return {
        "fit": found,
        "points": {"rows": len(truth), "label": truth[shown].tolist(), "predicted": answers[shown].tolist()},
        "residuals": _histogram(answers - truth),
        "shapes": shapes(logits, references),
        "example": {
            "row": 1,
            "logits": np.asarray(logits[0]).reshape(-1).tolist(),
            "predicted": float(answers[0]),
            "label": float(truth[0]),
        },
    }


def _histogram(values: np.ndarray) -> dict[str, list[Any]]:
    """Counts between neighbouring edges; of numbers too close for BINS bins one bin is made."""
    values = values[np.isfinite(values)]
    try:
        counts, edges = np.histogram(values, BINS)
    except ValueError:
        counts, edges = np.array([len(values)]), np.array([values.min(initial=0.0), values.max(initial=0.0)])
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Every row, the largest residual (predicted - label) first."""
    answers, truth = numbers_handed(logits, references, labels)
    residuals = answers - truth
    return [
        {
            "row": int(index) + 1,
            "label": float(truth[index]),
            "predicted": round(float(answers[index]), 6),
            "residual": round(float(residuals[index]), 6),
            **texts(rows[index]),
        }
        for index in np.argsort(-np.abs(residuals), kind="stable")
    ]


REGRESSION = Judge(
    kind="regression",
    selection="spearmanr",
    greater_is_better=True,
    scores=regression_scores,
    names=("mae", "mse", "pearson", "spearmanr"),
    hand_over=numbers_handed,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="mae and mse are the mean absolute and squared error; a correlation that is not defined counts as 0.",
    use='print(pipe("some text", function_to_apply="none"))  # the score is the number',
)
