"""The trials of a search: as lines across one axis per value that was tried, and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.ui.html import escape

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 30, 24
NAMES = {
    "learning_rate": "learning rate",
    "per_device_train_batch_size": "batch size",
    "num_train_epochs": "epochs",
}


def drawn(search: Mapping[str, Any]) -> str:
    """What there is to see of a search (`Search.to_json`): its lines once two trials have ended, and its table."""
    done = [trial for trial in search["trials"] if trial["value"] is not None]
    lines = _coordinates(done, search) if len(done) > 1 else ""
    return lines + _table(search)


def _coordinates(trials: Sequence[Mapping[str, Any]], search: Mapping[str, Any]) -> str:
    """One line per trial, from axis to axis; the better its value the stronger, the best drawn above the others."""
    axes = [name for name in NAMES if all(name in trial["parameters"] for trial in trials)]
    columns = [[float(trial["parameters"][name]) for trial in trials] for name in axes]
    columns.append([float(trial["value"]) for trial in trials])
    places = [LEFT + index * (WIDTH - LEFT - RIGHT) / max(1, len(columns) - 1) for index in range(len(columns))]
    heights = [_heights(column, log=name == "learning_rate") for column, name in zip(columns, [*axes, ""], strict=True)]
    sign = 1 if search["greater_is_better"] else -1
    order = sorted(range(len(trials)), key=lambda index: sign * trials[index]["value"])
    best = search["best"] and search["best"]["number"]
    parts = []
    for rank, index in enumerate(order):
        trial = trials[index]
        points = " ".join(f"{x:.1f},{height[index]:.1f}" for x, height in zip(places, heights, strict=True))
        kind = "hf-trial hf-best-trial" if trial["number"] == best else "hf-trial"
        strength = 0.2 + 0.6 * rank / max(1, len(order) - 1)
        told = escape(f"trial {trial['number']}: {_number(trial['value'])}, {trial['state']}")
        parts.append(
            f"<polyline class='{kind}' style='opacity:{1 if trial['number'] == best else strength:.2f}' "
            f"points='{points}'><title>{told}</title></polyline>"
        )
    for x, column, name in zip(places, columns, [*(NAMES[axis] for axis in axes), search["metric"]], strict=True):
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{HEIGHT - BOTTOM}'/>")
        parts.append(f"<text x='{x:.1f}' y='14'>{escape(name)}</text>")
        parts.append(f"<text x='{x:.1f}' y='{TOP - 4}'>{escape(_number(max(column)))}</text>")
        parts.append(f"<text x='{x:.1f}' y='{HEIGHT - 8}'>{escape(_number(min(column)))}</text>")
    title = f"Parallel coordinates of {len(trials)} trials"
    return (
        "<figure class='hf-diagram hf-parallel'>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(title)}'>{''.join(parts)}</svg></figure>"
    )


def _heights(values: Sequence[float], log: bool) -> list[float]:
    """Where the values of an axis stand in the picture, the largest on top; in the middle where all are the same."""
    scaled = [math.log(value) for value in values] if log else list(values)
    low, high = min(scaled), max(scaled)
    span = HEIGHT - TOP - BOTTOM
    return [HEIGHT - BOTTOM - span * ((value - low) / (high - low) if high > low else 0.5) for value in scaled]


def _table(search: Mapping[str, Any]) -> str:
    if not search["trials"]:
        return ""
    best = search["best"] and search["best"]["number"]
    rows = []
    for trial in search["trials"]:
        values = "".join(f"<td class='hf-number'>{_number(trial['parameters'].get(name))}</td>" for name in NAMES)
        mark = " <span class='hf-chip hf-best'>best</span>" if trial["number"] == best else ""
        own = " (the form's values)" if trial["number"] == 0 else ""
        rows.append(
            f"<tr><td>{trial['number']}{own}{mark}<small>{escape(trial['run'])}</small></td>{values}"
            f"<td class='hf-number'>{_number(trial['value'])}</td><td>{escape(trial['state'])}</td></tr>"
        )
    head = "".join(f"<th class='hf-number'>{name}</th>" for name in [*NAMES.values(), escape(search["metric"])])
    return (
        "<div class='hf-scroll'><table class='hf-table hf-trials'>"
        f"<tr><th>trial</th>{head}<th>state</th></tr>{''.join(rows)}</table></div>"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 0.01 else f"{value:.4g}"
