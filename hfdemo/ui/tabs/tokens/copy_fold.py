"""The fold Copy of the views: what a view shows, as Markdown, CSV or JSON to take along."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from hfdemo.api.error_boundary import catch_errors
from hfdemo.ui.event_handling import QUICK, RunningJobs

FORMATS = ("Markdown", "CSV", "JSON")
# gr.Code highlights these; it knows no CSV.
LANGUAGES = {"Markdown": "markdown", "CSV": None, "JSON": "json"}
Records = Sequence[dict[str, Any]]


def format_records(records: Records, form: str) -> str:
    """Render rows with equal keys in one of FORMATS."""
    if form == "JSON":
        return json.dumps(list(records), indent=1, ensure_ascii=False)
    columns = list(records[0]) if records else []
    if form == "CSV":
        written = io.StringIO()
        writer = csv.DictWriter(written, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return written.getvalue()
    lines = [
        columns,
        ["---"] * len(columns),
        *([_markdown_cell(value) for value in record.values()] for record in records),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(value: Any) -> str:
    """Render one cell of a Markdown table: what would end it is escaped."""
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", " ").replace("\n", " ")


def build_copy_fold(demo: gr.Blocks, records: Callable[..., Records], inputs: Sequence[Any]) -> None:
    """Lay out a fold that hands out what `records(*inputs, stop=...)` returns, made when somebody picks a format.

    `stop` is set when the page is closed.
    """
    running = RunningJobs()
    with gr.Accordion("Copy", open=False) as fold:
        form = gr.Radio(FORMATS, value=FORMATS[0], label="As", interactive=True)
        text = gr.Code(label="Copied or saved with the buttons at its corner", lines=1, max_lines=16)

    def write(request: gr.Request, form: str, *values: Any) -> Any:
        found = records(*values, stop=running.begin(request.session_hash))
        return gr.Code(format_records(found, form), language=LANGUAGES[form])

    gr.on(
        [form.input, fold.expand],
        catch_errors(write, lambda sentence: gr.Code(sentence, language=None)),
        [form, *inputs],
        text,
        **QUICK,
    )
    demo.unload(running.on_unload)
