"""All runs: make one, start it, stop it, go on with it, find it again after a restart."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare, read_data
from hfdemo.finetuning.preflight import Preflight, RunData, SlowChecks, limits, preflight
from hfdemo.finetuning.runs import processes, stop_and_resume
from hfdemo.finetuning.runs.processes import list_waiting
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.runs.stop_and_resume import ensure_stopped
from hfdemo.finetuning.training.standalone import training_script
from hfdemo.models.reference import is_run_id
from hfdemo.settings import Settings
from hfdemo.tables import write_csv

_OF_A_RUN = re.compile(r"^run:(\d{8}-\d{6}-)?")


class RunStore:
    """The runs below settings.runs. It holds no state but the children that it has started itself, and the answers of
    slow checks for a while."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._slow_checks = SlowChecks(settings)

    def create(self, config: RunConfig, file: Path | None = None, variants: Sequence[RunConfig] = ()) -> Run:
        """Check everything that can be checked, then write a new run folder with config.json, data/ and train.py.

        `variants` are configs of later runs on the same rows: what refuses one of them refuses the run.

        Raises:
            DemoError: anything in the config or the data that would make the run fail; no folder is made.
        """
        for each in (config, *variants):
            self.preflight(each).check()
        corpus = read_data(config, self.settings, file)
        prepared = prepare(config, corpus.tables, corpus.refused)
        data = RunData.of(prepared)
        checked = self.preflight(config, data)
        checked.check()
        for each in variants:
            self.preflight(each, data).check()
        filled = checked.config or config
        if self.settings.public:
            self._clear()
        script = training_script(filled, self.settings)
        # Of another run's rows the name of what they were, not of when.
        name = file.stem if file is not None else _OF_A_RUN.sub("", Path(config.dataset).name)
        folder = self._new_folder(name)
        (folder / "data").mkdir()
        for split, table in prepared.splits.items():
            write_csv(table, folder / "data" / f"{split}.csv")
        (folder / "train.py").write_text(script, encoding="utf-8")
        (folder / "data.json").write_text(json.dumps({"notes": [*corpus.notes, *prepared.notes]}), encoding="utf-8")
        write_atomically(folder / "config.json", json.dumps(filled.to_json(), indent=2, ensure_ascii=False) + "\n")
        return Run(folder)

    def preflight(self, config: RunConfig, data: RunData | None = None) -> Preflight:
        """Find every reason to refuse a run of `config` on `data`, or to warn of it; None is data not read yet."""
        return preflight(config, data, self.settings, self._slow_checks, self._count_active_runs)

    def start(self, run: Run) -> Run:
        """Begin `run` in a process of its own that outlives this server."""
        child = processes.spawn(run.folder, run.config, self.settings)
        self._children[run.id] = child
        if not (run.folder / "process.json").exists():
            # Until it has written its own: a stop has to find it.
            with contextlib.suppress(psutil.NoSuchProcess):
                write_atomically(run.folder / "process.json", json.dumps(processes.process_identity(child.pid)))
        return Run(run.folder, child)

    def get(self, run_id: str) -> Run:
        """Return the run called `run_id`.

        Raises:
            RunError: there is none.
        """
        folder = self.settings.runs / str(run_id)
        if not is_run_id(run_id) or not (folder / "config.json").is_file():
            newest = ", ".join(run.id for run in self.list()[:5])
            raise RunError(f"There is no run {run_id!r}. The newest runs: {newest or 'none yet'}.")
        return Run(folder, self._children.get(run_id))

    def list(self) -> list[Run]:
        """List all runs, the newest first."""
        folders = sorted((path.parent for path in self.settings.runs.glob("*/config.json")), reverse=True)
        return [Run(folder, self._children.get(folder.name)) for folder in folders]

    def stop(self, run_id: str, keep: bool = True) -> Run:
        """Ask a run to end, and see to it that it does.

        Without `keep`, before its first step, or if it does not answer, it is gone within ten seconds. With `keep` it
        saves what it has learned, and may take its time for that as long as it works on.

        Raises:
            RunError: there is none, or it is not at work.
        """
        run = self.get(run_id)
        run.stop(keep)
        self._ensure_stopped(run)
        return run

    def adopt(self) -> None:
        """Go on with the stops that an earlier server was asked for and did not live to see."""
        for run in self.list():
            if run.stop_request() is not None and run.status().state in ("stopping", "lost"):
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
        hindrance = stop_and_resume.find_hindrance(run)
        if hindrance:
            raise RunError(hindrance)
        self.preflight(run.config).check()
        stop_and_resume.check_next_checkpoint_fits(run)
        limits.check_active(self._count_active_runs())
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
        return [self.get(waiting.run) for waiting in list_waiting(self.settings.runs)]

    def _clear(self) -> None:
        """Delete what visitors left a day ago."""
        for run in self.list():
            if run.folder.stat().st_mtime < time.time() - limits.KEPT_SECONDS and not run.status().active:
                with contextlib.suppress(OSError, RunError):
                    run.remove()

    def set_notes(self, run_id: str, text: str) -> None:
        """Keep `text` beside a run.

        Raises:
            RunError: there is none, the text is too long, or the server is a shared one.
        """
        run = self.get(run_id)
        self._check_owner()
        run.set_notes(text)

    def _check_owner(self) -> None:
        if self.settings.public:
            raise RunError(
                "On this shared server nobody can tell whose run that is, so it is left as it is. Runs are deleted "
                "after a day."
            )

    def delete(self, run_id: str) -> None:
        """Remove a run's folder for good.

        Raises:
            RunError: there is none, it is still at work, or the server is a shared one.
        """
        run = self.get(run_id)
        self._check_owner()
        if run.status().active:
            raise RunError(f"Run {run_id} is still at work. Stop it first.")
        run.remove()
        self._children.pop(run_id, None)

    def _count_active_runs(self) -> int:
        """Count the runs that are at work or waiting; on a public server, where there is a limit."""
        return sum(run.status().active for run in self.list()) if self.settings.public else 0

    def _new_folder(self, dataset: str) -> Path:
        """Create a folder that did not exist before, named so that names sort by time."""
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9]+', '-', dataset).strip('-')[:24] or 'run'}"
        for number in range(1, 1000):
            folder = self.settings.runs / (stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                return folder
        raise RunError("A thousand runs were started within this second. Wait a moment.")
