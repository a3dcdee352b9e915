"""The next token, everywhere: [rows, 2], a row's sum of negative log likelihoods and how many tokens that counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation import metrics
from hfdemo.finetuning.evaluation.evaluator import Judge, shapes, texts
from hfdemo.finetuning.evaluation.scores import language_scores

LISTED = 10


def _metrics(labels: Sequence[str], positive_label: str | None, extra: Sequence[str]) -> metrics.Computing:
    return metrics.computing("language", labels, positive_label, extra, _sums, None, None)


def _sums(logits: np.ndarray, references: np.ndarray, labels: Sequence[str]) -> metrics.Handed:
    return np.asarray(logits, np.float64).reshape(-1, 2), None


def _baseline(train: Any, evaluated: Any, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """There is no answer without the text; what the model scored before training, which a report knows, stands here."""
    return {"answer": "the model before training", "metrics": {}}


def _describe(
    logits: np.ndarray, references: Any, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """perplexity, bits_per_token, tokens, the rows of highest loss (worst), the longest rows, shapes and example."""
    found, losses = language_scores(logits, None, list(labels)), _losses(logits)
    tokens = np.asarray(logits).reshape(-1, 2)[:, 1]
    first = next((index for index, count in enumerate(tokens) if count), None)

    def listed(order: np.ndarray) -> list[dict[str, Any]]:
        counted = [index for index in order if tokens[index]][:LISTED]
        return [{"row": int(i) + 1, "loss": float(losses[i]), "tokens": int(tokens[i])} for i in counted]

    return {
        "perplexity": found["perplexity"],
        "bits_per_token": found["loss"] / math.log(2),
        "tokens": int(tokens.sum()),
        "worst": listed(_worst(losses)),
        "longest": listed(np.argsort(-tokens, kind="stable")),
        "shapes": shapes(logits, references),
        "example": None
        if first is None
        else {
            "row": first + 1,
            "logits": np.asarray(logits)[first].tolist(),
            "loss": float(losses[first]),
            "perplexity": float(np.exp(np.minimum(losses[first], 700.0))),
        },
    }


def _losses(logits: np.ndarray) -> np.ndarray:
    """Mean negative log likelihood of each row's tokens; NaN for a row in which none counts."""
    sums = np.asarray(logits, np.float64).reshape(-1, 2)
    return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)


def _worst(losses: np.ndarray) -> np.ndarray:
    return np.argsort(-losses, kind="stable")  # NaN comes last


def _errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: Any, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Every row in which a token counts, the highest loss per token first."""
    losses = _losses(logits)
    return [
        {
            "row": int(index) + 1,
            "loss": round(float(losses[index]), 6),
            "tokens": int(np.asarray(logits).reshape(-1, 2)[index, 1]),
            **texts(rows[index]),
        }
        for index in _worst(losses)
        if not math.isnan(losses[index])
    ]


LANGUAGE = Judge(
    kind="language",
    selection="loss",
    greater_is_better=False,
    scores=language_scores,
    names=("loss", "perplexity"),
    hand_over=None,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="loss is the mean over all learned tokens, in nats; perplexity is e to the power of it.",
    use='print(pipe("Once upon a time", max_new_tokens=50))',
)
