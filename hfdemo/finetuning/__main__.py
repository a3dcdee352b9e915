"""python -m hfdemo.finetuning config.json | RUN_DIR: one run, in this process."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Event, Failed, Stopped
from hfdemo.finetuning.runs import Run, RunStore, write_atomically
from hfdemo.serializing import to_json
from hfdemo.settings import Settings

USAGE = "usage: python -m hfdemo.finetuning config.json | RUN_DIR"
HEARTBEAT_SECONDS = 5.0
NICENESS = 10


def main(arguments: list[str]) -> int:
    """Train and return the exit code: 0 finished or stopped, 1 failed, 2 wrong usage."""
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    settings = Settings.from_env()
    path = Path(arguments[0])
    try:
        if path.is_dir():
            run = _existing(path)
        else:
            run = RunStore(settings).create(RunConfig.read(path))
            print(f"run folder: {run.folder}", flush=True)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return work(run, settings)


def _existing(folder: Path) -> Run:
    if not (folder / "config.json").is_file():
        raise RunError(f"{folder} has no config.json, so it is not a run folder.")
    if (folder / "process.json").exists():
        raise RunError(f"{folder.name} was started before. Start a new run with its config.json.")
    return Run(folder.resolve())


def work(run: Run, settings: Settings) -> int:
    """Wait for the device, train, and leave a final event whatever happens."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)  # the page and everything else on this machine come first

    def emit(event: Event) -> None:
        line = json.dumps(to_json(event.to_json()), ensure_ascii=False)
        with (run.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    with _signs_of_life(run.folder) as process:
        try:
            from hfdemo.devices import find_device
            from hfdemo.finetuning.trainer import train

            device = find_device()
            with _device_lock(run, settings, device.kind, process) as free:
                if free:
                    train(run.config, run.folder, settings, device, emit)
                else:
                    emit(Stopped(0, time.time()))
        except BaseException as error:  # Ctrl-C and panics of the tokenizer, too: a run never ends without a word
            traceback.print_exc()
            step = max((event.step for event in run.events()), default=0)
            emit(Failed(step, time.time(), _sentence(error)))
            return 1
    return 0


def _sentence(error: BaseException) -> str:
    if isinstance(error, DemoError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "It was interrupted at the keyboard."
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:400]} The whole traceback is in the log."


@contextlib.contextmanager
def _signs_of_life(folder: Path) -> Iterator[dict[str, Any]]:
    """Keep process.json up to date; what is put into the yielded dict is written with the next beat."""
    process = {"pid": os.getpid(), "created": psutil.Process().create_time(), "waiting": False}
    done = threading.Event()

    def write() -> None:
        write_atomically(folder / "process.json", json.dumps({**process, "heartbeat": time.time()}))

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            write()

    write()
    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield process
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def _device_lock(run: Run, settings: Settings, kind: str, process: dict[str, Any]) -> Iterator[bool]:
    """Hold the device's file lock: one training per device by whatever route. False if stopped while waiting."""
    from filelock import FileLock, Timeout

    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / f"device-{kind}.lock")
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            process["waiting"] = True
            if (run.folder / "stop").exists():
                yield False
                return
    process["waiting"] = False
    try:
        yield True
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
