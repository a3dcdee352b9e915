"""Judge: what it takes to judge one kind of answer, and what all kinds show alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation.metrics import Computing, HandOver

# (labels, positive label, further evaluate modules) -> compute_metrics of a Trainer.
Metrics = Callable[[Sequence[str], str | None, Sequence[str]], Computing]


@dataclass(frozen=True)
class Judge:
    """How one kind of answer is judged.

    selection   the metric that picks the best checkpoint, higher or lower by `greater_is_better`
    scores      the headline numbers, a plain function of evaluation/scores.py: (logits, references, labels, positive)
    names       what those numbers are called
    hand_over   how further evaluate modules get the answers, a function of evaluate_inputs.py; None: none fits
    metrics     the same numbers and those of further evaluate modules, as compute_metrics
    baseline    (train references, evaluated references, labels, positive label) -> {"answer": "always 'x'",
                "metrics": {...}}: what an answer scores that does not look at the text
    describe    (logits, references, labels, positive label) -> a dict for report.json
    errors      (rows, logits, references, labels) -> what went wrong, the worst first; `row` counts from 1. A row of
                words may say in `judged` which of them have a reference (a JSON list of numbers from 0)
    meaning     what the headline numbers are, in a sentence for a stranger
    use         a line of Python that gives `pipe` (a transformers pipeline) something to do
    carried     the functions whose source `scores` needs besides its own
    """

    kind: str
    selection: str
    greater_is_better: bool
    scores: Callable[..., dict[str, float]]
    names: tuple[str, ...]
    hand_over: HandOver | None
    metrics: Metrics
    baseline: Callable[[Any, Any, Sequence[str], str | None], dict[str, Any]]
    describe: Callable[[np.ndarray, Any, Sequence[str], str | None], dict[str, Any]]
    errors: Callable[[Sequence[Mapping[str, str]], np.ndarray, Any, Sequence[str]], list[dict[str, Any]]]
    meaning: str
    use: str
    carried: tuple[Callable[..., Any], ...] = ()


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits [..., labels], in double precision."""
    exponents = np.exp(np.asarray(logits, np.float64) - np.max(logits, -1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """A probability for each logit, in double precision and without overflow."""
    return (1.0 + np.tanh(np.asarray(logits, np.float64) / 2)) / 2


def shapes(logits: np.ndarray, references: np.ndarray | None) -> dict[str, Any]:
    """The shapes of both arrays as a Trainer hands them over; None where there are no labels of that form."""
    return {"logits": list(np.shape(logits)), "labels": None if references is None else list(np.shape(references))}


def per_label(references: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall and f1 of each label, 0 where undefined, and how many rows truly have it (support).

    Both arrays hold label indices [rows].
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(references, answers, labels=range(len(labels)), zero_division=0.0)
    return {label: scores(*row) for label, row in zip(labels, zip(*columns, strict=True), strict=True)}


def scores(precision: float, recall: float, f1: float, support: int) -> dict[str, Any]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


def confusion(references: np.ndarray, answers: np.ndarray, labels: Sequence[str]) -> list[list[int]]:
    """Rows are the true labels, columns the answers, both in the order of `labels`; arrays hold indices [rows]."""
    size = len(labels)
    counts = np.bincount(np.asarray(references) * size + np.asarray(answers), minlength=size * size)
    matrix: list[list[int]] = counts.reshape(size, size).tolist()
    return matrix


def texts(row: Mapping[str, str]) -> dict[str, str]:
    """The text of a row, or its pair of texts."""
    return {name: row[name] for name in ("text", "text_pair") if name in row}


def finite(value: Any) -> Any:
    """`value` with None in place of every number that JSON has no form for, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
