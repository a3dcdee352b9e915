"""What a run says while it works: frozen values, one JSON object a line in events.jsonl."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


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
class StepLogged(Event):
    """The mean training loss since the last such event, and the optimizer's state."""

    name: ClassVar[str] = "step_logged"
    epoch: float = 0.0
    loss: float = 0.0
    learning_rate: float = 0.0
    grad_norm: float | None = None


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
class Finished(Event):
    """All steps are done and `model/` can be used."""

    name: ClassVar[str] = "finished"
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Stopped(Event):
    """A person stopped it; `kept` says whether `model/` holds what was learned so far."""

    name: ClassVar[str] = "stopped"
    kept: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed(Event):
    """It could not go on; `error` is a sentence, the traceback is in log.txt."""

    name: ClassVar[str] = "failed"
    error: str = ""


_KINDS = {kind.name: kind for kind in (Started, StepLogged, Evaluated, Saved, Finished, Stopped, Failed)}


def parse(line: str) -> Event:
    """The event that `to_json` wrote as `line`.

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
    """Every event in `lines`; a last line that is not complete yet is left for the next reader.

    A damaged line (a full disk, a process killed while writing) is passed over: it must not hide the others.
    """
    for line in lines:
        if line.endswith("\n"):
            with contextlib.suppress(ValueError):
                yield parse(line)
