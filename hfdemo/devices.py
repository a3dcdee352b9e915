"""The accelerator at hand, by its name, or the reason why there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hfdemo.lazy_imports import import_libraries


@dataclass(frozen=True)
class Device:
    """`kind` is torch's own name (cuda, mps, xpu, cpu); `reason` is empty unless it is the CPU."""

    kind: str
    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


def find_device() -> Device:
    """Return the device that models run and train on: what torch.accelerator reports, else the CPU."""
    import_libraries()
    import torch

    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        named = getattr(getattr(torch, kind, None), "get_device_name", None)
        name = named(0) if named else "Apple GPU"
        return Device(kind, name)
    cores = available_cores()
    return Device(
        "cpu", f"CPU, {cores} core{'s' if cores != 1 else ''}", _explain_cpu(torch.__version__, torch.version.cuda)
    )


def count_accelerators() -> int:
    """Return how many accelerators there are; 0 where models run on the CPU."""
    import_libraries()
    import torch

    return int(torch.accelerator.device_count()) if torch.accelerator.is_available() else 0


def available_cores() -> int:
    """Count the cores that this process may use; on Linux this respects the affinity mask, unlike os.cpu_count()."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _explain_cpu(version: str, cuda: str | None) -> str:
    if cuda:
        return f"torch {version} is built for CUDA {cuda}, but no working GPU or driver was found"
    return f"torch {version} sees no CUDA, MPS or XPU device"
