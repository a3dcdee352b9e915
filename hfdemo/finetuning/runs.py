"""A run is a folder: start one, read how it is doing, stop it, find it again after a restart."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import psutil

from hfdemo.corpora import read_tables
from hfdemo.devices import available_cores
from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Prepared, prepare
from hfdemo.finetuning.events import Evaluated, Event, Failed, Finished, Started, StepLogged, Stopped, parse_all
from hfdemo.finetuning.recipes import find_recipe
from hfdemo.finetuning.script import training_script
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import check
from hfdemo.settings import Settings

State = Literal["queued", "starting", "running", "stopping", "finished", "stopped", "failed", "lost"]
ACTIVE: tuple[State, ...] = ("queued", "starting", "running", "stopping")

# A child that has been spawned needs a moment before it writes process.json.
SPAWN_SECONDS = 60.0
PUBLIC_STEPS = 2_000
PUBLIC_RUNS = 3
_ROOT = Path(__file__).resolve().parents[2]
_RUN_ID = re.compile(r"[A-Za-z0-9][\w-]*")


@dataclass(frozen=True)
class Status:
    """How a run is doing. `step` counts optimizer steps; `metrics` are the latest on the validation split."""

    state: State
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    eta_seconds: float | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    error: str | None = None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Run:
    """One run's folder. Everything it tells is read from there; `child` is known only to the server that began it."""

    def __init__(self, folder: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.folder = folder
        self._child = child

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def config(self) -> RunConfig:
        return RunConfig.read(self.folder / "config.json")

    def events(self, after: int = 0, limit: int | None = None) -> list[Event]:
        """The events from number `after` on (the first is 0), at most `limit`."""
        try:
            with (self.folder / "events.jsonl").open(encoding="utf-8") as lines:
                return list(islice(parse_all(lines), after, None if limit is None else after + limit))
        except FileNotFoundError:
            return []

    def status(self, events: list[Event] | None = None) -> Status:
        """The state and how far it is; pass `events` (all of them) if they have been read already."""
        events = self.events() if events is None else events
        state, error = self._state(events)
        if state in ("failed", "lost") and not (events and isinstance(events[-1], Failed)):
            # It may have finished and ended between the reading of its events and the look at its process.
            events = self.events()
            state, error = self._state(events)
        steps = [event for event in events if isinstance(event, StepLogged)]
        evaluated = [event for event in events if isinstance(event, Evaluated)]
        started = next((event for event in events if isinstance(event, Started)), None)
        done = max((event.step for event in events), default=0)
        return Status(
            state=state,
            step=done,
            total_steps=started.total_steps if started else 0,
            epoch=max([event.epoch for event in steps] + [event.epoch for event in evaluated], default=0.0),
            eta_seconds=_eta(steps, started.total_steps) if started and state in ACTIVE else None,
            metrics=next((dict(e.metrics) for e in reversed(evaluated) if e.split == "validation"), {}),
            error=error,
        )

    def _state(self, events: list[Event]) -> tuple[State, str | None]:
        last = events[-1] if events else None
        if isinstance(last, Finished):
            return "finished", None
        if isinstance(last, Stopped):
            return "stopped", None
        if isinstance(last, Failed):
            return "failed", last.error
        process = self._read("process.json")
        alive = self._child_code() is None and (
            _is_alive(process) if process else time.time() - self.folder.stat().st_mtime < SPAWN_SECONDS
        )
        if not alive:
            code = self._child_code()
            if code is None:
                return "lost", "The training process is gone and left no word. The server may have been shut down."
            return "failed", f"The training process ended with code {code}. The end of its log: {self.log_tail()}"
        if (self.folder / "stop").exists():
            return "stopping", None
        if last is not None:
            return "running", None
        return ("queued" if process and process.get("waiting") else "starting"), None

    def _child_code(self) -> int | None:
        return self._child.poll() if self._child else None

    def _read(self, name: str) -> Any:
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        return None

    def log_tail(self, characters: int = 600) -> str:
        """The end of what the training process printed."""
        with contextlib.suppress(OSError):
            return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-characters:].strip()
        return ""

    def stop(self, keep: bool = True) -> None:
        """Ask the run to end after the current step; with `keep` it still evaluates and saves its model.

        Raises:
            RunError: it is not running.
        """
        state = self.status().state
        if state not in ACTIVE:
            raise RunError(f"Run {self.id} is {state}, so there is nothing to stop.")
        write_atomically(self.folder / "stop", json.dumps({"keep": keep}))

    def script(self) -> str:
        """The stand-alone script that repeats this run."""
        return (self.folder / "train.py").read_text(encoding="utf-8")

    def report(self) -> dict[str, Any]:
        """What report.json holds.

        Raises:
            RunError: there is none yet.
        """
        report = self._read("report.json")
        if report is None:
            raise RunError(f"Run {self.id} has no report yet: it is {self.status().state}. A finished run has one.")
        return dict(report)

    def archive(self, folder: Path, *, with_data: bool = True) -> Path:
        """A zip of the model, the report, the config, the script and the data, in a new folder below `folder`.

        Raises:
            RunError: there is no model yet.
        """
        import zipfile

        if not (self.folder / "model" / "config.json").is_file():
            raise RunError(f"Run {self.id} has no model yet: it is {self.status().state}.")
        target = Path(tempfile.mkdtemp(dir=folder)) / f"{self.id}.zip"
        names = ["model", "adapter", "report.json", "config.json", "train.py"]
        names += ["errors.csv", "data"] if with_data else []
        # Weights don't compress; storing them as they are is twenty times faster.
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
            for name in names:
                part = self.folder / name
                for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
                    if path.is_file():
                        file.write(path, f"{self.id}/{path.relative_to(self.folder)}")
        return target


