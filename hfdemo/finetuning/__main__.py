"""python -m hfdemo.finetuning config.json | RUN_DIR: one run, in this process or, under torchrun, in several."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import os
import shlex
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from hfdemo.engine.confinement import confine_process
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Emit, Failed, Phase, Stopped
from hfdemo.finetuning.launcher import command
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.finetuning.runs.child_process import (
    ORPHAN_SECONDS,
    Log,
    ProcessFile,
    Ranks,
    bounded_log,
    device_lock,
    end_on_sigterm,
    find_ranks,
    leave_orphaned,
    watch_launcher,
)
from hfdemo.finetuning.runs.processes import VARIABLE
from hfdemo.finetuning.runs.stop_and_resume import reopen
from hfdemo.finetuning.training.checkpoints import checkpoint_step, explain_full_disk, find_newest_whole, rewind_to
from hfdemo.models.hub import wait_once
from hfdemo.settings import Settings

USAGE = """usage: python -m hfdemo.finetuning config.json | RUN_DIR
config.json begins a new run; RUN_DIR begins the run that was made there, or resumes it from its last checkpoint"""
NICENESS = 10


def main(arguments: list[str]) -> int:
    """Train and return the exit code: 0 finished or stopped, 1 failed, 2 wrong usage."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    settings = Settings.from_env()
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")  # datasets would wait for a server that counts
    faulthandler.enable()  # a crash leaves a word in the log, which is shown
    confine_process(settings)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)  # the page and everything else on this machine come first
    try:
        ranks = find_ranks()
        if ranks is not None and ranks.rank > 0:
            return follow(ranks, settings)
        run = _run_of(Path(arguments[0]), settings, ranks.size if ranks else 1)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return work(run, settings, ranks)


def _run_of(path: Path, settings: Settings, processes: int) -> Run:
    """Open the run in the folder `path`, to begin or to go on, or create one of the config in the file `path`."""
    if path.is_dir():
        return _existing(path, processes, settings)
    config = RunConfig.read(path)
    if processes > 1:
        config = dataclasses.replace(config, processes=processes)  # a launcher has the last word
    _check_processes(config, path, processes)
    run = RunStore(settings).create(config)
    print(f"run folder: {run.folder}", flush=True)
    return run


def _check_processes(config: RunConfig, path: Path, processes: int) -> None:
    if config.processes != processes:
        raise RunError(
            f"This run is for {config.processes} processes, and here {'is' if processes == 1 else 'are'} {processes}. "
            f"Start it with: {shlex.join(command(config, str(path)))}"
        )


def _existing(folder: Path, processes: int, settings: Settings) -> Run:
    if not (folder / "config.json").is_file():
        raise RunError(f"{folder} has no config.json, so it is not a run folder.")
    run = Run(folder.resolve())
    _check_processes(run.config, folder, processes)
    # The server that begins a run writes who is to do it.
    ours = os.environ.get(VARIABLE) == str(run.folder) or any(
        known["pid"] in (os.getpid(), os.getppid()) for known in run.known_processes()
    )
    if not ours and run.processes():
        raise RunError(f"{folder.name} is at work already. Stop it first.")
    if not ours:  # else the server has checked it as it made it
        RunStore(settings).preflight(run.config).check()
    events = run.events()
    if events and not run.reopened_after(events):
        reopen(run)
    return run


def work(run: Run, settings: Settings, ranks: Ranks | None = None) -> int:
    """Wait for the device, train, and leave a final event whatever happens."""
    log, process_file = Log(run, settings.event_bytes), ProcessFile(run.folder)
    watch_launcher(ORPHAN_SECONDS[0], lambda: leave_orphaned(log))
    bounded = bounded_log(run.folder, settings.log_bytes)
    with bounded, process_file.beating(), end_on_sigterm(log, several=ranks is not None):
        try:
            from hfdemo.devices import find_device

            device = find_device()
            with device_lock(run, settings, device.kind, process_file) as free:
                if free:
                    checkpoint, notes = _checkpoint_of(run)  # as it is now, however long it waited
                    if ranks:
                        ranks.announce(run.folder, checkpoint)
                    _train(
                        *(run, settings, checkpoint, notes, log.write),
                        process_file.note_step,
                        process_file.note_phase,
                    )
                    if ranks:
                        ranks.leave()
                else:
                    if ranks:
                        ranks.dismiss()
                    log.write(Stopped(log.step, time.time(), kept=run.has_kept()))
        except BaseException as error:  # Ctrl-C and panics of the tokenizer, too: a run never ends without a word
            if not log.ended:
                log.write(Failed(log.step, time.time(), _sentence(error, run.folder)))
            with contextlib.suppress(OSError):  # a full disk
                traceback.print_exc()
            return 1
    return 0


def follow(ranks: Ranks, settings: Settings) -> int:
    """Train as one of the other processes of a run: it computes, and writes nothing."""
    watch_launcher(ORPHAN_SECONDS[1], lambda: os._exit(1))
    told = ranks.receive()
    if told is not None:
        folder, checkpoint = told
        _train(Run(folder), settings, checkpoint, (), lambda event: None)
        ranks.leave()
    return 0


def _checkpoint_of(run: Run) -> tuple[Path | None, tuple[str, ...]]:
    """Find where a run goes on that was begun before, and what there is to say about it.

    Raises:
        RunError: it has no checkpoint that is whole.
    """
    if not run.events():
        return None, ()
    checkpoint, notes = find_newest_whole(run.checkpoints)
    if checkpoint is None:
        raise RunError(f"There is no checkpoint to go on from. {' '.join(notes)} Duplicate the run to begin again.")
    rewind_to(checkpoint)
    return checkpoint, notes


def _train(
    run: Run,
    settings: Settings,
    checkpoint: Path | None,
    notes: tuple[str, ...],
    emit: Emit,
    on_step: Callable[[int], None] | None = None,
    on_phase: Callable[[Phase], None] | None = None,
) -> None:
    from hfdemo.devices import find_device
    from hfdemo.finetuning.training.training import Resume, train

    resume = Resume(checkpoint, checkpoint_step(checkpoint), notes) if checkpoint else None
    with wait_once():
        train(run.config, run.folder, settings, find_device(), emit, resume, on_step, on_phase)


def _sentence(error: BaseException, folder: Path) -> str:
    if isinstance(error, DemoError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "It was interrupted at the keyboard."
    if full := explain_full_disk(error, folder):
        return f"{full} Then resume the run: what was saved before is there."
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:400]} The whole traceback is in the log."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
