"""A search for better training values: what is tried, what came of it, and its trials as parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.endpoints import LIGHT
from hfdemo.api.error_boundary import catch_errors
from hfdemo.errors import DemoError
from hfdemo.finetuning.runs.search import MOST_TRIALS
from hfdemo.ui import html
from hfdemo.ui.axes import draw_svg
from hfdemo.ui.deep_links import keep_known
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUICK, toast_errors
from hfdemo.ui.html import Html, escape
from hfdemo.ui.page_state import PageState, read_kept
from hfdemo.ui.tabs.finetune.form import Form

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 30, 24
NAMES = {
    "learning_rate": "learning rate",
    "per_device_train_batch_size": "batch size",
    "num_train_epochs": "epochs",
}


def render_search(search: Mapping[str, Any]) -> str:
    """Draw what there is to see of a search (`Search.to_json`): its lines once two trials have ended, and its table."""
    done = [trial for trial in search["trials"] if trial["value"] is not None]
    lines = _parallel_coordinates(done, search) if len(done) > 1 else ""
    return lines + _trial_table(search)


def _parallel_coordinates(trials: Sequence[Mapping[str, Any]], search: Mapping[str, Any]) -> str:
    """Draw one line per trial, from axis to axis; the better its value the stronger, the best above the others."""
    axes = [name for name in NAMES if all(name in trial["parameters"] for trial in trials)]
    columns = [[float(trial["parameters"][name]) for trial in trials] for name in axes]
    columns.append([float(trial["value"]) for trial in trials])
    places = [LEFT + index * (WIDTH - LEFT - RIGHT) / max(1, len(columns) - 1) for index in range(len(columns))]
    heights = [
        _axis_heights(column, log=name == "learning_rate") for column, name in zip(columns, [*axes, ""], strict=True)
    ]
    sign = 1 if search["greater_is_better"] else -1
    order = sorted(range(len(trials)), key=lambda index: sign * trials[index]["value"])
    best = search["best"] and search["best"]["number"]
    parts = []
    for rank, index in enumerate(order):
        trial = trials[index]
        points = " ".join(f"{x:.1f},{height[index]:.1f}" for x, height in zip(places, heights, strict=True))
        kind = "hf-trial hf-best-trial" if trial["number"] == best else "hf-trial"
        strength = 0.2 + 0.6 * rank / max(1, len(order) - 1)
        title = escape(f"trial {trial['number']}: {_format_number(trial['value'])}, {trial['state']}")
        parts.append(
            f"<polyline class='{kind}' style='opacity:{1 if trial['number'] == best else strength:.2f}' "
            f"points='{points}'><title>{title}</title></polyline>"
        )
    for x, column, name in zip(places, columns, [*(NAMES[axis] for axis in axes), search["metric"]], strict=True):
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{HEIGHT - BOTTOM}'/>")
        parts.append(f"<text x='{x:.1f}' y='14'>{escape(name)}</text>")
        parts.append(f"<text x='{x:.1f}' y='{TOP - 4}'>{escape(_format_number(max(column)))}</text>")
        parts.append(f"<text x='{x:.1f}' y='{HEIGHT - 8}'>{escape(_format_number(min(column)))}</text>")
    title = f"Parallel coordinates of {len(trials)} trials"
    return f"<figure class='hf-diagram hf-parallel'>{draw_svg(title, ''.join(parts), (WIDTH, HEIGHT))}</figure>"


def _axis_heights(values: Sequence[float], log: bool) -> list[float]:
    """Return where the values of an axis stand, the largest on top; in the middle where all are the same."""
    scaled = [math.log(value) for value in values] if log else list(values)
    low, high = min(scaled), max(scaled)
    span = HEIGHT - TOP - BOTTOM
    return [HEIGHT - BOTTOM - span * ((value - low) / (high - low) if high > low else 0.5) for value in scaled]


def _trial_table(search: Mapping[str, Any]) -> str:
    if not search["trials"]:
        return ""
    best = search["best"] and search["best"]["number"]
    rows = []
    for trial in search["trials"]:
        mark = " <span class='hf-chip hf-best'>best</span>" if trial["number"] == best else ""
        own = " (the form's values)" if trial["number"] == 0 else ""
        named = Html(f"{trial['number']}{own}{mark}<small>{escape(trial['run'])}</small>")
        values = [_format_number(trial["parameters"].get(name)) for name in NAMES]
        rows.append([named, *values, _format_number(trial["value"]), trial["state"]])
    head = ["trial", *NAMES.values(), search["metric"], "state"]
    return html.table(head, rows, range(1, len(head) - 1), kind="hf-trials")


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 0.01 else f"{value:.4g}"


HOW = (
    "Each trial is a run like any other, one after the other, on the same rows. The first has the form's values; from "
    "then on Optuna's TPE chooses from what it has seen, and ends early what is worse than the others at the same step."
)
WATCH_SECONDS = 2.0
RANGES = ("low", "high", "sizes", "fewest", "most", "trials")


class SearchFold:
    """The ranges to try on the left and the trials on the right; the best one can be opened in `run`."""

    def __init__(self, app: App, opened: Any, asked: Form, run: gr.Dropdown, page: PageState) -> None:
        self.app, self.asked = app, asked
        with gr.Accordion("Search for better values", open=False, visible=not app.settings.public) as fold:
            gr.HTML(html.about(HOW))
            with gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=300):
                    typed = self._build_ranges()
                with gr.Column(scale=6, min_width=320):
                    chosen = gr.Dropdown([], label="Searches", interactive=True, allow_custom_value=True)
                    found = gr.HTML(html.placeholder("No search yet."))
                    with gr.Row():
                        stop = gr.Button("Stop the search", interactive=False, size="md", min_width=140)
                        best = gr.Button("Show the best run", interactive=False, size="md", min_width=140)
        shown = gr.State("")
        kept = dict(zip(RANGES, self.ranges, strict=True))
        page.keep("search", kept)
        rate = asked.form.fields["rate"]
        opened(recall_ranges, [rate, page.recalled], [*self.ranges, typed], js=page.recall("search"), **QUICK)
        asked.form.handle_on(self.begin.click, toast_errors(self.start), self.ranges, chosen, **PRIVATE, **LIGHT)
        timer = gr.Timer(WATCH_SECONDS, active=False)  # what nobody sees need not be asked for
        fold.expand(lambda: gr.Timer(active=True), outputs=timer, **QUICK)
        fold.collapse(lambda: gr.Timer(active=False), outputs=timer, **QUICK)
        gr.on(
            [timer.tick, chosen.change, opened],
            catch_errors(self.refresh, refuse_search),
            [chosen, shown],
            [chosen, found, stop, best, shown],
            **QUICK,
        )
        stop.click(toast_errors(self.stop_search), chosen, None, **QUICK)
        best.click(toast_errors(self.find_best_run), chosen, run, **QUICK)

    def _build_ranges(self) -> gr.State:
        """Lay the ranges out; return whether somebody has typed a learning rate."""
        rate = self.asked.form.fields["rate"]
        with gr.Row():
            lowest, highest = suggest_rate_range(rate.value) or (None, None)
            low = gr.Number(lowest, label="Lowest learning rate", min_width=120)
            high = gr.Number(highest, label="Highest learning rate", min_width=120)
        sizes = gr.Textbox("8, 16, 32", label="Batch sizes", info="any of these", max_lines=1)
        with gr.Row():
            fewest = gr.Number(1, label="Fewest epochs", precision=0, min_width=120)
            most = gr.Number(4, label="Most epochs", precision=0, min_width=120)
        trials = gr.Slider(1, MOST_TRIALS, 8, step=1, label="Trials")
        self.begin = gr.Button("Search", variant="primary")
        self.ranges = [low, high, sizes, fewest, most, trials]
        typed = gr.State(False)
        rate.change(update_range, [rate, typed], [low, high], **LATEST)
        gr.on([low.input, high.input], lambda: True, outputs=typed, **LATEST)
        return typed

    def _list_ids(self) -> list[str]:
        return [search.id for search in self.app.searches.list()]

    def start(self, low: float, high: float, sizes: str, fewest: int, most: int, trials: int, *values: Any) -> Any:
        """Start a search over the ranges with what the form asks for."""
        config, path = self.asked.form.read_config(values)
        space = {"learning_rate": [low, high], "batch_sizes": _parse_batch_sizes(sizes), "epochs": [fewest, most]}
        search = self.app.searches.start(config, space, int(trials), path, caller_left())
        return gr.update(choices=self._list_ids(), value=search.id)

    def refresh(self, search: str | None, shown: str) -> tuple[Any, ...]:
        """Show what the chosen search has come to; nothing is drawn again that did not change."""
        if not search:
            there = self._list_ids()
            return (gr.update(choices=there, value=there[0]) if there else gr.skip()), *[gr.skip()] * 4
        found = self.app.searches.get(search).to_json()
        stamp = repr((search, found["state"], found["trials"]))
        if stamp == shown:
            return (*[gr.skip()] * 5,)
        state = [
            ("search", search),
            ("state", found["state"]),
            ("trials", f"{len(found['trials'])} of {found['planned']}"),
        ]
        failed = html.notes([found["error"]]) if found["error"] else ""
        return (
            gr.skip(),
            html.facts(state) + failed + render_search(found),
            gr.update(interactive=found["state"] == "running"),
            gr.update(interactive=found["best"] is not None),
            stamp,
        )

    def stop_search(self, search: str) -> None:
        """Ask the search to stop."""
        self.app.searches.get(search).stop()

    def find_best_run(self, search: str) -> Any:
        """Return the run of the best trial."""
        trial = self.app.searches.get(search).best()
        return gr.skip() if trial is None else trial.run


def refuse_search(sentence: str) -> tuple[Any, ...]:
    """Say why the chosen search can't be shown."""
    return gr.skip(), html.notes([sentence]), gr.update(interactive=False), gr.update(interactive=False), ""


def suggest_rate_range(rate: float | None) -> tuple[float, float] | None:
    """Return the learning rates to try where the form has `rate`: a fifth of it to five times as much."""
    if not rate or rate < 0:
        return None
    low, high = (float(f"{each:.3g}") for each in (rate / 5, rate * 5))
    return low, high


def recall_ranges(rate: float | None, kept: str | None) -> list[Any]:
    """Return the ranges that the page had before it was loaded again, and whether its rates were typed."""
    numbers = dict.fromkeys(RANGES, (int, float))
    held = keep_known(read_kept(kept)[1], {**numbers, "sizes": str})
    rates = (held.get("low"), held.get("high"))
    return [*(held.get(name, gr.skip()) for name in RANGES), None not in rates and rates != suggest_rate_range(rate)]


def update_range(rate: float | None, typed: bool) -> tuple[Any, Any]:
    """Return the range for another learning rate in the form, unless somebody has typed a range."""
    return (None if typed else suggest_rate_range(rate)) or (gr.skip(), gr.skip())


def _parse_batch_sizes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError as error:
        raise DemoError(f"The batch sizes are {text!r}, but should be whole numbers, such as 8, 16, 32.") from error
