"""What a run's Trainer does besides training: it counts, remembers its evaluations, and writes whole checkpoints."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import broadcast_object_list
from transformers import PrinterCallback

from hfdemo.errors import RunError
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


def plain_metrics(found: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Return the metrics under evaluate's names: without the prefix and without the Trainer's own timings."""
    timings = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    named = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: float(value) for name, value in named.items() if name not in timings}


class RunTrainer(TaskTrainer):
    """The Trainer of a run, which obeys `signal`; its checkpoints are whole or not there."""

    #: rows, tokens and slots that training has computed so far, the last two as tensors on the device
    seen: tuple[int, Any, int] = (0, 0, 0)
    #: the last evaluation while training
    evaluation: Evaluation | None = None
    #: the step of the best checkpoint, once its weights were put into the model in place of the last ones
    best_loaded: int | None = None
    #: the step of the newest checkpoint that this process has written
    saved_step: int | None = None
    _saving = False

    def __init__(self, *, signal: StopSignal, **arguments: Any) -> None:
        self.signal = signal
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
        # As the library's own, but under another name until every file of it is safely on the disk.
        step, best = self.state.global_step, self.state.best_global_step
        name, half = f"checkpoint-{step}", checkpoints.partial_folder(self.folder)
        if self.args.should_save:
            shutil.rmtree(half, ignore_errors=True)
        self._check_space(model)
        self._saving = True
        try:
            super()._save_checkpoint(model, trial)
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
        wrong = checkpoints.find_damage(best)
        if wrong:
            raise RunError(
                f"The best checkpoint, of step {checkpoints.checkpoint_step(best)}, is damaged ({wrong}), so there is "
                "no best model to keep. Resume the run: it goes on from the newest that is whole."
            )
        self.state.best_model_checkpoint = str(best)
        super()._load_best_model()
        self.best_loaded = checkpoints.checkpoint_step(best)

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
        if not self.args.load_best_model_at_end or best is None or self.best_loaded is not None:
            return None
        wrong = checkpoints.find_damage(self.folder / Path(best).name)
        if wrong:
            step = checkpoints.checkpoint_step(Path(best))
            return f"The best checkpoint, of step {step:,}, is damaged ({wrong}): the model of the last step is kept."
        self._load_best_model()
        return None

    def find_evaluation(self) -> Evaluation | None:
        """Return the evaluation of the weights that a stopped training keeps; None if they have none."""
        if self.best_loaded is not None:
            return Evaluation.read(self.folder / f"checkpoint-{self.best_loaded}")
        last = self.evaluation
        return last if last is not None and last.step == self.state.global_step else None


def _checkpoint_bytes(model: Any) -> int:
    """Estimate what a checkpoint takes: what is trained and twice that for the optimizer, and the rest of the model."""
    whole = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    trained = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    return 3 * trained if hasattr(model, "peft_config") else whole + 2 * trained
