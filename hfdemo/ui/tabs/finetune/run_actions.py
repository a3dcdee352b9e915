"""What can be done with the chosen run: stop it, go on with it, begin another from it, use it, take it away."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import LIGHT
from hfdemo.api.error_boundary import write_toast
from hfdemo.api.finetuning import delete_run, share_run, unshare_run
from hfdemo.api.uploads import served_folder
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.evaluation.report import find_held_out_row
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.runs.run import Run, Status
from hfdemo.models.folders import list_offline_models
from hfdemo.ui.event_handling import PRIVATE, toast_errors
from hfdemo.ui.tabs.finetune import steps
from hfdemo.ui.tabs.run import RunTab

# What a person can take away of a run, by the words on its button; "" is everything, as a zip.
FILES: Mapping[str, str] = MappingProxyType(
    {
        "Model (zip)": "",
        "report.json": "report.json",
        "train.py": "train.py",
        "config.json": "config.json",
        "errors.csv": "errors.csv",
        "answers.csv": "answers.csv",
    }
)
LINKED = "Its owner shares this run with you: you can look at it, and change nothing."
SHARED = (
    "Whoever has the link below sees this run's progress, results, settings and notes, but none of its rows, its log "
    "or its model, and can change nothing."
)
CANCEL, LEAVE = "Cancel", "Leave the queue"
_DROPPED = "It ends now, and what it learned since its last checkpoint is dropped."
_KEEP_SECONDS = 3600


@dataclass(frozen=True)
class RunButtons:
    """The parts that show only what a run can do now, in the order of `update_run_buttons`."""

    use: gr.Button
    stop: gr.Button
    cancel: gr.Button
    resume: gr.Button
    delete: gr.Button

    @property
    def components(self) -> list[Any]:
        return [self.use, self.stop, self.cancel, self.resume, self.delete]


def update_run_buttons(status: Status | None, has_model: bool) -> list[Any]:
    """Return updates for `RunButtons.components`: what makes no sense for a run is not there; None hides them all."""
    active = status is not None and status.active
    there = (
        has_model and not active,
        active,
        active,
        status is not None and status.resumable and not active,
        status is not None and not active,
    )
    updates = [gr.update(visible=visible) for visible in there]
    if active and status is not None:
        updates[1] = gr.update(visible=True, interactive=status.state != "stopping")
        updates[2] = gr.update(visible=True, value=LEAVE if status.state == "queued" else CANCEL)
    return updates


def build_run_buttons(app: App, run: gr.Dropdown, run_tab: RunTab, tabs: gr.Tabs) -> RunButtons:
    """Lay out the row of buttons below a run's progress; `run_tab` is where its model is used."""
    small: dict[str, Any] = {"visible": False, "size": "md", "min_width": 90, "scale": 0}
    with gr.Row(elem_classes="hf-steering"):
        use = gr.Button("Use it in Run a model", variant="primary", **{**small, "min_width": 210})
        stop = gr.Button("Stop and keep model", **{**small, "min_width": 160})
        cancel = gr.Button(CANCEL, **small)
        resume = gr.Button("Resume", variant="primary", **small)
        delete = gr.Button("Delete", variant="stop", **small)
    plain: dict[str, Any] = {"api_visibility": "private", **LIGHT}

    def stop_and_keep(run_id: str | None) -> None:
        app.runs.stop(_require_run(run_id), keep=True)
        gr.Info("It ends at the next batch, and its best model so far is kept.", title="Asked to stop")

    def cancel_run(run_id: str | None, words: str) -> None:
        if run_id is None:  # they changed their mind
            return
        app.runs.stop(run_id, keep=False)
        lost = "It is taken out of the queue." if words == LEAVE else _DROPPED
        gr.Info(lost, title="Asked to stop")

    stop.click(toast_errors(stop_and_keep), run, **plain)
    cancel.click(toast_errors(cancel_run), [run, cancel], js=f"hfdemo.confirmCancel({json.dumps(LEAVE)})", **plain)

    def resume_run(run_id: str) -> None:
        app.runs.resume(run_id)
        gr.Info("It goes on from its last good checkpoint, under the same name.", title="Resumed")

    resume.click(toast_errors(resume_run), run, **plain)

    def remove_run(run_id: str | None) -> Any:
        if run_id is None:
            return gr.skip()
        delete_run(app, run_id)
        choices = list_run_choices(app)
        return gr.update(choices=choices, value=choices[0][1] if choices else None)

    delete.click(toast_errors(remove_run), run, run, js="hfdemo.confirmDelete", **plain)

    def use_model(run_id: str | None) -> tuple[Any, ...]:
        found = app.runs.get(_require_run(run_id))
        reference = f"run:{found.id}"
        choices = list(dict.fromkeys([reference, *list_offline_models(app.settings)]))
        opening = {"task": found.config.task, **ask_held_out_row(found), "at": time.time()}
        return found.config.task, gr.update(choices=choices, value=reference), opening, gr.Tabs(selected="run")

    # The panel is drawn anew, and answers by itself.
    use.click(toast_errors(use_model), run, [run_tab.task, run_tab.model, run_tab.opening, tabs], **plain)
    return RunButtons(use, stop, cancel, resume, delete)


