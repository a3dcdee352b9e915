"""How much a model may write in one call, whatever its repository's generation config says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_BEAMS = 16
# Where a prompt counts, too: the longest that models read.
LONGEST_LENGTH = 2**17
_BEAMS = ("num_beams", "num_beam_groups", "num_return_sequences", "num_assistant_tokens", "prompt_lookup_num_tokens")
_TOKENS = ("max_new_tokens", "min_new_tokens", "min_length")
_LENGTHS = ("max_length", "max_cache_len")


def limit_generation(model: Any, most_tokens: int) -> None:
    """Lower what the generation configs of `model` and of its parts ask for to what one call may have.

    Those of task_specific_params, which pipelines follow, are lowered, too. Nothing else is changed.
    """
    bounds = {
        **dict.fromkeys(_BEAMS, MOST_BEAMS),
        **dict.fromkeys(_TOKENS, most_tokens),
        **dict.fromkeys(_LENGTHS, LONGEST_LENGTH),
    }
    for config in _list_configs(model):
        _lower(config, bounds)


def _list_configs(model: Any) -> Iterator[Any]:
    for part in model.modules():
        if "generation_config" in vars(part):
            yield part.generation_config
        config = vars(part).get("config")
        yield getattr(config, "task_specific_params", None)


def _lower(config: Any, bounds: Mapping[str, int], depth: int = 0) -> None:
    """Lower the numbers of a generation config, or of one that is part of it (Bark has three)."""
    from transformers import GenerationConfig

    if depth > 4 or not isinstance(config, dict | GenerationConfig):
        return
    values = config if isinstance(config, dict) else vars(config)
    for name, value in values.items():
        if name in bounds and isinstance(value, int | float) and value > bounds[name]:
            values[name] = bounds[name]
        else:
            _lower(value, bounds, depth + 1)
