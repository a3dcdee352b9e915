"""What a training minimises, one function per kind of answer; train.py carries their source.

Each is a sum over all that is predicted, divided by how much of it the whole optimizer step has. So a step of N
accumulated batches has the loss and the gradient of one batch that is N times as large, whatever their widths, which a
mean of means has not (and transformers 5 multiplies a classifier's by N: huggingface/transformers#47688). What has
nothing to predict has the loss 0: held-out rows are judged as they are, also those that were cut before their answer.
"""

from __future__ import annotations

from typing import Any


def classes_loss(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Cross entropy of logits [..., classes] with class numbers [...]; -100 counts for nothing.

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


def flags_loss(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Binary cross entropy of logits and flags [rows, labels]; `weight` is that of a flag that is set."""
    import torch

    logits = outputs.logits.float()
    weight = None if weight is None else torch.tensor(weight, device=logits.device)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.float(), reduction="sum", pos_weight=weight
    )
    return losses / items


def numbers_loss(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Squared error of logits [rows, 1] against numbers [rows]."""
    import torch

    return torch.nn.functional.mse_loss(outputs.logits.float().flatten(), labels.float(), reduction="sum") / items


def language_loss(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Cross entropy of logits [rows, slots, vocabulary] with the token that comes next; -100 counts for nothing."""
    import torch

    losses = torch.nn.functional.cross_entropy(
        outputs.logits[:, :-1].float().flatten(0, 1),
        labels[:, 1:].flatten(),
        ignore_index=-100,
        reduction="sum",
        label_smoothing=smoothing,
    )
    return losses / torch.as_tensor(items).clamp(min=1)


def loss_of_all(loss: Any, predictions: Any, labels: Any) -> float:
    """`loss(outputs, labels)` over all evaluated rows at once: the mean of their batches is another number where the
    batches differ in size, or where several processes were given some rows twice to have equally many."""
    import types

    import torch

    outputs = types.SimpleNamespace(logits=torch.as_tensor(predictions))
    return float(loss(outputs, torch.as_tensor(labels)))


def every_label(labels: Any) -> Any:
    """How much is predicted: every number in `labels`."""
    import torch

    return torch.tensor(labels.numel())


def every_tag(labels: Any) -> Any:
    """How much is predicted: the tags of first tokens, not the -100 of the others."""
    return (labels != -100).sum()


def every_next_token(labels: Any) -> Any:
    """How much is predicted: each token that is learned but the first of a row, which nothing comes before."""
    return (labels[:, 1:] != -100).sum()


def only_logits(outputs: Any, labels: Any) -> Any:
    """Some models hand out hidden states behind their logits; nobody here needs them kept."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def likelihoods(outputs: Any, labels: Any) -> Any:
    """[rows, 2]: the negative log likelihood of a row's learned tokens and how many there are; logits of a whole
    vocabulary for every token would fill the memory."""
    import torch

    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    wanted = labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), wanted.flatten(), ignore_index=-100, reduction="none"
    )
    return torch.stack([losses.view(wanted.shape).sum(1), (wanted != -100).sum(1).float()], dim=1)
