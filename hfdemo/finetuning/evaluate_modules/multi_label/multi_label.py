"""Scores of several labels per row as an evaluate module that loads from disk, with no network."""

from typing import Any

import datasets
import evaluate

from hfdemo.finetuning.evaluation.scores import multi_label_scores


class MultiLabel(evaluate.Metric):
    """The scores of evaluation/scores.py; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, *, labels: list[str], positive: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.labels, self.positive = labels, positive

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=multi_label_scores.__doc__,
            citation="",
            inputs_description="predictions and references: 0 or 1 for each label of each row",
            features=datasets.Features(
                dict.fromkeys(("predictions", "references"), datasets.List(datasets.Value("int64")))
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return multi_label_scores(predictions, references, self.labels, self.positive)
