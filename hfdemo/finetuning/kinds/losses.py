"""Losses, their counts and class weights that several kinds share; train.py carries their source.

Each loss, also that of a single kind, is a sum over all that is predicted, divided by how much of it the whole
optimizer step has. So a step of N accumulated batches has the loss and the gradient of one batch that is N times as
large, whatever their widths, which a mean of means has not (and transformers 5 multiplies a classifier's by N:
huggingface/transformers#47688). What has nothing to predict has the loss 0: held-out rows are evaluated as they are,
also those that were cut before their answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def class_cross_entropy(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Return the cross entropy of logits [..., classes] with class numbers [...]; -100 counts for nothing.

    A row's whole loss counts as its class does. (torch weighs the smoothing of each class apart: every row would then
    push towards the rare ones.)
    """
    import torch

    logits, wanted = outputs.logits.float().flatten(0, -2), labels.flatten()
    losses = torch.nn.functional.cross_entropy(
        logits, wanted, ignore_index=-100, reduction="none", label_smoothing=smoothing
    )
    if weight is not None:
        losses = losses * torch.tensor(weight, device=logits.device)[wanted.clamp(min=0)]
    return losses.sum() / torch.as_tensor(items).clamp(min=1)


def count_all_labels(labels: Any) -> Any:
    """Count what is predicted: every number in `labels`."""
    import torch

    return torch.tensor(labels.numel())


def keep_logits(outputs: Any, labels: Any) -> Any:
    """Keep the logits alone: some models return hidden states behind them, which nobody here needs."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def balance_by_rows(rows: Sequence[Any], labels: int) -> list[float]:
    """Return a weight per label: all / (labels that occur * those of the label), so that rows weigh 1 on average.

    -100 counts for nothing, and a label without rows weighs 1.
    """
    import numpy as np

    numbers = np.concatenate([np.atleast_1d(row) for row in rows]).astype(int)
    counts = np.bincount(numbers[numbers >= 0], minlength=labels)
    weights = np.where(counts, counts.sum() / (max((counts > 0).sum(), 1) * counts.clip(1)), 1.0)
    return [float(weight) for weight in weights]
