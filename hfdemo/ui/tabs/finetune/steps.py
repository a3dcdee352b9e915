"""The steps of the tab, of which the browser shows one: Data, Check, Model, Train, Result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

import gradio as gr

from hfdemo.ui import html

# By the names that static/steps.js knows and the address says.
STEPS: Mapping[str, str] = MappingProxyType(
    {"data": "Data", "check": "Check", "model": "Model", "train": "Train", "result": "Result"}
)


def build_steps() -> dict[str, gr.Column]:
    """Lay the steps out, and an empty panel for each, which is filled where it is entered."""
    # All are laid out when the tab is opened: gradio tells nothing of a field that changes before it is.
    gr.HTML(html.steps(STEPS), js_on_load="hfdemo.startSteps()", padding=False)
    panels = {}
    for name in STEPS:
        with gr.Column(elem_id=f"step-{name}", elem_classes="hf-panel") as panels[name]:
            pass
    return panels


def render_step_button(step: str, words: str, field: str = "") -> str:
    """Render a button that opens `step` and there looks for a field of the form."""
    wanted = f" data-field='{html.escape(field)}'" if field else ""
    return f"<button type='button' data-open-step='{step}'{wanted}>{html.escape(words)}</button>"


def open_step(step: str) -> str:
    """Return the script of an event that opens `step`."""
    return f"hfdemo.openStep({json.dumps(step)})"


def open_step_unless(selector: str, step: str) -> str:
    """Return the script of an event that opens `step` where nothing on the page fits `selector`."""
    return f"hfdemo.openStepUnless({json.dumps(selector)}, {json.dumps(step)})"
