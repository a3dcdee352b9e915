"""A table that a person brings to a fold: the file, how it is read, and what is shown as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import LIGHT
from hfdemo.data_sources.formats import FORMATS
from hfdemo.inference import FileRows, read_rows
from hfdemo.ui.event_handling import PRIVATE, draw_errors
from hfdemo.ui.read_options import build_read_options, parse_read_options


class TableUpload:
    """The fields of a table; `inputs` are the file, its encoding and what its first line is."""

    def __init__(self, app: App, label: str) -> None:
        self.app = app
        self.file = gr.File(label=label, file_types=[*FORMATS], height=120)
        self.inputs: list[Any] = [self.file, *build_read_options()]

    def show_on_change(self, handler: Callable[..., Any], outputs: list[Any]) -> None:
        """Call `handler` with the inputs when one of them changes; its errors are drawn in the first of `outputs`."""
        file, encoding, header = self.inputs
        gr.on(
            [file.change, encoding.input, header.input],
            draw_errors(handler, *[gr.skip()] * (len(outputs) - 1)),
            self.inputs,
            outputs,
            **PRIVATE,
            **LIGHT,
            trigger_mode="always_last",
        )

    def read(self, path: str, encoding: str, header: str) -> FileRows:
        """Read the table that the inputs say.

        Raises:
            DataError: it can't be read, or has too many rows.
        """
        options = parse_read_options(encoding, header)
        found: FileRows = self.app.engine.call(read_rows, Path(path), self.app.settings, options)
        return found
