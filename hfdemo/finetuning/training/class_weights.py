"""How much a class counts in the loss: equally, as it was asked for, or so that rare ones count as much as frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind


def check_weights(config: RunConfig, kind: Kind, labels: Sequence[str]) -> None:
    """Check that weights and smoothing make sense for what is trained, and name its labels.

    Raises:
        DemoError: they don't.
    """
    if config.class_weights is not None and kind.balance is None:
        raise DemoError("class_weights are set, but what is trained here has no classes to weigh. Leave them out.")
    if config.training.get("label_smoothing_factor") and not kind.smooths_labels:
        raise DemoError(f"label_smoothing_factor does nothing for {kind.problem_type}. Leave it out.")
    if config.class_weights is None or isinstance(config.class_weights, str):
        return
    wrong = sorted(set(config.class_weights) ^ set(labels))
    if wrong:
        raise DemoError(
            f"class_weights need one weight for each label ({', '.join(labels)}); wrong or missing: {', '.join(wrong)}."
        )


def class_weights(config: RunConfig, kind: Kind, rows: Sequence[Any]) -> list[float] | None:
    """Return a weight per label in the model's order, or None where all count the same.

    `rows` are the labels of the training rows as numbers.
    """
    labels = config.labels or ()
    check_weights(config, kind, labels)
    if config.class_weights is None or kind.balance is None:
        return None
    if isinstance(config.class_weights, str):
        return kind.balance(rows, len(labels))
    return [float(config.class_weights[label]) for label in labels]
