"""The fold of a map: the texts of a file as points, by the vectors that the panel's model makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import DataError
from hfdemo.inference import EmbeddingMap, map_embeddings
from hfdemo.models.hub import Progress
from hfdemo.models.reference import ModelRef
from hfdemo.ui import html
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUIET, RunningJobs, draw_errors, follow_job
from hfdemo.ui.read_options import parse_read_options
from hfdemo.ui.renderers.embedding_map import list_colourings, render_embedding_map
from hfdemo.ui.tabs.run import prediction_view
from hfdemo.ui.tabs.run.batch_predict import NONE, likely_text_column
from hfdemo.ui.tabs.run.table_upload import TableUpload
from hfdemo.ui.tabs.run.widgets import PanelInputs

MOST_LABELS = 20
METHODS = [("PCA: the two main directions", "pca"), ("t-SNE: near stays near", "tsne")]
ABOUT = (
    "Each text of a file becomes a point, and texts that the model reads alike lie together. Labels that mix where "
    "they should part, or a point among those of another label, are worth a look."
)


class MapFold:
    """The fold that draws the texts of a file as the panel's model reads them."""

    def __init__(self, app: App, panel: PanelInputs, running: RunningJobs) -> None:
        self.app, self.panel, self.running = app, panel, running
        with gr.Accordion("A map of the texts of a file", open=False):
            gr.HTML(html.about(ABOUT))
            with gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=300):
                    self.table = TableUpload(app, "A table with texts, and maybe labels")
                    text = gr.Dropdown([], label="Texts", interactive=True)
                    label = gr.Dropdown([NONE], value=NONE, label="Labels", interactive=True)
                    method = gr.Radio(METHODS, value="pca", label="Laid out by", interactive=True)
                    with gr.Row():
                        draw = gr.Button("Draw the map", variant="primary")
                        stop = gr.Button("Stop", min_width=80)
                with gr.Column(scale=7, min_width=300):
                    colouring = gr.Radio([], label="Coloured by", visible=False, interactive=True)
                    drawing = gr.HTML(html.placeholder("The map appears here."))
        kept = gr.State(None)
        self.table.show_on_change(self.show_columns, [drawing, text, label, colouring, kept])
        draw.click(
            draw_errors(self.draw, gr.update(visible=False), None),
            [panel.model, *self.table.inputs, text, label, method],
            [drawing, colouring, kept],
            **PRIVATE,
            **HEAVY,
        )
        colouring.input(draw_errors(recolour), [kept, colouring], drawing, **LATEST)
        stop.click(running.on_stop, **QUIET)

    def show_columns(self, path: str | None, encoding: str, header: str) -> tuple[Any, ...]:
        """Return the columns of a new file; the map of another one goes."""
        gone = (gr.update(visible=False), None)
        if path is None:
            return html.placeholder("The map appears here."), *[gr.update(choices=[], value=None)] * 2, *gone
        read = self.table.read(path, encoding, header)
        columns, text = list(read.table.columns), likely_text_column(read.table)
        few = (name for name in columns if name != text and 2 <= read.table[name].nunique() <= MOST_LABELS)
        return (
            prediction_view.render_file_reading(read) + html.placeholder("Press Draw the map."),
            gr.update(choices=columns, value=text),
            gr.update(choices=[NONE, *columns], value=next(few, NONE)),
            *gone,
        )

    def draw(
        self,
        request: gr.Request,
        reference: str,
        path: str | None,
        encoding: str,
        header: str,
        text: str | None,
        label: str | None,
        method: str,
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Yield how far it is, and then the map."""
        if path is None:
            raise DataError("There is no file. Choose one first.")
        app, options = self.app, parse_read_options(encoding, header)

        def work(tell: Progress, stop: Event) -> EmbeddingMap:
            return app.engine.call(
                map_embeddings,
                app.models,
                ModelRef.parse(reference or self.panel.task.default_model),
                Path(path),
                text,
                None if label in (NONE, None) else label,
                method,
                options,
                on_rows=lambda done, rows: tell("Reading the texts", done, rows),
                stop=stop,
            )

        for said, found in follow_job(self.running, request.session_hash, work):
            if found is None:
                yield said, gr.skip(), gr.skip()
                continue
            choices = list_colourings(found)
            yield (
                render_embedding_map(found, choices[0]),
                gr.Radio(choices, value=choices[0], visible=len(choices) > 1),
                found,
            )


def recolour(found: EmbeddingMap | None, colouring: str) -> Any:
    """Draw the same points in other colours."""
    return gr.skip() if found is None else render_embedding_map(found, colouring)
