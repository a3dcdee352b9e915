"""One training: a prepared run folder in, events out, and a model that can be used at the end."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError, Stopped
from hfdemo.finetuning import events as what
from hfdemo.finetuning.arguments import of_run, threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.metrics import make_compute_metrics
from hfdemo.finetuning.evaluation.report import Predicted, rows_of, write_report
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.finetuning.preprocessing.encoding import encode_splits
from hfdemo.finetuning.training.base_model import load_base, most_tokens
from hfdemo.finetuning.training.callbacks import Emit, StopRequest, check_aim, make_reporter, plain_metrics
from hfdemo.finetuning.training.class_weights import class_weights
from hfdemo.finetuning.training.collator import Planned, check_width, collate, padding_note
from hfdemo.finetuning.training.memory_probe import fits, probe
from hfdemo.finetuning.training.peft import with_method
from hfdemo.finetuning.training.saving import prepare_sharing, save_model, whole_model
from hfdemo.finetuning.training.trainer import make_trainer
from hfdemo.models.loading import LoadedModel
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import Plan, plan, width_rule

if TYPE_CHECKING:
    from datasets import DatasetDict


@dataclass(frozen=True)
class _Training:
    """What all of a training knows: `longest` is the most tokens a row may have, `emit` tells whoever watches."""

    config: RunConfig
    recipe: Kind
    folder: Path
    settings: Settings
    loaded: LoadedModel
    longest: int | None
    splits: DatasetDict
    emit: Emit
    started: float

    def lengths(self, split: str) -> list[int]:
        """The tokens of each row."""
        return [len(ids) for ids in self.splits[split]["input_ids"]]


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
    recipe = find_kind(config.task, config.problem_type)
    arguments = _arguments(config, folder, device, resume)
    said: Emit = emit if arguments.should_save else (lambda event: None)
    # Seeds count before the model is loaded: a new classification head is drawn at random.
    set_seed(config.training["seed"])
    loaded = load_base(config, recipe, settings, device)
    longest = most_tokens(config, loaded)
    with arguments.main_process_first():
        splits, left_out = encode_splits(config, recipe, loaded, longest, folder)
    training = _Training(config, recipe, folder, settings, loaded, longest, splits, said, started)
    trainer, planned = _trainer(training, arguments, [*_notes_of_data(folder), *left_out])
    prepare_sharing(trainer)
    trainer.told.resumed = resume is not None
    if resume is not None:
        said(what.Resumed(resume.step, time.time(), resume.notes))
    tried = planned(arguments.per_device_train_batch_size, 0)
    if arguments.world_size == 1:
        held_out = training.lengths("validation")
        trainer.told.begun = lambda steps: said(probe(trainer, config, tried, steps, held_out))
    try:
        with fits(config, tried.batches[0].width):
            trainer.train(resume_from_checkpoint=str(resume.checkpoint) if resume else None)
    except Stopped:
        said(what.Stopped(trainer.state.global_step, time.time(), kept=False))
        return
    _finish(training, trainer)


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


def _trainer(training: _Training, arguments: Any, notes: Sequence[str]) -> tuple[Any, Planned]:
    """The Trainer, and the padding plan that it follows; `notes` is what there is to say of the rows."""
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback

    config, recipe, loaded, splits = training.config, training.recipe, training.loaded, training.splits
    lengths = training.lengths("train")
    width_of = width_rule(config.padding, max(lengths), training.longest)
    check_width(config, width_of, loaded, [length for split in splits for length in training.lengths(split)])

    def planned(batch_size: int, epoch: int) -> Plan:
        return plan(lengths, batch_size, config.padding, training.longest, config.data_seed, epoch)

    notes = [*notes, padding_note(config, planned)]
    if arguments.save_only_model:
        notes.append("save_only_model: a run that is resumed begins with a new optimizer, so it ends as another would.")
    if not loaded.report.trustworthy:
        notes.append(str(loaded.report).replace("Train it before you trust the output.", "Training starts there."))
    rows = {name: len(split) for name, split in splits.items()}
    stop, device = StopRequest(training.folder), str(loaded.device)
    reporter = make_reporter(config, recipe, stop, rows, notes, device, training.emit)
    callbacks = [reporter]
    if config.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))  # after what names the best
    scores = make_compute_metrics(recipe, config.labels or (), config.positive_label, config.metrics)
    check_aim(config, recipe.evaluator, scores.extra)
    trainer = make_trainer(
        recipe,
        class_weights(config, recipe, splits["train"]["labels"]),
        None if config.names_sampler else planned,
        model=with_method(config, recipe, loaded),
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=loaded.tokenizer,
        data_collator=functools.partial(collate, loaded.tokenizer, width_of, recipe.sequence_labels),
        compute_metrics=scores,
        callbacks=callbacks,
    )
    reporter.trainer = trainer
    trainer.told = reporter
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.logging_dir = str(training.folder / "tensorboard")  # its own place would go with the checkpoints
    return trainer, planned


def _notes_of_data(folder: Path) -> list[str]:
    """What was left out when the data was read and mended."""
    try:
        return list(json.loads((folder / "data.json").read_text(encoding="utf-8"))["notes"])
    except FileNotFoundError:
        return []


def _finish(training: _Training, trainer: Any) -> None:
    """Judge the model that is kept, and save it with what there is to say of it; nothing after a stop without keep."""
    config, recipe, folder, emit = training.config, training.recipe, training.folder, training.emit
    step, stop = trainer.state.global_step, StopRequest(folder)
    stopped = stop.made and step < trainer.state.max_steps
    if stopped and not stop.keep:
        emit(what.Stopped(step, time.time(), kept=False))
        return
    # Grouping by length would reorder what is predicted, too, and errors.csv would name the wrong rows.
    trainer.args.train_sampling_strategy = "sequential"
    held_out = [split for split in ("validation", "test") if split in training.splits]
    predicted = {split: _predicted(training, trainer, split) for split in held_out}
    final = predicted["validation"].metrics

    def anew() -> Any:
        return with_method(config, recipe, load_base(config, recipe, training.settings, Device("cpu", "CPU")))

    model = whole_model(trainer, anew)
    if trainer.args.should_save:
        facts = {
            "run": folder.name,
            "device": str(training.loaded.device),
            "rows": {name: len(split) for name, split in training.splits.items()},
            "steps": step,
            "best_step": trainer.best_loaded,
            "seconds": time.time() - training.started,
            "before": trainer.told.before,
        }
        trained = _references(recipe, training.splits["train"]["labels"])
        report = write_report(config, folder, facts, predicted, trained)
        for split, each in predicted.items():
            emit(what.Evaluated(step, time.time(), float(trainer.state.epoch or 0.0), split, each.metrics))
        save_model(config, folder, training.loaded, model, report)
        emit(what.Saved(step, time.time(), "model"))
        shutil.rmtree(folder / "arrow", ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    if stopped:
        emit(what.Stopped(step, time.time(), kept=True, metrics=final))
        return
    if trainer.args.should_save:
        # model/ holds the model that is kept; the optimizer state beside it has no further use.
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    emit(what.Finished(step, time.time(), metrics=final, seconds=time.time() - training.started))


def _predicted(training: _Training, trainer: Any, split: str) -> Predicted:
    found, recipe = trainer.predict(training.splits[split], metric_key_prefix=split), training.recipe
    labelled = None
    if recipe.find_labelled_words:
        labelled = recipe.find_labelled_words(
            rows_of(training.folder, split), training.loaded.tokenizer, training.longest
        )
    return Predicted(found.predictions, found.label_ids, plain_metrics(found.metrics, f"{split}_"), labelled)


def _references(recipe: Kind, labels: Sequence[Any]) -> Any:
    """The labels of all rows as an array; those of tokens padded with -100."""
    import numpy as np

    if not recipe.sequence_labels:
        return np.asarray(labels)
    width = max(map(len, labels))
    return np.asarray([[*own, *[-100] * (width - len(own))] for own in labels])
