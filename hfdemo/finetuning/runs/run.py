"""A run is a folder: whoever reads it knows how the run is doing, whichever server began it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import psutil

from hfdemo.atomic_files import write_atomically
from hfdemo.engine import Child
from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.report import epoch_numbers
from hfdemo.finetuning.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Started,
    StepLogged,
    Stopped,
    estimate_seconds_left,
    find_latest_metrics,
    is_final,
    parse_all,
    read_lines,
    valid,
)
from hfdemo.finetuning.runs.processes import (
    OUT_OF_MEMORY,
    count_ahead,
    explain_end,
    find_at_work,
    find_processes,
    is_alive,
    is_frozen,
    process_identity,
    read_log_tail,
    was_killed,
)
from hfdemo.finetuning.stop_request import StopRequest, read_stop_request, request_stop
from hfdemo.finetuning.training.checkpoints import find_newest_whole

_TAKEN_AWAY = (
    *("model", "adapter", "report.json", "epochs", "config.json", "train.py"),
    *("errors.csv", "answers.csv", "notes.txt", "data"),
)


def zip_run(run: Path, folder: Path) -> Path:
    """Write a zip of the model, the report, the config, the script and the data in the folder `run`, in a folder of its
    own below `folder`: however often it is asked for, there is one."""
    import zipfile

    target = folder / run.name / f"{run.name}.zip"
    target.parent.mkdir(exist_ok=True)
    half = target.with_name(f".{uuid.uuid4().hex}")
    try:
        # Weights don't compress; storing them as they are is twenty times faster.
        with zipfile.ZipFile(half, "w", zipfile.ZIP_STORED) as file:
            for name in _TAKEN_AWAY:
                part = run / name
                for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
                    if path.is_file():
                        file.write(path, f"{run.name}/{path.relative_to(run)}")
        half.replace(target)  # who reads the one before goes on reading it
    finally:
        half.unlink(missing_ok=True)
    return target


State = Literal["queued", "starting", "running", "stopping", "finished", "stopped", "failed", "lost"]
ACTIVE: tuple[State, ...] = ("queued", "starting", "running", "stopping")

RESUMABLE: tuple[State, ...] = ("stopped", "failed", "lost")

# A child that has been spawned needs a moment before it writes process.json.
SPAWN_SECONDS = 60.0
GONE_SECONDS = 10.0
# By the signal itself, or by what a training does about it; the launcher's code is its own.
ENDED_BY_SIGTERM = (-signal.SIGTERM, 128 + signal.SIGTERM)
FROZEN = (
    "Its process is suspended, as by SIGSTOP or a debugger, and computes nothing until it is continued. Continue it, "
    "or stop the run."
)
# A launcher prints a page when a process of its fails, and a crash names every library that was loaded.
_LAUNCHER_CHARACTERS = 32_000
LONGEST_NOTES = 4_000


@dataclass(frozen=True)
class Status:
    """How a run is doing. `step` counts optimizer steps; `metrics` are the latest on the validation split; `ahead` is
    the number of runs that wait for the same device and get it first, `resumable` says whether it can go on; `phase` is
    one of PHASES, "" where it is not at work, `elapsed_seconds` are those of its process, and `behind` is the run
    of the same owner that a queued one waits for, "" where that is not to be said."""

    state: State
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    eta_seconds: float | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    error: str | None = None
    ahead: int = 0
    resumable: bool = False
    phase: str = ""
    elapsed_seconds: int | None = None
    behind: str = ""

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Run:
    """One run's folder. Everything it tells is read from there; `child` is known only to the server that began it."""

    def __init__(self, folder: Path, child: Child | None = None) -> None:
        self.folder = folder
        self._child = child

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def config(self) -> RunConfig:
        return RunConfig.read(self.folder / "config.json")

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def events(self, after: int = 0, limit: int | None = None) -> list[Event]:
        """Read at most `limit` events from number `after` on (the first is 0); also those that a resumption voided.

        Without a `limit`, of a very large file those at its beginning and its end."""
        try:
            lines = read_lines(self.folder / "events.jsonl", whole=limit is not None)
            return list(islice(parse_all(lines), after, None if limit is None else after + limit))
        except FileNotFoundError:
            return []

    def status(self, events: list[Event] | None = None) -> Status:
        """Return the state and how far it is; pass `events` (all of them) if they have been read already."""
        events = valid(self.events() if events is None else events)
        state, error = self._state(events)
        if state not in ACTIVE and (not is_final(events) or self.reopened_after(events)):
            # It may have finished and ended between the reading of its events and the look at its process.
            events = valid(self.events())
            state, error = self._state(events)
        steps = [event for event in events if isinstance(event, StepLogged)]
        evaluated = [event for event in events if isinstance(event, Evaluated)]
        started = next((event for event in events if isinstance(event, Started)), None)
        return Status(
            state=state,
            step=max((event.step for event in events), default=0),
            total_steps=started.total_steps if started else 0,
            epoch=max([event.epoch for event in steps] + [event.epoch for event in evaluated], default=0.0),
            eta_seconds=estimate_seconds_left(events, started.total_steps) if started and state in ACTIVE else None,
            **self._at_work(state),
            metrics=find_latest_metrics(events),
            error=error,
            **self._in_queue(state),
            resumable=state in RESUMABLE and find_newest_whole(self.checkpoints, hashes=False)[0] is not None,
        )

    def _in_queue(self, state: State) -> dict[str, Any]:
        """Return ahead and behind of a run in this state."""
        process = self.process() or {}
        if state != "queued":
            return {}
        return {"ahead": count_ahead(self.folder, process), "behind": find_at_work(self.folder, process)}

    def _at_work(self, state: State) -> dict[str, Any]:
        """Return phase and elapsed_seconds of a run in this state."""
        process = self.process() or {}
        if state not in ACTIVE or "created" not in process:
            return {}
        said = {"queued": "waiting", "starting": process.get("phase", "loading")}.get(state, process.get("phase", ""))
        return {"phase": said, "elapsed_seconds": int(time.time() - process["created"])}

    def _state(self, events: Sequence[Event]) -> tuple[State, str | None]:
        """Return the state that `events`, the valid ones, the process and the request to stop add up to."""
        last = events[-1] if events else None
        if last is not None and not self.reopened_after(events):
            if isinstance(last, Finished):
                return "finished", None
            if isinstance(last, Stopped):
                return "stopped", None
            if isinstance(last, Failed):
                # What the first of several processes says of the others it knows from them; their launcher knows more.
                killed = "launcher" in (self.process() or {}) and was_killed(self.log_tail(_LAUNCHER_CHARACTERS))
                return "failed", f"One of its processes was {OUT_OF_MEMORY}" if killed else last.error
        if not self.is_alive():
            return self._explain_end()
        frozen = FROZEN if is_frozen(self.process()) else None
        if self.stop_request() is not None:
            return "stopping", frozen
        if (self.process() or {}).get("waiting"):
            return "queued", frozen
        return ("starting" if last is None or self.reopened_after(events) else "running"), frozen

    def _explain_end(self) -> tuple[State, str | None]:
        """Return the state of a run whose process is gone and left no final event, and why it is gone."""
        code = self._exit_code()
        # It was at a point where it could not say so; whoever sees to the stop writes it down.
        if self.stop_request() is not None or code in ENDED_BY_SIGTERM:
            return "stopped", None
        process = self.process() or {}
        heard = float(process.get("heartbeat") or process.get("created") or time.time())
        return "lost" if code is None else "failed", explain_end(code, self.log_tail(_LAUNCHER_CHARACTERS), heard)

    def has_ended(self) -> bool:
        """Return whether it has said its last word, and was not asked to go on since."""
        events = valid(self.events())
        return is_final(events) and not self.reopened_after(events)

    def reopened_after(self, events: Sequence[Event]) -> bool:
        """Return whether it was asked to go on after the last of `events`, which is no final one any more then."""
        asked = self._read("resume")
        return bool(asked and events) and float(asked["time"]) > events[-1].time

    def process(self) -> dict[str, Any] | None:
        """Read process.json: pid, created, heartbeat, worked (CPU seconds), waiting (since), stopping, step, phase."""
        found = self._read("process.json")
        return found if isinstance(found, dict) else None

    def is_alive(self) -> bool:
        """Return whether its process is there, or may be there soon."""
        process = self.process()
        if process is None:  # it has been reopened this moment, or made by an older version
            young = time.time() - self.folder.stat().st_mtime < SPAWN_SECONDS
            return young if self._child is None else self._child_is_alive()
        if is_alive(process) or is_alive(process.get("launcher")):
            return True
        return self._child_is_alive() or self._is_being_started(process.get("starter"))

    def _child_is_alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _is_being_started(self, starter: Mapping[str, Any] | None) -> bool:
        """Return whether the server that made it is about to begin it, or did so the moment before it was killed."""
        if starter is None or time.time() - starter["time"] > SPAWN_SECONDS:
            return False
        return is_alive(starter) or bool(self.processes())

    def processes(self) -> list[Any]:
        """Find every process (psutil) that belongs to it, with all that it has started."""
        return find_processes(self.folder, self.known_processes())

    def known_processes(self) -> list[dict[str, Any]]:
        """Return the pid and creation time of what was begun for it: its process and, of several, their launcher."""
        process = self.process() or {}
        found = [process] if "pid" in process else []
        found += [process["launcher"]] if process.get("launcher") else []
        if self._child is not None and self._child.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended this moment
                found.append(process_identity(self._child.pid))
        return found

    def _exit_code(self) -> int | None:
        """Return the code that it ended with; None if it runs, or if this server did not begin it the last time."""
        if self._child is None:
            return None
        process = self.process() or {}
        pids = {process.get("pid"), (process.get("launcher") or {}).get("pid")}
        return self._child.poll() if "pid" not in process or self._child.pid in pids else None

    def _read(self, name: str) -> Any:
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        return None

    def log_tail(self, characters: int = 600) -> str:
        """Read the end of what the training process printed since it was begun or resumed."""
        return read_log_tail(self.folder, characters)

    def stop_request(self) -> StopRequest | None:
        """Return the request to stop, if a person made one."""
        return read_stop_request(self.folder)

    def stop(self, keep: bool = True) -> None:
        """Ask the run to end at its next batch; with `keep` it saves its model, evaluated as it is.

        This only asks. `RunStore.stop` also sees that it ends.

        Raises:
            RunError: it is not running.
        """
        state = self.status().state
        if state not in ACTIVE:
            raise RunError(f"Run {self.id} is {state}, so there is nothing to stop.")
        request_stop(self.folder, keep)

    @property
    def has_model(self) -> bool:
        """Whether model/ can be used."""
        model = self.folder / "model"
        return (model / "config.json").is_file() and any(model.glob("*.safetensors"))

    def has_kept(self) -> bool:
        """Return whether what was learned is there: as a model, or as a checkpoint that looks whole."""
        return self.has_model or find_newest_whole(self.checkpoints, hashes=False)[0] is not None

    @property
    def notes(self) -> str:
        """What a person wrote about it."""
        with contextlib.suppress(OSError):
            return (self.folder / "notes.txt").read_text(encoding="utf-8")
        return ""

    def set_notes(self, text: str) -> None:
        """Keep `text` beside the run.

        Raises:
            RunError: it is too long.
        """
        if len(text) > LONGEST_NOTES:
            raise RunError(f"The notes have {len(text):,} characters, and {LONGEST_NOTES:,} are kept. Shorten them.")
        write_atomically(self.folder / "notes.txt", text)

    def archive(self, folder: Path) -> Path:
        """Write a zip of the model, the report, the config, the script and the data below `folder`.

        Raises:
            RunError: there is no model yet.
        """
        if not self.has_model:
            raise RunError(f"Run {self.id} has no model yet: it is {self.status().state}.")
        return zip_run(self.folder, folder)

    def remove(self) -> None:
        """Delete its folder for good, first of all what makes it a run: nobody finds half of one.

        Raises:
            RunError: its process is still there after ten seconds.
        """
        self.wait_until_gone()
        (self.folder / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def wait_until_gone(self) -> None:
        """Wait for the processes of a run that has said its last word.

        Raises:
            RunError: they are still there after ten seconds.
        """
        deadline = time.monotonic() + GONE_SECONDS
        while self.processes():
            if time.monotonic() > deadline:
                raise RunError(f"Run {self.id} has ended, but its process has not gone yet. Try again in a moment.")
            time.sleep(0.1)

    def script(self) -> str:
        """Read the stand-alone script that repeats this run."""
        return (self.folder / "train.py").read_text(encoding="utf-8")

    def report(self) -> dict[str, Any]:
        """Read report.json.

        Raises:
            RunError: there is none yet.
        """
        report = self._read("report.json")
        if report is None:
            raise RunError(f"Run {self.id} has no report yet: it is {self.status().state}. A finished run has one.")
        return dict(report)

    def epochs(self) -> list[int]:
        """Return the epochs that were evaluated, in order; 0 is before training."""
        return epoch_numbers(self.folder)

    def epoch(self, number: int) -> dict[str, Any]:
        """Read what an epoch's evaluation found: per_class, confusion_matrix and so on, as in a report.

        Raises:
            RunError: that epoch was not evaluated.
        """
        evaluated = self.epochs()
        found = self._read(f"epochs/{int(number)}.json") if number in evaluated else None
        if found is None:
            known = ", ".join(map(str, evaluated)) or "none yet"
            raise RunError(f"Run {self.id} was not evaluated in epoch {number!r}. It was in: {known}.")
        return dict(found)
