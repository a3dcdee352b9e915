"""What a run says while it works: frozen values, one JSON object a line in events.jsonl."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from hfdemo.serialization import to_json

Phase = Literal["waiting", "loading", "trial steps", "evaluating before training", "training", "evaluating", "saving"]
"""What a run is at, in the order in which each comes first."""
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class Event:
    """Something that happened at `step` (optimizer steps done) and `time` (seconds since the epoch)."""

    name: ClassVar[str]
    step: int
    time: float

    def to_json(self) -> dict[str, Any]:
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """Training begins: everything before this was loading."""

    name: ClassVar[str] = "started"
    total_steps: int = 0
    epochs: float = 0.0
    device: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    trainable_parameters: int = 0
    parameters: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probed(Event):
    """What a few trial steps on the widest batches took, before anything is learned: `seconds_per_step` of one
    optimizer step, `estimated_seconds` of all of them with their evaluations and checkpoints, of which
    `saving_seconds` are those of the checkpoints and of its end; bytes of the device's memory at the peak, with the
    optimizer's state, and what is there (None where it can't be told)."""

    name: ClassVar[str] = "probed"
    seconds_per_step: float = 0.0
    estimated_seconds: float = 0.0
    peak_bytes: int | None = None
    available_bytes: int | None = None
    saving_seconds: float = 0.0


@dataclass(frozen=True)
class Resumed(Event):
    """Training goes on from the checkpoint of `step`; what was logged after that step before is void.

    `notes` say what was passed over, such as a damaged checkpoint.
    """

    name: ClassVar[str] = "resumed"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stopping(Event):
    """The training has noticed that it is to stop, and has broken off what it was at."""

    name: ClassVar[str] = "stopping"


@dataclass(frozen=True)
class StepLogged(Event):
    """The mean training loss since the last such event, the optimizer's state, and how fast it goes.

    Rates count since the last such event: rows and tokens (padding not counted) a second, and in `waste` the share of
    the slots that was padding. `memory_bytes` is what the process holds of the device's memory, on a CPU its resident
    set.
    """

    name: ClassVar[str] = "step_logged"
    epoch: float = 0.0
    loss: float = 0.0
    learning_rate: float = 0.0
    grad_norm: float | None = None
    samples_per_second: float | None = None
    tokens_per_second: float | None = None
    waste: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Evaluated(Event):
    """Metrics on a whole split under evaluate's names; `split` is validation or test."""

    name: ClassVar[str] = "evaluated"
    epoch: float = 0.0
    split: str = "validation"
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved(Event):
    """A folder of the run was written. (Not called `path`: gradio_client downloads any dict that has a "path".)"""

    name: ClassVar[str] = "saved"
    folder: str = ""


@dataclass(frozen=True)
class Thinned(Event):
    """From here on some of what is logged and saved on the way is left out: events.jsonl has `most_bytes` at most."""

    name: ClassVar[str] = "thinned"
    most_bytes: int = 0


@dataclass(frozen=True)
class Finished(Event):
    """All steps are done and `model/` can be used; `notes` say where the model answers every row alike."""

    name: ClassVar[str] = "finished"
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stopped(Event):
    """A person stopped it; `kept` says whether what was learned so far is there: as model/, or as a checkpoint.

    `metrics` are those of model/ on the validation split, empty where it was not evaluated; `notes` are sentences on
    what was kept and what was left out.
    """

    name: ClassVar[str] = "stopped"
    kept: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed(Event):
    """It could not go on; `error` is a sentence, the traceback is in log.txt."""

    name: ClassVar[str] = "failed"
    error: str = ""


_KINDS = {
    kind.name: kind
    for kind in (Started, Probed, Resumed, Stopping, StepLogged, Evaluated, Saved, Thinned, Finished, Stopped, Failed)
}

# A run's own file has less; older ones may have any number of lines, and are read every second.
_READ_BYTES = 16 * 1024**2
_ROOM = ".room"
# Several blocks of any file system; a last word is a line or two.
_ROOM_BYTES = 16 * 1024


