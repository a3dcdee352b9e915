"""The view What if: a word is changed, and the answer stands beside the first one."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.ui import html
from hfdemo.ui.event_handling import LATEST, QUICK, RunningJobs, draw_errors
from hfdemo.ui.renderers.generated_text import render_text_difference
from hfdemo.ui.tabs.run.compare import keep_answer, make_predictor, render_side_by_side
from hfdemo.ui.tabs.run.widgets import PanelInputs

ABOUT = (
    "The quickest check of an explanation: change the word that counts most, and see whether the answer moves. "
    "A is the text above, B the edited one."
)
UNCHANGED = "Change a word: both answers appear here."


class WhatIfTab:
    """The view that answers an edited text beside the one in the panel's fields.

    What the button began is one of `running`, which the panel's Stop ends; what typing began disturbs none of these.
    """

    def __init__(self, app: App, panel: PanelInputs, running: RunningJobs, typing: RunningJobs) -> None:
        self.app, self.panel, self.running, self.typing = app, panel, running, typing
        with gr.Tab("What if?") as tab:
            gr.HTML(html.about(ABOUT))
            edited = gr.Textbox(label="Edited text", lines=3, max_lines=12, interactive=True)
            with gr.Row():
                again = gr.Button("Begin with the text above", size="sm")
                both = gr.Button("Answer both", size="sm", variant="primary")
            shown = gr.HTML(html.placeholder(UNCHANGED))
        tab.select(lambda typed, *given: typed or self.read_text(*given), [edited, *panel.fields], edited, **QUICK)
        again.click(self.read_text, panel.fields, edited, **QUICK)
        inputs = [panel.model, edited, *panel.loading, *panel.fields]
        wires: dict[str, Any] = {**LATEST, **HEAVY}
        both.click(draw_errors(self.answer_both), inputs, shown, **wires)
        if panel.task.partial_output is None:  # what writes takes seconds: it waits for the button
            edited.change(draw_errors(self.answer_live), inputs, shown, **wires)

    def read_text(self, *given: Any) -> str:
        """Return the text that stands in the panel, "" where it is none."""
        text = self.panel.values(given).get("text")
        return text if isinstance(text, str) else ""

    def answer_live(self, request: gr.Request, reference: str, *values: Any) -> Iterator[str]:
        """Yield what `answer_both` does, where that loads no model that nobody has asked for yet."""
        ref = ModelRef.parse(reference or self.panel.task.default_model)
        if self.app.engine.call(ModelCache.is_trusted, self.app.models, ref):
            yield from self._answer(self.typing.begin(request.session_hash), ref, *values)
        else:
            yield html.placeholder("Press Answer both: it loads the model.")

    def answer_both(self, request: gr.Request, reference: str, *values: Any) -> Iterator[str]:
        """Yield the edit, and both answers with what moved between them."""
        ref = ModelRef.parse(reference or self.panel.task.default_model)
        yield from self._answer(self.running.begin(request.session_hash), ref, *values)

    def _answer(
        self, stop: Event, ref: ModelRef, edited: str | None, dtype: str, attention: str, *given: Any
    ) -> Iterator[str]:
        task, values = self.panel.task, self.panel.values(given)
        text = values.get("text")
        if not isinstance(text, str):
            raise DemoError("There is no single text above to compare with. Write one.")
        if not edited or edited == text:
            yield html.placeholder(UNCHANGED)
            return
        difference = render_text_difference(text, edited)
        yield difference + html.placeholder("Both are answered …")
        predict_with = make_predictor(self.app, self.panel, stop, dtype, attention)
        first, second = (keep_answer(task, predict_with(ref, {**values, "text": each})) for each in (text, edited))
        yield difference + render_side_by_side(first, second)
