"""The HTML of how two answers differ: label by label, or word by word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hfdemo.ui.html import Html, TableCell, empty, escape, table
from hfdemo.ui.renderers.labels import SHOWN_LABELS, label_scores

MOST_WORDS = 4_000


def render_score_differences(left: Any, right: Any) -> str:
    """Compare two classifiers' outputs label by label, with right minus left; "" when they have no label in common."""
    one, other = label_scores(left), label_scores(right)
    if not one or not other or not {name for name, _ in one} & {name for name, _ in other}:
        return ""
    first, second = dict(one), dict(other)
    scores = [*first.values(), *second.values()]
    are_probabilities = all(0 <= score <= 1 for score in scores)
    shown, signed, whole = (".1%", "+.1%", 1.0) if are_probabilities else (".3f", "+.3f", 2 * max(map(abs, scores)))
    rows = []
    for name in list(dict.fromkeys([*first, *second]))[:SHOWN_LABELS]:
        before, after = first.get(name), second.get(name)
        bar = number = ""
        if before is not None and after is not None:
            change = after - before
            width = 50 * abs(change) / whole
            start = 50 - width if change < 0 else 50.0
            number = f"{change:{signed}}"
            bar = f"<i class='{'hf-less' if change < 0 else ''}' style='left:{start:.2f}%;width:{width:.2f}%'></i>"
        numbers = ["–" if each is None else f"{each:{shown}}" for each in (before, after)]
        rows.append([name, *numbers, number, TableCell(Html(bar), "hf-change")])
    return table(("label", "A", "B", "B − A", ""), rows, (1, 2, 3), kind="hf-changes")


def render_text_difference(left_text: str, right_text: str) -> str:
    """Show two texts as one: what only the left has is struck out, what only the right has is underlined."""
    if left_text == right_text:
        return empty("Both texts are the same, letter for letter.")
    left, right = _split_words(left_text), _split_words(right_text)
    if max(len(left), len(right)) > MOST_WORDS:  # the comparison takes the square of the length: go by lines
        left, right = left_text.splitlines(keepends=True), right_text.splitlines(keepends=True)
    return f"<p class='hf-text hf-difference'>{''.join(_mark_changes(left, right))}</p>"


def _split_words(written: str) -> list[str]:
    return re.findall(r"\s*\w+|\s*[^\w\s]|\s+", written)


def _mark_changes(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, from_left, to_left, from_right, to_right in matcher.get_opcodes():
        gone, come = escape("".join(left[from_left:to_left])), escape("".join(right[from_right:to_right]))
        if kind == "equal":
            yield gone
        else:
            yield (f"<del>{gone}</del>" if gone else "") + (f"<ins>{come}</ins>" if come else "")
