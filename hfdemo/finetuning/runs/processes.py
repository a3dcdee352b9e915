"""The processes of runs: which they are, whether they are alive, how they are made to end, and whose turn it is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from hfdemo.engine import Child, Engine, start_program
from hfdemo.finetuning.arguments import threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.launcher import command
from hfdemo.ownership import read_owner
from hfdemo.settings import Settings, child_environment

# What a run's processes have in their environment: whoever they start has it, too, in whatever group.
VARIABLE = "HFDEMO_RUN"
PROGRAM = "hfdemo.finetuning"
TERMINATE_SECONDS = 2.0
KILL_SECONDS = 2.0
_POLL_SECONDS = 0.05
# A process that was frozen while it waited must not keep the others waiting.
SILENT_SECONDS = 30.0
_SIGKILL = 9  # which the signal module of Windows does not name
# What torchrun and accelerate print of a process of theirs that was killed.
_KILLED = re.compile(r"exitcode\s*:\s*-9\b|Signal 9 \(SIGKILL\)|Signals\.SIGKILL: 9")
_CRASHED = re.compile(r"^Fatal Python error: .*", re.MULTILINE)
# What stands in a log before all that a process prints, of which a run that was resumed has several.
_BEGUN = "=== begun at "
_LOG_CHARACTERS = 600
_LEFT_OUT = re.compile(rb"\n=== ([\d,]{1,30}) bytes were left out here: [^\n]*\n")
_LEFT_OUT_BYTES = 128
_ROUNDS = 8
OUT_OF_MEMORY = (
    "killed, most likely out of memory. Use a smaller batch, a shorter max_length or gradient_checkpointing, and free "
    "memory that other programs hold."
)


def spawn(folder: Path, config: RunConfig, settings: Settings, engine: Engine) -> Child:
    """Begin the run in `folder` in a session of its own, which outlives this server; what it prints is its log.txt."""
    # A launcher would set one thread each.
    threaded = {"OMP_NUM_THREADS": str(threads(config.processes))}
    with (folder / "log.txt").open("ab") as log:
        log.write(f"{_BEGUN}{datetime.now():%Y-%m-%d %H:%M:%S}\n".encode())
        log.flush()
        environment = {**threaded, **child_environment(settings), VARIABLE: str(folder)}
        _, _, module, *arguments = command(config, str(folder))
        # A launcher is no program of ours, and starts interpreters itself.
        start = engine.start_program if module == PROGRAM else start_program
        return start(module, arguments, environment, log.fileno())


def process_identity(pid: int | None = None) -> dict[str, Any]:
    """Return what tells a process from another that gets its number later; this one's without `pid`."""
    process = psutil.Process(pid)
    return {"pid": process.pid, "created": process.create_time()}


def describe_starter() -> dict[str, Any]:
    """Return what stands in process.json between the making of a run and its process: who is to begin it, since when.

    A number of its own it has none yet, so no stop can hit the server.
    """
    return {"starter": {**process_identity(), "time": time.time()}}


def is_alive(known: Mapping[str, Any] | None) -> bool:
    """Return whether a process has the same pid and creation time and is no zombie: a pid alone may be another's."""
    try:
        return known is not None and _is_same(psutil.Process(known["pid"]), known) and not _is_zombie(known["pid"])
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def is_frozen(known: Mapping[str, Any] | None) -> bool:
    """Return whether a process is there and suspended, as by SIGSTOP: it computes nothing until it is continued."""
    try:
        return is_alive(known) and known is not None and psutil.Process(known["pid"]).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def continue_suspended(found: Iterable[psutil.Process]) -> None:
    """Continue those of `found` that are suspended: none of them hears what it is asked until then."""
    for process in found:
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()


def read_log_tail(folder: Path, characters: int) -> str:
    """Return the end of what the process of a run printed, from when it was begun the last time."""
    try:
        with (folder / "log.txt").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4 * characters))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    _, begun, printed = text.rpartition(_BEGUN)
    return (printed.partition("\n")[2] if begun else printed).strip()[-characters:]


