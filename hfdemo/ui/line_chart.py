"""Line charts as inline SVG: series over steps, epochs or time, a legend with their values, and sentences on them.

Several charts of a group share the axis across; static/charts.js shows in all of them what a pointer or a key points
at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from hfdemo.ui.axes import BOTTOM, LEFT, RIGHT, Frame, draw_axes, find_range
from hfdemo.ui.html import escape

WIDTH, HEIGHT = 360, 226
# Above the lines stands what is best, and what is pointed at.
TOP = 20
# Each line has a colour, a dash and a marker of its own, all three: static/charts.css.
LOOKS = 6
# More markers than that run into each other.
MOST_MARKERS = 60
X_AXES: Mapping[str, str] = MappingProxyType({"step": "Step", "epoch": "Epoch", "seconds": "Time"})
# From so many seconds on a time axis is written in this unit.
_TIME_UNITS = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))
_MARKERS = (
    "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",  # circle
    "M0-4.4L4.4 0L0 4.4L-4.4 0z",  # diamond
    "M-3-3h6v6h-6z",  # square
    "M0-4L4 3.2h-8z",  # triangle
    "M0 4L4-3.2h-8z",  # triangle, upside down
    "M-1.2-4h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8v-2.4h2.8z",  # cross
)


class Point(NamedTuple):
    """A value, and when it was: after so many optimizer steps, epochs and seconds of work."""

    step: float
    epoch: float
    seconds: float
    value: float


@dataclass(frozen=True)
class Series:
    """A line. Where it `is_measured`, now and then, each point has a marker; else it may be smoothed."""

    name: str
    points: Sequence[Point]
    is_measured: bool = False


@dataclass(frozen=True)
class LineChart:
    """A chart. `name` finds it again and begins the names of its files, `y` is the name of its axis with the unit,
    `limits` are the ends of that axis (None: the values decide), `best` is the point to mark in it."""

    name: str
    title: str
    y: str
    series: Sequence[Series]
    limits: tuple[float, float] | None = None
    best: Point | None = None

    @property
    def has_line(self) -> bool:
        """Whether there is something to draw: a line needs two points."""
        return len({point.step for each in self.series for point in each.points}) > 1


@dataclass(frozen=True)
class ChartView:
    """How a person looks at charts: one of X_AXES, how much is smoothed (from 0, below 1), whether the scale is
    logarithmic, and the part of the axis across that is in sight (None: all of it)."""

    x: str = "step"
    smoothing: float = 0.0
    log: bool = False
    zoom: tuple[float, float] | None = None


def draw_charts(group: str, charts: Sequence[LineChart], view: ChartView) -> str:
    """Draw the charts of a group that have a line, side by side, with the same axis across; "" if there is none."""
    drawn = [chart for chart in charts if chart.has_line]
    if not drawn:
        return ""
    places = [getattr(point, view.x) for chart in drawn for each in chart.series for point in each.points]
    low, high = view.zoom or (min(0.0, *places), max(places))
    span = (low, high if high > low else low + 1)
    back = "<button type='button' data-unzoom>Reset zoom</button>" if view.zoom else ""
    figures = "".join(_draw_chart(chart, view, span) for chart in drawn)
    return f"<div class='hf-charts' data-group='{escape(group)}' data-x='{view.x}'>{back}{figures}</div>"


def _draw_chart(chart: LineChart, view: ChartView, span: tuple[float, float]) -> str:
    title, lines = escape(chart.title), [_Line(each, view, look % LOOKS) for look, each in enumerate(chart.series)]
    frame = _find_frame(chart, lines, view, span)
    unit, across = _name_x_axis(view.x, span[1])
    # What is beyond the part in sight is cut off; without one, markers on the edge are whole.
    left, width = (LEFT, WIDTH - LEFT - RIGHT) if view.zoom else (LEFT - 5, WIDTH - LEFT - RIGHT + 10)
    top, height = TOP - 5, HEIGHT - TOP - BOTTOM + 10
    place = f"x='{left}' y='{top}' width='{width}' height='{height}' viewBox='{left} {top} {width} {height}'"
    body = "".join(line.draw(frame) for line in lines)
    files = "".join(
        f"<button type='button' data-save='{kind.lower()}' aria-label='Download {title} as {kind}'>{kind}</button>"
        for kind in ("SVG", "PNG", "CSV")
    )
    data = json.dumps([line.to_json() for line in lines], separators=(",", ":"))
    return (
        f"<figure class='hf-chart' data-name='{escape(chart.name)}' data-series='{escape(data)}'>"
        f"<figcaption><b>{title}</b><span class='hf-chart-files'>{files}</span>"
        f"</figcaption><svg viewBox='0 0 {WIDTH} {HEIGHT}' tabindex='0' role='img' "
        f"aria-label='{escape(describe_chart(chart, view.x))}' "
        f"data-plot='{LEFT} {WIDTH - RIGHT} {TOP} {HEIGHT - BOTTOM} {span[0]} {span[1]}'>"
        f"{draw_axes(frame, across, chart.y, unit)}"
        f"<svg {place}>{body}</svg>{_mark_best(chart.best, view.x, frame)}</svg>"
        f"<ul class='hf-key'>{''.join(line.draw_legend() for line in lines)}</ul></figure>"
    )


class _Line:
    """A series as it is drawn: the points that its scale has, and the smoothed values."""

    def __init__(self, series: Series, view: ChartView, look: int) -> None:
        self.series, self.look, self.x = series, look, view.x
        self.points = [point for point in series.points if math.isfinite(point.value)]
        self.is_smoothed = view.smoothing > 0 and not series.is_measured
        raw = [point.value for point in self.points]
        self.values = smooth(raw, view.smoothing) if self.is_smoothed else raw

    def keep_positive(self) -> None:
        kept = [place for place, point in enumerate(self.points) if point.value > 0 and self.values[place] > 0]
        self.points, self.values = [self.points[place] for place in kept], [self.values[place] for place in kept]

    def draw(self, frame: Frame) -> str:
        xs = [getattr(point, self.x) for point in self.points]
        raw = frame.line(xs, [point.value for point in self.points], "hf-raw") if self.is_smoothed else ""
        marks = ""
        if self.series.is_measured and len(xs) <= MOST_MARKERS:
            marks = "".join(
                f"<path class='hf-marker' d='{_MARKERS[self.look]}' transform='translate({frame.x(x)} {frame.y(y)})'/>"
                for x, y in zip(xs, self.values, strict=True)
            )
        return f"<g class='hf-look-{self.look}'>{raw}{frame.line(xs, self.values, 'hf-series')}{marks}</g>"

    def draw_legend(self) -> str:
        mark = f"<path class='hf-marker' d='{_MARKERS[self.look]}' transform='translate(13 5)'/>"
        name, last = escape(self.series.name), format_value(self.values[-1]) if self.values else ""
        return (
            f"<li class='hf-look-{self.look}'><svg width='26' height='10' aria-hidden='true'>"
            f"<path class='hf-series' d='M0 5h26'/>{mark if self.series.is_measured else ''}</svg>"
            f"<span title='{name}'>{name}</span> <b data-last='{last}'>{last}</b></li>"
        )

    def to_json(self) -> dict[str, object]:
        """Return what the browser shows of single points and writes into a CSV file."""
        found: dict[str, object] = {"name": self.series.name}
        for name in Point._fields:
            found[name] = [float(f"{getattr(point, name):.6g}") for point in self.points]
        return found | ({"smoothed": [float(f"{value:.6g}") for value in self.values]} if self.is_smoothed else {})


def _find_frame(chart: LineChart, lines: Sequence[_Line], view: ChartView, span: tuple[float, float]) -> Frame:
    has_positive = any(point.value > 0 for line in lines for point in line.points)
    log = view.log and chart.limits is None and has_positive
    if log:
        for line in lines:
            line.keep_positive()
    every = [(point, value) for line in lines for point, value in zip(line.points, line.values, strict=True)]
    inside = [pair for pair in every if span[0] <= getattr(pair[0], view.x) <= span[1]] or every
    values = [number for point, value in inside for number in (point.value, value)]
    low, high = chart.limits or (find_range(values, log) if values else (0.0, 1.0))
    if chart.limits is None and not log and values and min(values) >= 0:
        low = max(low, 0.0)
    return Frame(*span, low, high, WIDTH, HEIGHT, TOP, log)


def _name_x_axis(x: str, high: float) -> tuple[float, str]:
    """Return the unit that an axis is written in, and its name."""
    if x != "seconds":
        return 1.0, X_AXES[x]
    unit, name = next((unit, name) for least, unit, name in _TIME_UNITS if high >= least)
    return unit, f"{X_AXES[x]} ({name})"


def _mark_best(best: Point | None, x: str, frame: Frame) -> str:
    if best is None or not frame.low_x <= getattr(best, x) <= frame.high_x:
        return ""
    at = float(frame.x(getattr(best, x)))
    is_left = at < WIDTH - 90
    return (
        f"<g class='hf-best-mark'><line x1='{at}' x2='{at}' y1='{TOP}' y2='{HEIGHT - BOTTOM}'/>"
        f"<text x='{at - 2 if is_left else at + 2}' y='{TOP - 6}' text-anchor='{'start' if is_left else 'end'}'>"
        f"best: epoch {best.epoch:.4g}</text></g>"
    )


def describe_chart(chart: LineChart, x: str) -> str:
    """Say in sentences what the lines of a chart do, for those who don't see it."""
    said = [f"{chart.title} by {X_AXES[x].lower()}."]
    for each in chart.series:
        values = [point.value for point in each.points if math.isfinite(point.value)]
        if values:
            said.append(
                f"{each.name}: {format_value(values[0])} at the beginning, {format_value(values[-1])} at the end, "
                f"between {format_value(min(values))} and {format_value(max(values))}."
            )
    if chart.best is not None:
        said.append(f"Best: epoch {chart.best.epoch:.4g}, step {chart.best.step:g}.")
    return " ".join([*said, "The arrow keys read single points."])


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving averages of `values`; `weight` (0 to below 1) is that of what was before.

    What the average of the first values lacks, as it begins at 0, is made up for, as TensorBoard does.
    """
    average, smoothed = 0.0, []
    for number, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**number))
    return smoothed


def format_value(value: float) -> str:
    """Return a value with four digits, a large one with all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
