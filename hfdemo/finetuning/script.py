"""The stand-alone train.py that a run writes for whoever wants to repeat it without this app."""

from __future__ import annotations

import inspect
from pprint import pformat
from textwrap import dedent

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.recipes import find_recipe
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.snippets import model_lines
from hfdemo.tokenization.padding import pad_to, row_order


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
    ordering = "" if config.names_sampler else "import random\nfrom collections.abc import Sequence\n"
    return f'''"""Fine-tunes {config.model} ({config.method}) on data/ beside this file, as its run did."""

{ordering}from pathlib import Path

import pandas as pd
import torch
from datasets import ClassLabel, Features, Value, load_dataset
from sklearn.metrics import accuracy_score, f1_score
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments, set_seed

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
    metric_for_best_model="selection",
    greater_is_better=True,
    report_to="none",
    logging_nan_inf_filter=False,
    use_cpu=not torch.accelerator.is_available(),
    **TRAINING,
)


class BreakTies(TrainerCallback):
    """The best checkpoint has the highest f1, and of several with the same f1 the lowest loss."""

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        metrics["eval_selection"] = metrics["eval_f1"] - 1e-9 * metrics["eval_loss"]

{_trainer_lines(config)}
    model=model,
    callbacks=[BreakTies()],
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
        settings = f"**{dict(config.lora)!r}"
        return (
            "\nfrom peft import LoraConfig, get_peft_model  # noqa: E402\n\n"
            f'model = get_peft_model(model, LoraConfig(task_type="{peft_task}", {settings}))\n'
        )
    if config.method == "frozen":
        return "\nfor parameter in model.base_model.parameters():\n    parameter.requires_grad = False\n"
    return ""


def _collator_lines(config: RunConfig) -> str:
    if config.padding == "longest_in_dataset":
        return dedent("""\
            longest = max(len(ids) for ids in splits["train"]["input_ids"])


            def collator(rows):  # a held-out row may be longer than any of training
                width = max(longest, *(len(row["input_ids"]) for row in rows))
                return DataCollatorWithPadding(tokenizer, padding="max_length", max_length=width)(rows)

            """)
    if config.padding == "max_length":
        return 'collator = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=max_length)'
    multiple = pad_to(config.padding, 0).multiple_of
    if multiple == 1:
        return "collator = DataCollatorWithPadding(tokenizer)  # each batch to its own longest row"
    return f"collator = DataCollatorWithPadding(tokenizer, pad_to_multiple_of={multiple})"


def _trainer_lines(config: RunConfig) -> str:
    """The Trainer, up to its first argument; one that orders the rows as the run did unless `training` says how."""
    if config.names_sampler:
        return "\ntrainer = Trainer("
    seed = "data_seed" if config.training.get("data_seed") is not None else "seed"
    return f"""
{inspect.getsource(row_order)}

class PlannedRows(torch.utils.data.Sampler):
    def __init__(self, batch_size):
        self.lengths = [len(ids) for ids in splits["train"]["input_ids"]]
        self.batch_size, self.epoch = batch_size, 0

    def set_epoch(self, epoch):  # the Trainer calls it
        self.epoch = epoch

    def __len__(self):
        return len(self.lengths)

    def __iter__(self):
        grouped, seed = {config.padding == "grouped"}, TRAINING["{seed}"]
        return iter(row_order(self.lengths, self.batch_size, grouped, seed, self.epoch))


class PlannedTrainer(Trainer):
    def _get_train_sampler(self, train_dataset=None):
        return PlannedRows(self._train_batch_size)


trainer = PlannedTrainer("""
