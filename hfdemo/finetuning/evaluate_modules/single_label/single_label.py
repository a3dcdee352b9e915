"""Scores of one label per row as an evaluate module that loads from disk, with no network."""

from typing import Any

import datasets
import evaluate

from hfdemo.finetuning.evaluation.scores import single_label_scores


class SingleLabel(evaluate.Metric):
    """The scores of evaluation/scores.py; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, *, labels: list[str], positive: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.labels, self.positive = labels, positive

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=single_label_scores.__doc__,
            citation="",
            inputs_description="predictions and references: indices of labels",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return single_label_scores(predictions, references, self.labels, self.positive)
