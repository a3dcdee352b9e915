"""The confusion matrix: what is right in one colour, what is wrong in another, and a wrong cell asks for its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hfdemo.ui.html import Html, TableCell, escape, facts, table, with_title

# A larger matrix is a wall of numbers: then its largest confusions are listed.
MATRIX_LABELS = 24
LISTED = 20


def render_confusion_matrix(labels: Sequence[str], matrix: Sequence[Sequence[int]], has_rows: bool = False) -> str:
    """Draw true labels as rows and predicted ones as columns, shaded by their part of the row; of many labels, list the
    largest confusions. Where the page `has_rows` of what is wrong, a button in each such cell asks for them."""
    if len(labels) > MATRIX_LABELS:
        return _largest_confusions(labels, matrix, has_rows)
    names = [Html(f"<span>{escape(label)}</span>") for label in labels]
    head = ["true ↓ · predicted →", *(TableCell(name, "hf-number") for name in names)]
    rows = [
        [names[truth], *(_cell(labels, counts, truth, given, has_rows) for given in range(len(labels)))]
        for truth, counts in enumerate(matrix)
    ]
    drawn = table(head, rows, kind="hf-confusion", scroll="hf-tall", row_heads=True)
    order = json.dumps(order_by_errors(matrix))
    choice = (
        f"<label class='hf-order'>Order <select data-order='{order}'><option value=''>of the labels</option>"
        "<option value='errors'>most errors first</option></select></label>"
        if has_rows and len(labels) > 2
        else ""
    )
    legend = (
        "<p class='hf-quiet hf-small'><span class='hf-hit'></span> right <span class='hf-miss'></span> wrong; the "
        f"stronger, the larger the part of the true label{'. A wrong number shows its rows' if has_rows else ''}.</p>"
    )
    return f"<div class='hf-matrix'>{with_title('Confusion matrix', choice + drawn + legend)}</div>"


def order_by_errors(matrix: Sequence[Sequence[int]]) -> list[int]:
    """Return the numbers of the labels, those with the most rows that are wrong first."""
    wrong = [sum(counts) - counts[truth] for truth, counts in enumerate(matrix)]
    return sorted(range(len(matrix)), key=lambda truth: -wrong[truth])


def _cell(labels: Sequence[str], counts: Sequence[int], truth: int, given: int, has_rows: bool) -> TableCell:
    """Return a count of predictions, the stronger the larger its part of the rows of the true label."""
    count, total = counts[given], sum(counts)
    part = count / (total or 1)
    is_right = truth == given
    # What there is of it is seen, however little.
    shade = f"--hf-part:{10 + 40 * part:.0f}%" if count else ""
    content = _button(labels, truth, given, count) if has_rows and count and not is_right else f"{count}"
    kind = "hf-hit" if is_right else "hf-miss" if count else "hf-none"
    return TableCell(Html(content), kind, title=f"{part:.0%} of the true “{labels[truth]}”", style=shade)


def _button(labels: Sequence[str], truth: int, given: int, count: int) -> str:
    words = f"{count:,} of “{labels[truth]}” predicted as “{labels[given]}”: show the rows"
    cell = f"data-truth='{truth}' data-given='{given}' aria-label='{escape(words)}'"
    return f"<button type='button' {cell}>{count:,}</button>"


def _largest_confusions(labels: Sequence[str], matrix: Sequence[Sequence[int]], has_rows: bool) -> str:
    pairs = [
        (count, truth, given, sum(counts))
        for truth, counts in enumerate(matrix)
        for given, count in enumerate(counts)
        if count and truth != given
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [
        (
            labels[truth],
            labels[given],
            Html(_button(labels, truth, given, count)) if has_rows else f"{count:,}",
            f"{count / total:.0%}",
        )
        for count, truth, given, total in pairs[:LISTED]
    ]
    title = f"The most frequent confusions; report.json has the whole matrix of {len(labels)} labels"
    drawn = table(["true", "predicted as", "rows", "of the true"], rows, (2, 3))
    return f"<div class='hf-matrix'>{with_title(title, drawn if rows else facts([('', 'none')]))}</div>"
