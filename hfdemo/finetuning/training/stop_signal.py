"""Breaking off a training at its next batch, in all of its processes at the same one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from hfdemo.errors import Stopped
from hfdemo.finetuning.stop_request import StopRequest, read_stop_request


class StopSignal:
    """The request to stop the run in `folder`, as every process of the run hears it; `request` is None until then.

    `on_stop` is called once, when it is heard.
    """

    def __init__(self, folder: Path, on_stop: Callable[[], None]) -> None:
        self.folder, self.on_stop = folder, on_stop
        self.request: StopRequest | None = None

    def check(self) -> None:
        """Raise Stopped if any process of the run has found the request; all of them have to call it.

        Raises:
            Stopped: the run was asked to stop.
        """
        if self.request is None:
            self.request = _agree(read_stop_request(self.folder))
            if self.request is not None:
                self.on_stop()
        if self.request is not None:
            raise Stopped

    def check_alone(self) -> None:
        """Raise Stopped if this process has found the request; the others hear of it at the next `check` of all.

        Raises:
            Stopped: the run was asked to stop.
        """
        if read_stop_request(self.folder) is not None:
            raise Stopped


def _agree(request: StopRequest | None) -> StopRequest | None:
    """Return what any process of the run was asked for: one that looks a moment later has to stop with the first."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return request
    from accelerate import PartialState

    code = 0 if request is None else 1 if request.keep else 2
    asked = torch.tensor([code], device=PartialState().device)
    distributed.all_reduce(asked, op=distributed.ReduceOp.MAX)
    return StopRequest(keep=int(asked) == 1, time=time.time()) if int(asked) else None


@dataclass(frozen=True)
class RandomStates:
    """The states of all random generators that a training draws from."""

    python: Any
    arrays: Any
    cpu: Any
    device: Any

    @classmethod
    def read(cls) -> RandomStates:
        """Return the states of this moment."""
        device = _device_module()
        return cls(
            random.getstate(),
            np.random.get_state(),
            torch.get_rng_state(),
            device.get_rng_state() if device is not None else None,
        )

    def restore(self) -> None:
        """Set all generators back to these states."""
        random.setstate(self.python)
        np.random.set_state(self.arrays)
        torch.set_rng_state(self.cpu)
        device = _device_module()
        if device is not None:
            device.set_rng_state(self.device)


def _device_module() -> Any:
    """Return torch.cuda, torch.mps or the like; None without such a device."""
    return (
        torch.get_device_module(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else None
    )


class StopCallback(TrainerCallback):
    """Breaks off the Trainer before its next batch, whatever it is at: a step, a part of one, or an evaluation."""

    def __init__(self, signal: StopSignal) -> None:
        self.signal = signal
        #: the random states after the last whole optimizer step; None before the first
        self.after_step: RandomStates | None = None
        #: hears of each optimizer step
        self.on_step: Callable[[int], None] | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.signal.check()

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.signal.check()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.after_step = RandomStates.read()
        if self.on_step is not None:
            self.on_step(int(state.global_step))

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.signal.check()
