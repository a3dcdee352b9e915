"""How much of the disk a run is going to take, before it takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import of_run
from hfdemo.finetuning.config import RunConfig
from hfdemo.models.folders import adapter_bases, local_folder
from hfdemo.models.hub import cached_folder, hub_bytes
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

# What a checkpoint takes, in sizes of the model: AdamW keeps two numbers for each weight that is trained.
_CHECKPOINT: Mapping[str, float] = MappingProxyType({"full": 3.0, "frozen": 1.1, "lora": 0.1})


def estimate_run_bytes(config: RunConfig, characters: int, model_bytes: int) -> int:
    """Estimate the most that a run takes at a time: its data as text and as ids, its checkpoints and its model.

    `config` has its defaults filled in, and its data so many `characters`.
    """
    return 4 * characters + round(model_bytes * (1 + _CHECKPOINT[config.method] * _count_checkpoints(config)))


def _count_checkpoints(config: RunConfig) -> int:
    """Count those that are there at most: the newest, the best, and the one that is being written."""
    values = of_run(config.training)
    if values["save_strategy"] == "no":
        return 0
    newest = values["save_total_limit"]
    return 2 + (math.ceil(values.get("num_train_epochs") or 1) if newest is None else int(newest))


def count_model_bytes(ref: ModelRef, settings: Settings) -> int:
    """Count the bytes of a model's weights; 0 where they can't be told before it is loaded."""
    try:
        if ref.origin.source == "hub":
            cached = cached_folder(ref.origin)
            return _count_weight_bytes(cached) if cached else hub_bytes(ref.origin, settings.public) or 0
        folder = local_folder(ref.origin, settings, weights=False)
        bases = [count_model_bytes(base.origin, settings) for base in adapter_bases(folder, settings)]
        return _count_weight_bytes(folder) + sum(bases)
    except DemoError:  # nobody knows before it is loaded, and loading says what is wrong better
        return 0


def _count_weight_bytes(folder: Path) -> int:
    weights = list(folder.glob("*.safetensors")) or list(folder.glob("*.bin"))
    return sum(path.stat().st_size for path in weights)
