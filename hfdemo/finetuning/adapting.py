"""What LoRA adapts and what it trains whole; train.py carries the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lora_options(model: Any, task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` of LoraConfig, with a head on top of the backbone trained whole, and not adapted besides.

    peft knows the usual names of heads only, and refuses one that "all-linear" has wrapped already.
    """
    if task == "CAUSAL_LM" or options.get("target_modules") != "all-linear":
        return dict(options)
    heads = [name for name, part in model.named_children() if name != model.base_model_prefix and [*part.parameters()]]
    inside = [name for name, _ in model.named_modules() if name.split(".")[0] in heads]
    return {"exclude_modules": inside, "modules_to_save": heads, **options}
