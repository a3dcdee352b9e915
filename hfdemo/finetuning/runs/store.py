"""All runs: make one, start it, stop it, go on with it, find it again after a restart."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import psutil

from hfdemo.atomic_files import write_atomically
from hfdemo.engine import Child, Engine, InlineEngine, OwnedEngine
from hfdemo.errors import RunError
from hfdemo.finetuning import events as what
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare, read_data, record_reading
from hfdemo.finetuning.preflight import Preflight, RunData, SlowChecks, limits, preflight
from hfdemo.finetuning.runs import processes, stop_and_resume
from hfdemo.finetuning.runs.processes import list_waiting
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.runs.stop_and_resume import ensure_stopped
from hfdemo.finetuning.training.checkpoints import explain_full_disk
from hfdemo.finetuning.training.standalone import training_script
from hfdemo.models.reference import is_run_id
from hfdemo.ownership import (
    DiskUse,
    claim_folder,
    count_bytes,
    count_missing_bytes,
    find_folder,
    is_shared_by,
    list_folders,
    make_suffix,
    measure_use,
    reserve_bytes,
    share_folder,
    stop_sharing,
)
from hfdemo.settings import Settings
from hfdemo.tables import write_csv

# What an id has besides the name of its data: when it was made, and what nobody can guess.
_OF_A_RUN = re.compile(r"^run:(\d{8}-\d{6}-)?|(?<=.)-[0-9a-f]{16}(-\d+)?$")
# Another server on the same home counts and renames, which takes no time.
_LOCK_SECONDS = 30.0
# Who wrote this long ago and did not come to an end was killed.
_ABANDONED_SECONDS = 3600.0


class RunStore:
    """The runs below settings.runs. It holds no state but the children that it has started itself.

    What needs the large libraries, the `engine` does; without one it is done in this process.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.settings = settings
        self._engine = engine or InlineEngine(settings)
        self._children: dict[str, Child] = {}

    def of_owner(self, owner: str) -> RunStore:
        """Return this store as `owner` sees it: what is begun belongs to them, and of others there is no run."""
        if owner == self.settings.owner:
            return self
        view = copy.copy(self)
        view.settings, view._engine = self.settings.of_owner(owner), OwnedEngine(self._engine, owner)
        return view

    def create(
        self,
        config: RunConfig,
        file: Path | None = None,
        variants: Sequence[RunConfig] = (),
        stop: Event | None = None,
    ) -> Run:
        """Check everything that can be checked, then write a new run folder with config.json, data/ and train.py.

        `variants` are configs of later runs on the same rows: what refuses one of them refuses the run.

        Raises:
            DemoError: anything in the config or the data that would make the run fail; no folder is made.
            Stopped: `stop` was set while the data was read.
        """
        for each in (config, *variants):
            self.preflight(each).check()
        corpus = self._engine.call(read_data, config, self.settings, file, stop=stop)
        prepared = prepare(config, corpus.tables, corpus.refused)
        data = RunData.of(prepared)
        checked = self.preflight(config, data)
        checked.check()
        for each in variants:
            self.preflight(each, data).check()
        filled = record_reading(checked.config or config, corpus)
        self._clear()
        script = self._engine.call(training_script, filled, self.settings)
        # Of another run's rows the name of what they were, not of when.
        name = file.stem if file is not None else _OF_A_RUN.sub("", Path(config.dataset).name)
        half = self._partial_folder()
        try:
            (half / "data").mkdir()
            for split, table in prepared.splits.items():
                write_csv(table, half / "data" / f"{split}.csv")
            (half / "train.py").write_text(script, encoding="utf-8")
            (half / "data.json").write_text(json.dumps({"notes": [*corpus.notes, *prepared.notes]}), encoding="utf-8")
            (half / "config.json").write_text(
                json.dumps(filled.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            return self._admit(half, name, checked.run_bytes)
        except OSError as error:
            if full := explain_full_disk(error, self.settings.home):
                raise RunError(full) from error
            raise
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def _partial_folder(self) -> Path:
        """Make the folder in which a new run is written before it is one, and remove those that were never finished."""
        partial = self.settings.runs / ".new"
        partial.mkdir(parents=True, exist_ok=True)
        for left in partial.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another is a run by now, or refused
                if left.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        folder = partial / uuid.uuid4().hex
        folder.mkdir()
        claim_folder(folder, self.settings)
        return folder

    def _admit(self, half: Path, name: str, run_bytes: int) -> Run:
        """Make a run of what was written in the folder `half`, unless as many are at work, or take as much of the disk,
        as there may be.

        Of any number that begin at the same time, on whichever server, each counts those before it.
        """
        with self._lock():
            limits.check_active(self._count_active_runs(), self.settings)
            if use := self._measure_use():  # what is in `half` is part of it already
                limits.check_use(use, max(0, run_bytes - count_bytes(half)), "This run", self.settings)
            reserve_bytes(half, run_bytes)
            write_atomically(half / "process.json", json.dumps(processes.describe_starter()))
            what.keep_room(half)
            return Run(half.rename(self._free_folder(name)))

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Be the only one, of all servers on this home, that begins a run.

        Raises:
            RunError: another has been at it for half a minute.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.settings.home / "runs.lock")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise RunError(
                f"Another server has been starting a run for {_LOCK_SECONDS:.0f} seconds. Try again in a moment; if "
                f"that does not help, end the other servers that use {self.settings.home}."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def preflight(self, config: RunConfig, data: RunData | None = None) -> Preflight:
        """Find every reason to refuse a run of `config` on `data`, or to warn of it; None is data not read yet."""
        checks = self._engine.hold(SlowChecks)
        use = self._measure_use() if data is not None else None
        return self._engine.call(preflight, config, data, self.settings, checks, self._count_active_runs(), use)

    def start(self, run: Run) -> Run:
        """Begin `run` in a process of its own that outlives this server.

        Raises:
            RunError: the machine has no process or no memory left for it.
        """
        try:
            child = processes.spawn(run.folder, run.config, self.settings, self._engine)
        except OSError as error:
            refusal = f"No process could be started for it: {error.strerror or error}. Try again in a moment."
            what.append(run.folder / "events.jsonl", what.Failed(0, time.time(), refusal))
            raise RunError(f"Run {run.id}: {refusal}") from error
        self._children[run.id] = child
        if "pid" not in (run.process() or {}):
            # Until it has written its own: a stop has to find it.
            with contextlib.suppress(psutil.NoSuchProcess, OSError):  # it has ended, or the disk is full
                write_atomically(run.folder / "process.json", json.dumps(processes.process_identity(child.pid)))
        return Run(run.folder, child)

    def get(self, run_id: str) -> Run:
        """Return the run called `run_id`.

        Raises:
            RunError: there is none.
        """
        folder = find_folder(self.settings.runs, run_id, self.settings) if is_run_id(run_id) else None
        if folder is None or not (folder / "config.json").is_file():
            if self.settings.owner:
                raise RunError("There is no such run.")
            newest = ", ".join(run.id for run in self.list()[:5])
            raise RunError(f"There is no run {run_id!r}. The newest runs: {newest or 'none yet'}.")
        return Run(folder, self._children.get(run_id))

    def share(self, run_id: str) -> str:
        """Return what `find_readable` finds a run by for everybody, made when it is first asked for.

        Where there is one owner, that is the run's id.

        Raises:
            RunError: there is none.
        """
        run = self.get(run_id)
        if not self.settings.owner:
            return run.id
        with self._lock():  # of two that ask at once, both get the same
            return f"{run.id}.{share_folder(run.folder)}"

    def unshare(self, run_id: str) -> None:
        """Let nobody else find a run any more, whatever they were given.

        Raises:
            RunError: there is none.
        """
        stop_sharing(self.get(run_id).folder)

    def find_readable(self, name: str) -> Run:
        """Return the run with the id `name`, or that which its owner shares by that name: it is only to be looked at.

        Raises:
            RunError: there is none; a name that is wrong or no longer shared is like one that never was.
        """
        run_id, dot, secret = name.partition(".") if isinstance(name, str) else ("", "", "")
        folder = self.settings.runs / run_id
        if dot and is_run_id(run_id) and is_shared_by(folder, secret) and (folder / "config.json").is_file():
            return Run(folder, self._children.get(run_id))
        return self.get(name)

    def list(self) -> list[Run]:
        """List all runs, the newest first."""
        folders = list_folders(self.settings.runs, "config.json", self.settings)
        return [Run(folder, self._children.get(folder.name)) for folder in folders]

    def stop(self, run_id: str, keep: bool = True) -> Run:
        """Ask a run to end, and see to it that it does.

        Without `keep`, before its first step, or if it does not answer, it is gone within ten seconds. With `keep` it
        saves what it has learned, and may take its time for that as long as it works on.

        Raises:
            RunError: there is none, or it is not at work.
        """
        run = self.get(run_id)
        try:
            run.stop(keep)
        except OSError:  # on a full disk there is no place for the request
            processes.end_processes(run.folder, run.known_processes())
        self._ensure_stopped(run)
        return run

    def adopt(self) -> None:
        """Go on with the stops that an earlier server was asked for and did not live to see."""
        for run in self.list():
            if run.stop_request() is not None and not run.has_ended():
                self._ensure_stopped(run)

    def _ensure_stopped(self, run: Run) -> None:
        threading.Thread(target=ensure_stopped, args=(run,), daemon=True, name=f"stopping {run.id}").start()

    def resume(self, run_id: str) -> Run:
        """Go on with a run from its last checkpoint, under the same id.

        Raises:
            RunError: there is none, it is at work or finished, or it has no checkpoint.
            DemoError: it could not be begun any more, because its base model is gone for one.
        """
        run = self.get(run_id)
        hindrance = stop_and_resume.find_hindrance(run, hashes=True)
        if hindrance:
            raise RunError(hindrance)
        self.preflight(run.config).check()
        next_bytes = stop_and_resume.check_next_checkpoint_fits(run)
        with self._lock():
            limits.check_active(self._count_active_runs(), self.settings)
            if use := self._measure_use():
                needed = max(next_bytes, count_missing_bytes(run.folder))
                limits.check_use(use, needed, "The rest of this run", self.settings)
            self._children.pop(run_id, None)  # of which the run is no longer
            stop_and_resume.reopen(run)
        return self.start(run)

    def duplicate(self, run_id: str, changes: Mapping[str, Any] | None = None) -> RunConfig:
        """Return the config of a new run on the very data of that one, with `changes`; see `stop_and_resume.duplicate`.

        Raises:
            DemoError: there is no such run, or a change that no config may have.
        """
        return stop_and_resume.duplicate(self.get(run_id), changes or {})

    def more_epochs(self, run_id: str, epochs: float) -> Run:
        """Begin a new run that goes on from the model of that one for so many epochs, on the same data.

        Raises:
            DemoError: there is no such run or it has no model yet.
        """
        return self.start(self.create(stop_and_resume.more_epochs(self.get(run_id), epochs)))

    def queue(self) -> Sequence[Run]:
        """List the runs that wait for a device, the first to get it first."""
        known = {run.id: run for run in self.list()}
        return [known[waiting.run] for waiting in list_waiting(self.settings.runs) if waiting.run in known]

    def _clear(self) -> None:
        """Delete the runs of everybody that were left longer ago than they are kept."""
        kept = self.settings.kept_seconds
        for run in self.of_owner("").list() if kept else ():
            if run.folder.stat().st_mtime < time.time() - kept and not run.status().active:
                with contextlib.suppress(OSError, RunError):
                    run.remove()

    def set_notes(self, run_id: str, text: str) -> None:
        """Keep `text` beside a run.

        Raises:
            RunError: there is none, or the text is too long.
        """
        self.get(run_id).set_notes(text)

    def delete(self, run_id: str) -> None:
        """Remove a run's folder for good.

        Raises:
            RunError: there is none, or it is still at work.
        """
        run = self.get(run_id)
        if run.status().active:
            raise RunError(f"Run {run_id} is still at work. Stop it first.")
        run.remove()
        self._children.pop(run_id, None)

    def count_at_work(self) -> int:
        """Count the runs that are at work or waiting, whosever they are."""
        # Most have ended long ago: of those no events need to be read.
        return sum(run.is_alive() and run.status().active for run in self.of_owner("").list())

    def _count_active_runs(self) -> int:
        """Count the runs that are at work or waiting, where there is a limit."""
        return self.count_at_work() if self.settings.runs_at_work else 0

    def _measure_use(self) -> DiskUse | None:
        """Return what all runs and the like take of the disk, where there is a limit."""
        if not (self.settings.home_bytes or self.settings.visitor_bytes):
            return None
        return measure_use(self.settings, lambda folder: Run(folder, self._children.get(folder.name)).is_alive())

    def _free_folder(self, dataset: str) -> Path:
        """Return the path of a folder that is not there yet, named so that names sort by time."""
        named = re.sub(r"[^A-Za-z0-9]+", "-", dataset).strip("-")[:24] or "run"
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{named}{make_suffix(self.settings)}"
        for number in range(1, 1000):
            folder = self.settings.runs / (stem if number == 1 else f"{stem}-{number}")
            if not folder.exists():
                return folder
        raise RunError("A thousand runs were started within this second. Wait a moment.")
