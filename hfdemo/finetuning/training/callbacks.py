"""What the Trainer does, as events; and what a person asks of it while it does: to stop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError, Stopped
from hfdemo.finetuning.arguments import SELECTION, evaluates
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.report import delete_epochs_after, write_epoch
from hfdemo.finetuning.events import Evaluated, Event, Saved, Started, StepLogged, Stopping
from hfdemo.finetuning.kinds import Evaluator, Kind
from hfdemo.finetuning.kinds.kind import LOWER_IS_BETTER

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class StopRequest:
    """The file in the run's folder with which a person asks the training to end."""

    folder: Path

    @property
    def made(self) -> bool:
        return (self.folder / "stop").exists()

    @property
    def keep(self) -> bool:
        """Whether what was learned so far is to be kept."""
        try:
            return bool(json.loads((self.folder / "stop").read_text(encoding="utf-8")).get("keep", True))
        except (OSError, ValueError):
            return True


def aim(config: RunConfig, evaluator: Evaluator) -> tuple[str, bool]:
    """The metric that is to be best, the one asked for or else the task's own, and whether higher is better."""
    named, greater = (config.training.get(name) for name in ("metric_for_best_model", "greater_is_better"))
    if named is None:
        return evaluator.selection, evaluator.greater_is_better
    name = str(named).removeprefix("eval_")
    return name, name not in LOWER_IS_BETTER if greater is None else bool(greater)


def check_aim(config: RunConfig, evaluator: Evaluator, extra: Sequence[str] = ()) -> None:
    """Refuse a metric to be best in that nothing computes; `extra` are the scores of the config's further metrics.

    Raises:
        DemoError: there is no metric of that name.
    """
    name, _ = aim(config, evaluator)
    known = ("loss", *evaluator.names, *(f"extra_{each}" if each in evaluator.names else each for each in extra))
    if evaluates(config.training) and name not in known:
        raise DemoError(f"metric_for_best_model is {name!r}, but the metrics are {', '.join(known)}. Pick one.")


def selection(config: RunConfig, evaluator: Evaluator, metrics: Mapping[str, float]) -> float:
    """What the best checkpoint has the highest of: the metric asked for, else the task's own, and of several with the
    same the lowest loss: on small splits a metric is often the same for epochs that are far apart in what was learned.
    """
    name, greater = aim(config, evaluator)
    value = metrics[name] if greater else -metrics[name]
    return value - 1e-9 * metrics["loss"] if math.isfinite(value) else -math.inf


def plain_metrics(found: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The metrics under evaluate's names: without the prefix and without the Trainer's own timings."""
    timings = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    named = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: float(value) for name, value in named.items() if name not in timings}


@dataclass
class Pace:
    """Rows, tokens and slots between two looks, and the seconds between them."""

    time: float = field(default_factory=time.time)
    rows: int = 0
    tokens: int = 0
    slots: int = 0

    def since(self, seen: tuple[int, Any, int]) -> dict[str, float | None]:
        """Rates since the last call, for StepLogged."""
        now, tokens = time.time(), int(seen[1])
        rows, read, slots, seconds = seen[0] - self.rows, tokens - self.tokens, seen[2] - self.slots, now - self.time
        self.time, self.rows, self.tokens, self.slots = now, seen[0], tokens, seen[2]
        return {
            "samples_per_second": rows / seconds if seconds > 0 else None,
            "tokens_per_second": read / seconds if seconds > 0 else None,
            "waste": 1 - read / slots if slots else None,
        }


def make_reporter(
    config: RunConfig,
    kind: Kind,
    stop: StopRequest,
    rows: Mapping[str, int],
    notes: list[str],
    device: str,
    emit: Emit,
) -> Any:
    """A TrainerCallback that turns the Trainer's hooks into events and obeys the stop file.

    Its `trainer` is to be set before training, as the Trainer hands it to no hook; `begun(steps)` is called between
    the beginning of a training and its first step.
    """
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        trainer: Any = None
        resumed = False
        inside = noticed = False
        begun: Callable[[int], None] = staticmethod(lambda steps: None)
        before: Mapping[str, float] | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.pace = Pace()
            if self.resumed:
                delete_epochs_after(stop.folder, float(state.epoch or 0.0))
                return
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
            emit(
                Started(
                    step=0,
                    time=time.time(),
                    total_steps=state.max_steps,
                    epochs=float(state.num_train_epochs),
                    device=device,
                    rows=dict(rows),
                    trainable_parameters=sum(size for size, trained in sizes if trained),
                    parameters=sum(size for size, _ in sizes),
                    notes=tuple(notes),
                )
            )
            self.begun(state.max_steps)
            self.pace = Pace()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.made and state.global_step < state.max_steps:
                self.notice(state)
                control.should_training_stop = True
                self.inside = not float(state.epoch or 0.0).is_integer()
                # Before the evaluation that comes of stopping: who resumes here goes on as if it had never stopped.
                control.should_save |= stop.keep and self.inside

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """The Trainer comes by here, too, when it ends in the middle of an epoch."""
            if not control.should_training_stop or state.global_step >= state.max_steps:
                return
            if stop.made:
                control.should_save = stop.keep and not self.inside
                control.should_evaluate &= stop.keep

        def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.made:
                self.notice(state)
                if not stop.keep:
                    raise Stopped

        def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.made:
                self.notice(state)

        def notice(self, state: Any) -> None:
            """Say once that the stop was noticed: what is to be kept is then given the time that it takes."""
            if not self.noticed:
                self.noticed = True
                emit(Stopping(state.global_step, time.time()))

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
            emit(
                StepLogged(
                    step=state.global_step,
                    time=time.time(),
                    epoch=float(state.epoch or 0.0),
                    loss=float(logs["loss"]),
                    learning_rate=float(logs.get("learning_rate", 0.0)),
                    grad_norm=float(logs["grad_norm"]) if logs.get("grad_norm") is not None else None,
                    memory_bytes=held_bytes(args.device.type),
                    **self.pace.since(self.trainer.seen),
                )
            )

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            named = plain_metrics(metrics, "eval_")
            if state.global_step == 0:
                self.before = named
            epoch = float(state.epoch or 0.0)
            emit(Evaluated(state.global_step, time.time(), epoch, "validation", named))
            if args.should_save:
                labels, positive = config.labels or (), config.positive_label
                write_epoch(stop.folder, kind, labels, positive, epoch, state.global_step, *self.trainer.answered)
            metrics[f"eval_{SELECTION}"] = selection(config, kind.evaluator, named)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            emit(Saved(state.global_step, time.time(), f"checkpoints/checkpoint-{state.global_step}"))

    return Reporter()


def held_bytes(kind: str) -> int | None:
    """What this process holds of the memory of a device of that kind; on a CPU its resident set."""
    import psutil
    import torch

    if kind == "cpu":
        return int(psutil.Process().memory_info().rss)
    try:
        return int(torch.accelerator.memory.memory_reserved())
    except (RuntimeError, AttributeError):
        return None
