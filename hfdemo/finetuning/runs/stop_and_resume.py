"""A run that was asked to stop does stop, and one that has ended goes on.

A stop is asked for, then the process is terminated, then killed. A run goes on from its last checkpoint, or a new one
begins with what it left.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import RunError
from hfdemo.finetuning import events as what
from hfdemo.finetuning.config import AS_IT_STANDS, RunConfig
from hfdemo.finetuning.dataset.corrections import KEEP, list_corrections
from hfdemo.finetuning.events import Stopped, is_final, valid
from hfdemo.finetuning.runs.processes import continue_suspended, describe_starter, end_processes
from hfdemo.finetuning.runs.run import RESUMABLE, Run
from hfdemo.finetuning.stop_request import StopRequest
from hfdemo.finetuning.training.checkpoints import check_space, find_newest_whole
from hfdemo.ownership import count_bytes

# How long after being asked it is left alone: a run that is to keep nothing or has nothing to keep, and one that has
# not said that it heard.
OBEY_SECONDS = 5.0
# One that heard and keeps what it learned saves as long as it works on; this long without work, and it hangs.
SILENT_SECONDS = 120.0
_POLL_SECONDS = 0.2
# How a data set becomes the splits of a run; a run's own data went through it.
_FROM_DATA: Mapping[str, Any] = {
    "dataset_config": None,
    "layout": AS_IT_STANDS,
    "encoding": None,
    "header": None,
    "splits": {},
    "split_column": "",
    "fixes": [],
}
# What holds for one kind of labels only.
_OF_LABELS: Mapping[str, Any] = {"labels": None, "positive_label": None, "class_weights": None}


def ensure_stopped(run: Run, silent_seconds: float = SILENT_SECONDS) -> None:
    """Wait for the end of a run that was asked to stop, end it where it doesn't, and see that it has a last word.

    Where there is nothing to keep it is gone within ten seconds of being asked. One that was suspended is continued,
    so that it can keep what it has learned.
    """
    from filelock import FileLock

    # Several servers, and several clicks, may want to see to it.
    with contextlib.suppress(FileNotFoundError), FileLock(run.folder / ".stopping.lock"):
        continue_suspended(run.processes())
        signs = _Signs()
        while (asked := run.stop_request()) is not None:
            if not run.processes():
                _write_final_event(run)
                return
            if _is_overdue(run, asked, signs.silent(run.process() or {}) > silent_seconds):
                end_processes(run.folder, run.known_processes())
            else:
                time.sleep(_POLL_SECONDS)


@dataclass
class _Signs:
    """When a process was last seen to have worked: its heart beats on while its training hangs."""

    worked: Any = None
    seen: float = field(default_factory=time.monotonic)

    def silent(self, process: dict[str, Any]) -> float:
        """Return the seconds since it last computed anything."""
        if process.get("worked") != self.worked:
            self.worked, self.seen = process.get("worked"), time.monotonic()
        return time.monotonic() - self.seen


def _is_overdue(run: Run, asked: StopRequest, silent: bool) -> bool:
    if time.time() - asked.time <= OBEY_SECONDS:
        return False
    heard = (run.process() or {}).get("stopping")
    return silent if asked.keep and heard and _has_learned(run) else True


def _has_learned(run: Run) -> bool:
    """Return whether it has made a step since it was begun or resumed, even one that no event tells of yet."""
    if (run.process() or {}).get("step"):
        return True
    events = run.events()
    return not run.reopened_after(valid(events)) and any(event.step for event in events)


def _write_final_event(run: Run) -> None:
    """Say for a run whose processes are gone that it was stopped, if it could not say so itself."""
    found = valid(run.events())
    if run.folder.exists() and not (is_final(found) and run.status(found).state in ("finished", "stopped", "failed")):
        step = max((event.step for event in found), default=0)
        what.append(run.folder / "events.jsonl", Stopped(step, time.time(), kept=run.has_kept()))


def find_hindrance(run: Run, *, hashes: bool = False) -> str | None:
    """Explain why `run` can't be resumed, and what can be done instead; None if it can.

    With `hashes` every byte of its checkpoints is looked at, from the newest to the first that is whole.
    """
    state = run.status().state
    if state == "finished":
        return f"Run {run.id} is finished, so there is nothing to resume. Train its model for more epochs instead."
    if state not in RESUMABLE:
        return f"Run {run.id} is {state}, so there is nothing to resume. Wait until it has ended, or stop it."
    found, notes = find_newest_whole(run.checkpoints, hashes=hashes)
    if found is None:
        said = " ".join(notes) or "It ended before its first one."
        return f"Run {run.id} has no checkpoint to resume from. {said} Duplicate it to begin again."
    return None


def check_next_checkpoint_fits(run: Run) -> int:
    """Check that the disk holds one more checkpoint like the newest: that one stays until the next is whole.

    Returns its bytes.

    Raises:
        RunError: it does not.
    """
    found, _ = find_newest_whole(run.checkpoints, hashes=False)
    size = count_bytes(found) if found is not None else 0
    check_space(run.folder, size, "the next checkpoint")
    return size


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
        (run.folder / "stop").unlink(missing_ok=True)
        what.keep_room(run.folder)
        write_atomically(run.folder / "process.json", json.dumps(describe_starter()))
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
        values["fixes"] = [each.name for each in list_corrections(run.config.fixes) if each.does == KEEP]
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
