"""A search for good training values: a folder with its trials, each of which is a run like any other."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, Literal

import psutil

from hfdemo.atomic_files import write_atomically
from hfdemo.engine import Child
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.arguments import LEARNING_RATE
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import selection_metric
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.processes import is_alive, process_identity
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.stop_request import read_stop_request, request_stop
from hfdemo.models.reference import is_run_id
from hfdemo.ownership import claim_folder, find_folder, list_folders
from hfdemo.settings import Settings, child_environment

MOST_TRIALS = 50
TrialState = Literal["running", "finished", "pruned", "failed", "stopped"]
SearchState = Literal["running", "stopping", "finished", "stopped", "failed", "lost"]


@dataclass(frozen=True)
class Space:
    """What is tried: learning rates from `learning_rate[0]` to `[1]` (every order of magnitude alike), any of the batch
    sizes, and whole epochs from `epochs[0]` to `[1]`."""

    learning_rate: tuple[float, float]
    batch_sizes: tuple[int, ...]
    epochs: tuple[int, int]

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None, config: RunConfig) -> Space:
        """Read the space in plain JSON; what is left out lies around the defaults of the config's method.

        Raises:
            DemoError: an unknown key, or a range that holds nothing.
        """
        if values is not None and not isinstance(values, Mapping):
            raise DemoError(f'space must be an object such as {{"epochs": [1, 3]}}, not a {type(values).__name__}.')
        usual = config.training.get("learning_rate") or LEARNING_RATE[config.method]
        given = {
            "learning_rate": [usual / 5, usual * 5],
            "batch_sizes": [8, 16, 32],
            "epochs": [1, 4],
            **(values or {}),
        }
        unknown = sorted(set(given) - {spec.name for spec in dataclasses.fields(cls)})
        if unknown:
            raise DemoError(f"A search has no {', '.join(unknown)}. It tries learning_rate, batch_sizes and epochs.")
        try:
            rates = tuple(float(each) for each in given["learning_rate"])
            sizes, epochs = (_whole(given[name]) for name in ("batch_sizes", "epochs"))
        except (TypeError, ValueError) as error:
            raise DemoError(f"The values to try must be lists of numbers: {error}.") from error
        if len(rates) != 2 or not 0 < rates[0] <= rates[1] < math.inf:
            raise DemoError("learning_rate is [lowest, highest], both above 0. Give two numbers in that order.")
        if not sizes or min(sizes) < 1:
            raise DemoError("batch_sizes is a list of whole numbers from 1 on. Give at least one.")
        if len(epochs) != 2 or not 1 <= epochs[0] <= epochs[1]:
            raise DemoError("epochs is [fewest, most], both whole and from 1 on. Give two numbers in that order.")
        return cls((rates[0], rates[1]), sizes, (epochs[0], epochs[1]))

    def corners(self) -> list[dict[str, Any]]:
        """Return the training values at both ends of what is tried: the shortest run and the longest."""
        return [
            {
                "learning_rate": self.learning_rate[end],
                "per_device_train_batch_size": pick(self.batch_sizes),
                "num_train_epochs": self.epochs[end],
            }
            for end, pick in enumerate((max, min))
        ]

    def holds(self, training: Mapping[str, Any]) -> bool:
        """Return whether the values of `training` are among those that are tried."""
        rate, epochs = training.get("learning_rate", 0.0), training.get("num_train_epochs", 0)
        return (
            self.learning_rate[0] <= rate <= self.learning_rate[1]
            and training.get("per_device_train_batch_size") in self.batch_sizes
            and float(epochs).is_integer()
            and self.epochs[0] <= epochs <= self.epochs[1]
        )


def _whole(values: Any) -> tuple[int, ...]:
    """Return a list of whole numbers as ints.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(values, list | tuple) or not all(float(each).is_integer() for each in values):
        raise ValueError(f"{values!r} are no whole numbers")
    return tuple(int(each) for each in values)


@dataclass(frozen=True)
class Trial:
    """One run of a search: its values, its state, and the metric that is searched for (None: it has none yet).

    `run` is "" where its values were refused, so that no run was made.
    """

    number: int
    run: str
    parameters: Mapping[str, float]
    state: TrialState
    value: float | None = None


