"""What a run's model gets wrong: which labels for which, the rows, and why it said so when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from hfdemo.ui.html import escape
from hfdemo.ui.renderers.attribution import render_attribution
from hfdemo.ui.tabs.finetune.confusion import render_confusion_matrix
from hfdemo.ui.tabs.finetune.report_view import kind_of, read_wrong_rows, render_wrong_rows

SHOWN = 100
LIST = "wrong-rows"


def build(app: App, run: gr.Dropdown) -> list[gr.HTML]:
    """Lay out the confusion matrix, the list and what explains a row of it; return the first two."""
    matrix = gr.HTML(js_on_load="hfdemo.listenToMatrix(element, trigger)")
    listed = gr.HTML(js_on_load="hfdemo.listenToWhy(element, trigger)", elem_id=LIST)
    drawing = gr.HTML()

    def show_confused(event: gr.EventData, run_id: str | None) -> str:
        return render_list(app.runs.get(run_id or ""), (read_event(event, "truth"), read_event(event, "given")))

    matrix.select(draw_errors(show_confused), run, listed, **EACH).then(fn=None, js=f"hfdemo.scrollTo('{LIST}')")
    listed.select(draw_errors(show_confused), run, listed, **EACH)

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
    return [matrix, listed]


def find_row(run: Run, place: Any) -> dict[str, str]:
    """Return the line of the run's errors that stands at `place` in their file, the first at 0.

    Raises:
        RunError: there is none (any more).
    """
    rows = read_wrong_rows(run)
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(rows):
        raise RunError("There is no such row any more. Look at the run again.")
    return rows[place]


def render_matrix(run: Run) -> str:
    """Render the confusion matrix of the validation split where each row has one label; "" for other kinds."""
    report = run.report()
    counts = (report.get("confusion_matrix") or {}).get("validation")
    if not counts or not kind_of(report).rows.is_single_label:
        return ""
    return render_confusion_matrix(report["labels"], counts, has_rows=True)


def render_list(run: Run, cell: tuple[Any, Any] = (None, None)) -> str:
    """Render the rows that are wrong, the first of them, each with a button that asks why where that can be said.

    `cell` are the numbers of a true label and of a predicted one, of which alone the rows are shown.
    """
    labels = run.config.labels or ()
    numbered = list(enumerate(read_wrong_rows(run)))
    said = ""
    if all(_is_number_of(each, labels) for each in cell):
        truth, given = (labels[each] for each in cell)
        numbered = [(place, row) for place, row in numbered if (row["label"], row["predicted"]) == (truth, given)]
        words = f"{len(numbered):,} of “{truth}” predicted as “{given}”"
        said = (
            f"<p class='hf-of-cell' role='status'>{escape(words)} <button type='button' data-all>Show all</button></p>"
        )
    shown = numbered[:SHOWN]
    rows = [row for _, row in shown]
    places = [place for place, _ in shown]
    more = len(numbered) > SHOWN
    if said and not rows:
        return said
    return said + render_wrong_rows(rows, more=more, explained=can_explain(run, rows), places=places)


def _is_number_of(value: Any, labels: Sequence[str]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(labels)


def can_explain(run: Run, rows: list[dict[str, str]]) -> bool:
    """Return whether the answers in `rows` are labels of a model that `explain_answer` knows."""
    labels, explained = run.config.labels or (), find_task(run.config.task).find_target is not None
    return explained and bool(rows) and all(row.get("predicted") in labels for row in rows)
