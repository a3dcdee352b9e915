"""The model that a run leaves behind: whole under model/, and after LoRA the bare adapter beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.model_card import write_model_card
from hfdemo.finetuning.launcher import no_fsdp
from hfdemo.models.loading import LoadedModel


def prepare_sharding(trainer: Any) -> None:
    """Check before training that a model which is to be sharded is, and that its weights can be gathered again.

    Raises:
        DemoError: FSDP was asked for, and accelerate would pass over it.
    """
    asked = trainer.args.fsdp or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    if asked and not trainer.is_fsdp_enabled:
        raise DemoError(no_fsdp(str(trainer.args.device)))
    if trainer.is_deepspeed_enabled:
        zero = trainer.accelerator.state.deepspeed_plugin.deepspeed_config.setdefault("zero_optimization", {})
        zero["stage3_gather_16bit_weights_on_model_save"] = True  # whatever their precision is


def gather_model(trainer: Any, make_again: Callable[[], Any]) -> Any:
    """Return the trained model with all its weights in this process; None in others than the first.

    Where each process holds a part of it, they are gathered into one that `make_again()` makes as the training's was.
    Every process has to call it.
    """
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return trainer.accelerator.unwrap_model(trainer.model) if trainer.args.should_save else None
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.args.should_save:
        return None
    unset_hf_deepspeed_config()  # with it, transformers would share this one out, too
    model = make_again()
    model.load_state_dict(weights)
    return model


def save_model(config: RunConfig, folder: Path, loaded: LoadedModel, model: Any, report: Mapping[str, Any]) -> None:
    """Write the trained `model` as folder/model (weights, tokenizer, card) and after LoRA folder/adapter.

    Raises:
        RunError: the weights did not reach the disk.
    """
    target = folder / "model"
    if config.method == "lora":
        adapter = folder / "adapter"
        # A reference, never the folder of this machine that the base was loaded from.
        model.peft_config["default"].base_model_name_or_path = config.model
        model.save_pretrained(adapter)
        base = model.get_base_model()
        base.config.architectures = [type(base).__name__]  # what save_pretrained of a whole model would write
        base.config.save_pretrained(adapter)
        (adapter / "README.md").write_text(write_model_card(config, report, adapter=True), encoding="utf-8")
        model = model.merge_and_unload()
    model.config.use_cache = True  # the Trainer turned it off; who generates wants it
    model.save_pretrained(target)
    loaded.tokenizer.save_pretrained(target)
    (target / "README.md").write_text(write_model_card(config, report), encoding="utf-8")
    if not (target / "model.safetensors").is_file() and not list(target.glob("*.safetensors.index.json")):
        raise RunError(f"The model was not written to {target}. Is the disk full?")