def shorten_log(folder: Path, most: int) -> bool:
    """Leave out the middle of a run's log.txt that has more than `most` bytes, while its processes print on.

    A quarter of `most` from its beginning and one from its end stay, with a sentence between them. Returns whether
    anything was left out.
    """
    try:
        handle = os.open(folder / "log.txt", os.O_RDWR)
    except OSError:  # it was started by hand, and prints elsewhere
        return False
    try:
        end = os.fstat(handle).st_size
        if end <= most:
            return False
        start = os.pread(handle, most // 4 + _LEFT_OUT_BYTES, 0)
        before = _LEFT_OUT.search(start)
        # Whole lines, where they are not endless.
        place = before.start() if before else max(start.rfind(b"\n", most // 8, most // 4), most // 8)
        tail = os.pread(handle, most // 4, end - most // 4)
        tail = tail[tail.find(b"\n", 0, most // 8) + 1 :]
        left_out = end - place - len(tail)
        if before:  # and what was left out then
            left_out += int(before[1].replace(b",", b"")) - len(before[0])
        said = f"\n=== {left_out:,} bytes were left out here: HFDEMO_LOG_BYTES is {most:,} ===\n"
        data = said.encode() + tail
        for _ in range(_ROUNDS):  # what is printed meanwhile comes to the old end, and goes on at the new one
            place += os.pwrite(handle, data, place)
            data = os.pread(handle, most // 4, end)
            end += len(data)
            if not data:
                break
        os.ftruncate(handle, place)
        return True
    finally:
        os.close(handle)


def was_killed(log: str) -> bool:
    """Return whether a launcher says in its `log` that a process of its was killed."""
    return bool(_KILLED.search(log))


def explain_end(code: int | None, log: str, heard: float) -> str:
    """Say why a training process is gone that left no word.

    `code` is what it ended with, None where no server saw that; `log` the end of what it printed, `heard` when it last
    said that it lives. All but SIGKILL, a crash and a power cut leave a word.
    """
    end = f"The end of its log: {log[-_LOG_CHARACTERS:]}"
    crash = _CRASHED.search(log)
    if crash:
        return f"The training process crashed: {crash[0]}. Its log.txt says where."
    if code == -_SIGKILL or was_killed(log):
        return f"The training process was {OUT_OF_MEMORY}"
    if code is None and heard < _time_of_boot():
        return "The training process is gone and left no word: the machine was shut down while it was at work."
    if code is None:
        return f"The training process is gone and left no word: it was {OUT_OF_MEMORY}"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"The training process was ended by {signal.Signals(-code).name}. {end}"
    return f"The training process ended with code {code}. {end}"


def _time_of_boot() -> float:
    """Return when this machine or this container was started."""
    with contextlib.suppress(psutil.Error):
        return max(psutil.boot_time(), psutil.Process(1).create_time())
    return psutil.boot_time()


def find_processes(folder: Path, known: Iterable[Mapping[str, Any]]) -> list[psutil.Process]:
    """Find every living process of the run in `folder`, never this process itself.

    They are the `known` ones, all that those started, what is in their process groups and sessions, and what has the
    run in its environment.
    """
    roots = {each["pid"] for each in known if _is_ours(each)}
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if pid in roots or roots & {os.getpgid(pid), os.getsid(pid)} or _belongs(pid, folder):
                found[pid] = psutil.Process(pid)
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            found |= {child.pid: child for child in process.children(recursive=True)}
    found.pop(os.getpid(), None)
    return [process for process in found.values() if not _is_zombie(process.pid)]


def end_processes(folder: Path, known: Iterable[Mapping[str, Any]]) -> bool:
    """Terminate a run's processes, and kill those that are still there two seconds later; whether all are gone."""
    known = list(known)
    deadline = time.monotonic() + TERMINATE_SECONDS
    for process in find_processes(folder, known):
        with contextlib.suppress(psutil.Error):
            process.terminate()
            process.resume()  # one that was frozen can't obey
    while left := find_processes(folder, known):
        if time.monotonic() > deadline + KILL_SECONDS:
            return False
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        time.sleep(_POLL_SECONDS)
    return True


@dataclass(frozen=True, order=True)
class Waiting:
    """A run that waits `since` (seconds since the epoch) for `device`."""

    since: float
    run: str
    device: str


def list_waiting(runs: Path) -> list[Waiting]:
    """List the runs below the folder `runs` that wait for a device, the first to get it first."""
    return sorted(
        Waiting(float(process["waiting"]), name, str(process.get("device", "")))
        for name, process in _list_alive(runs)
        if process.get("waiting")
    )


def find_at_work(folder: Path, process: Mapping[str, Any]) -> str:
    """Return the run of the same owner that has the device which the one in `folder` waits for.

    "" where there is none, or it is somebody else's. `process` is what its process.json holds.
    """
    for name, other in _list_alive(folder.parent):
        if other.get("device") == process.get("device") and not other.get("waiting"):
            return name if read_owner(folder.parent / name) == read_owner(folder) else ""
    return ""


def _list_alive(runs: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (run, what its process.json holds) of the runs below `runs` whose process lives."""
    for path in runs.glob("*/process.json"):
        try:
            process = json.loads(path.read_text(encoding="utf-8"))
            if time.time() - process.get("heartbeat", 0.0) < SILENT_SECONDS and is_alive(process):
                yield path.parent.name, process
        except (OSError, ValueError, AttributeError, TypeError):
            continue  # deleted this moment, or never ours


def count_ahead(folder: Path, process: Mapping[str, Any]) -> int:
    """Count the runs that wait, as the one in `folder` does, and get the device before it.

    The one that has the device is none of them. `process` is what its process.json holds.
    """
    own = Waiting(float(process.get("waiting") or time.time()), folder.name, str(process.get("device", "")))
    return sum(other < own for other in list_waiting(folder.parent) if other.device == own.device)


def _is_ours(known: Mapping[str, Any]) -> bool:
    """Return whether the number in `known` is not another program's by now.

    The group of a process that is gone keeps its number as long as somebody is in it.
    """
    try:
        return _is_same(psutil.Process(known["pid"]), known)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _is_same(process: psutil.Process, known: Mapping[str, Any]) -> bool:
    return bool(abs(process.create_time() - known["created"]) < 1.0)


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _belongs(pid: int, folder: Path) -> bool:
    return bool(psutil.Process(pid).environ().get(VARIABLE) == str(folder))
