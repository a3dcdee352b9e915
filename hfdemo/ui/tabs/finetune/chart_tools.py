"""The places of a run's charts, and how they are looked at: the axis across, smoothing, scale, and part in sight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hfdemo.finetuning.evaluation.compute_metrics import selection_metric
from hfdemo.finetuning.events import Event
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.runs.run import Run
from hfdemo.ui.event_handling import EACH, read_event
from hfdemo.ui.html import escape
from hfdemo.ui.line_chart import X_AXES, ChartView, Point, draw_charts
from hfdemo.ui.tabs.finetune import run_charts

MOST_SMOOTHING = 0.95


def build_charts(view: gr.State) -> gr.HTML:
    """Lay out a place for charts, out of sight yet, in which a part can be chosen to be seen alone."""
    charts = gr.HTML(visible=False, js_on_load="hfdemo.listenToCharts(element, trigger)")
    charts.input(change_view, view, view, **EACH)
    return charts


def build_tools(view: gr.State) -> gr.HTML:
    """Lay out the choices that change how charts are looked at, out of sight yet."""
    tools = gr.HTML(render_tools(view.value), visible=False, js_on_load="hfdemo.listenToChartTools(element, trigger)")
    tools.input(change_view, view, view, **EACH)
    return tools


def render_tools(view: ChartView) -> str:
    """Draw the choices as they stand at first; what a person changes stays in the browser."""
    options = "".join(
        f"<option value='{name}'{' selected' if name == view.x else ''}>{escape(words)}</option>"
        for name, words in X_AXES.items()
    )
    return (
        "<div class='hf-chart-tools' role='group' aria-label='Charts'>"
        f"<label>X axis <select name='x'>{options}</select></label>"
        f"<label>Smoothing <input type='range' name='smoothing' min='0' max='{MOST_SMOOTHING}' step='0.05' "
        f"value='{view.smoothing}'><output>{view.smoothing:g}</output></label>"
        f"<label><input type='checkbox' name='log'{' checked' if view.log else ''}> Log scale</label>"
        "<span class='hf-quiet'>Drag across a chart to zoom in.</span></div>"
    )


def change_view(event: gr.EventData, view: ChartView) -> ChartView:
    """Return the view with what the page's script sent: a choice of the tools, or the part to be seen."""
    x, smoothing, log = (read_event(event, name) for name in ("x", "smoothing", "log"))
    if isinstance(x, str) and x in X_AXES:
        zoom = view.zoom if x == view.x else None
        kept = min(max(float(smoothing), 0.0), MOST_SMOOTHING) if _is_number(smoothing) else view.smoothing
        return ChartView(x, kept, log is True, zoom)
    zoom = read_event(event, "zoom")
    if isinstance(zoom, list) and len(zoom) == 2 and all(map(_is_number, zoom)) and zoom[0] < zoom[1]:
        return replace(view, zoom=(float(zoom[0]), float(zoom[1])))
    return replace(view, zoom=None)


def update_charts(run: Run, events: Sequence[Event], titles: Mapping[str, str], view: ChartView) -> list[Any]:
    """Update the tools and the charts of the loss and of the metrics in `titles`; there are none before two points."""
    best = _find_best(run, events)
    charts = [run_charts.make_loss_chart(events, best), run_charts.make_metrics_chart(events, titles, best)]
    drawn = draw_charts(run.id, charts, view)
    return [gr.update(visible=bool(drawn)), gr.update(value=drawn, visible=bool(drawn))]


def update_logged_charts(run: Run, events: Sequence[Event], view: ChartView) -> list[Any]:
    """Update the charts of what is logged with each step."""
    drawn = draw_charts(run.id, run_charts.make_logged_charts(events, _find_best(run, events)), view)
    return [gr.update(value=drawn, visible=bool(drawn))]


def _find_best(run: Run, events: Sequence[Event]) -> Point | None:
    evaluator = find_kind(run.config.task, run.config.problem_type).evaluator
    return run_charts.find_best(events, *selection_metric(run.config, evaluator))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
