"""The file `stop` in the folder of a run or a search, with which a person asks it to end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from hfdemo.atomic_files import write_atomically

STOP_FILE = "stop"


@dataclass(frozen=True)
class StopRequest:
    """A person asked for the end at `time` (seconds since the epoch), and whether to `keep` what was learned."""

    keep: bool
    time: float


def request_stop(folder: Path, keep: bool) -> None:
    """Ask whatever works in `folder` to end; who asked to keep nothing is not overruled later."""
    asked = read_stop_request(folder)
    if asked is None or (asked.keep and not keep):
        write_atomically(folder / STOP_FILE, json.dumps({"keep": keep, "time": time.time()}))


def read_stop_request(folder: Path) -> StopRequest | None:
    """Return what was asked for in `folder`, None if nothing was; a file that says nothing asks to keep."""
    keep, written = True, time.time()
    try:
        written = (folder / STOP_FILE).stat().st_mtime
        said = json.loads((folder / STOP_FILE).read_text(encoding="utf-8"))
        keep = bool(said.get("keep", True))
        return StopRequest(keep, float(said.get("time", written)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError):
        return StopRequest(keep, written)
