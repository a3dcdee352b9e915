"""A run that failed: what happened, and what to do about it, with a button where the page can do it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import COMMON, LEARNING_RATE
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs.run import Run, Status
from hfdemo.ui.event_handling import EACH, PRIVATE, read_event, toast_errors
from hfdemo.ui.html import escape
from hfdemo.ui.tabs.finetune import steps

FAILED = ("failed", "lost")
# The element that holds the end of the log.
LOG = "the-log"


@dataclass(frozen=True)
class Remedy:
    """What may help where an error is of this kind: `words` are on the button, `change` returns the training arguments
    that differ, None where they can't be changed so any further."""

    error: str
    words: str
    change: Callable[[RunConfig], dict[str, Any] | None]


def halve_batch(config: RunConfig) -> dict[str, Any] | None:
    """Return half the rows at once, for as many rows per step."""
    batch = int(config.training.get("per_device_train_batch_size") or COMMON["per_device_train_batch_size"])
    steps = int(config.training.get("gradient_accumulation_steps") or 1)
    half = batch // 2
    if not half:
        return None
    return {"per_device_train_batch_size": half, "gradient_accumulation_steps": math.ceil(batch * steps / half)}


def lower_rate(config: RunConfig) -> dict[str, Any]:
    """Return a third of the learning rate."""
    rate = float(config.training.get("learning_rate") or LEARNING_RATE[config.method])
    return {"learning_rate": float(f"{rate / 3:.2g}")}


REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        "batch": Remedy(r"memory ran out|out of memory|GB of memory", "Duplicate with half the batch", halve_batch),
        "rate": Remedy(r"loss is no longer a number", "Duplicate with a third of the learning rate", lower_rate),
    }
)


def render_failure(run: Run, status: Status, is_own: bool = True) -> str:
    """Draw why a run failed and the next steps; "" for one that did not. Of a run of others there is nothing to do."""
    if status.state not in FAILED:
        return ""
    title = "Training failed" if status.state == "failed" else "The training process is gone"
    where = f" at step {status.step:,} of {status.total_steps:,}" if status.total_steps else " before its first step"
    todo, buttons = [], []
    if status.resumable:
        todo.append("Press Resume below to go on from the last checkpoint.")
    for name, remedy in REMEDIES.items():
        if re.search(remedy.error, status.error or "") and remedy.change(run.config):
            todo.append("Start again with other settings: the form is filled, and you press Start.")
            buttons.append(f"<button type='button' data-remedy='{name}'>{escape(remedy.words)}</button>")
    todo.append("The end of the log says what it was at.")
    buttons.append(f"<button type='button' data-unfold='{LOG}'>Show the log</button>")
    listed = "".join(f"<li>{escape(each)}</li>" for each in todo)
    next_steps = f"<ul>{listed}</ul><div>{''.join(buttons)}</div>" if is_own else ""
    return (
        f"<section class='hf-failure' aria-label='{title}'><strong>{title}{where}</strong>"
        f"<p>{escape(status.error or 'It left no word.')}</p>{next_steps}</section>"
    )


def listen(app: App, card: gr.HTML, run: gr.Dropdown, prefill: gr.State) -> None:
    """Fill the form with a remedy that is clicked in `card`, by `prefill`, what it is filled with."""

    def fill_form(event: gr.EventData, run_id: str | None) -> dict[str, Any]:
        config = prepare_remedy(app, run_id or "", read_event(event, "remedy"))
        gr.Info("The form holds this run's data and settings, with the change. Press Start when it suits you.")
        return {"config": config.to_json(), "run": run_id, "at": time.time()}

    card.input(toast_errors(fill_form), run, prefill, **EACH).success(fn=None, js=steps.open_step("train"), **PRIVATE)


def prepare_remedy(app: App, run_id: str, name: Any) -> RunConfig:
    """Return the config of a new run like that one, with what may help.

    Raises:
        DemoError: there is no such run or no such remedy for it.
    """
    remedy = REMEDIES.get(name) if isinstance(name, str) else None
    changes = remedy.change(app.runs.get(run_id).config) if remedy else None
    if not changes:
        raise DemoError("There is nothing like that to change. Look at the run again.")
    return app.runs.duplicate(run_id, {"training": changes})
