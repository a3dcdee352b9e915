"""What a run's Trainer does besides training: it counts, tells events, and writes whole checkpoints.

EventCallback turns its hooks into events.
"""

from __future__ import annotations

import json
import math
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import broadcast_object_list
from transformers import PrinterCallback, TrainerCallback

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.report import delete_epochs_after, write_epoch
from hfdemo.finetuning.events import Emit, Evaluated, Phase, Saved, Started, StepLogged
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.training import checkpoints
from hfdemo.finetuning.training.stop_signal import RandomStates, StopSignal
from hfdemo.finetuning.training.trainer import TaskTrainer

EVALUATION_FILE = "evaluation.npz"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on the validation split after `step`: predictions and references of its rows in the order of their
    file, and the metrics under evaluate's names."""

    step: int
    logits: Any
    references: Any
    metrics: Mapping[str, float]

    def write(self, checkpoint: Path) -> None:
        """Put it into the folder `checkpoint`, whose model it is of."""
        # The checkpoint may be sealed already: a crash must not leave half of this in it.
        half = checkpoint / f".{EVALUATION_FILE}"
        with half.open("wb") as file:
            text = np.array(json.dumps(dict(self.metrics)))
            np.savez(file, logits=self.logits, references=self.references, metrics=text)
        half.replace(checkpoint / EVALUATION_FILE)

    @classmethod
    def read(cls, checkpoint: Path) -> Evaluation | None:
        """Return what the model in the folder `checkpoint` was evaluated with; None if that is not known."""
        try:
            with np.load(checkpoint / EVALUATION_FILE) as found:
                metrics = json.loads(str(found["metrics"]))
                return cls(checkpoints.checkpoint_step(checkpoint), found["logits"], found["references"], metrics)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


class PhaseCallback(TrainerCallback):
    """Knows what a training is at; `tell` hears of it when that changes."""

    def __init__(self) -> None:
        self.tell: Callable[[Phase], None] = lambda phase: None
        self._now: Phase | None = None

    def enter(self, phase: Phase) -> None:
        """Say that `phase` begins, if it has not begun already."""
        if phase != self._now:
            self._now = phase
            self.tell(phase)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.enter("training")

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.enter("evaluating" if state.global_step else "evaluating before training")


