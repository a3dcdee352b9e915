"""Where a model looks: how much of each token goes into each other one, by layer and head."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, wrap_library_errors
from hfdemo.inference.attribution import check_explained, encode_row
from hfdemo.inference.predict import build_need
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task

MOST_TOKENS = 64


@dataclass(frozen=True)
class AttentionMap:
    """The attention of one head of one layer, or the mean of the layer's heads where `head` is None.

    `weights[i][j]` is the share of token j in what the layer makes of token i; each row sums to 1. Layers and heads
    count from 0; there are `layers` of them with `heads` each.
    """

    tokens: tuple[str, ...]
    layers: int
    heads: int
    layer: int
    head: int | None
    weights: tuple[tuple[float, ...], ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def read_attention(
    models: ModelCache,
    task: Task,
    ref: ModelRef,
    text: str,
    text_pair: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    stop: Event | None = None,
) -> AttentionMap:
    """Read the attention of `layer`, the last one where it is None, on a text and its pair.

    The model is loaded with eager attention for it: the faster kinds never have these numbers.

    Raises:
        DemoError: the model has no such layer or head, or hands out no attention.
        Stopped: `stop` was set.
    """
    import torch

    check_explained(task)
    inputs = {"text": text} | ({"text_pair": text_pair} if text_pair else {})
    task.check(inputs, models.settings.max_characters)
    loaded = models.get(ref, build_need(task, attention="eager"), None, stop)
    advice = "Take another model."
    with models.scheduler.exclusive(stop), wrap_library_errors("Its attention can't be read", advice), torch.no_grad():
        row, notes = encode_row(loaded, text, text_pair, MOST_TOKENS)
        found = getattr(loaded.model(**row.inputs, output_attentions=True), "attentions", None)
    found = [each for each in found or () if each is not None]
    if not found:
        raise DemoError(f"{type(loaded.model).__name__} hands out no attention. Take a model such as BERT or GPT-2.")
    layers, heads = len(found), found[0].shape[1]
    chosen = layers - 1 if layer is None else layer
    for name, number, count in (("layer", chosen, layers), ("head", head or 0, heads)):
        if not 0 <= number < count:
            raise DemoError(f"There is no {name} {number}: this model has {count}, counted from 0.")
    weights = found[chosen][0].float()
    shown = weights.mean(0) if head is None else weights[head]
    return AttentionMap(
        tokens=tuple(loaded.tokenizer.convert_ids_to_tokens(row.ids[0].tolist())),
        layers=layers,
        heads=heads,
        layer=chosen,
        head=head,
        weights=tuple(tuple(map(float, each)) for each in shown.tolist()),
        warnings=tuple(notes),
    )
