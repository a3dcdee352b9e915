"""The endpoints of data sets, runs and searches."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api.error_boundary import uploaded_path, with_plain_arguments
from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.errors import DemoError, ModelError
from hfdemo.finetuning.arguments import knobs
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, read_data
from hfdemo.finetuning.preprocessing.token_counts import count_tokens
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.comparison import compare
from hfdemo.finetuning.runs.search import SearchStore
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class RunEndpoints:
    """Everything that can be called about runs; each public method below is one endpoint."""

    settings: Settings
    models: ModelCache
    runs: RunStore

    def _of_runs(self) -> tuple[Callable[..., Any], ...]:
        """The endpoints of this file, in the order of the list that clients see."""
        endpoints: tuple[Callable[..., Any], ...] = (
            *(self.inspect_dataset, self.training_fields, self.start_run, self.run_status, self.run_events),
            *(self.watch_run, self.run_report, self.run_epoch, self.run_script, self.stop_run, self.resume_run),
            *(self.duplicate_run, self.train_more, self.compare_runs, self.set_run_notes, self.list_runs),
            *(self.delete_run, self.download_run, self.start_search, self.search_status, self.stop_search),
            self.list_searches,
        )
        return tuple(map(with_plain_arguments, endpoints))

    @property
    def searches(self) -> SearchStore:
        return SearchStore(self.settings, self.runs)

    def inspect_dataset(
        self,
        file: gr.FileData | None = None,
        dataset: str | None = None,
        dataset_config: str | None = None,
        split: str | None = None,
        config: dict | None = None,
        count: bool = False,
    ) -> dict:
        """What a data set looks like before anything is trained on it: columns, rows, splits, labels, a suggested task
        and mapping, what is wrong with it, and the change of the config that mends it.

        Args:
            file: an uploaded CSV, TSV, JSON, JSONL, Parquet, CoNLL or text file; it wins over dataset
            dataset: an example name (tickets, paraphrases), a Hub id, run:<id>, or a path on a local server
            dataset_config: the config of a Hub data set that has several
            split: the only split to look at
            config: a RunConfig as JSON: its columns, task and fixes are gone by
            count: also count the tokens of the rows (of 20,000 at most) for the config's model, and what is cut
        """
        path = uploaded_path(file)
        values: Any = {} if config is None else config
        if path is None and dataset is None and "dataset" not in values:
            raise DemoError(f"There is no data set. Upload a file, or name an example: {', '.join(EXAMPLE_NAMES)}.")
        named = {"dataset": path.stem if path else dataset or values.get("dataset")}
        asked = RunConfig.from_json(
            {**values, **named, **({"dataset_config": dataset_config} if dataset_config else {})}
        )
        if split:
            asked = dataclasses.replace(asked, splits={"train": split}, split_column="")
        corpus = read_data(asked, self.settings, path)
        counted = count_tokens(corpus, asked, asked.model, self.settings) if count else None
        known = (counted.lengths, counted.limit) if counted else (None, None)
        found = inspect(corpus.tables, None, asked if config else None, corpus.refused, *known)
        return {**found.to_json(), "reading": corpus.reading, "notes": [*corpus.notes, *found.notes]}

    def training_fields(self) -> list[dict]:
        """Every field of TrainingArguments that a RunConfig's `training` may set, with its type, default and help; of
        one that a run decides itself, `reserved` says why."""
        return [dataclasses.asdict(knob) for knob in knobs()]

    def start_run(self, config: dict | None = None, file: gr.FileData | None = None) -> dict:
        """Check a RunConfig and its data and start training in a process of its own; answers at once with the run's id.

        Args:
            config: a RunConfig as JSON; only dataset is required, and not even that when a file is sent
            file: an uploaded data file; it wins over config's dataset
        """
        asked, path = _asked(config, file)
        return {"run": self.runs.start(self.runs.create(asked, path)).id}

    def run_status(self, run: str) -> dict:
        """State, step, total steps, epoch, seconds left, latest metrics and error of a run.

        Args:
            run: the run's id
        """
        return self.runs.get(run).status().to_json()

    def run_events(self, run: str, after: int = 0, limit: int = 1000) -> list[dict]:
        """What a run has said so far: started, step_logged, evaluated, saved, finished, stopped, failed.

        Args:
            run: the run's id
            after: how many events to leave out at the start
            limit: how many to return at most
        """
        if after < 0 or limit < 1:
            raise DemoError(f"after must be 0 or more and limit 1 or more, but they are {after} and {limit}.")
        return [event.to_json() for event in self.runs.get(run).events(after, limit)]

    def watch_run(self, run: str) -> Iterator[dict]:
        """The status of a run again and again, whenever it changes, until it has ended.

        Args:
            run: the run's id
        """
        found, said = self.runs.get(run), None
        while True:
            status = found.status()
            if status != said:
                yield status.to_json()
                said = status
            if not status.active:
                return
            time.sleep(WATCH_SECONDS)

    def run_report(self, run: str) -> dict:
        """The report of a run that has a model: metrics, baseline, per class, confusion matrix.

        Args:
            run: the run's id
        """
        return self.runs.get(run).report()

    def run_epoch(self, run: str, epoch: int) -> dict:
        """What validation looked like after an epoch, also while it trains: per class, confusion matrix, curves.

        Args:
            run: the run's id
            epoch: its number; 0 is before training
        """
        return self.runs.get(run).epoch(epoch)

    def run_script(self, run: str) -> str:
        """A stand-alone Python script that repeats a run.

        Args:
            run: the run's id
        """
        return self.runs.get(run).script()

    def stop_run(self, run: str, keep: bool = True) -> dict:
        """Ask a run to end after its current step.

        Args:
            run: the run's id
            keep: whether to keep the best model so far, so that run:<id> can be used
        """
        self.runs.stop(run, keep)
        return self.runs.get(run).status().to_json()

    def resume_run(self, run: str) -> dict:
        """Go on with a run that was stopped, failed or lost, from its last checkpoint that is whole, under its id.

        Args:
            run: the run's id
        """
        return self.runs.resume(run).status().to_json()

    def duplicate_run(self, run: str, changes: dict | None = None) -> dict:
        """Start a new run like another on the same rows and splits.

        Args:
            run: the id of the run to repeat
            changes: keys of its config that are to be different; training and lora are merged
        """
        return {"run": self.runs.start(self.runs.create(self.runs.duplicate(run, changes or {}))).id}

    def train_more(self, run: str, epochs: float) -> dict:
        """Start a new run that goes on from the model of another, on the same rows.

        Args:
            run: the id of the run to go on from
            epochs: how many more epochs
        """
        return {"run": self.runs.more_epochs(run, epochs).id}

    def compare_runs(self, runs: list[str]) -> dict:
        """What is different between the configs of several runs, and their curves and metrics.

        Args:
            runs: ids of runs
        """
        return compare([self.runs.get(run) for run in runs])

    def set_run_notes(self, run: str, notes: str) -> dict:
        """Keep a note beside a run.

        Args:
            run: the run's id
            notes: the text; it takes the place of the old one
        """
        self.runs.set_notes(run, notes)
        return {"run": run, "notes": notes}

    def list_runs(self) -> list[dict]:
        """Every run, the newest first, with its status."""
        return [{"run": run.id, **run.status().to_json()} for run in self.runs.list()]

    def delete_run(self, run: str) -> dict:
        """Remove a run and its model for good.

        Args:
            run: the run's id
        """
        self.runs.delete(run)
        with contextlib.suppress(ModelError):
            self.models.unload(ModelRef("run", run))
        return {"deleted": run}

    def download_run(self, run: str) -> gr.FileData:
        """A zip of a run's model, report, config, data and script.

        Args:
            run: the run's id
        """
        folder = Path(gr.utils.get_upload_folder()) / "archives"
        folder.mkdir(parents=True, exist_ok=True)
        # A shared server gives nobody another one's texts.
        return gr.FileData(path=str(self.runs.get(run).archive(folder, with_data=not self.settings.public)))

    def start_search(
        self,
        config: dict | None = None,
        file: gr.FileData | None = None,
        space: dict | None = None,
        trials: int = 8,
    ) -> dict:
        """Search for a good learning rate, batch size and number of epochs: each trial is a run like any other.

        Args:
            config: a RunConfig as JSON, as for start_run; the first trial has its own values
            file: an uploaded data file; it wins over config's dataset
            space: {"learning_rate": [lowest, highest], "batch_sizes": [...], "epochs": [fewest, most]}
            trials: how many runs at most
        """
        asked, path = _asked(config, file)
        return {"search": self.searches.start(asked, space, trials, path).id}

    def search_status(self, search: str) -> dict:
        """The state of a search, its trials with their runs, values and metric, and the best of them.

        Args:
            search: the search's id
        """
        return self.searches.get(search).to_json()

    def stop_search(self, search: str) -> dict:
        """End a search and the run that it is at; the trials that were done stay.

        Args:
            search: the search's id
        """
        found = self.searches.get(search)
        found.stop()
        return found.to_json()

    def list_searches(self) -> list[dict]:
        """Every search, the newest first."""
        return [search.to_json() for search in self.searches.list()]


def _asked(config: Any, file: Any) -> tuple[RunConfig, Path | None]:
    """The config that a client sent, named after its file where it sent one."""
    path = uploaded_path(file)
    values: Any = {} if config is None else config
    if path is not None and isinstance(values, dict):
        values = {**values, "dataset": path.stem}
    return RunConfig.from_json(values), path
