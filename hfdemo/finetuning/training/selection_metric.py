"""Which metric the best checkpoint has the best of."""

from __future__ import annotations

from collections.abc import Sequence

from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import evaluates
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Evaluator
from hfdemo.finetuning.kinds.kind import LOWER_IS_BETTER


def selection_metric(config: RunConfig, evaluator: Evaluator) -> tuple[str, bool]:
    """Return the metric that is to be best, the one asked for or else the task's own, and whether higher is better."""
    named, greater = (config.training.get(name) for name in ("metric_for_best_model", "greater_is_better"))
    if named is None:
        return evaluator.selection, evaluator.greater_is_better
    name = str(named).removeprefix("eval_")
    return name, name not in LOWER_IS_BETTER if greater is None else bool(greater)


def check_selection_metric(config: RunConfig, evaluator: Evaluator, extra: Sequence[str] = ()) -> None:
    """Refuse a metric to be best in that nothing computes; `extra` are the scores of the config's further metrics.

    Raises:
        DemoError: there is no metric of that name.
    """
    name, _ = selection_metric(config, evaluator)
    known = ("loss", *evaluator.names, *(f"extra_{each}" if each in evaluator.names else each for each in extra))
    if evaluates(config.training) and name not in known:
        raise DemoError(f"metric_for_best_model is {name!r}, but the metrics are {', '.join(known)}. Pick one.")
