"""Two answers side by side: two models on the same input, or an answer that was pinned and the newest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.errors import DemoError
from hfdemo.inference import Prediction, predict
from hfdemo.models.folders import base_of, offline_choices
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.ui import html, prediction_view
from hfdemo.ui.event_options import PRIVATE, QUIET, draw_errors
from hfdemo.ui.jobs import RunningJobs
from hfdemo.ui.renderers import differences, registry
from hfdemo.ui.renderers.labels import label_scores

Meant = Callable[[tuple[Any, ...]], dict[str, Any]]


def comparison(
    app: App,
    task: Task,
    model: gr.Dropdown,
    loading: tuple[gr.Dropdown, gr.Dropdown],
    fields: list[Any],
    meant: Meant,
    latest: gr.State,
    running: RunningJobs,
) -> None:
    """Lay the fold Compare out; `latest` holds what is kept of the panel's newest answer, or None."""
    pinned = gr.State(None)
    with gr.Accordion("Compare", open=False):
        gr.HTML(html.about("Two models on the same input, or the same model before and after a change of parameters."))
        with gr.Row():
            second = gr.Dropdown(
                offline_choices(app.settings),
                value=None,
                label="Second model",
                info="the same references as above",
                allow_custom_value=True,
                interactive=True,
                min_width=240,
            )
            with gr.Column(min_width=200):
                both = gr.Button("Run both models")
                versus = gr.Button("Against its base model")
                pin = gr.Button("Pin this answer")
        shown = gr.HTML(html.empty("Run both models, or pin this answer, change something and run again."))

    def run_both(
        request: gr.Request, first: str, other: str | None, dtype: str, attention: str, *given: Any
    ) -> Iterator[tuple[Any, Any]]:
        if not other:
            raise DemoError("There is no second model. Choose one, or type any reference.")
        options: Any = {"stop": running.begin(request.session_hash), "dtype": dtype, "attention": attention or None}
        yield html.empty(f"Running `{first}` and `{other}` on the same input …"), gr.skip()
        values = meant(given)
        refs = (ModelRef.parse(reference) for reference in (first, other))
        found = [predict(app.models, task, ref, values, **options) for ref in refs]
        yield side_by_side(*(kept(task, each) for each in found)), gr.skip()

    def against_base(
        request: gr.Request, first: str, _: str | None, dtype: str, attention: str, *given: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Beside what it was trained from, with a head for the same labels, as the training began with it."""
        ref = ModelRef.parse(first)
        base = base_of(ref, app.settings)
        options: Any = {"stop": running.begin(request.session_hash), "dtype": dtype, "attention": attention or None}
        yield html.empty(f"Running `{first}` and its base `{base}` on the same input …"), str(base)
        values = meant(given)
        trained = predict(app.models, task, ref, values, **options)
        labels = trained.card["labels"] if task.output == "labels" else ()
        before = predict(app.models, task, base, values, labels=labels, **options)
        yield side_by_side(kept(task, before), kept(task, trained)), gr.skip()

    wires: dict[str, Any] = {
        "inputs": [model, second, *loading, *fields],
        "outputs": [shown, second],
        "api_visibility": "private",
        **HEAVY,
    }
    both.click(draw_errors(run_both, gr.skip()), **wires)
    versus.click(draw_errors(against_base, gr.skip()), **wires)

    def pin_or_unpin(found: Kept | None, before: Kept | None) -> tuple[Any, Any, Any]:
        if before is not None:
            return html.empty("Nothing is pinned."), None, gr.update(value="Pin this answer")
        if found is None:
            raise DemoError("There is no answer to pin yet. Run the model first.")
        return html.empty("Pinned. Change something and run again."), found, gr.update(value="Unpin")

    pin.click(
        draw_errors(pin_or_unpin, gr.skip(), gr.skip()), [latest, pinned], [shown, pinned, pin], **PRIVATE, **LIGHT
    )
    latest.change(
        lambda found, before: gr.skip() if found is None or before is None else side_by_side(before, found),
        [latest, pinned],
        shown,
        **QUIET,
    )


@dataclass(frozen=True, eq=False)
class Kept:
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


def kept(task: Task, found: Prediction) -> Kept:
    """What a comparison needs of a prediction."""
    inputs = {field.name: found.inputs[field.name] for field in task.inputs if not field.media}
    took = html.facts([("run", f"{1000 * found.seconds['run']:.0f} ms")])
    return Kept(
        model=found.model,
        differs={**inputs, **found.parameters},
        drawn=registry.render_prediction(task.output, found) + took,
        gist=prediction_view.gist(found.output, most=20_000),
        labels=found.output if task.output == "labels" and label_scores(found.output) else None,
        in_words=task.output in ("text", "chat", "transcript"),
    )


def side_by_side(left: Kept, right: Kept) -> str:
    """Two answers under what tells them apart, and the difference between them."""
    names = [name for name in left.differs if left.differs[name] != right.differs.get(name)]
    sides = [
        (", ".join([each.model, *(f"{name}={str(each.differs[name])[:80]}" for name in names)]), each.drawn)
        for each in (left, right)
    ]
    differs = ""
    if left.labels is not None and right.labels is not None:
        differs = differences.render_score_differences(left.labels, right.labels) or html.notes(
            ["They have no label in common, so there is nothing to subtract: one of them was not trained on these."]
        )
    elif left.in_words:
        differs = differences.render_text_difference(left.gist, right.gist)
    return prediction_view.two_sides(sides[0], sides[1], differs)
