"""Perplexity and token loss as an evaluate module that loads from disk, with no network."""

from typing import Any

import datasets
import evaluate

from hfdemo.finetuning.evaluation.scores import language_scores


class Language(evaluate.Metric):
    """The scores of evaluation/scores.py; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, *, labels: list[str], positive: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.labels, self.positive = labels, positive

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=language_scores.__doc__,
            citation="",
            inputs_description="predictions: each row's sum of negative log likelihoods, and its number of tokens",
            features=datasets.Features({"predictions": datasets.List(datasets.Value("float64"))}),
        )

    def _compute(self, predictions: Any) -> dict[str, float]:
        return language_scores(predictions, None, self.labels, self.positive)
