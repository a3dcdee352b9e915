"""A number per row: logits [rows] or [rows, 1] against numbers [rows]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.finetuning.kinds import text_classification
from hfdemo.finetuning.kinds.cells import count_positions
from hfdemo.finetuning.kinds.descriptions import array_shapes, row_texts
from hfdemo.finetuning.kinds.kind import Evaluator, Kind, PageWords, ReadCell, RowFormat
from hfdemo.finetuning.kinds.losses import count_all_labels
from hfdemo.finetuning.kinds.numbers import are_numbers, make_number_reader
from hfdemo.finetuning.kinds.text_classification import tokenize_texts

RANGES = 5  # of more different numbers the rows are counted by range
STRATA = 10
POINTS = 1000
BINS = 20


def _matches(labels: Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Return whether label cells hold numbers that are no classes."""
    if labels is None or count_positions(labels) or not are_numbers(labels):
        return False
    return not text_classification.are_class_numbers(labels)


def _readers(columns: Mapping[str, Sequence[str]]) -> dict[str, ReadCell]:
    return {"text": str.strip, "label": make_number_reader(columns["label"])}


def _count_values(labels: pd.Series) -> dict[str, int]:
    numbers = labels.astype(float)
    if numbers.nunique() <= RANGES:
        return {f"{number:g}": int(count) for number, count in numbers.value_counts().sort_index().items()}
    counts, edges = np.histogram(numbers, RANGES)
    return {f"{edges[i]:.3g} to {edges[i + 1]:.3g}": int(count) for i, count in enumerate(counts)}


def _find_refusal(labels: pd.Series) -> str:
    if labels.astype(float).nunique() < 2:
        return "Every training row has the same number, so there is nothing to learn. Add other rows."
    return ""