def ask_held_out_row(run: Run) -> dict[str, Any]:
    """Return the inputs of a row that the run has not learned from, `values`, and what its label is, `notes`."""
    kind = find_kind(run.config.task, run.config.problem_type)
    found = find_held_out_row(run.folder)
    asked = kind.page.ask(found[2]) if found else None
    if found is None or asked is None:
        return {"values": None, "notes": ()}
    split, number, row = found
    labels = kind.rows.parse_labels(row["label"]) if kind.rows.parse_labels else [row["label"]]
    return {
        "values": asked,
        "notes": (
            f"Row {number} of the run's {split} split, which it has not learned from. "
            f"Its label is: {', '.join(labels) or 'none'}.",
        ),
    }


def build_sharing(app: App, run: gr.Dropdown) -> tuple[gr.Textbox, gr.Button]:
    """Lay out what makes a link to the run; returns where it is shown, and the button that stops sharing.

    On a server with one owner there is nobody to keep the run from, and nothing to stop.
    """
    with gr.Row():
        copy = gr.Button("Copy a link to this run", size="sm", min_width=160)
        stop = gr.Button("Stop sharing", size="sm", min_width=110, visible=False)
    address = gr.Textbox(label="Link to this run", interactive=False, visible=False, buttons=["copy"])
    plain: dict[str, Any] = {"api_visibility": "private", **LIGHT}

    def share(run_id: str | None) -> tuple[Any, Any]:
        link = share_run(app, _require_run(run_id))["link"]
        has_others = bool(app.settings.owner)
        gr.Info(SHARED if has_others else "The link below opens this page with this run.", title="Link")
        return gr.update(value=link, visible=True), gr.update(visible=has_others)

    copy.click(toast_errors(share), run, [address, stop], **plain).success(
        fn=None, inputs=[address, run], outputs=address, js="hfdemo.copyAddress"
    )

    def unshare(run_id: str | None) -> tuple[Any, Any]:
        unshare_run(app, _require_run(run_id))
        gr.Info("The links to this run lead nowhere any more.", title="Not shared")
        return gr.update(value="", visible=False), gr.update(visible=False)

    stop.click(toast_errors(unshare), run, [address, stop], **plain)
    return address, stop


def build_continuation(app: App, run: gr.Dropdown) -> tuple[gr.State, gr.Row]:
    """Lay out two ways to begin another run from this one; returns what the form is to be filled with, {"config",
    "run", "at"} or None, and the row that needs a finished model."""
    prefill = gr.State(None)
    with gr.Row(equal_height=True) as more:
        epochs = gr.Number(1, label="More epochs", info="a new run from this model", minimum=0, min_width=120)
        train = gr.Button("Train more epochs", min_width=150, size="md")
    duplicate = gr.Button("Duplicate settings", size="md")
    plain: dict[str, Any] = {"api_visibility": "private", **LIGHT}

    def train_more(run_id: str | None, epochs: float | None) -> Any:
        if not epochs or epochs <= 0:
            raise DemoError("How many epochs more? Write a number above 0.")
        begun = app.runs.more_epochs(_require_run(run_id), epochs)
        gr.Info("A new run goes on from this model, on the same data.", title="Started")
        return gr.update(choices=list_run_choices(app), value=begun.id)

    train.click(toast_errors(train_more), [run, epochs], run, **plain)

    def fill_form(run_id: str | None) -> dict[str, Any]:
        config = app.runs.duplicate(_require_run(run_id))
        gr.Info("The form holds this run's settings and its very data. Change what you like, then Start.")
        # The time makes it another value every time, so that the form hears of it.
        return {"config": config.to_json(), "run": run_id, "at": time.time()}

    duplicate.click(toast_errors(fill_form), run, prefill, **plain).success(fn=None, js=steps.open_step("train"))
    return prefill, more


