"""What differs per trainable task: the model class, how rows become model inputs, and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning import metrics


@dataclass(frozen=True)
class Recipe:
    """How one task is trained.

    `encode(tokenizer, max_length)` returns a function for `Dataset.map(batched=True)`; it does not pad, the collator
    does. `peft_task` is peft's name for the task.
    """

    task: str
    model_class: str
    peft_task: str
    encode: Callable[[Any, int | None], Callable[[Mapping[str, list[Any]]], Any]]
    metrics: Callable[[Sequence[str], str | None], Callable[[Any], dict[str, float]]]


def _encode_classification(tokenizer: Any, max_length: int | None) -> Callable[[Mapping[str, list[Any]]], Any]:
    def encode(rows: Mapping[str, list[Any]]) -> Any:
        # With no max_length, truncation goes by the tokenizer's own limit.
        encoded = tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_length)
        return {**encoded, "labels": rows["label"]}

    return encode


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.task: recipe
        for recipe in (
            Recipe(
                task="text-classification",
                model_class="AutoModelForSequenceClassification",
                peft_task="SEQ_CLS",
                encode=_encode_classification,
                metrics=metrics.classification_metrics,
            ),
        )
    }
)


def find_recipe(task: str) -> Recipe:
    """The recipe of `task`.

    Raises:
        DemoError: it can't be trained here; the message lists what can.
    """
    if task not in RECIPES:
        raise DemoError(f"{task!r} can't be fine-tuned here. What can: {', '.join(RECIPES)}.")
    return RECIPES[task]
