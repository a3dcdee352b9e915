"""The tab Fine-tune: data -> settings -> a run that is watched live, and used at once when it has finished."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.endpoints import LIGHT
from hfdemo.api.error_boundary import catch_errors
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE
from hfdemo.ui.page_state import PageState
from hfdemo.ui.tabs.finetune import form, hp_search, run_actions, run_view
from hfdemo.ui.tabs.run import RunTab
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

ABOUT = (
    "A checkpoint and rows of text in, a model that has learned from them out: `Dataset.map(tokenize, batched=True)`, "
    "`DataCollatorWithPadding` for dynamic padding, `Trainer(model, args, ...).train()`, evaluated with `evaluate`. "
    "Training runs in a process of its own: close the tab, come back, it is still there."
)


def build(
    app: App,
    demo: gr.Blocks,
    opened: Any,
    run_tab: RunTab,
    tabs: gr.Tabs,
    chosen: DatasetChoice,
    page: PageState,
) -> None:
    """Lay the tab out, to be filled in when it is `opened`.

    `run_tab` is the first tab, which a finished run can be sent to, and `chosen` is what the second tab
    sends here. `page` keeps the form and names the run.
    """
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id=run_view.FORM):
            asked = form.build(app, demo, opened, tabs, chosen, page)
        with gr.Column(scale=7, min_width=320):
            watched = run_view.RunView(app, demo, opened, run_tab, tabs)
    asked.fill_on(watched.prefill)
    watched.run.change(None, watched.run, js="hfdemo.nameInAddress('run')", **PRIVATE)
    hp_search.SearchFold(app, opened, asked, watched.run)

    def start_training(*values: Any) -> tuple[Any, Any]:
        """Start a run of what the form asks for; a refusal is said above Start, where it stays until it is mended."""
        config, path = asked.read_config(values)
        begun = app.runs.start(app.runs.create(config, path, stop=caller_left()))
        return gr.update(choices=run_actions.list_run_choices(app), value=begun.id), gr.skip()

    start = catch_errors(start_training, lambda sentence: (gr.skip(), form.render_refusal(sentence)))
    asked.start.click(start, asked.inputs, [watched.run, asked.ready_line], **PRIVATE, **LIGHT).success(
        fn=None,
        js=f"hfdemo.scrollUnless('.{form.REFUSED}', '{run_view.RUN_PANEL}')",
    )
