"""The tab Run a model: which task, which model, and below them a panel made from the task's row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.api.tasks import unload_model
from hfdemo.background import run_in_background
from hfdemo.errors import ModelError
from hfdemo.inference import LoadProgress, build_need
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import ATTENTIONS, DTYPES
from hfdemo.models.model_facts import infer_task
from hfdemo.models.offers import offer_models
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS, Task, find_task
from hfdemo.ui import html
from hfdemo.ui.deep_links import read_run_query
from hfdemo.ui.event_handling import PRIVATE, QUIET, RunningJobs, draw_errors, toast_errors
from hfdemo.ui.page_state import PageState, read_kept
from hfdemo.ui.tabs.run import prediction_view
from hfdemo.ui.tabs.run.batch_predict import SentRows
from hfdemo.ui.tabs.run.task_panel import PanelContext, TaskPanel
from hfdemo.ui.tabs.run.task_picker import TaskPicker, read_picked
from hfdemo.ui.tabs.run.widgets import restore_values

MODEL_HELP = "Pick one, or type a Hub id (owner/name, @revision if you like), a folder (/… ./… ~…), or a run"
FIRST_TASK = next(iter(TASKS.values()))


class RunTab:
    """The tab; another tab can send a model to its `task` and `model`, and gets `rows` of a file."""

    def __init__(self, app: App, demo: gr.Blocks, page: PageState) -> None:
        self.app, self.running, self.typing = app, RunningJobs(), RunningJobs()
        with gr.Row():
            picker = TaskPicker(FIRST_TASK)
            self.model = gr.Dropdown(
                [FIRST_TASK.default_model],
                value=FIRST_TASK.default_model,
                label="Model",
                info=MODEL_HELP,
                allow_custom_value=True,
                interactive=True,
                scale=3,
                min_width=300,
                elem_classes="hf-models",
            )
        self.task = picker.value
        details = ModelDetails(app, self.task, self.model)
        # What the panel opens with; set when the page is opened, by another task's texts, or by another tab.
        self.opening = gr.State(None)
        self.typed = gr.State({})
        # With a secret of its own each start of the server, gradio could not read what an earlier one had kept.
        history = gr.BrowserState([], storage_key="hfdemo-history", secret="hfdemo-history")
        self.rows = SentRows.build()
        self.context = PanelContext(
            app, self.running, self.typing, self.model, details.loading, self.typed, history, page, self.rows
        )
        self._wire(demo, page, picker)
        gr.render(inputs=self.opening, triggers=[self.opening.change])(self.draw_panel)
        # As of a QUIET event: else all that is drawn would be gone through with every message of any event.
        demo.fns[max(demo.fns)].show_progress_on = []
        _build_history(demo, history)

    def _wire(self, demo: gr.Blocks, page: PageState, picker: TaskPicker) -> None:
        # Not when the task changes: a run that another tab sends here brings its own model along.
        picker.picked(toast_errors(self.on_pick), self.typed, [self.task, self.model, self.opening], **QUIET)
        self.task.change(open_task, [self.task, self.opening], self.opening, **QUIET)
        # A component, and no state: the browser has to see it.
        against = gr.JSON(visible=False)
        self.model.focus(toast_errors(self.offer_models), self.task, [self.model, against], **QUIET).then(
            None, against, js="hfdemo.markModels", **PRIVATE
        )
        named = [self.task, self.model]
        demo.load(
            self.follow_link, [self.opening, page.recalled], [*named, self.opening], js=page.recall("run"), **QUIET
        ).then(None, named, js="hfdemo.nameFirst('task', 'model')", **PRIVATE)
        gr.on([each.change for each in named], None, named, js="hfdemo.nameInAddress('task', 'model')", **PRIVATE)
        demo.unload(self.running.on_unload)
        demo.unload(self.typing.on_unload)

    def on_pick(self, request: gr.Request, event: gr.EventData, typed: Mapping[str, Any]) -> tuple[Any, ...]:
        """Turn to a task that was picked: what runs is stopped, and texts that were typed are taken along."""
        self.running.stop(request.session_hash)
        task = read_picked(event)
        names = {field.name for field in task.inputs if not field.is_media}
        values = {name: value for name, value in typed.items() if name in names and value}
        return (
            task.name,
            gr.update(choices=[task.default_model], value=task.default_model),
            {"task": task.name, "values": values or None, "notes": ()},
        )

    def follow_link(self, opening: dict[str, Any] | None, kept: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Open the tab as the address of the page asks for, with what was `kept` of it before it was loaded again.

        A task that was picked meanwhile stays picked.
        """
        if opening is not None:
            return gr.skip(), gr.skip(), gr.skip()
        query = dict(request.query_params)
        asked = read_run_query(query, self.infer_linked_task, FIRST_TASK)
        name, held = read_kept(kept)
        typed, gone = restore_values(asked.task, held) if name == asked.task.name else ({}, [])
        state = {
            **{"task": asked.task.name, "values": {**asked.values, **typed} or None},
            **{"notes": (*asked.notes, *gone), "linked": asked.model},
        }
        if not {"task", "model"} & query.keys():  # what is on the page may have been changed since
            return gr.skip(), gr.skip(), state
        reference = asked.model or asked.task.default_model
        return asked.task.name, reference, state

    def infer_linked_task(self, reference: str) -> Task:
        """Return the task of the model that an address names, where it may be read: nobody has asked for it yet."""
        ref = ModelRef.parse(reference)
        if not self.app.engine.call(ModelCache.is_trusted, self.app.models, ref):
            raise ModelError(f"The task of {reference} is not known before it is read: choose it above.")
        return self.app.engine.call(infer_task, ref, self.app.settings)[0]

    def offer_models(self, name: str) -> tuple[Any, dict[str, str]]:
        """Offer the models for a task, and say what speaks against each of those that are not the first choice."""
        found = self.app.engine.call(offer_models, find_task(name), self.app.settings)
        against = {each.reference: each.against for each in found if each.against}
        return gr.update(choices=[each.reference for each in found]), against

    def draw_panel(self, state: dict[str, Any] | None) -> None:
        """Draw the panel of the task that is opened."""
        if state is not None:
            task = find_task(state["task"])
            TaskPanel(self.context, task, state["values"], state["notes"], state.get("linked"))


