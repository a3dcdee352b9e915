"""A training process: its rank among those of its run, process.json, its turn on the device, and a final event.

Under torchrun the first process makes the folder and writes; the others are told where.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import RunError
from hfdemo.finetuning import events as what
from hfdemo.finetuning.events import (
    Evaluated,
    Event,
    Failed,
    Phase,
    Saved,
    Started,
    StepLogged,
    Stopped,
    Thinned,
    free_room,
    keep_room,
    valid,
)
from hfdemo.finetuning.runs.processes import (
    OUT_OF_MEMORY,
    VARIABLE,
    count_ahead,
    is_alive,
    process_identity,
    shorten_log,
)
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.stop_request import read_stop_request
from hfdemo.settings import Settings

HEARTBEAT_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_TURN_SECONDS = 0.3
# What is printed for ever comes to some hundred megabytes a second.
_LOG_SECONDS = 0.1
# A process that waits for others does not do as much as this.
_WORK_SECONDS = 0.02
# How long without work and without its launcher the first process of a run stays, and the others.
ORPHAN_SECONDS = (5.0, 30.0)
_ENDED_FROM_OUTSIDE = 128 + signal.SIGTERM
_POLL_SECONDS = 0.2
_KEY = "begin"
_SHARE_OF_STEPS = 0.8


class Log:
    """The one writer of events.jsonl while the process lives. Room for a last word is put aside, for a full disk.

    The file has about `most` bytes at most: half of them are there from the first step on, the others as the steps are
    done. What is logged and saved on the way is left out where there is no room for it yet.
    """

    def __init__(self, run: Run, most: int) -> None:
        self.run, self.most = run, most
        before = run.events()
        self.step = max((event.step for event in valid(before)), default=0)
        self.total_steps = max((event.total_steps for event in before if isinstance(event, Started)), default=0)
        self.has_left_out = any(isinstance(event, Thinned) for event in valid(before))
        self.ended = False
        with contextlib.suppress(OSError):
            keep_room(run.folder)

    def write(self, event: Event) -> None:
        """Add `event` to events.jsonl, unless there is no room for it yet, and print it."""
        if isinstance(event, Started):
            self.total_steps = event.total_steps
        if not self._has_room(event):
            self.step = event.step
            if self.has_left_out:
                return
            self.has_left_out = True
            event = Thinned(event.step, time.time(), self.most)
        line = self.append(event)
        with contextlib.suppress(OSError):  # a full disk: it is in events.jsonl all the same
            print(line, flush=True)

    def _has_room(self, event: Event) -> bool:
        """Return whether `event` is written: all are that say more than how far the run is."""
        if not isinstance(event, StepLogged | Evaluated | Saved) or event.step >= self.total_steps:
            return True
        # Losses are logged most often, and must not take the room of what is rarer.
        share = _SHARE_OF_STEPS if isinstance(event, StepLogged) else 1.0
        done = event.step / self.total_steps
        try:
            size = (self.run.folder / "events.jsonl").stat().st_size
        except OSError:  # nothing has been written yet
            return True
        return size < self.most * share * (1 + done) / 2

    def append(self, event: Event) -> str:
        """Add `event` to events.jsonl; returns its line.

        Raises:
            OSError: the disk is full, and it is no final event.
        """
        final = isinstance(event, what.FINAL)
        if final:
            free_room(self.run.folder)
        line = what.append(self.run.folder / "events.jsonl", event)
        self.step, self.ended = event.step, final
        return line


class ProcessFile:
    """The one writer of process.json: who this process is, that it lives, and how far its main thread has worked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._values: dict[str, Any] = process_identity()
        if found := find_launcher():
            self._values["launcher"] = found

    def write(self, **values: Any) -> None:
        """Write these `values` and what was said before."""
        with self._lock:
            self._values |= values
            now = {"heartbeat": time.time(), "worked": _seconds_worked()}
            write_atomically(self._folder / "process.json", json.dumps({**self._values, **now}))

    def note_step(self, step: int) -> None:
        """Remember that `step` is done: the first is written at once, the others with the next heartbeat."""
        is_first = "step" not in self._values
        self._values["step"] = step
        if is_first:
            with contextlib.suppress(OSError):  # a full disk
                self.write()

    def note_phase(self, phase: Phase) -> None:
        """Remember what the process is at: it is written within half a second, however often it changes."""
        self._values["phase"] = phase

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Say every few seconds that this process lives, and at once what it is at and that it heard of a stop."""
        done = threading.Event()

        def beat() -> None:
            last, told = time.monotonic(), (False, None)
            while not done.wait(_LOOK_SECONDS):
                now = (read_stop_request(self._folder) is not None, self._values.get("phase"))
                if now != told or time.monotonic() - last > HEARTBEAT_SECONDS:
                    with contextlib.suppress(OSError):  # a full disk, or the folder is gone
                        self.write(stopping=now[0])
                        last, told = time.monotonic(), now

        with contextlib.suppress(OSError):  # a full disk: what the server wrote is there
            self.write()
        thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextlib.contextmanager
def bounded_log(folder: Path, most: int) -> Iterator[None]:
    """Keep the run's log.txt, into which this process and what it starts print, from growing beyond `most` bytes."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOG_SECONDS):
            with contextlib.suppress(OSError):  # a full disk, or the folder is gone
                shorten_log(folder, most)

    thread = threading.Thread(target=watch, daemon=True, name="log watch")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with contextlib.suppress(OSError):
            shorten_log(folder, most)