class RunStore:
    """The runs below settings.runs. It holds no state but the children that it has started itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, config: RunConfig, file: Path | None = None) -> Run:
        """Check everything that can be checked, then write a new run folder with config.json, data/ and train.py.

        Raises:
            DemoError: anything in the config or the data that would make the run fail; no folder is made.
        """
        find_recipe(config.task)
        config.check_training()
        check(ModelRef.parse(config.model), self.settings)
        prepared = prepare(config, read_tables(config.dataset, self.settings, file))
        filled = _fill_in(config, prepared)
        self._check_public_limits(filled, len(prepared.splits["train"]))
        script = training_script(filled, self.settings)
        name = file.stem if file is not None else Path(config.dataset).name
        folder = self._new_folder(name)
        (folder / "data").mkdir()
        for split, table in prepared.splits.items():
            # Quoted throughout: a lone carriage return in a text would else end its row.
            table.to_csv(folder / "data" / f"{split}.csv", index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
        (folder / "train.py").write_text(script, encoding="utf-8")
        write_atomically(folder / "config.json", json.dumps(filled.to_json(), indent=2, ensure_ascii=False) + "\n")
        return Run(folder)

    def start(self, run: Run) -> Run:
        """Begin `run` in a process of its own that outlives this server."""
        environment = {"OMP_NUM_THREADS": str(available_cores()), **os.environ, "HFDEMO_HOME": str(self.settings.home)}
        # The child finds this package wherever the server was started; relative model paths keep their meaning.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        if self.settings.public:
            environment["HFDEMO_PUBLIC"] = "1"
        with (run.folder / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "hfdemo.finetuning", str(run.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        self._children[run.id] = child
        return Run(run.folder, child)

    def get(self, run_id: str) -> Run:
        """The run called `run_id`.

        Raises:
            RunError: there is none.
        """
        folder = self.settings.runs / str(run_id)
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id) or not (folder / "config.json").is_file():
            newest = ", ".join(run.id for run in self.list()[:5])
            raise RunError(f"There is no run {run_id!r}. The newest runs: {newest or 'none yet'}.")
        return Run(folder, self._children.get(run_id))

    def list(self) -> list[Run]:
        """All runs, the newest first."""
        folders = sorted((path.parent for path in self.settings.runs.glob("*/config.json")), reverse=True)
        return [Run(folder, self._children.get(folder.name)) for folder in folders]

    def delete(self, run_id: str) -> None:
        """Remove a run's folder for good.

        Raises:
            RunError: there is none, or it is still at work.
        """
        run = self.get(run_id)
        if run.status().active:
            raise RunError(f"Run {run_id} is still at work. Stop it first.")
        shutil.rmtree(run.folder)
        self._children.pop(run_id, None)

    def _check_public_limits(self, config: RunConfig, train_rows: int) -> None:
        """On a shared server one visitor must not hold the device for hours."""
        if not self.settings.public:
            return
        active = sum(run.status().active for run in self.list())
        if active >= PUBLIC_RUNS:
            raise RunError(f"{active} runs are at work or waiting on this shared server. Come back when one has ended.")
        steps = config.steps(train_rows)
        if steps > PUBLIC_STEPS:
            raise RunError(
                f"This run would take {steps:,} steps; on this shared server a run has at most {PUBLIC_STEPS:,}. "
                "Use fewer epochs or a larger batch, or run the app on your own machine."
            )

    def _new_folder(self, dataset: str) -> Path:
        """A folder that did not exist before, named so that names sort by time."""
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9]+', '-', dataset).strip('-')[:24] or 'run'}"
        for number in range(1, 1000):
            folder = self.settings.runs / (stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                return folder
        raise RunError("A thousand runs were started within this second. Wait a moment.")


def _fill_in(config: RunConfig, prepared: Prepared) -> RunConfig:
    """`config` with everything written out that was suggested from the data."""
    columns: dict[str, Any] = {name: column or "" for name, column in dataclasses.asdict(prepared.mapped).items()}
    filled = dataclasses.replace(config, **columns, labels=prepared.labels, positive_label=prepared.positive_label)
    return filled.with_training_defaults(len(prepared.splits["train"]))


def _eta(steps: Sequence[StepLogged], total_steps: int) -> float | None:
    """Seconds left at the pace since the first step, which warms everything up; None before the second."""
    if len(steps) < 2 or steps[-1].step == steps[0].step:
        return None
    pace = (steps[-1].time - steps[0].time) / (steps[-1].step - steps[0].step)
    return max(0.0, pace * (total_steps - steps[-1].step))


def _is_alive(process: dict[str, Any]) -> bool:
    """Same pid, same creation time, not a zombie: a pid alone may belong to another program by now."""
    try:
        found = psutil.Process(process["pid"])
        return abs(found.create_time() - process["created"]) < 1.0 and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError):
        return False


def write_atomically(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
