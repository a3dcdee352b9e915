"""The colours by which things are told apart: on images and in texts, on charts, and along a scale."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence

# White letters have a contrast of at least 4.5 on each of them, so that one colour does for a line and its name.
HUES = ("#2563eb", "#c2410c", "#047857", "#9333ea", "#dc2626", "#0e7490", "#a16207", "#be185d")
# Lines of a chart: told apart by those who are colour-blind, too, and readable by day and by night.
CHART_COLOURS = ("#f59e0b", "#0ea5e9", "#8b5cf6", "#10b981", "#f43f5e", "#a1a1aa")
VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


def hue(index: int) -> str:
    """Return a colour for the index-th kind of thing; beyond the named ones they walk round the circle by the golden
    angle."""
    if index < len(HUES):
        return HUES[index]
    red, green, blue = colorsys.hls_to_rgb(index * 0.381966 % 1, 0.27, 0.65)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def hues(names: Iterable[str]) -> dict[str, str]:
    """Return one colour per distinct name, in the order in which they come."""
    return {name: hue(index) for index, name in enumerate(dict.fromkeys(names))}


def chart_colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for the line of each name."""
    return {name: CHART_COLOURS[index % len(CHART_COLOURS)] for index, name in enumerate(names)}
