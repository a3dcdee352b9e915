"""The rows that a run's model gets wrong, and why it said so: one by one, when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import RunError
from hfdemo.finetuning.runs.run import Run
from hfdemo.inference import explain_answer
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import find_task
from hfdemo.ui import html
from hfdemo.ui.event_handling import EACH, draw_errors, read_event
from hfdemo.ui.renderers.attribution import render_attribution
from hfdemo.ui.tabs.finetune.report_view import read_wrong_rows, render_wrong_rows

SHOWN = 100


def build(app: App, run: gr.Dropdown) -> gr.HTML:
    """Lay out the list and what explains a row of it; return the list."""
    listed = gr.HTML(js_on_load="hfdemo.listenToWhy(element, trigger)")
    drawing = gr.HTML()

    def explain(event: gr.EventData, run_id: str | None) -> Iterator[str]:
        found = app.runs.get(run_id or "")
        row = find_row(found, read_event(event, "row"))
        yield html.placeholder(f"Looking for why {row['predicted']} was said of row {row['row']} …")
        texts = (row["text"], row.get("text_pair") or None)
        ref, task = ModelRef("run", found.id), find_task(found.config.task)
        answer = app.engine.call(explain_answer, app.models, task, ref, *texts, row["predicted"], stop=caller_left())
        yield html.with_title(
            f"Row {row['row']}: why {row['predicted']}, and not {row['label']}", render_attribution(answer)
        )

    listed.input(draw_errors(explain), run, drawing, **{**EACH, **HEAVY})
    run.change(lambda: "", None, drawing, **EACH)
    return listed


def find_row(run: Run, place: Any) -> dict[str, str]:
    """Return the line of the run's errors that stands at `place` in the list.

    Raises:
        RunError: there is none (any more).
    """
    rows = read_wrong_rows(run, SHOWN)
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(rows):
        raise RunError("There is no such row any more. Look at the run again.")
    return rows[place]


def render_list(run: Run) -> str:
    """Render the rows that are wrong, the first of them, each with a button that asks why where that can be said."""
    rows = read_wrong_rows(run, SHOWN + 1)
    return render_wrong_rows(rows[:SHOWN], more=len(rows) > SHOWN, explained=can_explain(run, rows))


def can_explain(run: Run, rows: list[dict[str, str]]) -> bool:
    """Return whether the answers in `rows` are labels of a model that `explain_answer` knows."""
    labels, explained = run.config.labels or (), find_task(run.config.task).find_target is not None
    return explained and bool(rows) and all(row.get("predicted") in labels for row in rows)