class RunTrainer(TaskTrainer):
    """The Trainer of a run, which obeys `signal`; its checkpoints are whole or not there."""

    #: rows, tokens and slots that training has computed so far, the last two as tensors on the device
    seen: tuple[int, Any, int] = (0, 0, 0)
    #: the last evaluation while training
    evaluation: Evaluation | None = None
    #: the step of the best checkpoint, once its weights were put into the model in place of the last ones
    best_loaded: int | None = None
    #: why they could not be
    best_lost: str | None = None
    #: the step of the newest checkpoint that this process has written
    saved_step: int | None = None
    _saving = False

    def __init__(self, *, signal: StopSignal, phases: PhaseCallback, **arguments: Any) -> None:
        self.signal, self.phases = signal, phases
        super().__init__(**arguments)
        self.remove_callback(PrinterCallback)  # the events say it already

    @property
    def folder(self) -> Path:
        """Where the checkpoints are."""
        return Path(self.args.output_dir)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        """Train on a batch, and count it."""
        rows, tokens, slots = self.seen
        mask = inputs["attention_mask"]
        self.seen = (rows + len(mask), tokens + mask.sum(), slots + mask.numel())
        return super().training_step(model, inputs, num_items_in_batch)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> Any:
        """Evaluate, unless the run was asked to stop, and remember the outcome."""
        self.signal.check()
        found = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        if metric_key_prefix == "eval":
            metrics = plain_metrics(found.metrics, "eval_")
            self.evaluation = Evaluation(self.state.global_step, found.predictions, found.label_ids, metrics)
        return found

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> Any:
        late = skip_scheduler and self.state.global_step > 0
        metrics = super()._evaluate(trial, ignore_keys_for_eval, skip_scheduler=skip_scheduler and not late)
        # What a stop had broken off is made up for before the first step of a training that is resumed.
        if late and self._determine_best_metric(metrics, trial):
            checkpoint = self.folder / f"checkpoint-{self.state.global_step}"
            self.state.best_model_checkpoint = str(checkpoint)
            if self.args.should_save and self.evaluation is not None:
                self.evaluation.write(checkpoint)
                checkpoints.write_manifest(checkpoint)
        return metrics

    def _run_epoch(self, **arguments: Any) -> None:
        # The evaluation that was made up for may have ended the training.
        if not self.control.should_training_stop:
            super()._run_epoch(**arguments)

    def _get_output_dir(self, trial: Any) -> str:
        return str(checkpoints.partial_folder(self.folder) if self._saving else self.folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.phases.enter("saving")
        # As the library's own, but under another name until every file of it is safely on the disk.
        step, best = self.state.global_step, self.state.best_global_step
        name, half = f"checkpoint-{step}", checkpoints.partial_folder(self.folder)
        if self.args.should_save:
            shutil.rmtree(half, ignore_errors=True)
        self._check_space(model)
        self._saving = True
        try:
            super()._save_checkpoint(model, trial)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)  # the disk may be full of it
            raise
        finally:
            self._saving = False
        if best and (best == step or (self.folder / f"checkpoint-{best}").is_dir()):
            self.state.best_model_checkpoint = str(self.folder / f"checkpoint-{best}")
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            # It was written while the best checkpoint still had its passing name.
            self.state.save_to_json(str(half / name / "trainer_state.json"))
            if self.evaluation is not None and self.evaluation.step == step:
                self.evaluation.write(half / name)
            checkpoints.seal(half / name, self.folder / name)
            kept = [Path(self.state.best_model_checkpoint)] if self.state.best_model_checkpoint else []
            checkpoints.prune(self.folder, kept, self.args.save_total_limit)
        self.saved_step = step
        self.accelerator.wait_for_everyone()

    def _check_space(self, model: Any) -> None:
        """Check that a checkpoint fits on the disk: all processes hear what the first one finds, and none waits.

        Raises:
            RunError: it does not.
        """
        refusal = [""]
        if self.args.should_save:
            try:
                checkpoints.check_space(
                    self.folder, _checkpoint_bytes(model), f"the checkpoint of step {self.state.global_step}"
                )
            except RunError as error:
                refusal = [str(error)]
        broadcast_object_list(refusal)
        if refusal[0]:
            raise RunError(refusal[0])

    def _load_best_model(self) -> None:
        best = self.folder / Path(self.state.best_model_checkpoint).name
        step = checkpoints.checkpoint_step(best)
        if wrong := checkpoints.find_damage(best):
            self.best_lost = (
                f"The best checkpoint, of step {step:,}, is damaged ({wrong}): the model of the last step is kept."
            )
            return
        self.state.best_model_checkpoint = str(best)
        super()._load_best_model()
        self.best_loaded = step

    def save_stopped(self, states: RandomStates | None) -> None:
        """Write the checkpoint of the last whole optimizer step of a training that was broken off, if it is not there.

        `states` are the random states after that step, so that who resumes there goes on as if it had never stopped;
        None where this process has made no step.

        Raises:
            RunError: it does not fit on the disk.
        """
        if states is None or self.best_loaded is not None or self.saved_step == self.state.global_step:
            return
        states.restore()
        self._save_checkpoint(self.model, None)
        self.callback_handler.on_save(self.args, self.state, self.control)

    def load_best(self) -> str | None:
        """Put the weights of the best checkpoint into the model, if there is one; return why they can't be.

        Then the model stays as it was after the last whole optimizer step.
        """
        best = self.state.best_model_checkpoint
        if self.args.load_best_model_at_end and best is not None and self.best_loaded is None:
            self._load_best_model()
        return self.best_lost

    def find_evaluation(self) -> Evaluation | None:
        """Return the evaluation of the weights that a stopped training keeps; None if they have none."""
        if self.best_loaded is not None:
            return Evaluation.read(self.folder / f"checkpoint-{self.best_loaded}")
        last = self.evaluation
        return last if last is not None and last.step == self.state.global_step else None


