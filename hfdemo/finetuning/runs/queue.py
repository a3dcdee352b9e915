"""Whose turn it is: the runs that wait for a device, in the order in which they came."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.finetuning.runs.processes import is_alive

# A process that was frozen while it waited must not keep the others waiting.
SILENT_SECONDS = 30.0


@dataclass(frozen=True, order=True)
class Waiting:
    """A run that waits `since` (seconds since the epoch) for `device`."""

    since: float
    run: str
    device: str


def list_waiting(runs: Path) -> list[Waiting]:
    """List the runs below the folder `runs` that wait for a device, the first to get it first."""
    found = []
    for path in runs.glob("*/process.json"):
        try:
            process = json.loads(path.read_text(encoding="utf-8"))
            since = process.get("waiting")
            if since and time.time() - process.get("heartbeat", 0.0) < SILENT_SECONDS and is_alive(process):
                found.append(Waiting(float(since), path.parent.name, str(process.get("device", ""))))
        except (OSError, ValueError, AttributeError, TypeError):
            continue  # deleted this moment, or never ours
    return sorted(found)


def count_ahead(folder: Path, process: Mapping[str, Any]) -> int:
    """Count the runs that wait, as the one in `folder` does, and get the device before it.

    The one that has the device is none of them. `process` is what its process.json holds.
    """
    own = Waiting(float(process.get("waiting") or time.time()), folder.name, str(process.get("device", "")))
    return sum(other < own for other in list_waiting(folder.parent) if other.device == own.device)
