"""The fold "Labels that may be wrong": rows that the others would label otherwise, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.errors import DemoError
from hfdemo.finetuning.dataset.corrections import (
    DROP,
    KEEP,
    RELABEL,
    Correction,
    describe_corrections,
    list_corrections,
)
from hfdemo.finetuning.evaluation.label_errors import LabelError, LabelReview, review_labels
from hfdemo.models.hub import Progress
from hfdemo.ui import html
from hfdemo.ui.event_handling import (
    EACH,
    LATEST,
    PRIVATE,
    RunningJobs,
    draw_errors,
    follow_job,
    read_event,
    toast_errors,
)
from hfdemo.ui.html import Html, escape
from hfdemo.ui.tabs.finetune import steps

SHOWN = 100
_MOST_CHARACTERS = 400
UNDECIDED = html.about("Nothing is decided yet.")
_MOST_LABELS = 40  # that a row can be relabelled to, in the menu
ABOUT = (
    "Labels are set by people, and some are wrong: a model is then marked down where it is right. Every row is judged "
    "by small classifiers that were trained without it (logistic regressions of what the base model makes of the text, "
    "and of its words); where another label than its own is likelier to them, the row is listed, the surest first. "
    "Decide here, then train again: the data set itself is left as it is. `confident learning`"
)


def build(app: App, demo: gr.Blocks, run: gr.Dropdown, prefill: gr.State) -> gr.Accordion:
    """Lay out the fold of the chosen run; what is decided goes into the form through `prefill`."""
    jobs, decided, newest = RunningJobs(), gr.State([]), gr.State(0)
    with gr.Accordion("Labels that may be wrong", open=False, visible=False) as fold:
        gr.HTML(html.about(ABOUT))
        with gr.Row():
            look = gr.Button("Look for them", size="md", min_width=130)
            stop = gr.Button("Stop", size="md", min_width=70)
        state = gr.HTML()
        table = gr.HTML(js_on_load="hfdemo.listenToLabels(element, trigger)")
        with gr.Row(visible=False) as bottom:
            counted = gr.HTML(UNDECIDED)
            apply = gr.Button("Correct them in a new run", variant="primary", size="md", min_width=190)
    nothing: tuple[Any, ...] = ("", gr.update(visible=False), UNDECIDED, [])  # where there are no rows to decide on

    def review(request: gr.Request, run_id: str | None) -> Iterator[tuple[Any, ...]]:
        found = app.runs.get(run_id or "")

        def work(tell: Progress, stopped: Event) -> LabelReview:
            return app.engine.call(
                review_labels, found.folder, found.config, app.models, SHOWN, tell=tell, stop=stopped
            )

        yield gr.skip(), *nothing
        for now, result in follow_job(jobs, request.session_hash, work):
            if result is None:
                yield now, *[gr.skip()] * 4
            else:
                some = gr.update(visible=bool(result.errors))
                yield render_summary(result), render_errors(result), some, UNDECIDED, []

    def read_decisions(newest: int, event: gr.EventData) -> tuple[Any, ...]:
        given, number = read_event(event, "fixes"), read_event(event, "number")
        if not isinstance(number, int) or number < newest:
            return (gr.skip(),) * 3
        fixes = [str(each) for each in given] if isinstance(given, list) else []
        said = describe_corrections(fixes)
        return number, fixes, html.about(said) if said else UNDECIDED

    def fill_form(run_id: str | None, fixes: Sequence[str]) -> dict[str, Any]:
        names = [each.name for each in list_corrections(fixes)]
        if not names:
            raise DemoError("Nothing is decided yet. Say of a row what becomes of it.")
        config = app.runs.duplicate(run_id or "").to_json()
        config["fixes"] = [*config["fixes"], *names]
        gr.Info("The form holds this run's settings and its data with your corrections. Start trains on them.")
        return {"config": config, "run": run_id, "at": time.time()}

    outputs = [state, table, bottom, counted, decided]
    look.click(draw_errors(review, *nothing), run, outputs, **PRIVATE, **HEAVY)
    stop.click(jobs.on_stop, **PRIVATE, **LIGHT)
    run.change(lambda: ("", *nothing), None, outputs, **LATEST)
    table.input(toast_errors(read_decisions), newest, [newest, decided, counted], **EACH)
    apply.click(toast_errors(fill_form), [run, decided], prefill, **PRIVATE, **LIGHT).success(
        fn=None, js=steps.open_step("train")
    )
    demo.unload(jobs.on_unload)
    return fold


def render_summary(found: LabelReview) -> str:
    """Say how many rows were judged, and how many of them may be labelled wrongly."""
    judged = f"{found.judged:,}" if found.judged == found.rows else f"{found.judged:,} of {found.rows:,}, evenly spread"
    pairs = [
        ("rows judged", judged),
        ("told right without having seen the row", html.format_percent(found.agreement)),
        ("another label is likelier", f"{found.found:,}"),
        ("of these surely", f"{found.sure:,}"),
        *([("looked at before", f"{found.kept:,}")] if found.kept else []),
    ]
    if not found.errors:
        return html.facts(pairs) + "<div class='hf-well'>✓ No label is contradicted by the other rows.</div>"
    more = [f"The first {len(found.errors)} are shown."] if found.found > len(found.errors) else []
    return html.facts(pairs) + "".join(f"<div class='hf-about hf-small'>{each}</div>" for each in more)


def render_errors(found: LabelReview) -> str:
    """Render the rows whose labels may be wrong, each with a menu of what becomes of it."""
    if not found.errors:
        return ""
    head = ("row", "text", "label", "likelier", "what becomes of it")
    rows = [_render_error(each, found.labels) for each in found.errors]
    return html.table(head, rows, kind="hf-label-errors", scroll="hf-tall", focusable=True)


def _render_error(error: LabelError, labels: Sequence[str]) -> tuple[Any, ...]:
    text = " ⟶ ".join(error.texts)
    text = text[:_MOST_CHARACTERS] + ("…" if len(text) > _MOST_CHARACTERS else "")
    others = [error.suggested, *(each for each in labels if each not in (error.suggested, error.label))]
    choices = [
        ("", "undecided"),
        (Correction(KEEP, error.key).name, f"keep {error.label}"),
        *((Correction(RELABEL, error.key, each).name, f"relabel as {each}") for each in others[:_MOST_LABELS]),
        (Correction(DROP, error.key).name, "drop the row"),
    ]
    options = "".join(f"<option value='{escape(name)}'>{escape(words)}</option>" for name, words in choices)
    place = f"{error.split} {error.row:,}"
    menu = f"<select data-correction aria-label='What becomes of row {escape(place)}'>{options}</select>"
    return (
        place,
        text,
        Html(f"{escape(error.label)}<small>{html.format_percent(error.label_probability)}</small>"),
        Html(f"<b>{escape(error.suggested)}</b><small>{html.format_percent(error.suggested_probability)}</small>"),
        Html(menu),
    )
