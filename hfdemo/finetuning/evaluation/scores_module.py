"""The scores of every kind of answer as one evaluate module: `evaluate.load(path, kind)` reads it from the disk."""

from typing import Any

import datasets
import evaluate

from hfdemo.finetuning.kinds import KINDS


class Scores(evaluate.Metric):
    """The scores of the kind that is the configuration; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, *, labels: list[str], positive: str | None = None, **options: Any) -> None:
        self.labels, self.positive = labels, positive
        super().__init__(**options)

    def _info(self) -> evaluate.MetricInfo:
        evaluator = KINDS[self.config_name].evaluator
        return evaluate.MetricInfo(
            description=evaluator.scores.__doc__,
            citation="",
            inputs_description=evaluator.inputs_help,
            features=datasets.Features({name: _feature(of) for name, of in evaluator.features.items()}),
        )

    def _compute(self, predictions: Any, references: Any = None) -> dict[str, float]:
        return KINDS[self.config_name].evaluator.scores(predictions, references, self.labels, self.positive)


def _feature(of: str | list[str]) -> Any:
    return datasets.Value(of) if isinstance(of, str) else datasets.List(datasets.Value(of[0]))
