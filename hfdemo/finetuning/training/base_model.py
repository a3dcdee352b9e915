"""The checkpoint that a training begins with, ready for its kind of answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind
from hfdemo.models.loading import LoadedModel, load
from hfdemo.models.model_facts import readable_length
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import width_rule


def load_base(config: RunConfig, kind: Kind, settings: Settings, device: Device) -> LoadedModel:
    """Load the model of `config` with the run's labels, and its tokenizer with a token to pad with.

    Raises:
        DemoError: it has no tokenizer, nothing to pad with, or reads what it is to predict.
    """
    loaded = load(config.model_ref, kind.model_class, settings, device=device, **config_changes(config, kind))
    tokenizer = require_tokenizer(config, loaded)
    if kind.is_causal and not _is_causal(loaded.model):
        raise _make_causal_error(config.model)
    if getattr(loaded.model.config, "pad_token_id", None) is None:
        # A classifier on a decoder reads its answer at the last token that is no padding.
        loaded.model.config.pad_token_id = tokenizer.pad_token_id
    return loaded


def config_changes(config: RunConfig, kind: Kind) -> dict[str, Any]:
    """Return what of the checkpoint's own config the run replaces: its labels and its kind of answer."""
    labels = {0: config.label_column or "score"} if kind.one_number else dict(enumerate(config.labels or ()))
    changes: dict[str, Any] = {}
    if labels:
        changes = {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    if kind.problem_type:
        # A checkpoint's own problem_type would have its pipeline read the answers in another way.
        changes["problem_type"] = kind.problem_type
    return changes


def require_tokenizer(config: RunConfig, loaded: LoadedModel) -> Any:
    """Return the tokenizer of `loaded`, with a token to pad with.

    Raises:
        DemoError: there is none, or nothing to pad with.
    """
    tokenizer = loaded.tokenizer
    if tokenizer is None:
        raise DemoError(f"{config.model} has no tokenizer, and a training on text needs one. Pick another model.")
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise DemoError(f"The tokenizer of {config.model} has neither a pad token nor an end token to pad with.")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_base(config: RunConfig, kind: Kind, model_config: Any) -> None:
    """Refuse by the model's configuration alone what `load_base` would by trying it.

    Raises:
        DemoError: it reads what it is to predict.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    masked = model_config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if kind.is_causal and masked and not getattr(model_config, "is_decoder", False):
        raise _make_causal_error(config.model)


def _make_causal_error(model: str) -> DemoError:
    return DemoError(
        f"{model} reads a text in both directions, so it would see the very token that it is to predict. "
        "Pick a model that was made to write, such as a GPT, Llama or Qwen."
    )


def find_max_tokens(config: RunConfig, loaded: LoadedModel) -> int | None:
    """Return the most tokens that a row may have: what was asked for, but no more than the model can read."""
    limits = [limit for limit in (config.max_length, readable_length(loaded.model.config, loaded.tokenizer)) if limit]
    return min(limits) if limits else None


def check_width(config: RunConfig, width_of: Callable[[int], int], loaded: LoadedModel, longest: int) -> None:
    """Refuse a width beyond what the model reads: rows are cut to that, but a width can be rounded up.

    Raises:
        DemoError: the batch of the `longest` row would be too wide; the sentence names a max_length that fits.
    """
    readable, widest = readable_length(loaded.model.config, loaded.tokenizer), width_of(longest)
    if readable is not None and widest > readable:
        lengths_down = range(readable, 0, -1)
        fits = next((each for each in lengths_down if width_rule(config.padding, each, each)(each) <= readable), 0)
        advice = f"Set max_length to {fits}, or pick another padding." if fits else "Pick another padding."
        raise DemoError(
            f'padding "{config.padding}" makes rows of {widest} slots, but {config.model} reads {readable} tokens. '
            f"{advice}"
        )


def _is_causal(model: Any) -> bool:
    """Return whether another last token leaves the answers to all before it as they were: tried, not looked up."""
    import torch

    ids = torch.arange(8, device=model.device)[None] % model.config.get_text_config().vocab_size
    other = ids.clone()
    other[0, -1] = 0
    model.eval()
    with torch.no_grad():
        first, second = (model(input_ids=each).logits[:, :-1].float() for each in (ids, other))
    return bool(torch.allclose(first, second, atol=1e-4))
