"""The stand-alone train.py that a run writes for whoever wants to repeat it without this app."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Callable
from pprint import pformat
from typing import Any

from hfdemo.finetuning.arguments import evaluates, of_run, threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.metrics import add_scores, module_path
from hfdemo.finetuning.kinds import Evaluator, Kind, find_kind
from hfdemo.finetuning.kinds.losses import compute_loss_of_all, keep_logits
from hfdemo.finetuning.launcher import command
from hfdemo.finetuning.preprocessing.encoding import find_rows_with_targets
from hfdemo.finetuning.training.peft import freeze_backbone, lora_options, trained_whole
from hfdemo.finetuning.training.selection import selection_metric
from hfdemo.models.folders import local_folder
from hfdemo.models.reference import ModelRef
from hfdemo.models.snippets import model_lines
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import PaddingStrategy, find_strategy, row_order


def training_script(config: RunConfig, settings: Settings) -> str:
    """A stand-alone script that repeats a run: it reads data/ beside it and needs only the public libraries.

    What a run has of its own (how rows become inputs, the loss, the order of the rows, the scores) stands in it as the
    very source that the run goes by.
    """
    recipe = find_kind(config.task, config.problem_type)
    peft = "from peft import LoraConfig, get_peft_model\n" if config.method == "lora" else ""
    early = ", EarlyStoppingCallback" if config.early_stopping_patience else ""
    padding = find_strategy(config.padding)
    weights, evaluator = _weights_lines(config, recipe), recipe.evaluator
    further: list[Callable[..., Any]] = (
        [evaluator.to_module_inputs, add_scores] if config.metrics and evaluator.to_module_inputs else []
    )
    scores = [*evaluator.carried, evaluator.scores]
    exact = [compute_loss_of_all] if recipe.reduce is keep_logits else []
    learned = [find_rows_with_targets] if recipe.sequence_labels else []
    return f'''"""Fine-tunes a model ({config.method}) on data/ beside this file, as its run did.{_start(config)}"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

{"import evaluate" + chr(10) if config.metrics else ""}import pandas as pd
import torch
from datasets import Features, Value, load_dataset
{peft}from transformers import DataCollatorWithPadding{early}, Trainer, TrainerCallback, TrainingArguments, set_seed

HERE = Path(__file__).resolve().parent
LABELS = {pformat(list(config.labels or ()), width=100)}
TRAINING = {pformat(of_run(config.training), width=100, sort_dicts=False)}

# ---- the data ----


{_sources(*recipe.carried, recipe.encode)}

# ---- the loss: a sum over all that is predicted, divided by how much the whole optimizer step has of it ----


{_sources(recipe.loss, recipe.count, recipe.reduce, *exact, *learned)}

# ---- the order of the rows, and the scores ----


{"" if config.names_sampler else _sources(row_order) + chr(10) * 2}{_sources(*scores, *further)}

# ---- the run ----

torch.set_num_threads({threads(config.processes)})  # as the run: on another number the last digits differ
arguments = TrainingArguments(
    output_dir=str(HERE / "repeated"),
    {"" if "use_cpu" in config.training else "use_cpu=not torch.accelerator.is_available(), "}**TRAINING,
)
set_seed(TRAINING["seed"])  # before the model: a new head is drawn at random

{_model_lines(config, recipe, settings)}\
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
if getattr(model.config, "pad_token_id", None) is None:
    model.config.pad_token_id = tokenizer.pad_token_id
limits = [{config.max_length!r}, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
limits = [limit for limit in limits if limit is not None and 0 < limit < 1_000_000]
max_length = min(limits) if limits else None

files = {{path.stem: str(path) for path in sorted((HERE / "data").glob("*.csv"))}}
features = Features({{column: Value("string") for column in pd.read_csv(files["train"], nrows=0).columns}})
splits = load_dataset("csv", data_files=files, features=features, keep_default_na=False)
splits = splits.map(
    {recipe.encode.__name__},
    batched=True,
    fn_kwargs={{"tokenizer": tokenizer, "max_length": max_length, "labels": LABELS}},
    remove_columns=splits["train"].column_names,
)
{_learned_lines(recipe)}lengths = [len(ids) for ids in splits["train"]["input_ids"]]
{_method_lines(config, recipe)}{weights}

{_sources(padding.width_function)}


def collator(rows):
    width = {_width(padding)}
    inputs = [{{name: value for name, value in row.items() if name != "labels"}} for row in rows]
    batch = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=width)(inputs)
    batch["labels"] = torch.tensor({_labels(recipe)})
    return batch


