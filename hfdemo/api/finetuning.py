"""The endpoints of fine-tuning: inspect a data set; start, watch, stop and compare runs; search for hyperparameters."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.uploads import missing_dataset, parse_config, served_folder, uploaded_path
from hfdemo.errors import DemoError, ModelError
from hfdemo.finetuning.arguments import knobs
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.label_errors import review_labels
from hfdemo.finetuning.preprocessing import describe_data
from hfdemo.finetuning.runs.comparison import compare
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef

WATCH_SECONDS = 0.5
_MOST_EVENTS = 50_000
_MOST_SUSPECTS = 10_000


def inspect_dataset(
    app: App,
    file: gr.FileData | None = None,
    dataset: str | None = None,
    dataset_config: str | None = None,
    split: str | None = None,
    config: dict | None = None,
    count: bool = False,
    encoding: str | None = None,
    header: bool | None = None,
) -> dict:
    """Inspect a data set before anything is trained on it: columns, rows, splits, labels, a suggested task
    and mapping, what is wrong with it, and the change of the config that mends it.

    Args:
        file: an uploaded CSV, TSV, JSON, JSONL, Parquet, Excel, CoNLL, fastText or text file, or one of them as .gz or
            .zip; it wins over dataset
        dataset: an example name (tickets, paraphrases), a Hub id, run:<id>, or a path on a local server
        dataset_config: the config of a Hub data set that has several
        split: the only split to look at
        config: a RunConfig as JSON: its columns, task and fixes are gone by
        count: also count the tokens of the rows (of 20,000 at most) for the config's model, and what is cut; then
            row_as_read is the first training row as its tokens, with those that are learned
        encoding: the encoding of the file, such as cp1251; left out, it is found out
        header: whether the first line names the columns; left out, it is found out
    """
    path = uploaded_path(file)
    values: Any = {} if config is None else config
    if path is None and dataset is None and "dataset" not in values:
        raise missing_dataset()
    named = {"dataset": path.stem if path else dataset or values.get("dataset")}
    given = {"dataset_config": dataset_config or None, "encoding": encoding or None, "header": header}
    given = {key: value for key, value in given.items() if value is not None}
    asked = RunConfig.from_json({**values, **named, **given})
    if split:
        asked = dataclasses.replace(asked, splits={"train": split}, split_column="")
    return app.engine.call(
        describe_data, asked, app.settings, path, is_chosen=bool(config), count=count, stop=caller_left()
    )


def training_fields(app: App) -> list[dict]:
    """List every field of TrainingArguments that a RunConfig's `training` may set, with its type, default and help; of
    one that a run decides itself, `reserved` says why."""
    return [dataclasses.asdict(knob) for knob in app.engine.call(knobs)]


def start_run(app: App, config: dict | None = None, file: gr.FileData | None = None) -> dict:
    """Check a RunConfig and its data and start training in a process of its own; answers at once with the run's id.

    Args:
        config: a RunConfig as JSON; only dataset is required, and not even that when a file is sent
        file: an uploaded data file; it wins over config's dataset
    """
    asked, path = parse_config(config, file)
    return {"run": app.runs.start(app.runs.create(asked, path, stop=caller_left())).id}


def run_status(app: App, run: str) -> dict:
    """State, step, total steps, epoch, seconds left, latest metrics and error of a run.

    Args:
        run: the run's id, or what a link of its owner calls it
    """
    return app.runs.find_readable(run).status().to_json()


def run_events(app: App, run: str, after: int = 0, limit: int = 1000) -> list[dict]:
    """Return what a run has said so far: started, step_logged, evaluated, saved, finished, stopped, failed.

    Args:
        run: the run's id, or what a link of its owner calls it
        after: how many events to leave out at the start
        limit: how many to return at most; 50,000 are the most in one call
    """
    if after < 0 or limit < 1:
        raise DemoError(f"after must be 0 or more and limit 1 or more, but they are {after} and {limit}.")
    return [event.to_json() for event in app.runs.find_readable(run).events(after, min(limit, _MOST_EVENTS))]


def watch_run(app: App, run: str) -> Iterator[dict]:
    """Stream the status of a run whenever it changes, until it has ended.

    Args:
        run: the run's id, or what a link of its owner calls it
    """
    runs, said, left = app.runs, None, caller_left()
    while True:
        status = runs.find_readable(run).status()  # its owner may have stopped sharing it
        if status != said:
            yield status.to_json()
            said = status
        if not status.active or left.wait(WATCH_SECONDS):
            return


def run_report(app: App, run: str) -> dict:
    """Return the report of a run that has a model: metrics, baseline, per class, confusion matrix.

    Args:
        run: the run's id, or what a link of its owner calls it
    """
    return app.runs.find_readable(run).report()


def run_epoch(app: App, run: str, epoch: int) -> dict:
    """Return the evaluation after an epoch, also while it trains: per class, confusion matrix, curves.

    Args:
        run: the run's id, or what a link of its owner calls it
        epoch: its number; 0 is before training
    """
    return app.runs.find_readable(run).epoch(epoch)


def label_errors(app: App, run: str, limit: int = 100) -> dict:
    """Find the rows of a run's data whose label may be wrong: those that classifiers which have not seen them would
    label otherwise, the likeliest first. `fixes` of each are what a RunConfig's fixes may have of it: keep says that
    the label is right, relabel gives the row the likelier one, drop removes it.

    Args:
        run: the run's id; each of its rows has one label
        limit: how many rows to return at most
    """
    if not 1 <= limit <= _MOST_SUSPECTS:
        raise DemoError(f"limit is {limit}, but must be from 1 to {_MOST_SUSPECTS:,}.")
    found = app.runs.get(run)
    review = app.engine.call(review_labels, found.folder, found.config, app.models, limit, stop=caller_left())
    return {
        **dataclasses.asdict(review),
        "errors": [{**dataclasses.asdict(each), "fixes": each.fixes} for each in review.errors],
    }


def run_script(app: App, run: str) -> str:
    """Return a stand-alone Python script that repeats a run.

    Args:
        run: the run's id, or what a link of its owner calls it
    """
    return app.runs.find_readable(run).script()


def stop_run(app: App, run: str, keep: bool = True) -> dict:
    """Ask a run to end at its next batch.

    Args:
        run: the run's id
        keep: whether to keep the best model so far, so that run:<id> can be used
    """
    app.runs.stop(run, keep)
    return app.runs.get(run).status().to_json()


def resume_run(app: App, run: str) -> dict:
    """Go on with a run that was stopped, failed or lost, from its last checkpoint that is whole, under its id.

    Args:
        run: the run's id
    """
    return app.runs.resume(run).status().to_json()


def duplicate_run(app: App, run: str, changes: dict | None = None) -> dict:
    """Start a new run like another on the same rows and splits.

    Args:
        run: the id of the run to repeat
        changes: keys of its config that are to be different; training and lora are merged
    """
    asked = app.runs.duplicate(run, changes or {})
    return {"run": app.runs.start(app.runs.create(asked, stop=caller_left())).id}


def train_more(app: App, run: str, epochs: float) -> dict:
    """Start a new run that goes on from the model of another, on the same rows.

    Args:
        run: the id of the run to go on from
        epochs: how many more epochs
    """
    return {"run": app.runs.more_epochs(run, epochs).id}


def compare_runs(app: App, runs: list[str]) -> dict:
    """Compare several runs: how their configs differ, their curves and metrics.

    Args:
        runs: ids of runs, or what links of their owners call them
    """
    return compare([app.runs.find_readable(run) for run in runs])


def set_run_notes(app: App, run: str, notes: str) -> dict:
    """Keep a note beside a run.

    Args:
        run: the run's id
        notes: the text; it takes the place of the old one
    """
    app.runs.set_notes(run, notes)
    return {"run": run, "notes": notes}


def share_run(app: App, run: str) -> dict:
    """Make a link by which everybody may look at a run, and change nothing: its state, curves, report, settings and
    notes, but none of its rows, its log or its model. `run` of the answer is what the endpoints that only look take as
    a run's id, `link` is the query of the page's address. On a local server that is the id itself.

    Args:
        run: the run's id
    """
    named = app.runs.share(run)
    return {"run": named, "link": f"?run={named}"}


def unshare_run(app: App, run: str) -> dict:
    """Stop sharing a run: the links that were made lead nowhere, and a later one is another.

    Args:
        run: the run's id
    """
    app.runs.unshare(run)
    return {"run": run, "link": None}


def list_runs(app: App) -> list[dict]:
    """List every run, the newest first, with its status."""
    return [{"run": run.id, **run.status().to_json()} for run in app.runs.list()]


def delete_run(app: App, run: str) -> dict:
    """Remove a run and its model for good.

    Args:
        run: the run's id
    """
    found = app.runs.get(run)
    with contextlib.suppress(ModelError):  # while there is a run whose model it is
        app.engine.call(ModelCache.unload, app.models, ModelRef("run", found.id))
    app.runs.delete(found.id)
    shutil.rmtree(served_folder("archives") / found.id, ignore_errors=True)  # else it takes room that nobody counts
    return {"deleted": found.id}


def download_run(app: App, run: str) -> gr.FileData:
    """Download a zip of a run's model, report, config, data and script.

    Args:
        run: the run's id
    """
    return gr.FileData(path=str(app.runs.get(run).archive(served_folder("archives"))))


def start_search(
    app: App,
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
    asked, path = parse_config(config, file)
    return {"search": app.searches.start(asked, space, trials, path, caller_left()).id}


def search_status(app: App, search: str) -> dict:
    """Return the state of a search, its trials with their runs, values and metric, and the best of them.

    Args:
        search: the search's id
    """
    return app.searches.get(search).to_json()


def stop_search(app: App, search: str) -> dict:
    """End a search and the run that it is at; the trials that were done stay.

    Args:
        search: the search's id
    """
    found = app.searches.get(search)
    found.stop()
    return found.to_json()


def list_searches(app: App) -> list[dict]:
    """List every search, the newest first."""
    return [search.to_json() for search in app.searches.list()]
