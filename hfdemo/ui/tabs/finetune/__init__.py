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
from hfdemo.ui.tabs.finetune import form, hp_search, run_actions, run_view, start_bar, steps
from hfdemo.ui.tabs.run import RunTab
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

ABOUT = (
    "`Dataset.map(tokenize, batched=True)`, `DataCollatorWithPadding` for dynamic padding, `Trainer.train()`, "
    "`evaluate`: close the page while it trains, and come back."
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

    `run_tab` is the first tab, which a finished run can be sent to and which sends rows here, and `chosen` is what the
    second tab sends. `page` keeps the form and names the run.
    """
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=9, min_width=320):
            panels = steps.build_steps()
            asked = form.build(app, demo, opened, tabs, panels, chosen, run_tab.rows, page)
        with gr.Column(scale=3, min_width=260, elem_classes="hf-sidebar") as sidebar:
            pass
    watched = run_view.RunView(app, demo, opened, run_tab, tabs, panels["result"], sidebar)
    asked.fill_on(watched.prefill)
    watched.run.change(None, watched.run, js="hfdemo.nameInAddress('run')", **PRIVATE)
    with panels["train"]:
        hp_search.SearchFold(app, opened, asked, watched.run, page)

    def start_training(*values: Any) -> tuple[Any, Any]:
        """Start a run of what the form asks for; a refusal is said beside Start, where it stays until it is fixed."""
        config, path = asked.form.read_config(values)
        begun = app.runs.start(app.runs.create(config, path, stop=caller_left()))
        return gr.update(choices=run_actions.list_run_choices(app), value=begun.id), gr.skip()

    start = catch_errors(start_training, lambda sentence: (gr.skip(), start_bar.render_refusal(sentence)))
    shown = [watched.run, asked.ready_line]
    asked.form.handle_on(asked.start.click, start, [], shown, **PRIVATE, **LIGHT).success(
        fn=None,
        js=steps.open_step_unless(f".{start_bar.REFUSED}", "result"),
    )
