"""The tab Run a model: which task, which model, and below them a panel made from the task's row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.api.tasks import unload_model
from hfdemo.background import in_background
from hfdemo.inference import Loading, need_of
from hfdemo.models.folders import offline_choices
from hfdemo.models.loading import ATTENTIONS, DTYPES
from hfdemo.models.model_facts import infer_task
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS, Task, find_task
from hfdemo.ui import html, prediction_view
from hfdemo.ui.deep_links import read_query
from hfdemo.ui.event_options import PRIVATE, QUIET, draw_errors
from hfdemo.ui.jobs import RunningJobs
from hfdemo.ui.tabs.run.task_panel import panel

MODEL_HELP = "embedded, a run, a folder (/… ./… ~…), or any Hub id, with @revision if you like"


def build(app: App, demo: gr.Blocks) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Lay the tab out; returns its task and model dropdowns, so that another tab can send a model here."""
    first = next(iter(TASKS.values()))
    running = RunningJobs()
    with gr.Row():
        task = gr.Dropdown(
            [(_title(row), row.name) for row in TASKS.values()],
            value=first.name,
            label="Task",
            scale=1,
            min_width=240,
        )
        model = gr.Dropdown(
            _choices(app, first),
            value=first.default_model,
            label="Model",
            info=MODEL_HELP,
            allow_custom_value=True,
            interactive=True,
            scale=2,
            min_width=300,
        )
    with gr.Accordion("Load, look at and unload the model", open=False):
        with gr.Row():
            dtype = gr.Dropdown(DTYPES, value="auto", label="dtype", info="numbers that the weights are held in")
            attention = gr.Dropdown(
                [("the library's choice", ""), *ATTENTIONS],
                value="",
                label="Attention",
                info="which implementation computes attention",
            )
            with gr.Column(min_width=200):
                load = gr.Button("Load and show its card")
                unload = gr.Button("Unload")
        card = gr.HTML(html.empty("What the model is, how large, and where its weights came from."))
    # What the panel opens with; set when the page is opened, by another task's texts, or by another tab.
    opening = gr.State(None)
    typed = gr.State({})
    history = gr.BrowserState([], storage_key="hfdemo-history")

    def choose(name: str, carried: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        running.stop(request.session_hash)
        chosen = find_task(name)
        names = {field.name for field in chosen.inputs if not field.media}
        values = {name: value for name, value in carried.items() if name in names and value}
        return (
            gr.update(choices=_choices(app, chosen), value=chosen.default_model),
            {"task": name, "values": values or None, "notes": ()},
        )

    # .input, not .change: a run that another tab sends here brings its own model along.
    task.input(choose, [task, typed], [model, opening], **QUIET)
    task.change(
        lambda name, now: now if now is None or now["task"] == name else {"task": name, "values": None, "notes": ()},
        [task, opening],
        opening,
        **QUIET,
    )
    model.focus(
        lambda name: gr.update(choices=_choices(app, find_task(name))),
        task,
        model,
        **QUIET,
    )

    def look(reference: str, name: str, dtype: str, attention: str) -> Iterator[str]:
        def work(tell: Callable[[Any], None]) -> str:
            chosen = find_task(name)
            ref = ModelRef.parse(reference)
            row, why = infer_task(ref, app.settings)
            need = need_of(chosen, dtype, attention or None)
            found = app.models.get(ref, need, lambda *state: tell(Loading(*state))).card()
            made_for = f"It was made for {row.name}: {why}. Choose that task above to use it so."
            other = [] if row is chosen else [made_for]
            return html.notes(other) + prediction_view.card(
                {"task": chosen.name, **found}, why if row is chosen else "it is chosen above"
            )

        for item in in_background(work, Event()):
            yield prediction_view.loading(reference, item) if isinstance(item, Loading) else item or gr.skip()

    def unload_chosen(reference: str) -> str:
        return prediction_view.unloaded(unload_model(app, reference))

    private: dict[str, Any] = {"outputs": card, "api_visibility": "private"}
    load.click(draw_errors(look), [model, task, dtype, attention], **private, **HEAVY)
    unload.click(draw_errors(unload_chosen), model, **private, **LIGHT)

    def task_for(reference: str) -> Task:
        return infer_task(ModelRef.parse(reference), app.settings)[0]

    def follow_link(request: gr.Request) -> tuple[Any, ...]:
        asked = read_query(dict(request.query_params), task_for, first)
        state = {"task": asked.task.name, "values": asked.values or None, "notes": asked.notes}
        reference = asked.model or asked.task.default_model
        return asked.task.name, gr.update(choices=_choices(app, asked.task), value=reference), state

    demo.load(follow_link, outputs=[task, model, opening], **QUIET)

    @gr.render(inputs=opening, triggers=[opening.change])
    def chosen(state: dict[str, Any] | None) -> None:
        if state is None:
            return
        task = find_task(state["task"])
        loading = (dtype, attention)
        panel(app, task, state["values"], running, model, loading, typed, history, state["notes"])

    with gr.Accordion("What was run in this browser", open=False):
        past = gr.HTML(html.empty("Nothing yet. Each run is kept here, in this browser only, with its parameters."))
        forget = gr.Button("Forget all", size="sm")
    forget.click(lambda: [], outputs=history, **PRIVATE)
    gr.on([demo.load, history.change], prediction_view.history, history, past, **QUIET)

    demo.unload(running.on_unload)
    return task, model


def _title(task: Task) -> str:
    return f"{task.title} · {task.group}"


def _choices(app: App, task: Task) -> list[str]:
    return list(dict.fromkeys([task.default_model, *offline_choices(app.settings)]))
