"""The model of a training: the checkpoint it begins with, what of it is trained, and what is left behind.

That is everything, a LoRA adapter on it, or its head alone; train.py carries the source. The whole model is saved under
model/, and after LoRA the bare adapter beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.model_card import write_model_card
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.launcher import no_fsdp
from hfdemo.models.loading import LoadedModel, load_model
from hfdemo.models.model_facts import readable_length
from hfdemo.models.size_limits import limit_building
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import make_width_function


def load_base(config: RunConfig, kind: Kind, settings: Settings, device: Device) -> LoadedModel:
    """Load the model of `config` with the run's labels, and its tokenizer with a token to pad with.

    Raises:
        DemoError: it has no tokenizer, nothing to pad with, or reads what it is to predict.
    """
    loaded = load_model(config.model_ref, kind.model_class, settings, device=device, **config_changes(config, kind))
    tokenizer = require_tokenizer(config, loaded)
    if kind.is_causal and not _is_causal(loaded.model):
        raise _make_causal_error(config.model)
    if getattr(loaded.model.config, "pad_token_id", None) is None:
        # A classifier on a decoder reads its answer at the last token that is no padding.
        loaded.model.config.pad_token_id = tokenizer.pad_token_id
    return loaded


def config_changes(config: RunConfig, kind: Kind) -> dict[str, Any]:
    """Return what of the checkpoint's own config the run replaces: its labels and its kind of answer."""
    labels = {0: config.label_name or "score"} if kind.one_number else dict(enumerate(config.labels or ()))
    changes: dict[str, Any] = {}
    if labels:
        changes = {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    if kind.problem_type:
        # A checkpoint's own problem_type would have its pipeline read the answers in another way.
        changes["problem_type"] = kind.model_problem_type
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
        fits = next(
            (each for each in lengths_down if make_width_function(config.padding, each, each)(each) <= readable), 0
        )
        advice = f"Set max_length to {fits}, or pick another padding." if fits else "Pick another padding."
        raise DemoError(
            f'padding "{config.padding}" makes rows of {widest} positions, but {config.model} reads {readable} tokens. '
            f"{advice}"
        )


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
            with limit_building(sys.maxsize):  # layer_replication can ask for any number of layers
                return get_peft_model(model, LoraConfig(task_type=kind.peft_task, **options))
        except (DemoError, MemoryError, torch.OutOfMemoryError):
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

    A rank beyond what the layers have themselves is refused, too: it would only take memory.

    Raises:
        DemoError: a name in target_modules that no layer ends with, or too large a rank.
    """
    most = max((min(part.weight.shape) for part in model.modules() if _is_linear(part)), default=sys.maxsize)
    rank = max(int(config.lora.get("r", 1)), *(config.lora.get("rank_pattern") or {"": 1}).values())
    if rank > most:
        raise DemoError(
            f"lora's r is {rank:,}, but no layer of {config.model} has a rank above {most:,}. Set r to at most that."
        )
    targets = config.lora.get("target_modules")
    if not isinstance(targets, list | tuple):
        return
    names = [f".{name}" for name, _ in model.named_modules()]
    missing = [target for target in targets if not any(name.endswith(f".{target}") for name in names)]
    if missing:
        found = {name.rpartition(".")[2] for name, part in model.named_modules() if _is_linear(part)}
        raise DemoError(
            f"{config.model} has no layer that lora's target_modules call {', '.join(map(repr, missing))}. "
            f"It has: {', '.join(sorted(found))}."
        )


def _is_linear(part: Any) -> bool:
    return type(part).__name__ in ("Linear", "Conv1D") and part.weight.ndim == 2  # GPT-2 has the latter


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
    half = folder / ".saving"  # a model that is there is whole, whenever this process is killed
    shutil.rmtree(half, ignore_errors=True)
    try:
        _write_model(config, half, loaded, model, report)
        for each in sorted(half.iterdir()):
            shutil.rmtree(folder / each.name, ignore_errors=True)
            each.rename(folder / each.name)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _write_model(config: RunConfig, folder: Path, loaded: LoadedModel, model: Any, report: Mapping[str, Any]) -> None:
    target = folder / "model"
    if config.method == "lora":
        adapter = folder / "adapter"
        # While it is the folder that the base was loaded from: of an id peft would ask the Hub, for ten seconds.
        model.save_pretrained(adapter)
        # A reference, never the folder of this machine.
        written = adapter / "adapter_config.json"
        described = json.loads(written.read_text(encoding="utf-8")) | {"base_model_name_or_path": config.model}
        written.write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")
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


def _make_causal_error(model: str) -> DemoError:
    return DemoError(
        f"{model} reads a text in both directions, so it would see the very token that it is to predict. "
        "Pick a model that was made to write, such as a GPT, Llama or Qwen."
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