def compute_loss(outputs, labels, num_items_in_batch=None):
    smoothing = TRAINING.get("label_smoothing_factor", 0.0)
    items = {recipe.count.__name__}(labels) if num_items_in_batch is None else num_items_in_batch
    return {recipe.loss.__name__}(outputs, labels, items, {"WEIGHTS" if weights else None}, smoothing)


def compute_metrics(prediction):
    logits, references = prediction.predictions, prediction.label_ids
    found = {evaluator.scores.__name__}(logits, references, LABELS, {config.positive_label!r})
{_further_lines(config, evaluator)}    return found


{_selection_lines(config, recipe)}class RecipeTrainer(Trainer):
    def _get_num_items_in_batch(self, batch_samples, device):
        if not batch_samples:
            return None
        items = sum({recipe.count.__name__}(batch["labels"].to(device)) for batch in batch_samples).to(device)
        several = self.args.average_tokens_across_devices and self.args.world_size > 1
        return self.accelerator.gather(items).sum() if several else items

    def evaluation_loop(self, *args, metric_key_prefix="eval", **kwargs):
        with torch.random.fork_rng():  # evaluating changes nothing in what is learned
            found = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
{_exact_lines(recipe)}        return found
{_sampler_lines(config)}

callbacks = [{", ".join(_callbacks(config))}]
trainer = RecipeTrainer(
    model=model,
    args=arguments,
    callbacks=callbacks,
    train_dataset=splits["train"],
    eval_dataset=splits["validation"],
    processing_class=tokenizer,
    data_collator=collator,
    compute_loss_func=compute_loss,
    compute_metrics=compute_metrics,
    preprocess_logits_for_metrics={recipe.reduce.__name__},
)
trainer.train()
trainer.args.train_sampling_strategy = "sequential"  # predictions in the order of the rows
for name in splits:
    if name != "train":
        print(name, json.dumps(trainer.predict(splits[name], metric_key_prefix=name).metrics))
