"""The figures of a report: curves, calibration and residuals as inline SVG, classes as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.ui.axes import Frame, draw_axes, draw_svg, find_range
from hfdemo.ui.html import Html, escape, facts, score_bar, table, with_title

UNIT = Frame()


def draw_roc(found: Mapping[str, Any], positive: str) -> str:
    """Draw the ROC curve; a point marks the threshold of 0.5, which is what argmax decides by."""
    false, true = found["false_positive_rate"], found["true_positive_rate"]
    drawn = UNIT.line([0, 1], [0, 1], "hf-chance") + UNIT.line(false, true, "hf-curve")
    drawn += _mark_threshold(found["threshold"], false, true)
    return draw_figure(
        f"ROC · AUC {found['auc']:.3f}",
        draw_axes(UNIT, "false positive rate", "true positive rate") + drawn,
        f"The score of “{positive}”, cut at every threshold; the point is 0.5. Dashed: guessing, AUC 0.5.",
    )


def draw_precision_recall(found: Mapping[str, Any], positive: str, prevalence: float | None) -> str:
    """Draw the precision-recall curve; `prevalence` of the rows are positive, which is the precision of guessing."""
    recall, precision = found["recall"], found["precision"]
    chance = "" if prevalence is None else UNIT.line([0, 1], [prevalence, prevalence], "hf-chance")
    drawn = chance + UNIT.line(recall, precision, "hf-curve") + _mark_threshold(found["threshold"], recall, precision)
    dashed = "" if prevalence is None else f" Dashed: guessing, {prevalence:.3f}."
    return draw_figure(
        f"Precision and recall · AP {found['average_precision']:.3f}",
        draw_axes(UNIT, "recall", "precision") + drawn,
        f"Precision: share of predicted “{positive}” that is right. Recall: share of true “{positive}” that is found. "
        f"The point is 0.5.{dashed}",
    )


def draw_calibration(found: Mapping[str, Any]) -> str:
    """Draw how often answers of a confidence are right, beside how often they should be."""
    bins = [each for each in found["bins"] if each["rows"]]
    most = max((each["rows"] for each in bins), default=1)
    bars = "".join(
        UNIT.box(
            each["from"],
            each["to"],
            each["accuracy"],
            "hf-bin",
            f"confidence {each['from']:.1f} to {each['to']:.1f}: {each['rows']:,} rows, mean confidence "
            f"{each['confidence']:.3f}, right {each['accuracy']:.3f}",
        )
        for each in bins
    )
    dots = "".join(
        f"<circle class='hf-dot' cx='{UNIT.x(each['confidence'])}' cy='{UNIT.y(each['accuracy'])}' "
        f"r='{2 + 4 * math.sqrt(each['rows'] / most):.1f}'/>"
        for each in bins
    )
    return draw_figure(
        f"Calibration · ECE {found['expected_calibration_error']:.3f}",
        draw_axes(UNIT, "confidence", "share that is right") + bars + UNIT.line([0, 1], [0, 1], "hf-chance") + dots,
        "Of answers given with 80% confidence, 80% should be right: the dashed line. Larger points: more rows. "
        "ECE is the mean distance.",
    )


def draw_scatter(points: Mapping[str, Any], r2: float | None) -> str:
    """Draw predicted numbers above the true ones."""
    label, predicted = points["label"], points["predicted"]
    kept = [(a, b) for a, b in zip(label, predicted, strict=True) if a is not None and b is not None]
    if not kept:
        return ""
    low, high = find_range([value for pair in kept for value in pair])
    frame = Frame(low, high, low, high)
    dots = "".join(f"<circle class='hf-point' cx='{frame.x(a)}' cy='{frame.y(b)}' r='2.6'/>" for a, b in kept)
    shown = f"{len(kept):,} of {points['rows']:,} rows. " if len(kept) < points["rows"] else ""
    return draw_figure(
        "Predicted and true" + ("" if r2 is None else f" · R² {r2:.3f}"),
        draw_axes(frame, "label", "predicted") + frame.line([low, high], [low, high], "hf-chance") + dots,
        f"{shown}On the dashed line a prediction is exact.",
    )


def draw_residuals(found: Mapping[str, Any]) -> str:
    """Draw how far predictions are off, and how often."""
    edges, counts = found["edges"], found["counts"]
    if len(edges) < 2 or edges[0] == edges[-1]:
        return ""
    frame = Frame(edges[0], edges[-1], 0, max(*counts, 1))
    bars = "".join(
        frame.box(left, right, count, "hf-bin", f"{left:.3g} to {right:.3g}: {count:,} rows")
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
    )
    zero = frame.line([0, 0], [0, frame.high_y], "hf-chance") if frame.low_x <= 0 <= frame.high_x else ""
    return draw_figure(
        "Residuals",
        draw_axes(frame, "predicted - label", "rows") + bars + zero,
        "Right of the dashed line the model says too much, left of it too little.",
    )


def _mark_threshold(thresholds: Sequence[float | None], xs: Sequence[float], ys: Sequence[float]) -> str:
    """Mark the point of the curve at which a score of 0.5 decides: the lowest threshold that is not below it."""
    above = [(value, index) for index, value in enumerate(thresholds) if value is not None and value >= 0.5]
    if not above:
        return ""
    at = min(above)[1]
    return f"<circle class='hf-dot' cx='{UNIT.x(xs[at])}' cy='{UNIT.y(ys[at])}' r='4.5'><title>0.5</title></circle>"


def draw_figure(title: str, body: str, caption: str) -> str:
    """Draw a titled diagram with a caption below it."""
    drawn = draw_svg(title, body, (UNIT.width, UNIT.height))
    return (
        f"<figure class='hf-diagram'><figcaption>{escape(title)}</figcaption>{drawn}<p>{escape(caption)}</p></figure>"
    )


def render_class_table(found: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """List precision, recall, f1 and support, and the average precision where it is known; f1 as a bar, too."""
    ranked = any("average_precision" in each for each in found.values())
    head = ["", "precision", "recall", "f1", *(["AP"] if ranked else []), "support"]
    rows = []
    for label, each in found.items():
        numbers = [each["precision"], each["recall"], each["f1"], *([each["average_precision"]] if ranked else [])]
        scores = ["" if number is None else f"{number:.3f}" for number in numbers]
        rows.append([Html(f"{escape(label)}{score_bar(each['f1'])}"), *scores, f"{each['support']:,}"])
    drawn = table(head, rows, range(1, len(head)), kind="hf-classes", scroll="hf-tall", row_heads=True)
    return f"<div>{with_title(title, drawn)}</div>"


def render_perplexity(of: Any) -> str:
    """Draw perplexity and the rows that are hardest to predict."""
    pairs = [
        ("perplexity", f"{of('perplexity'):,.2f}"),
        ("bits per token", f"{of('bits_per_token'):.3f}"),
        ("tokens that count", f"{of('tokens'):,}"),
    ]
    drawn = f"<div class='hf-line-wide'>{facts(pairs)}</div>"
    for name, title in (("worst", "Hardest to predict"), ("longest", "The longest rows")):
        rows = [(each["row"], f"{each['loss']:.3f}", f"{each['tokens']:,}") for each in of(name) or ()]
        if rows:
            drawn += f"<div>{with_title(title, table(['row', 'loss per token', 'tokens'], rows, (0, 1, 2)))}</div>"
    return drawn
