"""One training: a prepared run folder in, events out, and a model that can be used at the end."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EarlyStoppingCallback, TrainingArguments, set_seed
from transformers.integrations import TensorBoardCallback

from hfdemo.devices import Device
from hfdemo.errors import DemoError, RunError, Stopped
from hfdemo.finetuning import events as what
from hfdemo.finetuning.arguments import evaluates, of_run, threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import check_selection_metric, make_compute_metrics, selection_metric
from hfdemo.finetuning.evaluation.report import (
    Predicted,
    find_constant_answers,
    rows_of,
    unlabelled_rows,
    write_answers,
    write_report,
)
from hfdemo.finetuning.events import Emit
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.kinds.losses import keep_logits
from hfdemo.finetuning.preprocessing import encode_splits, encode_unlabelled, find_chat_template
from hfdemo.finetuning.training.checkpoints import find_damage
from hfdemo.finetuning.training.class_weights import class_weights
from hfdemo.finetuning.training.memory_probe import explain_out_of_memory, probe
from hfdemo.finetuning.training.model import (
    apply_method,
    check_width,
    find_max_tokens,
    gather_model,
    load_base,
    prepare_sharding,
    save_model,
)
from hfdemo.finetuning.training.run_trainer import EventCallback, PhaseCallback, RunTrainer, plain_metrics
from hfdemo.finetuning.training.stop_signal import StopCallback, StopSignal
from hfdemo.finetuning.training.trainer import PaddingCollator, SelectionCallback
from hfdemo.models.loading import LoadedModel
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import PaddingPlan, find_strategy, make_width_function, plan_batches, row_order

if TYPE_CHECKING:
    from datasets import DatasetDict


@dataclass(frozen=True)
class Resume:
    """Where a training goes on: the folder of a checkpoint that was verified, and what there is to say about it."""

    checkpoint: Path
    step: int
    notes: tuple[str, ...] = ()

    @property
    def owes_evaluation(self) -> bool:
        """Whether a stop broke off the evaluation after the checkpoint's step."""
        state = json.loads((self.checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        control = state.get("stateful_callbacks", {}).get("TrainerControl", {})
        return bool(control.get("args", {}).get("should_evaluate"))


def train(
    config: RunConfig,
    folder: Path,
    settings: Settings,
    device: Device,
    emit: Emit,
    resume: Resume | None = None,
    on_step: Callable[[int], None] | None = None,
    on_phase: Callable[[what.Phase], None] | None = None,
) -> None:
    """Train as `config` says on `folder/data`, and write model/, report.json and errors.csv below `folder`.

    `config` is the run's own: columns, labels and training values are all filled in. A file `folder/stop` breaks the
    training off at its next batch; {"keep": true} in it keeps the best model so far. `on_step(step)` is called after
    each optimizer step, `on_phase(phase)` when it comes to something else. Under torchrun every process calls this;
    only the first one writes and emits.

    Raises:
        DemoError: the model can't be loaded or trained this way, the memory is too small, or the loss is no longer a
            number.
    """
    training = Training(config, folder, settings, device, emit, resume)
    training.stop_callback.on_step = on_step
    if on_phase is not None:
        training.phases.tell = on_phase
    training.run()


class Training:
    """One training of the run in `folder`, from the base model to the one that is kept."""

    loaded: LoadedModel
    splits: DatasetDict
    events: EventCallback
    trainer: RunTrainer | None = None
    #: the most tokens that a row may have
    longest: int | None = None

    def __init__(
        self, config: RunConfig, folder: Path, settings: Settings, device: Device, emit: Emit, resume: Resume | None
    ) -> None:
        self.config, self.folder, self.settings, self.device = config, folder, settings, device
        self.emit, self.resume = emit, resume
        self.kind = find_kind(config.task, config.problem_type)
        self.began = time.time()
        self.signal = StopSignal(folder, lambda: emit(what.Stopping(self._step, time.time())))
        self.stop_callback, self.phases = StopCallback(self.signal), PhaseCallback()
        #: what the model that is kept says of the held-out splits
        self.predicted: dict[str, Predicted] = {}
        self._known_lengths: dict[str, list[int]] = {}

    def run(self) -> None:
        """Load, train, evaluate and save; what is asked to stop is broken off and saves what it has."""
        self.phases.enter("loading")
        torch.set_num_threads(threads(self.config.processes))
        arguments = self._make_arguments()
        try:
            notes = self._load(arguments)
            trainer = self.trainer = self._make_trainer(arguments, notes)
            self._train(trainer)
            for split in ("validation", "test"):
                if split in self.splits:
                    self.predicted[split] = self._predict(trainer, split)
            self._answer_unlabelled(trainer)
        except Stopped:
            self._end_stopped()
            return
        self._save(trainer, (trainer.best_lost,) if trainer.best_lost else ())
        if trainer.args.should_save:
            # model/ holds the model that is kept; the optimizer state beside it has no further use.
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        metrics, seconds = self.predicted["validation"].metrics, time.time() - self.began
        said = tuple(find_constant_answers(self.kind, self.predicted, self.config.labels or ()))
        self.emit(what.Finished(self._step, time.time(), metrics=metrics, seconds=seconds, notes=said))

    @property
    def _step(self) -> int:
        """The optimizer steps that are done."""
        if self.trainer is not None:
            return int(self.trainer.state.global_step)
        return self.resume.step if self.resume is not None else 0

    def _make_arguments(self) -> Any:
        """Make the TrainingArguments, once per process: they seed every random generator."""
        values = {
            "use_cpu": self.device.kind == "cpu",
            **of_run(self.config.training),
            "output_dir": str(self.folder / "checkpoints"),
            "run_name": self.folder.name,
            "disable_tqdm": True,
        }
        if self.resume is not None:
            values["eval_on_start"] = self.resume.owes_evaluation  # else it was evaluated when it began
        try:
            arguments = TrainingArguments(**values)
        except (ValueError, TypeError, ImportError) as error:
            raise DemoError(f"transformers refuses these TrainingArguments: {error}") from error
        # One process, one device: several GPUs would silently become DataParallel.
        arguments._n_gpu = min(1, arguments.n_gpu)
        return arguments

    def _load(self, arguments: Any) -> list[str]:
        """Load the base model and encode the rows; return what there is to say of them."""
        self.signal.check()
        # Seeds count before the model is loaded: a new classification head is drawn at random.
        set_seed(self.config.training["seed"])
        self.loaded = load_base(self.config, self.kind, self.settings, self.device)
        self.signal.check()
        self.longest = find_max_tokens(self.config, self.loaded)
        left_out: list[str] = []
        # The others wait for the first process before they may look, so none can leave without the rest.
        with arguments.main_process_first(), contextlib.suppress(Stopped):
            self.splits, left_out = encode_splits(
                self.config, self.kind, self.loaded, self.longest, self.folder, self.signal.check_alone
            )
        self.signal.check()
        return [*_notes_of_data(self.folder), *left_out]

    def _make_trainer(self, arguments: Any, notes: Sequence[str]) -> RunTrainer:
        """Make the Trainer; `notes` is what there is to say of the rows."""
        config, kind, loaded, splits = self.config, self.kind, self.loaded, self.splits
        width_of = make_width_function(config.padding, max(self._lengths("train")), self.longest)
        check_width(config, width_of, loaded, max(max(self._lengths(split)) for split in splits))
        started = what.Started(
            step=0,
            time=time.time(),
            device=str(loaded.device),
            rows={name: len(split) for name, split in splits.items()},
            notes=(*notes, *self._notes_of_training(arguments)),
        )
        self.events = EventCallback(config, kind, self.folder, started if self.resume is None else None, self.emit)
        callbacks: list[Any] = [self.stop_callback, self.events, self.phases]
        if evaluates(config.training):
            callbacks.append(SelectionCallback(*selection_metric(config, kind.evaluator)))
        if config.early_stopping_patience:
            callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))  # after what names the best
        scores = make_compute_metrics(kind, config.labels or (), config.positive_label, config.metrics)
        check_selection_metric(config, kind.evaluator, scores.extra)
        trainer = RunTrainer(
            signal=self.signal,
            phases=self.phases,
            loss=kind.loss,
            count=kind.count,
            class_weights=class_weights(config, kind, splits["train"]["labels"]),
            row_order=None if config.names_sampler else self._order_rows,
            keeps_logits=kind.reduce is keep_logits,
            preprocess_logits_for_metrics=kind.reduce,
            model=apply_method(config, kind, loaded),
            args=arguments,
            train_dataset=splits["train"],
            eval_dataset=splits["validation"],
            processing_class=loaded.tokenizer,
            data_collator=PaddingCollator(loaded.tokenizer, width_of, kind.sequence_labels),
            compute_metrics=scores,
            callbacks=callbacks,
        )
        self.events.trainer = trainer
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, TensorBoardCallback):
                callback.logging_dir = str(self.folder / "tensorboard")  # its own place would go with the checkpoints
        return trainer

    def _notes_of_training(self, arguments: Any) -> list[str]:
        """Return sentences on how it is trained."""
        notes = [self._note_of_padding()]
        if arguments.save_only_model:
            notes.append(
                "save_only_model: a run that is resumed begins with a new optimizer, so it ends as another would."
            )
        report = self.loaded.report
        if not report.is_trustworthy:
            notes.append(str(report).replace("Train it before you trust the output.", "Training starts there."))
        return notes

    def _note_of_padding(self) -> str:
        """Say what the padding costs, or that `training` puts the rows into an order of its own."""
        if self.config.names_sampler:
            return (
                f"Padding {self.config.padding} decides how wide a batch is, but not which rows meet in it: training "
                f"names a train_sampling_strategy, {self.config.training['train_sampling_strategy']}, and that wins."
            )
        cost = self._plan(self.config.training["per_device_train_batch_size"]).cost()
        waste, slots = f"{cost.waste:.0%}", f"{cost.slots:,}"
        return f"Padding {self.config.padding}: {waste} of the {slots} positions of the first epoch are padding."

    def _lengths(self, split: str) -> list[int]:
        """Return the tokens of each row."""
        if split not in self._known_lengths:
            self._known_lengths[split] = [len(ids) for ids in self.splits[split]["input_ids"]]
        return self._known_lengths[split]

    def _plan(self, batch_size: int) -> PaddingPlan:
        """Return the batches of the first epoch."""
        return plan_batches(
            self._lengths("train"), batch_size, self.config.padding, self.longest, self.config.data_seed
        )

    def _order_rows(self, batch_size: int, epoch: int) -> list[int]:
        """Return the training rows in the order of an epoch, as the padding strategy puts them."""
        lengths, grouped = self._lengths("train"), find_strategy(self.config.padding).groups_by_length
        return row_order(lengths, batch_size, grouped, self.config.data_seed, epoch)

    def _train(self, trainer: RunTrainer) -> None:
        """Train, after a few trial steps."""
        prepare_sharding(trainer)
        resume = self.resume
        if resume is not None:
            self.emit(what.Resumed(resume.step, time.time(), resume.notes))
        first = self._plan(trainer.args.per_device_train_batch_size)
        if trainer.args.world_size == 1:
            evaluated = self._lengths("validation")

            def try_steps(steps: int) -> None:
                self.phases.enter("trial steps")
                self.emit(probe(trainer, self.config, first, steps, evaluated))

            self.events.on_begin = try_steps
        with explain_out_of_memory(self.config, first.batches[0].width):
            trainer.train(resume_from_checkpoint=str(resume.checkpoint) if resume else None)

    def _predict(self, trainer: RunTrainer, split: str) -> Predicted:
        """Return what the trained model says of a split."""
        found = trainer.predict(self.splits[split], metric_key_prefix=split)
        metrics = plain_metrics(found.metrics, f"{split}_")
        self.emit(what.Evaluated(self._step, time.time(), float(trainer.state.epoch or 0.0), split, metrics))
        return Predicted(found.predictions, found.label_ids, metrics, self._labelled_words(split))

    def _answer_unlabelled(self, trainer: RunTrainer) -> None:
        """Write what the trained model says of the test rows that have no label."""
        rows = unlabelled_rows(self.folder)
        if not rows or self.kind.evaluator.answers is None:
            return
        inputs = encode_unlabelled(self.config, self.kind, self.loaded, self.longest, [row for _, row in rows])
        found = trainer.predict(inputs, metric_key_prefix="unlabelled")
        if trainer.args.should_save:
            write_answers(self.folder, self.kind, self.config.labels or (), rows, found.predictions)

    def _labelled_words(self, split: str) -> list[list[int]] | None:
        """Return which words of each row have a label, of rows of words."""
        if self.kind.find_labelled_words is None:
            return None
        return self.kind.find_labelled_words(rows_of(self.folder, split), self.loaded.tokenizer, self.longest)

    def _end_stopped(self) -> None:
        """Save what was learned before the stop, if that was asked for, with the evaluation that it has already."""
        trainer, step, request = self.trainer, self._step, self.signal.request
        keep = request is not None and request.keep
        notes: tuple[str, ...] = ()
        if not keep or trainer is None or step == 0:
            kept = keep and self.resume is not None
            if keep and not kept:
                notes = ("It was stopped before its first step, so there is nothing to keep.",)
            self.emit(what.Stopped(step, time.time(), kept=kept, notes=notes))
            return
        trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
        lost: list[str] = []
        try:
            trainer.save_stopped(self.stop_callback.after_step)
        except RunError as error:  # the model alone may fit
            lost.append(f"Its optimizer was not saved, so the run can't go on from here. {error}")
        if damage := trainer.load_best():
            lost.append(damage)
        found = trainer.find_evaluation()
        if found is not None and "validation" not in self.predicted:
            words = self._labelled_words("validation")
            self.predicted["validation"] = Predicted(found.logits, found.references, found.metrics, words)
        notes = (*self._notes_of_stop(trainer), *lost)
        self._save(trainer, notes)
        metrics = self.predicted["validation"].metrics if self.predicted else {}
        self.emit(what.Stopped(step, time.time(), kept=True, metrics=metrics, notes=notes))

    def _notes_of_stop(self, trainer: RunTrainer) -> tuple[str, ...]:
        """Return sentences on what is kept of a training that was broken off, and how well that is known."""
        best, step = trainer.best_loaded, self._step
        if best is None:
            notes = [f"Stopped and kept after step {step:,}."]
        else:
            notes = [f"Stopped after step {step:,}. Kept: the model after step {best:,}, the best that was saved."]
            newest = trainer.folder / f"checkpoint-{step}"
            if best < step and find_damage(newest, hashes=False) is None:
                notes.append("What was learned since then is in the newest checkpoint: resume the run to go on there.")
        if not self.predicted and best is None:
            notes.append("Not evaluated: it was stopped before an evaluation was complete.")
        elif not self.predicted:
            notes.append("Not evaluated: its checkpoint was saved without the evaluation that made it the best.")
        if "test" in self.splits:
            notes.append("The test split was left out.")
        return tuple(notes)

    def _save(self, trainer: RunTrainer, notes: Sequence[str]) -> None:
        """Write the report and the model that is kept; `notes` are sentences on how it came about."""
        self.phases.enter("saving")
        config, kind, folder = self.config, self.kind, self.folder

        def make_again() -> Any:
            return apply_method(config, kind, load_base(config, kind, self.settings, Device("cpu", "CPU")))

        model = gather_model(trainer, make_again)
        if trainer.args.should_save:
            facts = {
                "run": folder.name,
                "device": str(self.loaded.device),
                "rows": {name: len(split) for name, split in self.splits.items()},
                "steps": self._step,
                "best_step": trainer.best_loaded,
                "seconds": time.time() - self.began,
                "before": self.events.before,
                "notes": list(notes),
            }
            texts = [row["text"] for row in rows_of(folder, "train")]
            if template := find_chat_template(kind, texts, self.loaded.tokenizer):
                facts["chat_template"] = template
            report = write_report(config, folder, facts, self.predicted, self.splits["train"]["labels"])
            save_model(config, folder, self.loaded, model, report)
            self.emit(what.Saved(self._step, time.time(), "model"))
            shutil.rmtree(folder / "arrow", ignore_errors=True)
        trainer.accelerator.wait_for_everyone()


def _notes_of_data(folder: Path) -> list[str]:
    """Return what was left out when the data was read and mended."""
    try:
        return list(json.loads((folder / "data.json").read_text(encoding="utf-8"))["notes"])
    except FileNotFoundError:
        return []