def append(path: Path, event: Event) -> str:
    """Add `event` to the file at `path`, whatever its last writer left there; returns the line.

    Raises:
        OSError: the disk is full.
    """
    line = json.dumps(to_json(event.to_json()), ensure_ascii=False)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        # Half a line was written by a process that was killed, or as the disk was full: it must not swallow this one.
        broken = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        left = memoryview(f"{chr(10) if broken else ''}{line}\n".encode())
        while left:  # of what does not fit on the disk a part is written first
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)
    return line


def keep_room(folder: Path) -> None:
    """Put some room of the disk aside for the last word of the run in `folder`.

    Raises:
        OSError: the disk is full.
    """
    (folder / _ROOM).write_bytes(os.urandom(_ROOM_BYTES))


def free_room(folder: Path) -> None:
    """Give back what `keep_room` has put aside."""
    (folder / _ROOM).unlink(missing_ok=True)


def parse(line: str) -> Event:
    """Parse the event that `to_json` wrote as `line`.

    Raises:
        ValueError: not JSON, no such event, or fields that it does not have.
    """
    values = json.loads(line)
    try:
        kind = _KINDS[values.pop("event")]
        # JSON knows no tuples; events do, because they are values.
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return kind(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event: {line[:200]}") from error


def parse_all(lines: Iterable[str]) -> Iterator[Event]:
    """Parse every event in `lines`; a last line that is not complete yet is left for the next reader.

    A damaged line (a full disk, a process killed while writing) is passed over: it must not hide the others.
    """
    for line in lines:
        if line.endswith("\n"):
            with contextlib.suppress(ValueError):
                yield parse(line)


def read_lines(path: Path, *, whole: bool) -> Iterator[str]:
    """Read the lines of the file at `path`; but for the `whole`, of a large one those at its beginning and its end.

    Raises:
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if whole or size <= _READ_BYTES:
            yield from (line.decode(errors="replace") for line in file)
            return
        for place in (0, size - _READ_BYTES // 2):
            file.seek(place)
            part = file.read(_READ_BYTES // 2)
            part = part[: part.rfind(b"\n") + 1] if place == 0 else part[part.find(b"\n") + 1 :]
            yield from (line.decode(errors="replace") for line in io.BytesIO(part))


FINAL = (Finished, Stopped, Failed)
Emit = Callable[[Event], None]


def valid(events: Iterable[Event]) -> list[Event]:
    """Return the events of the one history that counts.

    Where a run was resumed, what came after its checkpoint is left out, and so is the end that it had come to before.
    """
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Resumed):
            kept = [old for old in kept if old.step <= event.step and not isinstance(old, FINAL)]
        kept.append(event)
    return kept


def is_final(events: Sequence[Event]) -> bool:
    """Return whether the valid `events` end with a final one."""
    return bool(events) and isinstance(events[-1], FINAL)


def estimate_seconds_left(events: Sequence[Event], total_steps: int) -> float | None:
    """Estimate the seconds left of a training by the pace since its first step, which warms everything up.

    Before the second step it is what the trial steps foretold, if there were any.
    """
    resumed = max((number for number, event in enumerate(events) if isinstance(event, Resumed)), default=0)
    steps = [event for event in events[resumed:] if isinstance(event, StepLogged)]
    if len(steps) < 2 or steps[-1].step == steps[0].step:
        foretold = [event for event in events[resumed:] if isinstance(event, Probed)]
        return max(0.0, foretold[0].estimated_seconds - (time.time() - foretold[0].time)) if foretold else None
    pace = (steps[-1].time - steps[0].time) / (steps[-1].step - steps[0].step)
    return max(0.0, pace * (total_steps - steps[-1].step))


def find_latest_metrics(events: Sequence[Event]) -> dict[str, float]:
    """Return the metrics on the validation split: those of the model that a stop has kept, else the latest."""
    for event in reversed(events):
        # Without metrics the model was not evaluated; without notes either, it was said for a process that was gone.
        if isinstance(event, Stopped) and event.kept and (event.metrics or event.notes):
            return dict(event.metrics)
        if isinstance(event, Evaluated) and event.split == "validation":
            return dict(event.metrics)
    return {}
