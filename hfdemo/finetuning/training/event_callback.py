"""What the Trainer does, as events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.report import delete_epochs_after, write_epoch
from hfdemo.finetuning.events import Emit, Evaluated, Saved, Started, StepLogged
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.training.run_trainer import RunTrainer, plain_metrics


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
