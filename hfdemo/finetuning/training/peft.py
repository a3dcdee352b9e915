"""What of a model is trained: everything, a LoRA adapter on it, or its head alone; train.py carries the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind
from hfdemo.models.loading import LoadedModel


def apply_method(config: RunConfig, kind: Kind, loaded: LoadedModel) -> Any:
    """Return the model with what the method trains set free and the rest frozen.

    Raises:
        DemoError: the LoRA settings don't fit the model, or nothing would be left to train.
    """
    model, new = loaded.model, (*loaded.report.missing, *loaded.report.mismatched)
    if config.method == "lora":
        import torch
        from peft import LoraConfig, get_peft_model

        check_targets(model, config)
        options = make_lora_options(model, config.lora, new)
        try:
            return get_peft_model(model, LoraConfig(task_type=kind.peft_task, **options))
        except (MemoryError, torch.OutOfMemoryError):
            raise  # which say nothing of the settings
        except Exception as error:  # peft reads its options without checking them
            said = str(error) if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: {error}"
            raise DemoError(f"This LoRA setting does not fit {config.model}: {said}") from error
    if config.method == "frozen":
        freeze_backbone(model, new)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise DemoError(
                f"The head of {config.model} shares its weights with the embedding, so with a frozen backbone nothing "
                'is left to train. Pick method "lora" or "full".'
            )
    return model


def check_targets(model: Any, config: RunConfig) -> None:
    """Refuse a layer to adapt that is not there: peft says nothing as long as another one of the list is.

    Raises:
        DemoError: a name in target_modules that no layer ends with.
    """
    targets = config.lora.get("target_modules")
    if not isinstance(targets, list | tuple):
        return
    names = [f".{name}" for name, _ in model.named_modules()]
    missing = [target for target in targets if not any(name.endswith(f".{target}") for name in names)]
    if missing:
        kinds = ("Linear", "Conv1D")  # GPT-2 has the latter
        found = {name.rpartition(".")[2] for name, part in model.named_modules() if type(part).__name__ in kinds}
        raise DemoError(
            f"{config.model} has no layer that lora's target_modules call {', '.join(map(repr, missing))}. "
            f"It has: {', '.join(sorted(found))}."
        )


def find_whole_modules(model: Any, new: Sequence[str]) -> list[str]:
    """Return the modules that no method can leave as they are: the head, and those of the parameters in `new`.

    The checkpoint had no weights for the latter. A head that writes words was learned with the backbone, and often is
    its embedding.
    """
    words = model.get_output_embeddings()
    heads = [
        name
        for name, head in model.named_children()
        if name != model.base_model_prefix and [*head.parameters()] and words not in [*head.modules()]
    ]
    found = sorted({*heads, *(name.rpartition(".")[0] for name in new)} - {""})
    return [name for name in found if not any(name.startswith(f"{outer}.") for outer in found)]


def make_lora_options(model: Any, options: Mapping[str, Any], new: Sequence[str]) -> dict[str, Any]:
    """Return `options` of LoraConfig with what has to be trained whole beside the adapter; what they say of it wins.

    peft knows the usual names of heads only, and refuses one that "all-linear" has wrapped already.
    """
    return {"modules_to_save": find_whole_modules(model, new) or None, **options}


def freeze_backbone(model: Any, new: Sequence[str]) -> None:
    """Leave nothing to train in `model` but its head and what the checkpoint had no weights for."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    for name in find_whole_modules(model, new):
        model.get_submodule(name).requires_grad_(True)