class Search:
    """A search's folder: search.json (what is searched), trials.jsonl (what was found) and process.json."""

    def __init__(self, folder: Path, child: Child | None = None) -> None:
        self.folder = folder
        self._child = child

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def description(self) -> dict[str, Any]:
        """data (the run whose rows all trials have), space, trials (how many), metric, greater_is_better, seed."""
        return dict(json.loads((self.folder / "search.json").read_text(encoding="utf-8")))

    def trials(self) -> list[Trial]:
        """Read every trial as it was last recorded, in the order in which they began."""
        found: dict[int, Trial] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "trials.jsonl").read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    trial = Trial(**json.loads(line))
                    found[trial.number] = trial
        running = self.state()[0] in ("running", "stopping")
        return [trial if running else self._as_it_ended(trial) for trial in found.values()]

    def _as_it_ended(self, trial: Trial) -> Trial:
        """Return a trial as its run has ended, which the search did not live to see."""
        run = Run(self.folder.parents[1] / "runs" / trial.run)
        if trial.state != "running" or not (run.folder / "config.json").is_file():
            return dataclasses.replace(trial, state="stopped") if trial.state == "running" else trial
        status = run.status()
        if status.active:
            return trial
        state: TrialState = status.state if status.state in ("finished", "stopped") else "failed"
        value = status.metrics.get(self.description["metric"]) if state == "finished" else None
        return dataclasses.replace(trial, state=state, value=value)

    def best(self) -> Trial | None:
        """Return the finished trial with the best value."""
        done = [trial for trial in self.trials() if trial.state == "finished" and trial.value is not None]
        sign = 1 if self.description["greater_is_better"] else -1
        return max(done, key=lambda trial: sign * (trial.value or 0.0), default=None)

    def state(self) -> tuple[SearchState, str | None]:
        """Return how it is doing and, where it failed, why."""
        with contextlib.suppress(OSError, ValueError):
            end = json.loads((self.folder / "end.json").read_text(encoding="utf-8"))
            return end["state"], end.get("error")
        process = None
        with contextlib.suppress(OSError, ValueError):
            process = json.loads((self.folder / "process.json").read_text(encoding="utf-8"))
        if not is_alive(process) and (self._child is None or self._child.poll() is not None):
            if self.stop_asked():
                return "stopped", None
            return "lost", "The search's process is gone and left no word. Its runs are still there."
        return ("stopping" if self.stop_asked() else "running"), None

    def stop_asked(self) -> bool:
        """Return whether somebody asked for its end."""
        return read_stop_request(self.folder) is not None

    def stop(self) -> None:
        """Ask it to end, and its run with it.

        Raises:
            RunError: it has ended already.
        """
        state, _ = self.state()
        if state not in ("running", "stopping"):
            raise RunError(f"Search {self.id} is {state}, so there is nothing to stop.")
        request_stop(self.folder, keep=False)

    def to_json(self) -> dict[str, Any]:
        state, error = self.state()
        best, described = self.best(), self.description
        return {
            "search": self.id,
            "state": state,
            "error": error,
            "metric": described["metric"],
            "greater_is_better": described["greater_is_better"],
            "planned": described["trials"],
            "trials": [dataclasses.asdict(trial) for trial in self.trials()],
            "best": dataclasses.asdict(best) if best else None,
        }


class SearchStore:
    """The searches below settings.home/searches."""

    def __init__(self, settings: Settings, runs: RunStore) -> None:
        self.settings, self.runs = settings, runs
        self.folder = settings.home / "searches"

    def of_owner(self, owner: str) -> SearchStore:
        """Return this store as `owner` sees it."""
        if owner == self.settings.owner:
            return self
        view = copy.copy(self)
        view.settings, view.runs = self.settings.of_owner(owner), self.runs.of_owner(owner)
        return view

    def start(
        self,
        config: RunConfig,
        space: Mapping[str, Any] | None,
        trials: int,
        file: Path | None = None,
        stop: Event | None = None,
    ) -> Search:
        """Begin a search in a process of its own; the first trial's run is made here, so that what is wrong with the
        data or the config is said at once.

        Raises:
            DemoError: see `RunStore.create` and `Space.from_json`; too many trials, or a shared server.
        """
        if self.settings.public:
            raise RunError("This is a shared server: it has no searches. Run the app on your own machine.")
        if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= MOST_TRIALS:
            raise RunError(f"A search has 1 to {MOST_TRIALS} trials, not {trials!r}.")
        tried = Space.from_json(space, config)
        own = {name: value for name, value in config.training.items() if name != "max_steps"}
        corners = [dataclasses.replace(config, training={**own, **corner}) for corner in tried.corners()]
        first = self.runs.create(config, file, corners, stop)
        kind = find_kind(config.task, first.config.problem_type)
        metric, greater = selection_metric(config, kind.evaluator)
        folder = self.folder / f"{datetime.now():%Y%m%d-%H%M%S}-{first.id[16:] or 'search'}"
        folder.mkdir(parents=True)
        claim_folder(folder, self.settings)
        described = {
            "data": first.id,
            "space": dataclasses.asdict(tried),
            "trials": trials,
            "metric": metric,
            "greater_is_better": greater,
            "seed": int(first.config.training["seed"]),
        }
        # Until it has a process of its own, it is as alive as this server.
        write_atomically(folder / "process.json", json.dumps(process_identity()))
        write_atomically(folder / "search.json", json.dumps(described, indent=2))
        with (folder / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "hfdemo.finetuning.runs.search_trials", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=child_environment(self.settings),
            )
        with contextlib.suppress(psutil.NoSuchProcess, OSError):  # it has ended, or the disk is full
            write_atomically(folder / "process.json", json.dumps(process_identity(child.pid)))
        return Search(folder, child)

    def get(self, search: str) -> Search:
        """Return the search of that id.

        Raises:
            RunError: there is none.
        """
        folder = find_folder(self.folder, search, self.settings) if is_run_id(search) else None
        if folder is None or not (folder / "search.json").is_file():
            if self.settings.owner:
                raise RunError("There is no such search.")
            raise RunError(
                f"There is no search {search!r}. The newest: {', '.join(s.id for s in self.list()[:5]) or 'none yet'}."
            )
        return Search(folder)

    def list(self) -> list[Search]:
        """List all searches, the newest first."""
        return [Search(folder) for folder in list_folders(self.folder, "search.json", self.settings)]
