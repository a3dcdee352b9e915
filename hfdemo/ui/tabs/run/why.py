"""The view Why: what each word adds to the answer, and where the model looks."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import DemoError
from hfdemo.inference import explain_answer, read_attention
from hfdemo.models.reference import ModelRef
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE, QUIET, RunningJobs, draw_errors, follow_job
from hfdemo.ui.renderers.attribution import render_attention, render_attribution
from hfdemo.ui.tabs.run.widgets import PanelInputs

GRADIENTS, LEFT_OUT, ATTENTION = "Integrated gradients", "Leave one out", "Attention"
METHODS = {GRADIENTS: "integrated_gradients", LEFT_OUT: "leave_one_out"}
ABOUT = {
    GRADIENTS: "The words are faded in, from none to the whole text, and each is credited with what it moved. The "
    "credits add up to the difference. `captum.attr.IntegratedGradients`",
    LEFT_OUT: "Each token is taken away in turn: how much does the logit lose? Simple, and blind to words that say the "
    "same twice.",
    ATTENTION: "How much of each token goes into each other one, in one layer. "
    '`from_pretrained(..., attn_implementation="eager")`',
}
TARGETS = {
    "labels": "a label; empty: the one that was answered",
    "spans": "a token by its place, such as 3 or 3:B-PER; empty: the surest one",
    "chat": "the next token as it is written; empty: the likeliest",
}


class WhyTab:
    """The view that explains an answer of the panel's task to what stands in its fields now."""

    def __init__(self, app: App, panel: PanelInputs, running: RunningJobs) -> None:
        self.app, self.panel, self.running = app, panel, running
        with gr.Tab("Why?"):
            method = gr.Radio([GRADIENTS, LEFT_OUT, ATTENTION], value=GRADIENTS, label="Look at", interactive=True)
            said = gr.HTML(html.about(ABOUT[GRADIENTS]))
            with gr.Row():
                target = gr.Textbox(
                    label="What is explained", info=TARGETS[panel.task.output], max_lines=1, min_width=200
                )
                # gr.Number shows and sends an empty field as 0; a text box can be empty.
                layer = gr.Textbox(label="Layer", info="from 0; empty: the last", max_lines=1, visible=False)
                head = gr.Textbox(label="Head", info="from 0; empty: the mean", max_lines=1, visible=False)
                explain = gr.Button("Explain", variant="primary", min_width=100)
            drawing = gr.HTML(html.placeholder("The text appears here, each word coloured by what it adds."))
        method.change(arrange, method, [said, target, layer, head], **QUIET)
        explain.click(
            draw_errors(self.explain),
            [panel.model, method, target, layer, head, *panel.fields],
            drawing,
            **PRIVATE,
            **HEAVY,
        )

    def explain(
        self,
        request: gr.Request,
        reference: str,
        method: str,
        target: str | None,
        layer: str | None,
        head: str | None,
        *given: Any,
    ) -> Iterator[str]:
        """Yield how far it is, and then the drawing."""
        app, task, values = self.app, self.panel.task, self.panel.values(given)
        if not isinstance(values.get("text"), str):
            raise DemoError("There is no text to explain the answer to. Write one above.")
        ref = ModelRef.parse(reference or task.default_model)
        texts = (values["text"], values.get("text_pair"))

        def work(_: Any, stop: Event) -> str:
            if method == ATTENTION:
                places = (read_place("Layer", layer), read_place("Head", head))
                return render_attention(
                    app.engine.call(read_attention, app.models, task, ref, *texts, *places, stop=stop)
                )
            return render_attribution(
                app.engine.call(
                    explain_answer, app.models, task, ref, *texts, target or None, METHODS[method], stop=stop
                )
            )

        yield html.placeholder("At work … Stop ends it.")
        for now, result in follow_job(self.running, request.session_hash, work):
            if result is not None or isinstance(now, str):
                yield now if result is None else result


def read_place(name: str, text: str | None) -> int | None:
    """Return the number in a box, None for an empty one.

    Raises:
        DemoError: something else stands there.
    """
    if not (text or "").strip():
        return None
    try:
        return int(text or "")
    except ValueError as error:
        raise DemoError(f"{name} is {text!r:.40}, but takes a whole number from 0 on, or nothing.") from error


def arrange(method: str) -> tuple[Any, ...]:
    """Show what the method asks for."""
    looks = method == ATTENTION
    return html.about(ABOUT[method]), *(gr.update(visible=each) for each in (not looks, looks, looks))