@dataclass
class Throughput:
    """Rows, tokens and slots that were computed by `time`."""

    time: float = field(default_factory=time.time)
    rows: int = 0
    tokens: int = 0
    slots: int = 0

    def measure(self, seen: tuple[int, Any, int]) -> dict[str, float | None]:
        """Return the rates since the last call, for StepLogged; `seen` is what was computed until now."""
        now, tokens = time.time(), int(seen[1])
        rows, read, slots, seconds = seen[0] - self.rows, tokens - self.tokens, seen[2] - self.slots, now - self.time
        self.time, self.rows, self.tokens, self.slots = now, seen[0], tokens, seen[2]
        return {
            "samples_per_second": rows / seconds if seconds > 0 else None,
            "tokens_per_second": read / seconds if seconds > 0 else None,
            "waste": 1 - read / slots if slots else None,
        }


class EventCallback(TrainerCallback):
    """Turns the Trainer's hooks into events, and writes what the validation split looks like after each evaluation.

    `started` is said when training begins, without its steps, epochs and parameters; None for one that is resumed.
    `trainer` is to be set before training, as the Trainer hands itself to no hook; `on_begin(steps)` is called between
    the beginning of a training and its first step.
    """

    trainer: RunTrainer

    def __init__(self, config: RunConfig, kind: Kind, folder: Path, started: Started | None, emit: Emit) -> None:
        self.config, self.kind, self.folder = config, kind, folder
        self.started, self.emit = started, emit
        self.on_begin: Callable[[int], None] = lambda steps: None
        self.throughput = Throughput()
        #: the metrics before training
        self.before: Mapping[str, float] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self.started is None:
            delete_epochs_after(self.folder, float(state.epoch or 0.0))
        else:
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
            known = {
                "time": time.time(),
                "total_steps": state.max_steps,
                "epochs": float(state.num_train_epochs),
                "trainable_parameters": sum(size for size, trained in sizes if trained),
                "parameters": sum(size for size, _ in sizes),
            }
            self.emit(replace(self.started, **known))
            self.on_begin(state.max_steps)
        self.throughput = Throughput()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" not in logs:
            return
        # Under fp16 the scaler skips steps whose gradient overflows: there an infinite norm is no accident.
        numbers = [logs["loss"], 0.0 if args.fp16 else logs.get("grad_norm") or 0.0]
        if not all(math.isfinite(number) for number in numbers):
            raise DemoError(
                f"The loss is no longer a number (loss {logs['loss']}, gradient norm {logs.get('grad_norm')}) "
                f"at step {state.global_step}. Lower the learning rate (now {args.learning_rate}) and start again."
            )
        self.emit(
            StepLogged(
                step=state.global_step,
                time=time.time(),
                epoch=float(state.epoch or 0.0),
                loss=float(logs["loss"]),
                learning_rate=float(logs.get("learning_rate", 0.0)),
                grad_norm=float(logs["grad_norm"]) if logs.get("grad_norm") is not None else None,
                memory_bytes=held_bytes(args.device.type),
                **self.throughput.measure(self.trainer.seen),
            )
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        named, epoch, step = plain_metrics(metrics, "eval_"), float(state.epoch or 0.0), state.global_step
        if step == 0:
            self.before = named
        self.emit(Evaluated(step, time.time(), epoch, "validation", named))
        found = self.trainer.evaluation
        if args.should_save and found is not None:
            labels, positive = self.config.labels or (), self.config.positive_label
            write_epoch(self.folder, self.kind, labels, positive, epoch, step, found.logits, found.references)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.emit(Saved(state.global_step, time.time(), f"checkpoints/checkpoint-{state.global_step}"))


def plain_metrics(found: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Return the metrics under evaluate's names: without the prefix and without the Trainer's own timings."""
    timings = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    named = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: float(value) for name, value in named.items() if name not in timings}


def held_bytes(kind: str) -> int | None:
    """Return what this process holds of the memory of a device of that kind; on a CPU its resident set."""
    import psutil
    import torch

    if kind == "cpu":
        return int(psutil.Process().memory_info().rss)
    try:
        return int(torch.accelerator.memory.memory_reserved())
    except (RuntimeError, AttributeError):
        return None


def _checkpoint_bytes(model: Any) -> int:
    """Estimate what a checkpoint takes: what is trained and twice that for the optimizer, and the rest of the model."""
    whole = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    trained = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    return 3 * trained if hasattr(model, "peft_config") else whole + 2 * trained
