"""Plain functions of scores as metrics of evaluate; train.py carries the source of the class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
import evaluate


class ScoreMetric(evaluate.Metric):
    """A function of (predictions, references, labels, positive label) as a metric that loads without a network."""

    def __init__(
        self,
        score: Callable[..., dict[str, float]],
        features: Mapping[str, str | list[str]],
        labels: Sequence[str],
        positive: str | None = None,
        inputs_help: str = "",
        **options: Any,
    ) -> None:
        self.score, self.features_by_name, self.inputs_help = score, features, inputs_help
        self.labels, self.positive = list(labels), positive
        super().__init__(**options)

    def _info(self) -> evaluate.MetricInfo:
        values = {
            name: datasets.Value(of) if isinstance(of, str) else datasets.List(datasets.Value(of[0]))
            for name, of in self.features_by_name.items()
        }
        return evaluate.MetricInfo(
            description=self.score.__doc__ or "",
            citation="",
            inputs_description=self.inputs_help,
            features=datasets.Features(values),
        )

    def _compute(self, predictions: Any, references: Any = None) -> dict[str, float]:
        return self.score(predictions, references, self.labels, self.positive)