trainer.save_model(str(HERE / "repeated" / "model"))
'''


def _start(config: RunConfig) -> str:
    """How to start it where plain python would not do what the run did."""
    if config.processes == 1 and not config.accelerate_config:
        return ""
    line = shlex.join(command(config, "train.py")).replace("-m hfdemo.finetuning ", "")
    return f"\n\nIts run had {config.processes} processes. The same here:\n\n    {json.dumps(line)[1:-1]}\n"


def _sources(*functions: Callable[..., Any]) -> str:
    return "\n\n".join(inspect.getsource(function) for function in functions).strip()


def _model_lines(config: RunConfig, recipe: Kind, settings: Settings) -> str:
    """`model` and `tokenizer`; unless everything is trained, in `new` the parameters that the checkpoint hadn't."""
    ref, arguments = ModelRef.parse(config.model), _model_arguments(config, recipe)
    if config.method == "full":
        return model_lines(ref, recipe.model_class, settings, arguments)
    folder = None if ref.origin.source == "hub" else local_folder(ref.origin, settings, weights=False)
    if ref.source == "untrained" or (folder and (folder / "adapter_config.json").is_file()):
        return f"{model_lines(ref, recipe.model_class, settings, arguments)}new = []\n"
    said = "output_loading_info=True"
    return (
        f"{model_lines(ref, recipe.model_class, settings, arguments, weights_arguments=said)}model, info = model\n"
        'new = [*info["missing_keys"], *(name for name, *shapes in info["mismatched_keys"])]\n'
    )


def _learned_lines(recipe: Kind) -> str:
    """The training rows without those in which nothing is learned."""
    if not recipe.sequence_labels:
        return ""
    rows = f'find_rows_with_targets(splits["train"]["labels"], {recipe.count.__name__})'
    return f'splits["train"] = splits["train"].select({rows})\n'


def _model_arguments(config: RunConfig, recipe: Kind) -> str:
    if recipe.one_number:
        name = config.label_column or "score"
        arguments = f"num_labels=1, id2label={{0: {name!r}}}, label2id={{{name!r}: 0}}"
    elif config.labels:
        arguments = (
            "num_labels=len(LABELS), id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)}"
        )
    else:
        return ""
    return arguments + (f", problem_type={recipe.problem_type!r}" if recipe.problem_type else "")


def _exact_lines(recipe: Kind) -> str:
    if recipe.reduce is not keep_logits:
        return ""
    exact = "compute_loss_of_all(compute_loss, found.predictions, found.label_ids)"
    return f'        found.metrics[f"{{metric_key_prefix}}_loss"] = {exact}\n'


def _further_lines(config: RunConfig, evaluator: Evaluator) -> str:
    """The scores of further evaluate modules."""
    if not config.metrics or evaluator.to_module_inputs is None:
        return ""
    names = [module_path(name) for name in config.metrics]
    return f"""    further = evaluate.combine([evaluate.load(name, keep_in_memory=True) for name in {names!r}])
    predictions, references = {evaluator.to_module_inputs.__name__}(logits, references, LABELS)
    found = add_scores(found, further.compute(predictions=predictions, references=references))
"""


def _method_lines(config: RunConfig, recipe: Kind) -> str:
    if config.method == "lora":
        task = recipe.peft_task
        made = f'LoraConfig(task_type="{task}", **lora_options(model, {dict(config.lora)!r}, new))'
        return f"\n\n{_sources(trained_whole, lora_options)}\n\n\nmodel = get_peft_model(model, {made})\n"
    if config.method == "frozen":
        return f"\n\n{_sources(trained_whole, freeze_backbone)}\n\n\nfreeze_backbone(model, new)\n"
    return ""


def _weights_lines(config: RunConfig, recipe: Kind) -> str:
    if config.class_weights is None or recipe.balance is None:
        return ""
    if isinstance(config.class_weights, str):
        source = _sources(recipe.balance)
        return f'\n\n{source}\n\nWEIGHTS = {recipe.balance.__name__}(splits["train"]["labels"], len(LABELS))\n'
    return f"\nWEIGHTS = {[float(config.class_weights[label]) for label in config.labels or ()]!r}\n"


def _width(padding: PaddingStrategy) -> str:
    """Return the call that gives the width of a batch."""
    return f'{padding.width_function.__name__}(max(len(row["input_ids"]) for row in rows), max(lengths), max_length)'


def _labels(recipe: Kind) -> str:
    if not recipe.sequence_labels:
        return '[row["labels"] for row in rows]'
    return (
        '[\n        [-100] * (width - len(own)) + own if tokenizer.padding_side == "left" else '
        "own + [-100] * (width - len(own))\n"
        '        for own in (row["labels"] for row in rows)\n    ]'
    )


def _selection_lines(config: RunConfig, recipe: Kind) -> str:
    """How the best checkpoint is told; nothing where none is looked for."""
    if not evaluates(config.training):
        return ""
    best, greater = selection_metric(config, recipe.evaluator)
    name, sign = f"eval_{best}", "" if greater else "-"
    return f'''class Select(TrainerCallback):
    """The best checkpoint has the best metric, and of several with the same the lowest loss."""

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        value = {sign}metrics[{name!r}]
        metrics["eval_selection"] = value - 1e-9 * metrics["eval_loss"] if abs(value) < float("inf") else -float("inf")


'''


def _callbacks(config: RunConfig) -> list[str]:
    early = [f"EarlyStoppingCallback({config.early_stopping_patience})"] if config.early_stopping_patience else []
    return (["Select()"] if evaluates(config.training) else []) + early


def _sampler_lines(config: RunConfig) -> str:
    """The order of the rows as the run had it, unless `training` says how."""
    if config.names_sampler:
        return ""
    grouped = find_strategy(config.padding).groups_by_length
    seed = "data_seed" if config.training.get("data_seed") is not None else "seed"
    return f'''
    def _get_train_sampler(self, train_dataset=None):
        return PlannedRows(self._train_batch_size)


class PlannedRows(torch.utils.data.Sampler):
    def __init__(self, batch_size):
        self.batch_size, self.epoch = batch_size, 0

    def set_epoch(self, epoch):  # the Trainer calls it
        self.epoch = epoch

    def __len__(self):
        return len(lengths)

    def __iter__(self):
        return iter(row_order(lengths, self.batch_size, {grouped}, TRAINING["{seed}"], self.epoch))
'''
