"""A whole file: a CSV goes in, the first predictions are shown, a CSV comes out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.api.uploads import served_folder
from hfdemo.background import run_in_background
from hfdemo.data_sources import choose_text_columns
from hfdemo.errors import DataError
from hfdemo.inference import FilePrediction, predict_file
from hfdemo.models.reference import ModelRef
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE, QUICK, QUIET, RunningJobs, draw_errors, toast_errors
from hfdemo.ui.read_options import parse_read_options
from hfdemo.ui.tabs.run import prediction_view
from hfdemo.ui.tabs.run.table_upload import TableUpload
from hfdemo.ui.tabs.run.widgets import PanelInputs

NONE = "(none)"
# What each row brings itself.
PER_ROW = ("text", "text_pair", "messages")
WAITING = "The first rows with their predictions appear here."
ABOUT = (
    "A table goes in (CSV, JSON, Excel, Parquet, text); it comes back as a CSV with the predictions beside its "
    "columns, in its own order. The parameters above hold for every row."
)


@dataclass(frozen=True)
class SentRows:
    """Rows on their way to Fine-tune: their file, its columns of texts, and what changes when they are sent."""

    file: gr.State
    text: gr.State
    pair: gr.State
    sent: gr.State

    @classmethod
    def build(cls) -> SentRows:
        """Return what is on the way as a page opens: nothing."""
        return cls(gr.State(None), gr.State(None), gr.State(None), gr.State(0))


class BatchPredict:
    """The fold that predicts every row of a file; the panel's parameters hold for every row."""

    def __init__(self, app: App, panel: PanelInputs, running: RunningJobs, rows: SentRows) -> None:
        self.app, self.panel, self.running = app, panel, running
        has_pairs = any(field.name == "text_pair" for field in panel.task.inputs)
        with gr.Accordion("A whole file", open=False):
            gr.HTML(html.about(ABOUT))
            with gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=300):
                    self.table = TableUpload(app, "CSV, or another table")
                    column = gr.Dropdown([], label="Text column", interactive=True)
                    pair = gr.Dropdown([NONE], value=NONE, label="Second text column", visible=has_pairs)
                    with gr.Row():
                        run = gr.Button("Predict all rows", variant="primary")
                        stop = gr.Button("Stop", min_width=80)
                    send = gr.Button("Use these rows in Fine-tune", size="sm")
                with gr.Column(scale=7, min_width=300):
                    state = gr.HTML(html.placeholder(WAITING))
                    preview = gr.Dataframe(visible=False, wrap=True, interactive=False, label="The first rows")
                    out = gr.File(label="The file with predictions", visible=False, interactive=False)
        self.table.show_on_change(self.show_columns, [state, column, pair, preview, out])
        inputs = [panel.model, *self.table.inputs, column, pair, *panel.fields]
        hidden = (gr.update(visible=False), gr.update(visible=False))
        run.click(draw_errors(self.predict_rows, *hidden), inputs, [state, preview, out], **PRIVATE, **HEAVY)
        stop.click(running.on_stop, **QUIET)
        on_the_way = [rows.file, rows.text, rows.pair, rows.sent]
        send.click(toast_errors(send_rows), [self.table.file, column, pair], on_the_way, **QUICK)

    def show_columns(self, path: str | None, encoding: str, header: str) -> Iterator[tuple[Any, ...]]:
        """Yield how a new file is read, its columns and its first rows; what was there of another one goes."""
        gone = (gr.update(visible=False), gr.update(visible=False))
        yield html.placeholder(WAITING), gr.update(choices=[], value=None), gr.update(choices=[NONE], value=NONE), *gone
        if path is None:
            return
        read = self.table.read(path, encoding, header)
        columns = list(read.table.columns)
        yield (
            prediction_view.render_file_reading(read),
            gr.update(choices=columns, value=likely_text_column(read.table)),
            gr.update(choices=[NONE, *columns], value=NONE),
            gr.update(value=read.table.head(10), visible=True),
            gr.skip(),
        )

    def predict_rows(
        self,
        request: gr.Request,
        reference: str,
        path: str | None,
        encoding: str,
        header: str,
        text: str | None,
        second: str,
        *given: Any,
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Yield progress, then the file: the work is done in a thread that this generator can stop."""
        if path is None:
            raise DataError("There is no file. Choose one first.")
        yield prediction_view.render_row_progress(0, 0), gr.skip(), gr.update(visible=False)
        task = self.panel.task
        values = {name: value for name, value in self.panel.values(given).items() if name not in PER_ROW}
        stop = self.running.begin(request.session_hash)

        def predict_all(tell: Callable[[Any], None]) -> FilePrediction:
            return self.app.engine.call(
                predict_file,
                self.app.models,
                task,
                ModelRef.parse(reference or task.default_model),
                Path(path),
                served_folder("results") / secrets.token_hex(8),
                text_column=text,
                text_pair_column=None if second == NONE else second,
                values=values,
                options=parse_read_options(encoding, header),
                on_rows=lambda done, rows: tell((done, rows)),
                stop=stop,
            )

        for found in run_in_background(predict_all, stop):
            if isinstance(found, FilePrediction):
                yield (
                    prediction_view.render_file_facts(found),
                    gr.update(value=pd.DataFrame(found.preview, columns=list(found.columns)), visible=True),
                    gr.update(value=str(found.path), visible=True),
                )
            else:
                yield (prediction_view.render_row_progress(*found) if found else gr.skip()), gr.skip(), gr.skip()


def send_rows(path: str | None, text: str | None, pair: str) -> tuple[str, str | None, str | None, float]:
    """Return what Fine-tune gets: the file, its columns of texts, and a time by which it is told from the last one.

    Raises:
        DataError: there is no file.
    """
    if path is None:
        raise DataError("There is no file. Choose one first.")
    return path, text, None if pair == NONE else pair, time.time()


def likely_text_column(table: pd.DataFrame) -> str:
    """Return the column whose name says text, else the one with the longest words: the person chooses anyway."""
    columns = list(table.columns)
    try:
        return choose_text_columns(columns, None, "")[0]
    except DataError:
        letters = {name: table[name].str.count(r"[^\d\W]").mean() for name in columns}
        return max(columns, key=letters.__getitem__)