def build_downloads(app: App, run: gr.Dropdown) -> dict[str, gr.Button]:
    """Lay out a button per file that a run has to give away; a zip is made when it is asked for."""
    # Never seen: it holds the address of the file that was asked for last.
    ready = gr.File(visible=False)
    found = {}
    with gr.Row():
        for words, name in FILES.items():
            button = gr.Button(words, size="sm", min_width=110)
            button.click(toast_errors(_make_fetch(app, name)), run, ready, **PRIVATE, **LIGHT).success(
                fn=None, inputs=ready, js="hfdemo.saveFile"
            )
            found[name] = button
    return found


def _make_fetch(app: App, name: str) -> Callable[[str | None], str]:
    def fetch(run_id: str | None) -> str:
        return copy_run_file(app, name, run_id)

    return fetch


def copy_run_file(app: App, name: str, run_id: str | None) -> str:
    """Return the path of a copy of one of a run's FILES where gradio may hand it out.

    Raises:
        RunError: no such run, or it has no such file (yet).
    """
    found = app.runs.get(_require_run(run_id))
    folder = served_folder("archives")
    _clear_old_files(folder)
    if not name:
        return str(found.archive(folder))
    if not is_offered(found, name):
        raise RunError(f"Run {found.id} has no {name} to give: it is {found.status().state}.")
    copy = folder / found.id / f"{found.id}-{name}"
    copy.parent.mkdir(exist_ok=True)
    half = copy.with_name(f".{uuid4().hex}")
    shutil.copyfile(found.folder / name, half)
    half.replace(copy)
    return str(copy)


def is_offered(run: Run, name: str) -> bool:
    """Return whether a run has one of FILES to give away."""
    if not name:
        return run.has_model
    return name in FILES.values() and (run.folder / name).is_file()


def list_run_choices(app: App, linked: Mapping[str, Run] = MappingProxyType({})) -> list[tuple[str, str]]:
    """Return label and value of the runs to choose from; `linked` are runs of others, by what their links call them."""
    own = [(f"{run.id} · {run.status().state}", run.id) for run in app.runs.list()]
    return [*own, *((f"{run.id} · {run.status().state} · by a link", name) for name, run in linked.items())]


def find_linked(app: App, link: str | None) -> dict[str, Run]:
    """Return the run of others that a link shows, by what it calls it; none where that is not shared any more."""
    try:
        found = app.runs.find_readable(link) if link else None
    except RunError:
        return {}
    return {} if link is None or found is None or found.id == link else {link: found}


def choose_run(app: App, run_id: str | None, asked: str | None) -> tuple[Any, str]:
    """Return the choice of a run for a page that is opened, and its value, "" where there is no run.

    An address that has `asked` for a run goes before `run_id`, what is chosen already, and that before the newest.
    """
    linked: dict[str, Run] = {}
    try:
        if asked:
            found = app.runs.find_readable(asked)
            is_own = any(run.id == found.id for run in app.runs.list())
            run_id, linked = (found.id, {}) if is_own else (asked, {asked: found})
    except RunError as error:
        gr.Info(f"The address of this page asks for a run. {write_toast(str(error))}", title="No such run")
    choices = list_run_choices(app, linked)
    chosen = run_id or (choices[0][1] if choices else None)
    return gr.update(choices=choices, value=chosen), chosen or ""


def _require_run(run_id: str | None) -> str:
    if not run_id:
        raise RunError("No run is chosen. Pick one above.")
    return run_id


def _clear_old_files(folder: Path) -> None:
    """Remove what was made ready an hour ago: whoever asked for it has it."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
