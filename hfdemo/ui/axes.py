"""The axes of the diagrams, as inline SVG: where a value stands in a picture, and round values along its edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hfdemo.ui.html import escape

LEFT, RIGHT, TOP, BOTTOM = 48, 10, 8, 36


@dataclass(frozen=True)
class Frame:
    """The ranges of both axes, the size of the picture, and where a value stands in it."""

    low_x: float = 0.0
    high_x: float = 1.0
    low_y: float = 0.0
    high_y: float = 1.0
    width: int = 290
    height: int = 226
    top: int = TOP
    log_y: bool = False

    def x(self, value: float) -> str:
        across = self.width - LEFT - RIGHT
        return f"{LEFT + across * (value - self.low_x) / (self.high_x - self.low_x):.1f}"

    def y(self, value: float) -> str:
        low, high = self.low_y, self.high_y
        if self.log_y:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return f"{self.height - BOTTOM - (self.height - self.top - BOTTOM) * (value - low) / (high - low):.1f}"

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> str:
        points = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in zip(xs, ys, strict=True))
        return f"<polyline class='{kind}' points='{points}'/>"

    def box(self, left: float, right: float, height: float, kind: str, words: str) -> str:
        """Draw a bar from the lower edge, with what a pointer is told of it."""
        top, base = float(self.y(height)), float(self.y(self.low_y))
        x, width = float(self.x(left)), float(self.x(right)) - float(self.x(left))
        return (
            f"<rect class='{kind}' x='{x + 0.75:.1f}' y='{top:.1f}' width='{max(width - 1.5, 0.5):.1f}' "
            f"height='{max(base - top, 0):.1f}'><title>{escape(words)}</title></rect>"
        )


def draw_axes(frame: Frame, across: str, up: str, unit: float = 1.0) -> str:
    """Draw both axes with their names, and a few values along them; those across are written in units of `unit`."""
    base = frame.height - BOTTOM
    drawn = []
    for value in axis_ticks(frame.low_x / unit, frame.high_x / unit):
        x = frame.x(value * unit)
        drawn.append(f"<line x1='{x}' x2='{x}' y1='{frame.top}' y2='{base}'/>")
        drawn.append(f"<text class='hf-across' x='{x}' y='{base + 14}'>{escape(format_tick(value))}</text>")
    ticks = log_ticks if frame.log_y else axis_ticks
    for value in ticks(frame.low_y, frame.high_y):
        y = frame.y(value)
        drawn.append(f"<line x1='{LEFT}' x2='{frame.width - RIGHT}' y1='{y}' y2='{y}'/>")
        drawn.append(f"<text class='hf-up' x='{LEFT - 5}' y='{float(y) + 3.5:.1f}'>{escape(format_tick(value))}</text>")
    name_x, name_y = (LEFT + frame.width - RIGHT) / 2, (frame.top + base) / 2
    drawn.append(f"<text class='hf-across' x='{name_x}' y='{frame.height - 5}'>{escape(across)}</text>")
    drawn.append(
        f"<text class='hf-across' transform='translate(9 {name_y}) rotate(-90)' x='0' y='0'>{escape(up)}</text>"
    )
    return f"<g class='hf-axes'>{''.join(drawn)}</g>"


def axis_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from `low` to `high`, at most `most` + 1 of them."""
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten from `low` to `high`, both above 0; of a narrow range 2 and 5 times them, too, or round
    numbers as on a linear axis."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1.0,), (1.0, 2.0, 5.0)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) > 2:
            return found[:: -(-len(found) // 8)]
    return axis_ticks(low, high)


def format_tick(value: float) -> str:
    """Return a value as it stands beside an axis, where there is little room."""
    if 0 < abs(value) < 0.001:
        digits, power = f"{value:.1e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def find_range(values: Sequence[float], log: bool = False) -> tuple[float, float]:
    """Return the ends of an axis for these values, with a margin; on a logarithmic one they are all above 0."""
    low, high = min(values), max(values)
    if log:
        factor = (high / low) ** 0.04 if high > low else 1.5
        return low / factor, high * factor
    margin = 0.04 * (high - low) or 0.1 * abs(low) or 0.5
    return low - margin, high + margin


def draw_svg(title: str, body: str, size: tuple[int, int]) -> str:
    """Return a diagram of that size, which is read out as its title."""
    width, height = size
    return f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='{escape(title)}'>{body}</svg>"
