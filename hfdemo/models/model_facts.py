"""What the config of a checkpoint says: its architecture, what it can read, what reading costs, and its task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hfdemo.errors import ModelError, wrap_library_errors
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.folders import (
    adapter_base,
    adapter_bases,
    cached_copy,
    folder_with_tokenizer,
    local_folder,
    unreachable_error,
)
from hfdemo.models.hub import hub_info
from hfdemo.models.reference import ModelRef
from hfdemo.models.size_limits import check_config_numbers
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS, Task, find_task_for_architectures

# transformers writes "no limit known" as 1e30.
NO_LIMIT = 1_000_000
# Model types that count positions from their padding id on.
POSITIONS_AFTER_PADDING = (
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "data2vec-text", "xmod"),
    *("longformer", "mpnet", "ibert", "luke", "mluke", "esm", "lilt", "layoutlmv3", "bigbird_roberta", "markuplm"),
    *("clap_text_model", "altclip_text_model"),
)


def load_config(folder: Path, settings: Settings, **overrides: Any) -> Any:
    """Load the config in `folder` (or in a config.json); for an adapter without one of its own, that of its base.

    Raises:
        ModelError: it is missing or broken, or names no architecture that the library knows.
    """
    if folder.is_dir() and not (folder / "config.json").is_file():
        base = next(iter(adapter_bases(folder, settings)), None) or adapter_base(folder)
        return load_config(local_folder(base, settings, weights=False), settings, **overrides)
    path = folder / "config.json" if folder.is_dir() else folder
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} can't be read as JSON: {error}. Save the model again.") from error
    if not isinstance(written, dict) or not isinstance(written.get("model_type"), str):
        raise ModelError(
            f'{path.name} names no model_type, so nothing tells which architecture this is. Add it ("model_type": '
            '"bert", for instance), or save the model again with `save_pretrained`.'
        )
    check_config_numbers(written, path.name)
    _check_labels(written.get("id2label"), path.name)
    import_libraries()
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if written["model_type"] not in CONFIG_MAPPING:
        own_code = " It brings its own code (auto_map), which is never run here." if "auto_map" in written else ""
        raise ModelError(
            f"transformers {transformers.__version__} has no architecture {written['model_type']!r}.{own_code} "
            "Pick a model of another architecture."
        )
    with wrap_library_errors(f"{path.name} can't be read", "Save the model again with `save_pretrained`."):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, **overrides)


def _check_labels(labels: Any, name: str) -> None:
    """Refuse labels that are no texts, which the library takes and passes on as they are."""
    for key, label in labels.items() if isinstance(labels, dict) else ():
        if isinstance(label, dict | list):
            raise ModelError(
                f"{name} calls label {key[:40]!r} {json.dumps(label)[:80]}, and a label is a text. Correct the file, "
                "or pick another model."
            )


def architectures(ref: ModelRef, settings: Settings) -> list[str]:
    """Return the classes that the config of `ref` names, the one it was saved as first.

    Raises:
        ModelError: the reference can't be found, or its config can't be read.
    """
    return list(load_config(local_folder(ref, settings, weights=False), settings).architectures or [])


def infer_task(ref: ModelRef, settings: Settings) -> tuple[Task, str]:
    """Return the task that `ref` was made for, and why: what the Hub lists it under, else its architecture.

    Raises:
        ModelError: the reference can't be found, or its config can't be read.
    """
    origin = ref.origin
    if origin.source != "hub":
        return find_task_for_architectures(architectures(ref, settings))
    info = hub_info(origin, settings.public)
    if info is not None and info.pipeline_tag in TASKS:
        return TASKS[info.pipeline_tag], f"the Hub lists it under {info.pipeline_tag}"
    # A Hub that was silent for two seconds is not asked a second time.
    find_folder = cached_copy if info is None else local_folder
    folder = find_folder(origin, settings, weights=False)
    if folder is None:
        raise unreachable_error(origin, settings)
    return find_task_for_architectures(load_config(folder, settings).architectures or [])


def readable_length(config: Any, tokenizer: Any) -> int | None:
    """Return the most tokens that both the tokenizer and the model's positions allow; None when neither has a limit.

    RoBERTa and its kin count positions from the padding id on, so that many of their positions are never used.
    """
    text = getattr(config, "text_config", None) or config
    positions = getattr(text, "max_position_embeddings", None)
    if positions and text.model_type in POSITIONS_AFTER_PADDING:
        positions -= (text.pad_token_id or 0) + 1
    limits = [limit for limit in (tokenizer.model_max_length, positions) if limit and 0 < limit < NO_LIMIT]
    return min(limits) if limits else None


def text_config(config: Any) -> Any:
    """Return the part of `config` that is about text; where two of its parts are (MusicGen), the one that reads it."""
    try:
        return config.get_text_config()
    except ValueError:
        return config.get_text_config(encoder=True)


def model_size(config: Any) -> tuple[int, int] | None:
    """Return (layers, hidden width) of what reads text in a model with this config, None where it does not say.

    The usual names first, then those of T5 and its kin; a config's own `attribute_map` translates the rest.
    """
    text = text_config(config)
    layers = getattr(text, "num_hidden_layers", None) or getattr(text, "num_layers", None)
    width = getattr(text, "hidden_size", None) or getattr(text, "d_model", None)
    return (layers, width) if isinstance(layers, int) and isinstance(width, int) else None


@dataclass(frozen=True)
class ModelFacts:
    """Rows of its embedding matrix, positions, (layers, hidden width); None where the config does not say.

    `architecture` is the class that it was saved as.
    """

    name: str
    vocab_size: int | None
    positions: int | None
    size: tuple[int, int] | None = None
    architecture: str | None = None


def longest_row(facts: ModelFacts | None, tokenizer: Any) -> int | None:
    """Return the most tokens that the model, if there is one, and the tokenizer allow in a row; None without a limit.

    Training cuts to it, and so does everything that shows what training will do.
    """
    positions = facts.positions if facts else None
    return readable_length(SimpleNamespace(max_position_embeddings=positions, model_type=""), tokenizer)


def model_facts(ref: ModelRef, settings: Settings) -> ModelFacts | None:
    """Return what the config of `ref` says about the ids and lengths that its model can read.

    None for a tokenizer without a model, and for a config that can't be read: its tokenizer works all the same.

    Raises:
        ModelError: the reference can't be found.
    """
    if ref.origin.source == "tokenizer":
        return None
    folder = folder_with_tokenizer(ref.origin, settings)
    try:
        config = load_config(folder, settings)
    except ModelError:
        return None
    text = text_config(config)
    # The model's own limit: that of a tokenizer is asked where there is one.
    positions = readable_length(config, SimpleNamespace(model_max_length=None))
    architecture = next(iter(config.architectures or []), None)
    return ModelFacts(str(ref), getattr(text, "vocab_size", None), positions, model_size(config), architecture)
