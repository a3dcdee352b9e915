"""The model that a run leaves behind: whole under model/, and after LoRA the bare adapter beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.report import model_card
from hfdemo.models.loading import LoadedModel


def save_model(config: RunConfig, folder: Path, loaded: LoadedModel, trainer: Any, report: Mapping[str, Any]) -> None:
    """Write folder/model (weights, tokenizer, card) and after LoRA folder/adapter.

    Raises:
        RunError: the weights did not reach the disk.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    target = folder / "model"
    if config.method == "lora":
        adapter = folder / "adapter"
        # A reference, never the folder of this machine that the base was loaded from.
        model.peft_config["default"].base_model_name_or_path = config.model
        model.save_pretrained(adapter)
        base = model.get_base_model()
        base.config.architectures = [type(base).__name__]  # what save_pretrained of a whole model would write
        base.config.save_pretrained(adapter)
        (adapter / "README.md").write_text(model_card(config, report, adapter=True), encoding="utf-8")
        model = model.merge_and_unload()
    model.config.use_cache = True  # the Trainer turned it off; who generates wants it
    model.save_pretrained(target)
    loaded.tokenizer.save_pretrained(target)
    (target / "README.md").write_text(model_card(config, report), encoding="utf-8")
    if not (target / "model.safetensors").is_file() and not list(target.glob("*.safetensors.index.json")):
        raise RunError(f"The model was not written to {target}. Is the disk full?")
