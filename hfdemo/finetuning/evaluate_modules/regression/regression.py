"""Scores of one number per row as an evaluate module that loads from disk, with no network."""

from typing import Any

import datasets
import evaluate

from hfdemo.finetuning.evaluation.scores import regression_scores


class Regression(evaluate.Metric):
    """The scores of evaluation/scores.py; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, *, labels: list[str], positive: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.labels, self.positive = labels, positive

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=regression_scores.__doc__,
            citation="",
            inputs_description="predictions and references: numbers",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return regression_scores(predictions, references, self.labels, self.positive)
