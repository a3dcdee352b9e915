"""A run that was asked to stop does stop: first it is asked, then terminated, then killed."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from hfdemo.finetuning import events as what
from hfdemo.finetuning.events import Stopped, valid
from hfdemo.finetuning.runs.processes import end_processes
from hfdemo.finetuning.runs.run import Run, is_final
from hfdemo.finetuning.stop_request import StopRequest

# How long after being asked it is left alone: a run that is to keep nothing or has nothing to keep, and one that has
# not said that it heard.
OBEY_SECONDS = 5.0
# One that heard and keeps what it learned saves as long as it works on; this long without work, and it hangs.
SILENT_SECONDS = 120.0
_POLL_SECONDS = 0.2


def ensure_stopped(run: Run, silent_seconds: float = SILENT_SECONDS) -> None:
    """Wait for the end of a run that was asked to stop, end it where it doesn't, and see that it has a last word.

    Where there is nothing to keep it is gone within ten seconds of being asked.
    """
    from filelock import FileLock

    # Several servers, and several clicks, may want to see to it.
    with contextlib.suppress(FileNotFoundError), FileLock(run.folder / ".stopping.lock"):
        signs = _Signs()
        while (asked := run.stop_request()) is not None:
            if not run.processes():
                _write_final_event(run)
                return
            if _is_overdue(run, asked, signs.silent(run.process() or {}) > silent_seconds):
                end_processes(run.folder, run.known_processes())
            else:
                time.sleep(_POLL_SECONDS)


@dataclass
class _Signs:
    """When a process was last seen to have worked: its heart beats on while its training hangs."""

    worked: Any = None
    seen: float = field(default_factory=time.monotonic)

    def silent(self, process: dict[str, Any]) -> float:
        """Return the seconds since it last computed anything."""
        if process.get("worked") != self.worked:
            self.worked, self.seen = process.get("worked"), time.monotonic()
        return time.monotonic() - self.seen


def _is_overdue(run: Run, asked: StopRequest, silent: bool) -> bool:
    if time.time() - asked.time <= OBEY_SECONDS:
        return False
    heard = (run.process() or {}).get("stopping")
    return silent if asked.keep and heard and _has_learned(run) else True


def _has_learned(run: Run) -> bool:
    """Return whether it has made a step since it was begun or resumed, even one that no event tells of yet."""
    if (run.process() or {}).get("step"):
        return True
    events = run.events()
    return not run.reopened_after(valid(events)) and any(event.step for event in events)


def _write_final_event(run: Run) -> None:
    """Say for a run whose processes are gone that it was stopped, if it could not say so itself."""
    found = valid(run.events())
    if run.folder.exists() and not (is_final(found) and run.status(found).state in ("finished", "stopped", "failed")):
        step = max((event.step for event in found), default=0)
        what.append(run.folder / "events.jsonl", Stopped(step, time.time(), kept=run.has_kept()))
