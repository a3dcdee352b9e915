"""One training: a prepared run folder in, events out, and a model that can be used at the end."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError, Stopped
from hfdemo.finetuning import events as what
from hfdemo.finetuning.arguments import of_run, threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.judging.report import Predicted, rows_of, write_report
from hfdemo.finetuning.learning import loop, reporting
from hfdemo.finetuning.learning.adapting import with_method
from hfdemo.finetuning.learning.batching import Planned, check_width, collate, padding_note
from hfdemo.finetuning.learning.encoding import encode
from hfdemo.finetuning.learning.probing import fits, probe
from hfdemo.finetuning.learning.reporting import Emit, StopRequest, plain_metrics
from hfdemo.finetuning.learning.saving import prepare_sharing, save_model, whole_model
from hfdemo.finetuning.learning.weighing import class_weights
from hfdemo.finetuning.recipes import Recipe, find_recipe
from hfdemo.models.configs import readable_length
from hfdemo.models.loading import LoadedModel, load
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import Plan, pad_to, plan

if TYPE_CHECKING:
    from datasets import DatasetDict


@dataclass(frozen=True)
class Resume:
    """Where a training goes on: the folder of a checkpoint that was verified, and what there is to say about it."""

    checkpoint: Path
    step: int
    notes: tuple[str, ...] = ()


def train(
    config: RunConfig, folder: Path, settings: Settings, device: Device, emit: Emit, resume: Resume | None = None
) -> None:
    """Train as `config` says on `folder/data`, and write model/, report.json and errors.csv below `folder`.

    `config` is the run's own: columns, labels and training values are all filled in. A file `folder/stop` ends
    training after the current step; {"keep": true} in it keeps the best model so far. Under torchrun every process
    calls this; only the first one writes and emits.

    Raises:
        DemoError: the model can't be loaded or trained this way, the memory is too small, or the loss is no longer a
            number.
    """
    import torch
    from transformers import set_seed

    started = time.time()
    torch.set_num_threads(threads(config.processes))
    recipe = find_recipe(config.task, config.problem_type)
    arguments = _arguments(config, folder, device, resume)
    first = bool(arguments.should_save)
    said: Emit = emit if first else (lambda event: None)
    # Seeds count before the model is loaded: a new classification head is drawn at random.
    set_seed(config.training["seed"])
    loaded = _load(config, recipe, settings, device)
    longest = _max_length(config, loaded)
    with arguments.main_process_first():
        splits, left_out = encode(config, recipe, loaded, longest, folder)
    model = with_method(config, recipe, loaded)
    stop = StopRequest(folder)
    notes = [*_notes_of_data(folder), *left_out]
    trainer, planned = _trainer(config, recipe, loaded, model, splits, arguments, longest, notes, folder, said)
    prepare_sharing(trainer)
    reporter = trainer.told
    reporter.resumed = resume is not None
    if resume is not None:
        said(what.Resumed(resume.step, time.time(), resume.notes))
    lengths = _lengths(splits["validation"])
    width = planned(arguments.per_device_train_batch_size, 0).batches[0].width
    if arguments.world_size == 1:
        tried = planned(arguments.per_device_train_batch_size, 0)
        reporter.begun = lambda steps: said(probe(trainer, config, tried, steps, lengths))
    try:
        with fits(config, width):
            trainer.train(resume_from_checkpoint=str(resume.checkpoint) if resume else None)
    except Stopped:
        said(what.Stopped(trainer.state.global_step, time.time(), kept=False))
        return

    def anew() -> Any:
        return with_method(config, recipe, _load(config, recipe, settings, Device("cpu", "CPU")))

    _finish(config, recipe, folder, loaded, trainer, splits, stop, said, started, anew)


def _arguments(config: RunConfig, folder: Path, device: Device, resume: Resume | None) -> Any:
    """The TrainingArguments of a run, which are made once per process: they seed every random generator."""
    from transformers import TrainingArguments

    values = {
        "use_cpu": device.kind == "cpu",
        **of_run(config.training),
        "output_dir": str(folder / "checkpoints"),
        "run_name": folder.name,
        "disable_tqdm": True,
    }
    if resume is not None:
        values["eval_on_start"] = False  # it was evaluated when it began
    try:
        arguments = TrainingArguments(**values)
    except (ValueError, TypeError, ImportError) as error:
        raise DemoError(f"transformers refuses these TrainingArguments: {error}") from error
    # One process, one device: several GPUs would silently become DataParallel.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _load(config: RunConfig, recipe: Recipe, settings: Settings, device: Device) -> LoadedModel:
    labels = dict(enumerate(config.labels or ()))
    changes: dict[str, Any] = {}
    if recipe.one_number:
        labels = {0: config.label_column or "score"}
    if labels:
        changes = {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    if recipe.problem_type:
        # A checkpoint's own problem_type would have its pipeline read the answers in another way.
        changes["problem_type"] = recipe.problem_type
    loaded = load(ModelRef.parse(config.model), recipe.model_class, settings, device=device, **changes)
    tokenizer = loaded.tokenizer
    if tokenizer is None:
        raise DemoError(f"{config.model} has no tokenizer, and a training on text needs one. Pick another model.")
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise DemoError(f"The tokenizer of {config.model} has neither a pad token nor an end token to pad with.")
        tokenizer.pad_token = tokenizer.eos_token
    if recipe.looks_back and not _looks_back_only(loaded.model):
        raise DemoError(
            f"{config.model} reads a text in both directions, so it would see the very token that it is to predict. "
            "Pick a model that was made to write, such as a GPT, Llama or Qwen."
        )
    if getattr(loaded.model.config, "pad_token_id", None) is None:
        # A classifier on a decoder reads its answer at the last token that is no padding.
        loaded.model.config.pad_token_id = tokenizer.pad_token_id
    return loaded


def _looks_back_only(model: Any) -> bool:
    """Whether another last token leaves the answers to all tokens before it as they were: tried, not looked up."""
    import torch

    ids = torch.arange(8, device=model.device)[None] % model.config.get_text_config().vocab_size
    other = ids.clone()
    other[0, -1] = 0
    model.eval()
    with torch.no_grad():
        first, second = (model(input_ids=each).logits[:, :-1].float() for each in (ids, other))
    return bool(torch.allclose(first, second, atol=1e-4))


def _max_length(config: RunConfig, loaded: LoadedModel) -> int | None:
    """The most tokens a row may have: what was asked for, but no more than the model can read."""
    limits = [limit for limit in (config.max_length, readable_length(loaded.model.config, loaded.tokenizer)) if limit]
    return min(limits) if limits else None


def _lengths(split: Any) -> list[int]:
    return [len(ids) for ids in split["input_ids"]]


def _trainer(
    config: RunConfig,
    recipe: Recipe,
    loaded: LoadedModel,
    model: Any,
    splits: DatasetDict,
    arguments: Any,
    max_length: int | None,
    notes: Sequence[str],
    folder: Path,
    emit: Emit,
) -> tuple[Any, Planned]:
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback

    lengths = _lengths(splits["train"])
    rule = pad_to(config.padding, max(lengths), max_length)
    check_width(config, rule, loaded, [length for split in splits.values() for length in _lengths(split)])

    def planned(batch_size: int, epoch: int) -> Plan:
        return plan(lengths, batch_size, config.padding, max_length, config.data_seed, epoch)

    notes = [*notes, padding_note(config, planned)]
    if arguments.save_only_model:
        notes.append("save_only_model: a run that is resumed begins with a new optimizer, so it ends as another would.")
    if not loaded.report.trustworthy:
        notes.append(str(loaded.report).replace("Train it before you trust the output.", "Training starts there."))
    rows = {name: len(split) for name, split in splits.items()}
    reporter = reporting.reporter(config, recipe.judge, StopRequest(folder), rows, notes, str(loaded.device), emit)
    callbacks = [reporter]
    if config.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))  # after what names the best
    scores = recipe.judge.metrics(config.labels or (), config.positive_label, config.metrics)
    reporting.check_aim(config, recipe.judge, scores.extra)
    trainer = loop.make_trainer(
        recipe,
        class_weights(config, recipe, splits["train"]["labels"]),
        None if config.names_sampler else planned,
        model=model,
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=loaded.tokenizer,
        data_collator=functools.partial(collate, loaded.tokenizer, rule, recipe.sequence_labels),
        compute_metrics=scores,
        callbacks=callbacks,
    )
    reporter.trainer = trainer
    trainer.told = reporter
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.logging_dir = str(folder / "tensorboard")  # its own place would go with the checkpoints
    return trainer, planned


def _notes_of_data(folder: Path) -> list[str]:
    """What was left out when the data was read and mended."""
    try:
        return list(json.loads((folder / "data.json").read_text(encoding="utf-8"))["notes"])
    except FileNotFoundError:
        return []


def _finish(
    config: RunConfig,
    recipe: Recipe,
    folder: Path,
    loaded: LoadedModel,
    trainer: Any,
    splits: DatasetDict,
    stop: StopRequest,
    emit: Emit,
    started: float,
    anew: Callable[[], Any],
) -> None:
    step = trainer.state.global_step
    stopped = stop.made and step < trainer.state.max_steps
    if stopped and not stop.keep:
        emit(what.Stopped(step, time.time(), kept=False))
        return
    # Grouping by length would reorder what is predicted, too, and errors.csv would name the wrong rows.
    trainer.args.train_sampling_strategy = "sequential"
    predicted = {}
    for split in ("validation", "test"):
        if split in splits:
            found = trainer.predict(splits[split], metric_key_prefix=split)
            scores = plain_metrics(found.metrics, f"{split}_")
            judged = None
            if recipe.judged:
                judged = recipe.judged(rows_of(folder, split), loaded.tokenizer, _max_length(config, loaded))
            predicted[split] = Predicted(found.predictions, found.label_ids, scores, judged)
    final = predicted["validation"].metrics
    model = whole_model(trainer, anew)
    if trainer.args.should_save:
        facts = {
            "run": folder.name,
            "device": str(loaded.device),
            "rows": {name: len(split) for name, split in splits.items()},
            "steps": step,
            "best_step": trainer.best_loaded,
            "seconds": time.time() - started,
            "before": trainer.told.before,
        }
        report = write_report(config, folder, facts, predicted, _references(recipe, splits["train"]["labels"]))
        for split, each in predicted.items():
            emit(what.Evaluated(step, time.time(), float(trainer.state.epoch or 0.0), split, each.metrics))
        save_model(config, folder, loaded, model, report)
        emit(what.Saved(step, time.time(), "model"))
        shutil.rmtree(folder / "arrow", ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    if stopped:
        emit(what.Stopped(step, time.time(), kept=True, metrics=final))
        return
    if trainer.args.should_save:
        # model/ holds the model that is kept; the optimizer state beside it has no further use.
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    emit(what.Finished(step, time.time(), metrics=final, seconds=time.time() - started))


def _references(recipe: Recipe, labels: Sequence[Any]) -> Any:
    """The labels of all rows as an array; those of tokens padded with -100."""
    import numpy as np

    if not recipe.sequence_labels:
        return np.asarray(labels)
    width = max(map(len, labels))
    return np.asarray([[*own, *[-100] * (width - len(own))] for own in labels])
