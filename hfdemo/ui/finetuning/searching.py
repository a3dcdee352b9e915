"""A search for better training values: what is tried, and what came of it so far."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api import LIGHT, Endpoints, at_the_edge
from hfdemo.errors import DemoError
from hfdemo.finetuning.runs.search import MOST_TRIALS
from hfdemo.ui import html
from hfdemo.ui.finetuning import parallel
from hfdemo.ui.finetuning.form import Form
from hfdemo.ui.wiring import LATEST, PRIVATE, QUICK

HOW = (
    "Each trial is a run like any other, one after the other, on the same rows. The first has the form's values; from "
    "then on Optuna's TPE chooses from what it has seen, and ends early what is worse than the others at the same step."
)
WATCH_SECONDS = 2.0


def build(endpoints: Endpoints, demo: gr.Blocks, asked: Form, run: gr.Dropdown) -> None:
    """A fold with the ranges to try on the left and the trials on the right; the best one can be opened in `run`."""
    with gr.Accordion("Search for better values", open=False, visible=not endpoints.settings.public):
        gr.HTML(html.about(HOW))
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                with gr.Row():
                    lowest, highest = around(asked.rate.value) or (None, None)
                    low = gr.Number(lowest, label="Lowest learning rate", min_width=120)
                    high = gr.Number(highest, label="Highest learning rate", min_width=120)
                sizes = gr.Textbox("8, 16, 32", label="Batch sizes", info="any of these", max_lines=1)
                with gr.Row():
                    fewest = gr.Number(1, label="Fewest epochs", precision=0, min_width=120)
                    most = gr.Number(4, label="Most epochs", precision=0, min_width=120)
                trials = gr.Slider(1, MOST_TRIALS, 8, step=1, label="Trials")
                begin = gr.Button("Search", variant="primary")
            with gr.Column(scale=6, min_width=320):
                chosen = gr.Dropdown([], label="Searches", interactive=True, allow_custom_value=True)
                found = gr.HTML(html.empty("No search yet."))
                with gr.Row():
                    stop = gr.Button("Stop the search", interactive=False, size="md", min_width=140)
                    best = gr.Button("Show the best run", interactive=False, size="md", min_width=140)
    typed = gr.State(False)
    asked.rate.change(follow, [asked.rate, typed], [low, high], **LATEST)
    gr.on([low.input, high.input], lambda: True, outputs=typed, **LATEST)
    shown = gr.State("")
    timer = gr.Timer(WATCH_SECONDS)

    def names() -> list[str]:
        return [search.id for search in endpoints.searches.list()]

    def start(low: float, high: float, sizes: str, fewest: int, most: int, trials: int, *values: Any) -> Any:
        config, path = asked.read(values)
        space = {"learning_rate": [low, high], "batch_sizes": _numbers(sizes), "epochs": [fewest, most]}
        search = endpoints.searches.start(config, space, int(trials), path)
        return gr.update(choices=names(), value=search.id)

    ranges = [low, high, sizes, fewest, most, trials]
    begin.click(at_the_edge(start, html.plain), [*ranges, *asked.inputs], chosen, **PRIVATE, **LIGHT)

    def refresh(search: str | None, shown: str) -> tuple[Any, ...]:
        """What the chosen search has come to; nothing is drawn again that did not change."""
        if not search:
            there = names()
            return (gr.update(choices=there, value=there[0]) if there else gr.skip()), *[gr.skip()] * 4
        try:
            told = endpoints.searches.get(search).to_json()
        except DemoError as error:
            return gr.skip(), html.notes([str(error)]), gr.update(interactive=False), gr.update(interactive=False), ""
        stamp = repr((search, told["state"], told["trials"]))
        if stamp == shown:
            return (*[gr.skip()] * 5,)
        state = [
            ("search", search),
            ("state", told["state"]),
            ("trials", f"{len(told['trials'])} of {told['planned']}"),
        ]
        failed = html.notes([told["error"]]) if told["error"] else ""
        return (
            gr.skip(),
            html.facts(state) + failed + parallel.drawn(told),
            gr.update(interactive=told["state"] == "running"),
            gr.update(interactive=told["best"] is not None),
            stamp,
        )

    gr.on(
        [timer.tick, chosen.change, demo.load],
        at_the_edge(refresh, html.plain),
        [chosen, shown],
        [chosen, found, stop, best, shown],
        **QUICK,
    )

    def end(search: str) -> None:
        endpoints.searches.get(search).stop()

    stop.click(at_the_edge(end, html.plain), chosen, None, **QUICK)

    def show(search: str) -> Any:
        trial = endpoints.searches.get(search).best()
        return gr.skip() if trial is None else trial.run

    best.click(at_the_edge(show, html.plain), chosen, run, **QUICK)


def around(rate: float | None) -> tuple[float, float] | None:
    """The learning rates to try where the form has `rate`: a fifth of it to five times as much."""
    if not rate or rate < 0:
        return None
    low, high = (float(f"{each:.3g}") for each in (rate / 5, rate * 5))
    return low, high


def follow(rate: float | None, typed: bool) -> tuple[Any, Any]:
    """The range for another learning rate in the form, unless somebody has typed a range."""
    return (None if typed else around(rate)) or (gr.skip(), gr.skip())


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError as error:
        raise DemoError(f"The batch sizes are {text!r}, but should be whole numbers, such as 8, 16, 32.") from error
