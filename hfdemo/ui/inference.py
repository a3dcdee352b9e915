"""The tab Run a model: which task, which model, and below them a panel made from the task's row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Lock
from typing import Any

import gradio as gr

from hfdemo.api import HEAVY, LIGHT, Endpoints, at_the_edge
from hfdemo.background import in_background
from hfdemo.inference import Loading
from hfdemo.models.configs import infer_task
from hfdemo.models.loading import ATTENTIONS, DTYPES
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import offline_choices
from hfdemo.tasks import TASKS, Task, find_task
from hfdemo.ui import answers, html
from hfdemo.ui.links import opened
from hfdemo.ui.panel import panel

MODEL_HELP = "embedded, a run, a folder (/… ./… ~…), or any Hub id, with @revision if you like"


class Running:
    """The computation that each open page has going on, so that it can be stopped from elsewhere on the page."""

    def __init__(self) -> None:
        self._stops: dict[str, Event] = {}
        self._lock = Lock()

    def begin(self, session: str | None) -> Event:
        """The stop of a computation that begins now; whatever this page still had going on is stopped."""
        stop = Event()
        with self._lock:
            before = self._stops.pop(session or "", None)
            self._stops[session or ""] = stop
        if before is not None:
            before.set()
        return stop

    def stop(self, session: str | None) -> None:
        """Stop what this page has going on."""
        with self._lock:
            stop = self._stops.pop(session or "", None)
        if stop is not None:
            stop.set()


def build(endpoints: Endpoints, demo: gr.Blocks) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Lay the tab out; returns its task and model dropdowns, so that another tab can send a model here."""
    first = next(iter(TASKS.values()))
    running = Running()
    with gr.Row():
        task = gr.Dropdown(
            [(_title(row), row.name) for row in TASKS.values()],
            value=first.name,
            label="Task",
            scale=1,
            min_width=240,
        )
        model = gr.Dropdown(
            _choices(endpoints, first),
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
            gr.update(choices=_choices(endpoints, chosen), value=chosen.default_model),
            {"task": name, "values": values or None},
        )

    # .input, not .change: a run that another tab sends here brings its own model along.
    task.input(choose, [task, typed], [model, opening], api_visibility="private", show_progress="hidden")
    task.change(
        lambda name, now: now if now is None or now["task"] == name else {"task": name, "values": None},
        [task, opening],
        opening,
        api_visibility="private",
        show_progress="hidden",
    )
    model.focus(
        lambda name: gr.update(choices=_choices(endpoints, find_task(name))),
        task,
        model,
        api_visibility="private",
        show_progress="hidden",
    )

    def look(reference: str, kind: str, how: str) -> Iterator[str]:
        def work(tell: Callable[[Any], None]) -> str:
            row, why = infer_task(ModelRef.parse(reference), endpoints.settings)
            found = endpoints.load(reference, row, kind, how or None, lambda *state: tell(Loading(*state)))
            return answers.card({"task": row.name, **found}, why)

        for item in in_background(work, Event()):
            yield answers.loading(reference, item) if isinstance(item, Loading) else item or gr.skip()

    load.click(at_the_edge(look, html.plain), [model, dtype, attention], card, api_visibility="private", **HEAVY)
    unload.click(
        at_the_edge(lambda reference: answers.unloaded(endpoints.unload_model(reference)), html.plain),
        model,
        card,
        api_visibility="private",
        **LIGHT,
    )

    def follow_link(request: gr.Request) -> tuple[Any, ...]:
        found = opened(dict(request.query_params))
        if found is None:
            return gr.skip(), gr.skip(), {"task": first.name, "values": None}
        row, reference, values = found
        return (
            row.name,
            gr.update(choices=_choices(endpoints, row), value=reference),
            {"task": row.name, "values": values},
        )

    demo.load(follow_link, outputs=[task, model, opening], api_visibility="private", show_progress="hidden")

    @gr.render(inputs=opening, triggers=[opening.change])
    def chosen(state: dict[str, Any] | None) -> None:
        if state is None:
            return
        panel(endpoints, find_task(state["task"]), state["values"], running, model, (dtype, attention), typed, history)

    with gr.Accordion("What was run in this browser", open=False):
        past = gr.HTML(html.empty("Nothing yet. Each run is kept here, in this browser only, with its parameters."))
        forget = gr.Button("Forget all", size="sm")
    forget.click(lambda: [], outputs=history, api_visibility="private")
    gr.on([demo.load, history.change], answers.history, history, past, api_visibility="private", show_progress="hidden")

    def leave(request: gr.Request) -> None:
        running.stop(request.session_hash)

    demo.unload(leave)
    return task, model


def _title(task: Task) -> str:
    return f"{task.title} · {task.group}"


def _choices(endpoints: Endpoints, task: Task) -> list[str]:
    return list(dict.fromkeys([task.default_model, *offline_choices(endpoints.settings)]))
