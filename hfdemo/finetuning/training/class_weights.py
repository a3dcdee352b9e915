"""How much a class counts in the loss: equally, as it was asked for, or so that rare ones count as much as frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig

if TYPE_CHECKING:
    from hfdemo.finetuning.recipes import Recipe


def check_weights(config: RunConfig, recipe: Recipe, labels: Sequence[str]) -> None:
    """Raises DemoError where weights or smoothing make no sense for what is trained, or name other labels."""
    if config.class_weights is not None and recipe.balance is None:
        raise DemoError("class_weights are set, but what is trained here has no classes to weigh. Leave them out.")
    if config.training.get("label_smoothing_factor") and not recipe.smooths_labels:
        raise DemoError(f"label_smoothing_factor does nothing for {recipe.problem_type}. Leave it out.")
    if config.class_weights is None or isinstance(config.class_weights, str):
        return
    wrong = sorted(set(config.class_weights) ^ set(labels))
    if wrong:
        raise DemoError(
            f"class_weights need one weight for each label ({', '.join(labels)}); wrong or missing: {', '.join(wrong)}."
        )


def class_weights(config: RunConfig, recipe: Recipe, rows: Sequence[Any]) -> list[float] | None:
    """A weight per label in the model's order, or None where all count the same; `rows` are the labels of the training
    rows as numbers."""
    labels = config.labels or ()
    check_weights(config, recipe, labels)
    if config.class_weights is None or recipe.balance is None:
        return None
    if isinstance(config.class_weights, str):
        return recipe.balance(rows, len(labels))
    return [float(config.class_weights[label]) for label in labels]


def by_rows(rows: Sequence[Any], labels: int) -> list[float]:
    """all / (labels that occur * those of the label): the weights of all rows have the mean 1. -100 counts for nothing,
    and a label without rows weighs 1."""
    import numpy as np

    numbers = np.concatenate([np.atleast_1d(row) for row in rows]).astype(int)
    counts = np.bincount(numbers[numbers >= 0], minlength=labels)
    weights = np.where(counts, counts.sum() / (max((counts > 0).sum(), 1) * counts.clip(1)), 1.0)
    return [float(weight) for weight in weights]


def by_flags(rows: Sequence[Any], labels: int) -> list[float]:
    """rows without the label / rows with it: the weight of a flag that is set against one that is not."""
    import numpy as np

    present = np.asarray(rows).sum(0)
    return [float(weight) for weight in (len(rows) - present).clip(1) / present.clip(1)]
