"""F1 as an evaluate module that loads from disk, with no network."""

from typing import Any

import datasets
import evaluate
from sklearn.metrics import f1_score


class F1(evaluate.Metric):
    """Harmonic mean of precision and recall; `average`, `labels` and `pos_label` as in scikit-learn."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Harmonic mean of precision and recall.",
            citation="",
            inputs_description="predictions and references: lists of class indices",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(
        self,
        predictions: list[int],
        references: list[int],
        average: str = "binary",
        pos_label: int = 1,
        labels: list[int] | None = None,
    ) -> dict[str, Any]:
        score = f1_score(
            references, predictions, average=average, pos_label=pos_label, labels=labels, zero_division=0.0
        )
        return {"f1": float(score)}
