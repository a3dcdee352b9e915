"""Going on where a run ended: the same run from its last checkpoint, or a new one from what it left."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from filelock import FileLock

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs.run import RESUMABLE, Run
from hfdemo.finetuning.training.checkpoints import check_space, find_newest_whole

# How the rows of a data set become the splits of a run; a run's own data went through it.
_FROM_DATA: Mapping[str, Any] = {"dataset_config": None, "splits": {}, "split_column": "", "fixes": []}
# What holds for one kind of labels only.
_OF_LABELS: Mapping[str, Any] = {"labels": None, "positive_label": None, "class_weights": None}


def find_hindrance(run: Run) -> str | None:
    """Explain why `run` can't be resumed, and what can be done instead; None if it can."""
    state = run.status().state
    if state == "finished":
        return f"Run {run.id} is finished, so there is nothing to resume. Train its model for more epochs instead."
    if state not in RESUMABLE:
        return f"Run {run.id} is {state}, so there is nothing to resume. Wait until it has ended, or stop it."
    found, notes = find_newest_whole(run.checkpoints, hashes=False)
    if found is None:
        said = " ".join(notes) or "It ended before its first one."
        return f"Run {run.id} has no checkpoint to resume from. {said} Duplicate it to begin again."
    return None


def check_next_checkpoint_fits(run: Run) -> None:
    """Check that the disk holds one more checkpoint like the newest: that one stays until the next is whole.

    Raises:
        RunError: it does not.
    """
    found, _ = find_newest_whole(run.checkpoints, hashes=False)
    if found is not None:
        size = sum(path.stat().st_size for path in found.rglob("*") if path.is_file())
        check_space(run.folder, size, "the next checkpoint")


def reopen(run: Run) -> None:
    """Make `run` one that is about to go on: whoever looks finds it starting.

    Raises:
        RunError: it can't be resumed.
    """
    # Of two that ask at once, the second finds it starting.
    with FileLock(run.folder / "resume.lock"):
        wrong = find_hindrance(run)
        if wrong:
            raise RunError(wrong)
        run.wait_until_gone()
        for name in ("stop", "process.json"):
            (run.folder / name).unlink(missing_ok=True)
        write_atomically(run.folder / "resume", json.dumps({"time": time.time()}))


def duplicate(run: Run, changes: Mapping[str, Any]) -> RunConfig:
    """Return the config of a new run like `run` on the same rows in the same splits, with `changes` of it.

    `training` and `lora` in `changes` are merged into the old ones, None taking a value out; other keys replace theirs.
    A change of `dataset` takes rows from there, and columns, splits and fixes as the old run did.

    Raises:
        DemoError: see `RunConfig.from_json`.
    """
    if not isinstance(changes, Mapping):
        raise RunError(
            f'changes must be an object such as {{"max_length": 64}}, but a {type(changes).__name__} was sent.'
        )
    values = run.config.to_json()
    if changes.get("problem_type", values["problem_type"]) != values["problem_type"]:
        values |= _OF_LABELS  # which the other kind of answers has none of, or others
    if "dataset" not in changes:
        pair = "text_pair" if values["text_pair_column"] else ""
        label = "label" if values["label_column"] else ""
        columns = {"text_column": "text", "text_pair_column": pair, "label_column": label}
        values |= {"dataset": f"run:{run.id}", **_FROM_DATA, **columns}
    for name, value in changes.items():
        merged = {**values[name], **value} if name in ("training", "lora") and isinstance(value, Mapping) else value
        values[name] = merged
        if name in ("training", "lora") and isinstance(merged, Mapping):
            values[name] = {key: each for key, each in merged.items() if each is not None}
    if values["method"] != "lora" and "lora" not in changes:
        values["lora"] = {}
    return RunConfig.from_json(values)


def more_epochs(run: Run, epochs: float) -> RunConfig:
    """Return the config of a new run that trains the model of `run` for `epochs` more on the same rows.

    Raises:
        RunError: it has no model.
    """
    if epochs <= 0:
        raise RunError(f"epochs is {epochs!r}, but must be a number above 0: how many more?")
    if not run.has_model:
        raise RunError(
            f"Run {run.id} has no model to go on from: it is {run.status().state}. Resume it, or duplicate it."
        )
    training = {"num_train_epochs": epochs, "max_steps": None}
    return duplicate(run, {"model": f"run:{run.id}", "training": training})
