"""The HTML of a map of texts: a point each, coloured by its label or marked where the model is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hfdemo.inference import EmbeddingMap, MapPoint
from hfdemo.ui.html import about, escape, facts, notes, placeholder, table, with_title

WIDTH, HEIGHT, MARGIN = 640, 420, 12
COLOURS = 8
SHOWN_ROWS = 50
OTHERS = "others"
WITHOUT_LABEL = "(no label)"


@dataclass(frozen=True)
class Colouring:
    """What points can be coloured by: `name` calls a point by it, where it `fits` a map."""

    name: Callable[[MapPoint], str]
    fits: Callable[[EmbeddingMap], bool]


def _has_labels(found: EmbeddingMap) -> bool:
    return any(point.label is not None for point in found.points)


def _has_answers(found: EmbeddingMap) -> bool:
    return any(point.answer is not None for point in found.points)


def _is_comparable(found: EmbeddingMap) -> bool:
    """Say whether the model knows a label of the file: else none of its answers is right or wrong."""
    known = {label.casefold() for label in found.model_labels}
    return any(point.label is not None and point.label.casefold() in known for point in found.points)


def _name_verdict(point: MapPoint) -> str:
    if point.label is None:
        return WITHOUT_LABEL
    return "wrong" if _is_wrong(point) else "right"


def _is_wrong(point: MapPoint) -> bool:
    return bool(point.label and point.answer) and str(point.label).casefold() != str(point.answer).casefold()


COLOURINGS: Mapping[str, Colouring] = {
    "label in the file": Colouring(lambda point: point.label or WITHOUT_LABEL, _has_labels),
    "answer of the model": Colouring(lambda point: str(point.answer), _has_answers),
    "right or wrong": Colouring(_name_verdict, _is_comparable),
    "nothing": Colouring(lambda point: "texts", lambda found: True),
}


def list_colourings(found: EmbeddingMap) -> list[str]:
    """Return the names in COLOURINGS of what the points of a map can be coloured by."""
    return [name for name, colouring in COLOURINGS.items() if colouring.fits(found)]


def render_embedding_map(found: EmbeddingMap, colouring: str) -> str:
    """Draw the points in the colours of one of COLOURINGS, with a legend, what the axes are, and the wrong rows."""
    if colouring not in list_colourings(found):
        return placeholder(f"These points can't be coloured by {colouring}.")
    names = [COLOURINGS[colouring].name(point) for point in found.points]
    counts = Counter(names)
    numbers = {name: place for place, (name, _) in enumerate(counts.most_common(COLOURS - (len(counts) > COLOURS)))}
    wrong = [point for point in found.points if _is_wrong(point)] if _is_comparable(found) else []
    crossed = {point.row for point in wrong}
    drawn = "".join(
        _draw_point(point, place, numbers.get(name, COLOURS), point.row in crossed)
        for point, place, name in zip(found.points, _fit(found.points), names, strict=True)
    )
    title = f"{len(found.points):,} texts as {found.model} reads them"
    picture = (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' tabindex='0' aria-label='{escape(title)}'>{drawn}</svg>"
        "<p class='hf-map-told' aria-live='polite'>Point at a text to read it, or go through them with the arrow "
        "keys.</p>"
    )
    return (
        notes(found.warnings)
        + _render_facts(found, wrong)
        + f"<figure class='hf-map'>{picture}{_render_legend(counts, numbers)}</figure>"
        + about(_describe_axes(found))
        + (with_title("Where the model is wrong", _render_wrong(wrong)) if wrong else "")
    )


def _fit(points: Sequence[MapPoint]) -> list[tuple[float, float]]:
    """Return where the points stand in the picture: both axes have the same scale, so that distances stay."""
    lefts, tops = [each.x for each in points], [each.y for each in points]
    spans = max(lefts) - min(lefts), max(tops) - min(tops)
    scale = min((WIDTH - 2 * MARGIN) / (spans[0] or 1.0), (HEIGHT - 2 * MARGIN) / (spans[1] or 1.0))
    left, top = (WIDTH - scale * spans[0]) / 2, (HEIGHT - scale * spans[1]) / 2
    return [(left + scale * (each.x - min(lefts)), top + scale * (max(tops) - each.y)) for each in points]


def _draw_point(point: MapPoint, place: tuple[float, float], number: int, wrong: bool) -> str:
    x, y = place
    said = " · ".join(
        [f"row {point.row:,}", *filter(None, (point.label, point.answer and f"model: {point.answer}")), point.text]
    )
    shape = (
        f"<path d='M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7'/>"
        if wrong
        else f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.4'/>"
    )
    return f"<g class='hf-map-{number}' data-said='{escape(said)}'>{shape}</g>"


def _render_legend(counts: Counter[str], numbers: Mapping[str, int]) -> str:
    entries = [(number, name, counts[name]) for name, number in numbers.items()]
    rest = sum(count for name, count in counts.items() if name not in numbers)
    entries += [(COLOURS, OTHERS, rest)] if rest else []
    drawn = "".join(
        f"<span class='hf-map-{number}'><i></i>{escape(name)} <b>{count:,}</b></span>"
        for number, name, count in entries
    )
    return f"<figcaption class='hf-map-legend'>{drawn}</figcaption>"


def _render_facts(found: EmbeddingMap, wrong: Sequence[MapPoint]) -> str:
    pairs = [("texts", f"{len(found.points):,}"), ("numbers of each vector", f"{found.width:,}")]
    if found.agreement is not None:
        pairs.append(("nearest neighbour has the same label", f"{found.agreement:.0%}"))
    if wrong:
        pairs.append(("the model is wrong (crosses)", f"{len(wrong):,}"))
    return facts(pairs)


def _describe_axes(found: EmbeddingMap) -> str:
    mean = "Each point is the mean of the vectors that the last layer has for the tokens of a text, scaled to length 1."
    if found.variance is None:
        return (
            f"{mean} t-SNE keeps near texts near; how far apart groups stand, and how large they are, means nothing. "
            "`sklearn.manifold.TSNE(2)`"
        )
    across, up = found.variance
    return (
        f"{mean} PCA shows the two directions in which they differ most: {across:.0%} of all differences across, "
        f"{up:.0%} up. What lies in the other {found.width - 2:,} is not seen. `sklearn.decomposition.PCA(2)`"
    )


def _render_wrong(wrong: Sequence[MapPoint]) -> str:
    rows = [(f"{each.row:,}", str(each.label), str(each.answer), each.text) for each in wrong[:SHOWN_ROWS]]
    more = about(f"… and {len(wrong) - SHOWN_ROWS:,} more.") if len(wrong) > SHOWN_ROWS else ""
    return table(("row", "label", "model", "text"), rows, (0,), wrap=True, scroll="hf-tall") + more
