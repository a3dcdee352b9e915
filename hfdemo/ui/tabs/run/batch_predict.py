"""A file at once: a CSV goes in, predictions are looked at, a CSV comes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.api.uploads import served_folder
from hfdemo.background import in_background
from hfdemo.data_sources import text_columns
from hfdemo.errors import DataError
from hfdemo.inference import FilePrediction, predict_file
from hfdemo.models.reference import ModelRef
from hfdemo.tables import read_table
from hfdemo.tasks import Task
from hfdemo.ui import html, prediction_view
from hfdemo.ui.event_options import PRIVATE, QUIET, draw_errors
from hfdemo.ui.jobs import RunningJobs

NONE = "(none)"
WAITING = "The first rows with their predictions will stand here."


def filing(
    app: App,
    task: Task,
    model: gr.Dropdown,
    fields: list[Any],
    meant: Callable[[tuple[Any, ...]], dict[str, Any]],
    running: RunningJobs,
) -> None:
    """Lay the fold out; the panel's parameters hold for every row."""
    pairs = any(field.name == "text_pair" for field in task.inputs)
    with gr.Accordion("A file at once", open=False):
        gr.HTML(
            html.about(
                "A CSV with a header goes in; it comes back with the predictions beside its columns, in its own order. "
                "The parameters above hold for every row."
            )
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                file = gr.File(label="CSV", file_types=[".csv", ".tsv", ".txt"], height=120)
                column = gr.Dropdown([], label="Column of the texts", interactive=True)
                pair = gr.Dropdown([NONE], value=NONE, label="Column of the second texts", visible=pairs)
                with gr.Row():
                    run = gr.Button("Predict every row", variant="primary")
                    stop = gr.Button("Stop", min_width=80)
            with gr.Column(scale=7, min_width=300):
                state = gr.HTML(html.empty(WAITING))
                preview = gr.Dataframe(visible=False, wrap=True, interactive=False, label="The first rows")
                out = gr.File(label="The file with predictions", visible=False, interactive=False)

    def look(path: str | None) -> Iterator[tuple[Any, ...]]:
        """The columns and the first rows of a new file; what was there of another one goes."""
        gone = (gr.update(visible=False), gr.update(visible=False))
        yield html.empty(WAITING), gr.update(choices=[], value=None), gr.update(choices=[NONE], value=NONE), *gone
        if path is None:
            return
        table = read_table(Path(path), lone_column=True)
        columns = list(table.columns)
        try:
            likely, _ = text_columns(columns)
        except DataError:  # none stands out by its name: the one with the longest words, and the person chooses
            letters = {name: table[name].str.count(r"[^\d\W]").mean() for name in columns}
            likely = max(columns, key=letters.__getitem__)
        yield (
            gr.skip(),
            gr.update(choices=columns, value=likely),
            gr.update(choices=[NONE, *columns], value=NONE),
            gr.update(value=table.head(10), visible=True),
            gr.skip(),
        )

    file.change(draw_errors(look, *[gr.skip()] * 4), file, [state, column, pair, preview, out], **PRIVATE, **LIGHT)

    def work(
        request: gr.Request, reference: str, path: str | None, text: str | None, second: str, *given: Any
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Progress while it runs, then the file: the work is done in a thread that this generator can stop."""
        if path is None:
            raise DataError("There is no file. Choose a CSV first.")
        yield prediction_view.counting(0, 0), gr.skip(), gr.update(visible=False)
        values = {name: value for name, value in meant(given).items() if name not in ("text", "text_pair", "messages")}
        ending = running.begin(request.session_hash)

        def predict_all(tell: Callable[[Any], None]) -> FilePrediction:
            return predict_file(
                app.models,
                task,
                ModelRef.parse(reference or task.default_model),
                Path(path),
                served_folder("results") / secrets.token_hex(8),
                text_column=text,
                text_pair_column=None if second == NONE else second,
                values=values,
                on_rows=lambda done, rows: tell((done, rows)),
                stop=ending,
            )

        for found in in_background(predict_all, ending):
            if isinstance(found, FilePrediction):
                yield (
                    prediction_view.file_facts(found),
                    gr.update(value=pd.DataFrame(found.preview, columns=list(found.columns)), visible=True),
                    gr.update(value=str(found.path), visible=True),
                )
            else:
                yield (prediction_view.counting(*found) if found else gr.skip()), gr.skip(), gr.skip()

    run.click(
        draw_errors(work, gr.skip(), gr.skip()),
        [model, file, column, pair, *fields],
        [state, preview, out],
        **PRIVATE,
        **HEAVY,
    )

    stop.click(running.on_stop, **QUIET)
