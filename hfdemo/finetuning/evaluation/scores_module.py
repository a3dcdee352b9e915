"""The scores of every kind of answer as one evaluate module: `evaluate.load(path, kind)` reads it from the disk."""

from typing import Any

from hfdemo.finetuning.evaluation import score_metric
from hfdemo.finetuning.kinds import KINDS


class Scores(score_metric.ScoreMetric):
    """The scores of the kind that the configuration names; `labels` and `positive` are given to `evaluate.load`."""

    def __init__(self, config_name: str, labels: list[str], positive: str | None = None, **options: Any) -> None:
        evaluator = KINDS[config_name].evaluator
        super().__init__(
            evaluator.scores,
            evaluator.features,
            labels,
            positive,
            evaluator.inputs_help,
            config_name=config_name,
            **options,
        )
