"""What of a model is trained: everything, a LoRA adapter on it, or its head; train.py carries the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.recipes import Recipe
from hfdemo.models.loading import LoadedModel


def with_method(config: RunConfig, recipe: Recipe, loaded: LoadedModel) -> Any:
    """The model with what the method trains set free and the rest frozen.

    Raises:
        DemoError: the LoRA settings don't fit the model, or nothing would be left to train.
    """
    model, new = loaded.model, (*loaded.report.missing, *loaded.report.mismatched)
    if config.method == "lora":
        try:
            return with_lora(model, new, recipe.peft_task, config.lora)
        except (ValueError, TypeError) as error:
            raise DemoError(f"This LoRA setting does not fit {config.model}: {error}") from error
    if config.method == "frozen":
        freeze_backbone(model, new)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise DemoError(
                f"The head of {config.model} shares its weights with the embedding, so with a frozen backbone nothing "
                'is left to train. Pick method "lora" or "full".'
            )
    return model


def trained_whole(model: Any, new: Iterable[str]) -> list[str]:
    """The modules that no method may leave as they are: the head, and those of the parameters in `new`, which the
    checkpoint had no weights for. A head that writes words is the embedding turned round, and learned with it."""
    words = model.get_output_embeddings()
    heads = [
        name
        for name, head in model.named_children()
        if name != model.base_model_prefix and any(True for _ in head.parameters()) and words not in [*head.modules()]
    ]
    found = sorted({*heads, *(name.rpartition(".")[0] for name in new)} - {""})
    return [name for name in found if not any(name.startswith(f"{outer}.") for outer in found)]


def with_lora(model: Any, new: Iterable[str], task: str, values: Mapping[str, Any]) -> Any:
    """`model` as peft's for `task`, with LoraConfig(**values); what has to be learned whole is saved with the adapter.

    Named before peft looks for linear layers: it would put an adapter on a head that it then can't train whole.
    """
    from peft import LoraConfig, get_peft_model

    whole = {"modules_to_save": trained_whole(model, new) or None}
    return get_peft_model(model, LoraConfig(task_type=task, **{**whole, **values}))


def freeze_backbone(model: Any, new: Iterable[str]) -> None:
    """Leave nothing to train in `model` but its head and what the checkpoint had no weights for."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    for name in trained_whole(model, new):
        model.get_submodule(name).requires_grad_(True)
