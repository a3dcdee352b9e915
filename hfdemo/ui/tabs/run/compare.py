"""Two answers side by side: two models on the same input, or an answer that was pinned and the newest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.errors import DemoError
from hfdemo.inference import Prediction, predict
from hfdemo.models.folders import find_base_model, list_offline_models
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE, QUIET, RunningJobs, draw_errors
from hfdemo.ui.renderers import render_prediction
from hfdemo.ui.renderers.generated_text import render_text_difference
from hfdemo.ui.renderers.labels import read_label_scores, render_score_differences
from hfdemo.ui.tabs.run import prediction_view
from hfdemo.ui.tabs.run.widgets import PanelInputs

ABOUT = "Two models on the same input, or the same model before and after a change of parameters."


class Comparison:
    """The view Compare; `latest` holds what is kept of the panel's newest answer, or None."""

    def __init__(self, app: App, panel: PanelInputs, latest: gr.State, running: RunningJobs) -> None:
        self.app, self.panel, self.running = app, panel, running
        with gr.Tab("Compare"):
            self.pinned = gr.State(None)
            gr.HTML(html.about(ABOUT))
            with gr.Row():
                self.second = gr.Dropdown(
                    list_offline_models(app.settings),
                    value=None,
                    label="Second model",
                    info="same choices as above",
                    allow_custom_value=True,
                    interactive=True,
                    min_width=240,
                )
                with gr.Column(min_width=200):
                    both = gr.Button("Run both models")
                    base = gr.Button("Against its base model")
                    pin = gr.Button("Pin this answer")
            shown = gr.HTML(html.placeholder("Run both models, or pin this answer, change something and run again."))
        wires: dict[str, Any] = {
            "inputs": [panel.model, self.second, *panel.loading, *panel.fields],
            "outputs": [shown, self.second],
            "api_visibility": "private",
            **HEAVY,
        }
        both.click(draw_errors(self.run_both, gr.skip()), **wires)
        base.click(draw_errors(self.run_against_base, gr.skip()), **wires)
        pinning = draw_errors(toggle_pin, gr.skip(), gr.skip())
        pin.click(pinning, [latest, self.pinned], [shown, self.pinned, pin], **PRIVATE, **LIGHT)
        latest.change(compare_with_pinned, [latest, self.pinned], shown, **QUIET)

    def run_both(
        self, request: gr.Request, first: str, other: str | None, dtype: str, attention: str, *given: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Run both models on the same input and yield their answers side by side."""
        if not other:
            raise DemoError("There is no second model. Choose one, or type any reference.")
        stop, values = self.running.begin(request.session_hash), self.panel.values(given)
        predict_with = make_predictor(self.app, self.panel, stop, dtype, attention)
        yield html.placeholder(f"Running `{first}` and `{other}` on the same input …"), gr.skip()
        found = [predict_with(ModelRef.parse(reference), values) for reference in (first, other)]
        yield render_side_by_side(*(keep_answer(self.panel.task, each) for each in found)), gr.skip()

    def run_against_base(
        self, request: gr.Request, first: str, _: str | None, dtype: str, attention: str, *given: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Run the model beside what it was trained from, which gets a new head for the same labels, as a training
        begins with it."""
        task, ref = self.panel.task, ModelRef.parse(first)
        base = find_base_model(ref, self.app.settings)
        stop, values = self.running.begin(request.session_hash), self.panel.values(given)
        predict_with = make_predictor(self.app, self.panel, stop, dtype, attention)
        yield html.placeholder(f"Running `{first}` and its base `{base}` on the same input …"), str(base)
        trained = predict_with(ref, values)
        before = predict_with(base, values, labels=trained.card["labels"] if task.output == "labels" else ())
        yield render_side_by_side(keep_answer(task, before), keep_answer(task, trained)), gr.skip()


def make_predictor(app: App, panel: PanelInputs, stop: Event, dtype: str, attention: str) -> Callable[..., Prediction]:
    """Return `predict` of (model, values) for the panel's task, which `stop` ends."""

    def predict_with(ref: ModelRef, values: Mapping[str, Any], labels: Sequence[str] = ()) -> Prediction:
        return app.engine.call(
            predict,
            app.models,
            panel.task,
            ref,
            values,
            stop=stop,
            dtype=dtype,
            attention=attention or None,
            labels=labels,
        )

    return predict_with


def toggle_pin(found: KeptAnswer | None, before: KeptAnswer | None) -> tuple[Any, Any, Any]:
    """Pin the newest answer, or unpin what is pinned."""
    if before is not None:
        return html.placeholder("Nothing is pinned."), None, gr.update(value="Pin this answer")
    if found is None:
        raise DemoError("There is no answer to pin yet. Run the model first.")
    return html.placeholder("Pinned. Change something and run again."), found, gr.update(value="Unpin")


def compare_with_pinned(found: KeptAnswer | None, before: KeptAnswer | None) -> Any:
    """Show the newest answer beside the pinned one, where there are both."""
    return gr.skip() if found is None or before is None else render_side_by_side(before, found)


@dataclass(frozen=True, eq=False)
class KeptAnswer:
    """What is kept of an answer to set it beside another one: drawn and in words, without its tensors.

    `differs` are the values that may tell two answers apart, by name; `labels` is the output of a
    classifier, None where it is not one list of labels.
    """

    model: str
    differs: Mapping[str, Any]
    drawn: str
    gist: str
    labels: Any
    in_words: bool


def keep_answer(task: Task, found: Prediction) -> KeptAnswer:
    """Return what a comparison needs of a prediction."""
    inputs = {field.name: found.inputs[field.name] for field in task.inputs if not field.is_media}
    took = html.facts([("run", f"{1000 * found.seconds['run']:.0f} ms")])
    return KeptAnswer(
        model=found.model,
        differs={**inputs, **found.parameters},
        drawn=render_prediction(task.output, found) + took,
        gist=prediction_view.summarize_output(found.output, most=20_000),
        labels=found.output if task.output == "labels" and read_label_scores(found.output) else None,
        in_words=task.output in ("text", "chat", "transcript"),
    )


def render_side_by_side(left: KeptAnswer, right: KeptAnswer) -> str:
    """Draw two answers under what tells them apart, and the difference between them."""
    names = [name for name in left.differs if left.differs[name] != right.differs.get(name)]
    sides = [
        (", ".join([each.model, *(f"{name}={str(each.differs[name])[:80]}" for name in names)]), each.drawn)
        for each in (left, right)
    ]
    differs = ""
    if left.labels is not None and right.labels is not None:
        differs = render_score_differences(left.labels, right.labels) or html.notes(
            ["They have no label in common, so there is nothing to subtract: one of them was not trained on these."]
        )
    elif left.in_words:
        differs = render_text_difference(left.gist, right.gist)
    return prediction_view.render_two_sides(sides[0], sides[1], differs)