def open_task(name: str, opening: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the panel opens with once the task has changed; as it is where it is of that task already."""
    return opening if opening is None or opening["task"] == name else {"task": name, "values": None, "notes": ()}


class ModelDetails:
    """The fold about the model: how it is loaded, its card, and how its memory is freed."""

    def __init__(self, app: App, task: gr.Textbox, model: gr.Dropdown) -> None:
        self.app = app
        with gr.Accordion("Model details", open=False):
            with gr.Row():
                dtype = gr.Dropdown(DTYPES, value="auto", label="dtype", info="precision of the weights")
                attention = gr.Dropdown(
                    [("the library's choice", ""), *ATTENTIONS],
                    value="",
                    label="Attention",
                    info="which implementation computes attention",
                )
                with gr.Column(min_width=200):
                    load = gr.Button("Load and show its card")
                    unload = gr.Button("Unload")
            card = gr.HTML(html.placeholder("What the model is, how large, and where its weights came from."))
        self.loading = (dtype, attention)
        private: dict[str, Any] = {"outputs": card, "api_visibility": "private"}
        load.click(draw_errors(self.load_model), [model, task, dtype, attention], **private, **HEAVY)
        unload.click(draw_errors(self.unload_model), model, **private, **LIGHT)

    def load_model(self, reference: str, name: str, dtype: str, attention: str) -> Iterator[str]:
        """Load the model and yield how far that is, then its card."""

        stop = Event()

        def load(tell: Callable[[Any], None]) -> str:
            task = find_task(name)
            ref = ModelRef.parse(reference)
            engine = self.app.engine
            row, why = engine.call(infer_task, ref, self.app.settings)
            need = build_need(task, dtype, attention or None)
            found = engine.call(
                ModelCache.load_card, engine.models, ref, need, lambda *state: tell(LoadProgress(*state)), stop
            )
            made_for = f"It was made for {row.name}: {why}. Choose that task above to use it so."
            card = {"task": task.name, **found}
            if row is task:
                return prediction_view.render_card(card, why)
            return html.notes([made_for]) + prediction_view.render_card(card, "it is chosen above")

        for item in run_in_background(load, stop):
            yield (
                prediction_view.render_loading(reference, item) if isinstance(item, LoadProgress) else item or gr.skip()
            )

    def unload_model(self, reference: str) -> str:
        """Free the model's memory and say how much that was."""
        return prediction_view.render_unloaded(unload_model(self.app, reference))


def _build_history(demo: gr.Blocks, history: gr.BrowserState) -> None:
    """Lay out the runs of this browser."""
    with gr.Accordion("History (this browser only)", open=False):
        past = gr.HTML(prediction_view.render_history([]))
        clear = gr.Button("Clear history", size="sm")
    clear.click(lambda: [], outputs=history, **PRIVATE)
    gr.on([demo.load, history.change], prediction_view.render_history, history, past, **QUIET)
