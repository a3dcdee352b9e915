"""Two answers side by side: two models on the same input, or an answer that was pinned and the newest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import HEAVY, LIGHT, Endpoints, at_the_edge
from hfdemo.errors import DemoError
from hfdemo.inference import Prediction, predict
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import base_of, offline_choices
from hfdemo.tasks import Task
from hfdemo.ui import answers, differences, drawings, html

Meant = Callable[[tuple[Any, ...]], dict[str, Any]]


def comparison(
    endpoints: Endpoints,
    task: Task,
    model: gr.Dropdown,
    loading: tuple[gr.Dropdown, gr.Dropdown],
    fields: list[Any],
    meant: Meant,
    latest: gr.State,
    begin: Callable[[str | None], Event],
) -> None:
    """Lay the fold Compare out; `latest` holds the newest Prediction of the panel, or None."""
    pinned = gr.State(None)
    with gr.Accordion("Compare", open=False):
        gr.HTML(html.about("Two models on the same input, or the same model before and after a change of parameters."))
        with gr.Row():
            second = gr.Dropdown(
                offline_choices(endpoints.settings),
                value=None,
                label="Second model",
                info="the same references as above",
                allow_custom_value=True,
                interactive=True,
                min_width=240,
            )
            with gr.Column(min_width=200):
                both = gr.Button("Run both models")
                base = gr.Button("Against its base model")
                pin = gr.Button("Pin this answer")
        shown = gr.HTML(html.empty("Run both models, or pin this answer, change something and run again."))

    def run_both(
        request: gr.Request, first: str, other: str | None, kind: str, how: str, *given: Any
    ) -> Iterator[tuple[Any, Any]]:
        if not other:
            raise DemoError("There is no second model. Choose one, or type any reference.")
        stop, values = begin(request.session_hash), meant(given)
        yield html.empty(f"Running `{first}` and `{other}` on the same input …"), gr.skip()
        found = [
            predict(endpoints.models, task, reference, values, stop=stop, dtype=kind, attention=how or None)
            for reference in (first, other)
        ]
        yield side_by_side(task, *found), gr.skip()

    def against_base(request: gr.Request, first: str, _: str | None, *given: Any) -> Iterator[tuple[Any, Any]]:
        other = base_of(ModelRef.parse(first), endpoints.settings)
        for drawn, _ in run_both(request, first, str(other), *given):
            yield drawn, str(other)

    wires: dict[str, Any] = {
        "inputs": [model, second, *loading, *fields],
        "outputs": [shown, second],
        "api_visibility": "private",
        **HEAVY,
    }
    both.click(at_the_edge(run_both, html.plain), **wires)
    base.click(at_the_edge(against_base, html.plain), **wires)

    def keep(found: Prediction | None, before: Prediction | None) -> tuple[Any, Any, Any]:
        if before is not None:
            return None, gr.update(value="Pin this answer"), html.empty("Nothing is pinned.")
        if found is None:
            raise DemoError("There is no answer to pin yet. Run the model first.")
        return found, gr.update(value="Unpin"), html.empty("Pinned. Change something and run again.")

    pin.click(at_the_edge(keep, html.plain), [latest, pinned], [pinned, pin, shown], api_visibility="private", **LIGHT)
    latest.change(
        lambda found, before: gr.skip() if found is None or before is None else side_by_side(task, before, found),
        [latest, pinned],
        shown,
        api_visibility="private",
        show_progress="hidden",
    )


def side_by_side(task: Task, left: Prediction, right: Prediction) -> str:
    """Two predictions, what differs between their parameters, and the difference of their answers."""
    names = [name for name in left.parameters if left.parameters[name] != right.parameters.get(name)]
    sides = []
    for found in (left, right):
        title = ", ".join([found.model, *(f"{name}={found.parameters[name]}" for name in names)])
        took = html.facts([("run", f"{1000 * found.seconds['run']:.0f} ms")])
        sides.append((title, drawings.drawn(task.output, found) + took))
    differs = differences.comparison(left.result, right.result)
    if not differs and task.output in ("text", "chat", "transcript"):
        differs = differences.difference(answers.gist(left.output), answers.gist(right.output))
    return answers.two_sides(sides[0], sides[1], differs)
