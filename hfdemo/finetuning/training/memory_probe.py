"""A few trial steps before a training: how long it will take, how much memory it needs, and whether it fits."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import count_evaluations, count_saves
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Probed
from hfdemo.finetuning.training.checkpoints import time_saving
from hfdemo.finetuning.training.run_trainer import RunTrainer, held_bytes
from hfdemo.finetuning.training.stop_signal import RandomStates
from hfdemo.models.size_limits import free_bytes
from hfdemo.tokenization.padding import PaddingPlan

SAMPLING_SECONDS = 0.002
# An evaluation's forward pass beside the forward and backward pass of training.
FORWARD_SHARE = 1 / 3
# What AdamW keeps per trained parameter, in float32: two moments.
OPTIMIZER_BYTES = 8
# The end of any run, beside what grows with the model: 0.3 to 2.9 s in eight settings of benchmarks/time_estimate.py.
ENDING_SECONDS = 1.5


def probe(
    trainer: RunTrainer, config: RunConfig, plan: PaddingPlan, total_steps: int, evaluated: Sequence[int]
) -> Probed:
    """Try three steps without an update; weights, buffers and random numbers are afterwards as they were.

    The first is on the widest batch of `plan`, which shows the memory, two are on a batch of its mean width, which show
    the seconds.

    `evaluated` are the lengths of the rows of one evaluation.

    Raises:
        DemoError: it does not fit into the memory; the sentence names a smaller setting.
        Stopped: the run was asked to stop.
    """
    widest = max(plan.batches, key=lambda batch: (len(batch.rows) * batch.width, batch.width))
    mean = sum(len(batch.rows) * batch.width for batch in plan.batches) / len(plan.batches)
    typical = min(plan.batches, key=lambda batch: abs(len(batch.rows) * batch.width - mean))
    kind = trainer.args.device.type
    free, before = free_bytes(kind), held_bytes(kind) or 0
    with _untouched(trainer.model), explain_out_of_memory(config, widest.width):
        with _Peak(kind) as peak:
            _step(trainer, widest.rows)
        began = time.perf_counter()
        for _ in range(2):
            _step(trainer, typical.rows)
        seconds = (time.perf_counter() - began) / 2
    trained = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    needed = None if peak.bytes is None else peak.bytes + OPTIMIZER_BYTES * trained
    if needed is not None and needed > before + free:
        raise DemoError(
            f"Training needs about {needed / 1024**3:.1f} GB of memory at its peak and {(before + free) / 1024**3:.1f} "
            f"GB are there. {suggest_smaller(config, widest.width)}"
        )
    accumulated = trainer.args.gradient_accumulation_steps
    slots = len(typical.rows) * typical.width
    counted = (config.training, total_steps, len(trainer.train_dataset))
    evaluating = count_evaluations(*counted) * FORWARD_SHARE * seconds * sum(evaluated) / slots
    # At the end the best one is read again and the model saved once more.
    saves = count_saves(*counted) + 2
    saving = saves * _checkpoint_bytes(trainer.model, trained) * time_saving(Path(trainer.args.output_dir))
    saving += ENDING_SECONDS
    return Probed(
        step=0,
        time=time.time(),
        seconds_per_step=seconds * accumulated,
        estimated_seconds=seconds * accumulated * total_steps + evaluating + saving,
        peak_bytes=needed,
        available_bytes=before + free,
        saving_seconds=saving,
    )


def _checkpoint_bytes(model: Any, trained: int) -> int:
    """Return the bytes of a checkpoint: the weights, of an adapter its own alone, and the optimizer's state."""
    saved = trained if hasattr(model, "peft_config") else sum(parameter.numel() for parameter in model.parameters())
    return 4 * saved + OPTIMIZER_BYTES * trained


def suggest_smaller(config: RunConfig, width: int) -> str:
    """Suggest a setting that needs less memory and, where that is possible, gives the same result."""
    batch = int(config.training["per_device_train_batch_size"])
    steps = int(config.training.get("gradient_accumulation_steps") or 1)
    if batch > 1:
        half = batch // 2
        parts = math.ceil(batch * steps / half)
        return (
            f"Set per_device_train_batch_size to {half} and gradient_accumulation_steps to {parts} (the same steps, "
            f"with half the memory for what is computed), or max_length to {max(8, width // 2)}."
        )
    if width > 16:
        return f"Set max_length to {width // 2}: a batch is a single row of {width} positions already."
    return 'Pick a smaller model, or method "lora" or "frozen".'


@contextlib.contextmanager
def explain_out_of_memory(config: RunConfig, width: int) -> Iterator[None]:
    """Explain that the memory ran out, with a smaller setting.

    Raises:
        DemoError: it did.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise DemoError(
            f"The memory ran out at batches of {config.training['per_device_train_batch_size']} rows of up to {width} "
            f"positions. {suggest_smaller(config, width)}"
        ) from error
    except RuntimeError as error:
        # What torch raises where the CPU's allocator gives up.
        if "DefaultCPUAllocator" not in str(error) and "out of memory" not in str(error).lower():
            raise
        raise DemoError(
            f"The memory ran out at rows of up to {width} positions. {suggest_smaller(config, width)}"
        ) from error


def _step(trainer: RunTrainer, rows: Sequence[int]) -> None:
    """Go forward and backward on these rows; the gradients are dropped again."""
    import torch

    trainer.signal.check()
    batch = trainer.data_collator([trainer.train_dataset[row] for row in rows])
    inputs = trainer._prepare_inputs({name: value for name, value in batch.items() if name in _signature(trainer)})
    trainer.model.train()
    items = trainer._get_num_items_in_batch([inputs], trainer.args.device)
    loss = trainer.compute_loss(trainer.model, inputs, num_items_in_batch=items)
    loss.backward()
    if trainer.args.device.type != "cpu":
        torch.accelerator.synchronize()
    trainer.model.zero_grad(set_to_none=True)


def _signature(trainer: Any) -> Sequence[str]:
    """Return what the Trainer would leave of a row's columns."""
    trainer._set_signature_columns_if_needed()
    return trainer._signature_columns


@contextlib.contextmanager
def _untouched(model: Any) -> Iterator[None]:
    """Put buffers (such as running means) and every random generator back at the end."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    states, was_training = RandomStates.read(), model.training
    try:
        yield
    finally:
        for buffer, value in buffers:
            buffer.copy_(value)
        model.train(was_training)
        states.restore()


class _Peak:
    """The most memory that this process holds of a device while the block runs; None where that can't be told."""

    def __init__(self, kind: str) -> None:
        self.kind, self.bytes = kind, held_bytes(kind)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLING_SECONDS):
            self._look()

    def _look(self) -> None:
        held = held_bytes(self.kind)
        if held is not None:
            self.bytes = max(self.bytes or 0, held)
