"""What a worker is asked to do in the tests of its end: what a file or a model can make of a harmless call."""

import os
import signal
import time
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.errors import DataError
from hfdemo.models.cache import ModelCache


def spin(told: Any, stop: Event) -> None:
    """Compute for ever, whatever `stop` says."""
    told(os.getpid())
    while True:
        pass


def stop_when_asked(told: Any, stop: Event) -> str:
    """Wait for `stop`, and answer all the same."""
    told("begun")
    assert stop.wait(60)
    return "stopped by itself"


def answer_after(told: Any, seconds: float) -> int:
    """Return this process's number after some seconds."""
    told("begun")
    time.sleep(seconds)
    return os.getpid()


def end_the_first_time(models: ModelCache) -> str:
    """Kill this process the first time that this is called for this home."""
    mark = models.settings.home / "called"
    if mark.exists():
        return "the second time"
    models.settings.home.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def end() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(reason: str) -> None:
    """Raise a sentence of ours."""
    raise DataError(reason)


def fail() -> None:
    """Raise what nobody foresaw."""
    raise KeyError("surprise")


def answer_with_code() -> Any:
    """Return what would run code where it is read."""
    return Bomb()


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/hfdemo-bomb",)


def read_file(path: str) -> str:
    """Return what stands in a file."""
    return Path(path).read_text(errors="replace")


def allocate(size: int) -> int:
    """Take so many bytes of memory."""
    return len(bytearray(size))