def _seconds_worked() -> float:
    """Return the CPU seconds of the main thread: they stand still when it hangs, while the heart beats on."""
    if hasattr(time, "pthread_getcpuclockid"):
        return time.clock_gettime(time.pthread_getcpuclockid(threading.main_thread().ident or 0))
    return time.process_time()


@contextlib.contextmanager
def end_on_sigterm(log: Log, several: bool) -> Iterator[None]:
    """End this process at once on SIGTERM, but for one event that says so."""

    def end(number: int, frame: Any) -> None:
        if not log.ended:
            log.append(_final_event(log, several))
        # Not an exception: it could be caught, or wait for work that hangs.
        os._exit(_ENDED_FROM_OUTSIDE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _final_event(log: Log, several: bool) -> Event:
    if several and log.run.stop_request() is None:
        # So torchrun ends the others when one of its processes failed.
        said = "It was ended from outside, most likely because another of its processes failed. The end of its log: "
        return Failed(log.step, time.time(), said + (log.run.log_tail() or "(printed where it was started)"))
    return Stopped(log.step, time.time(), kept=log.run.has_kept())


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run: number `rank` of `size`; `store` is what they all can read."""

    rank: int
    size: int
    store: Any

    def announce(self, folder: Path, checkpoint: Path | None) -> None:
        """Tell the others to train on the run in `folder`, from `checkpoint` on if there is one."""
        self.store.set(_KEY, json.dumps({"folder": str(folder), "checkpoint": checkpoint and str(checkpoint)}))

    def dismiss(self) -> None:
        """Tell the others that there is nothing to do."""
        self.store.set(_KEY, "null")

    def receive(self) -> tuple[Path, Path | None] | None:
        """Wait for the first one's word: the run's folder and the checkpoint to go on from, or None to leave.

        Raises:
            RunError: the folder is not on this machine.
        """
        # Not its own wait: that one blocks every signal, and the first process may wait for the device for hours.
        while not self.store.check([_KEY]):
            time.sleep(_POLL_SECONDS)
        said = json.loads(self.store.get(_KEY))
        if said is None:
            return None
        folder = Path(said["folder"])
        if not (folder / "config.json").is_file():
            raise RunError(
                f"The run's folder {folder} is not on this machine. Machines that train together need a HFDEMO_HOME "
                "that they share."
            )
        return folder, Path(said["checkpoint"]) if said["checkpoint"] else None

    def leave(self) -> None:
        """Leave the others, all of which are done: the interpreter takes the group's threads apart in any order."""
        from torch.distributed import destroy_process_group, is_initialized

        if is_initialized():
            destroy_process_group()


def find_ranks(environment: Mapping[str, str] = os.environ) -> Ranks | None:
    """Find who this process is to torchrun or accelerate launch; None without one, or where it started no other."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if size == 1:
        return None
    from torch.distributed import PrefixStore, rendezvous

    # What torch.distributed itself meets at; a prefix keeps our keys from its own.
    store, rank, size = next(rendezvous("env://"))
    return Ranks(rank, size, PrefixStore("hfdemo", store))


def find_launcher(environment: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """Find the pid and creation time of the torchrun that started this process."""
    if "TORCHELASTIC_RUN_ID" in environment or _has_same_run(os.getppid(), environment):
        return process_identity(os.getppid())
    return None


def _has_same_run(pid: int, environment: Mapping[str, str]) -> bool:
    """Return whether a process was begun for the run of this one, as accelerate's launcher is."""
    with contextlib.suppress(psutil.Error, OSError):
        return VARIABLE in environment and psutil.Process(pid).environ().get(VARIABLE) == environment[VARIABLE]
    return False


def watch_launcher(silent_seconds: float, leave: Callable[[], None]) -> None:
    """Call `leave` when this process has done nothing for so long and the launcher that began it is gone.

    Its processes meet at the launcher: without it those that have not met yet wait for each other for ever.
    """
    launcher = find_launcher()
    if launcher is None:
        return

    def watch() -> None:
        worked, since = 0.0, time.monotonic()
        while True:
            time.sleep(_LOOK_SECONDS)
            now = _seconds_worked()
            if now - worked > _WORK_SECONDS or is_alive(launcher):
                worked, since = now, time.monotonic()
            elif time.monotonic() - since > silent_seconds:
                leave()

    threading.Thread(target=watch, daemon=True, name="launcher watch").start()


def leave_orphaned(log: Log) -> None:
    """End the first process of a run whose launcher is gone, with a final event; a stop that was asked for does it
    itself."""
    if log.run.stop_request() is None:
        if not log.ended:
            log.append(Failed(log.step, time.time(), f"The launcher of its processes was {OUT_OF_MEMORY}"))
        os._exit(1)


@contextlib.contextmanager
def device_lock(run: Run, settings: Settings, kind: str, process_file: ProcessFile) -> Iterator[bool]:
    """Hold the device's file lock: one training per device by whatever route, first come, first served. False if
    stopped while waiting."""
    from filelock import FileLock

    locks = settings.home / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"device-{kind}.lock")
    since = time.time()
    process_file.write(waiting=since, device=kind)
    while not (count_ahead(run.folder, {"waiting": since, "device": kind}) == 0 and _acquired(lock)):
        if run.stop_request() is not None:
            process_file.write(waiting=None)
            yield False
            return
        time.sleep(_TURN_SECONDS)
    process_file.write(waiting=None)
    try:
        yield True
    finally:
        lock.release()


def _acquired(lock: Any) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