def _stratify(labels: pd.Series) -> pd.Series:
    ranks = labels.astype(float).rank(method="first")
    return pd.qcut(ranks, min(STRATA, max(1, len(labels) // STRATA)), labels=False).astype(str)


def encode_numbers(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """Tokenize the texts; `labels` of a row is its number."""
    encoded = tokenize_texts(rows, tokenizer, max_length)
    return {**encoded, "labels": [float(cell) for cell in rows["label"]]} if "label" in rows else {**encoded}


def squared_error(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Return the squared error of logits [rows, 1] against numbers [rows]."""
    import torch

    return torch.nn.functional.mse_loss(outputs.logits.float().flatten(), labels.float(), reduction="sum") / items


def score_numbers(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """Compute mae, mse, pearson and spearmanr of logits [rows] or [rows, 1] against numbers [rows].

    A correlation with numbers that are all the same is not defined; it counts as 0.
    """
    import warnings

    import numpy as np
    from scipy import stats

    answers = np.asarray(logits, dtype=np.float64).reshape(-1)
    truth = np.asarray(references, dtype=np.float64).reshape(-1)
    constant: bool = np.ptp(answers) == 0 or np.ptp(truth) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers that hardly differ: their correlation is what it is
        pearson = 0.0 if constant else float(stats.pearsonr(answers, truth).statistic)
        spearman = 0.0 if constant else float(stats.spearmanr(answers, truth).statistic)
    return {
        "mae": float(np.abs(answers - truth).mean()),
        "mse": float(np.square(answers - truth).mean()),
        "pearson": pearson,
        "spearmanr": spearman,
    }


def to_numbers(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Return numbers [rows] of logits [rows, 1], in double precision."""
    import numpy as np

    return np.asarray(logits, np.float64).reshape(-1), np.asarray(references, np.float64).reshape(-1)


def _perfect_inputs(labels: Sequence[str]) -> Any:
    return np.array([0.0, 0.5, 2.0])


def _compute_baseline(
    train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Score the answer that is always the mean of training."""
    mean = float(np.mean(np.asarray(train, np.float64)))
    found = score_numbers(np.full(np.size(evaluated), mean), evaluated, list(labels))
    return {"answer": f"always {mean:.4g}, the mean of training", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Describe predictions: fit (the metrics, rmse and r2), points, residuals (predicted - label), shapes and example.

    r2, pearson and spearmanr are None where they are not defined, because one side is all the same number. Of more
    than POINTS rows the points are a random sample, always the same one.
    """
    answers, truth = to_numbers(logits, references, labels)
    found: dict[str, float | None] = dict(score_numbers(logits, references, list(labels)))
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
        "residuals": _count_bins(answers - truth),
        "shapes": array_shapes(logits, references),
        "example": {
            "row": 1,
            "logits": np.asarray(logits[0]).reshape(-1).tolist(),
            "predicted": float(answers[0]),
            "label": float(truth[0]),
        },
    }


def _count_bins(values: np.ndarray) -> dict[str, list[Any]]:
    """Count between neighbouring edges; of numbers too close for BINS bins one bin is made."""
    values = values[np.isfinite(values)]
    try:
        counts, edges = np.histogram(values, BINS)
    except ValueError:
        counts, edges = np.array([len(values)]), np.array([values.min(initial=0.0), values.max(initial=0.0)])
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _answers(logits: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the number that each row is answered with."""
    return [{"predicted": round(float(number), 6)} for number in np.asarray(logits, np.float64).reshape(-1)]


def _find_constant(logits: np.ndarray, labels: Sequence[str]) -> str:
    answers = np.asarray(logits, np.float64).reshape(-1)
    return f"about {answers.mean():.4g}" if np.ptp(answers) <= 1e-3 * max(1.0, abs(float(answers.mean()))) else ""


def _find_errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return every row, the largest residual (predicted - label) first."""
    answers, truth = to_numbers(logits, references, labels)
    residuals = answers - truth
    return [
        {
            "row": int(index) + 1,
            "label": float(truth[index]),
            "predicted": round(float(answers[index]), 6),
            "residual": round(float(residuals[index]), 6),
            **row_texts(rows[index]),
        }
        for index in np.argsort(-np.abs(residuals), kind="stable")
    ]


REGRESSION = Kind(
    name="regression",
    task=text_classification.TASK,
    problem_type="regression",
    model_problem_type="regression",
    model_class=text_classification.MODEL_CLASS,
    peft_task=text_classification.PEFT_TASK,
    rows=RowFormat(
        find_columns=text_classification.find_columns,
        matches=_matches,
        readers=_readers,
        count_values=_count_values,
        find_refusal=_find_refusal,
        stratify=_stratify,
        takes_pairs=True,
    ),
    encode=encode_numbers,
    loss=squared_error,
    count=count_all_labels,
    one_number=True,
    carried=(tokenize_texts,),
    evaluator=Evaluator(
        selection="spearmanr",
        scores=score_numbers,
        names=("mae", "mse", "pearson", "spearmanr"),
        lower_is_better=("mae", "mse", "rmse"),
        unit_metrics=(),  # a correlation may be negative
        charted=("spearmanr", "pearson"),
        features={"predictions": "float64", "references": "float64"},
        inputs_help="predictions and references: numbers",
        to_inputs=to_numbers,
        to_module_inputs=to_numbers,
        perfect_inputs=_perfect_inputs,
        baseline=_compute_baseline,
        describe=_describe,
        find_errors=_find_errors,
        answers=_answers,
        find_constant=_find_constant,
        error_numbers=("residual",),
        meaning="mae and mse are the mean absolute and squared error; a correlation that is not defined counts as 0.",
    ),
    page=PageWords(
        choice="a number per row",
        counted="Numbers, rows in each range",
        stratified="tenth of the numbers",
        arrays="one number per text, on both sides",
        example="number",
        sections=("points", "residuals"),
    ),
    usage='print(pipe("some text", function_to_apply="none"))  # the score is the number',
)
