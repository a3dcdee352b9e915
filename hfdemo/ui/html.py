"""The elements that all HTML of the page is built of; a text that they are given is escaped here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape as _escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

TEMPLATES = Path(__file__).with_name("templates")
FIRST_STEPS = (
    ("run", "Classify a text"),
    ("tokens", "See its tokens"),
    ("finetune", "Fine-tune on tickets (a few minutes)"),
    ("run", "Classify with your model"),
)
SPACES = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


def escape(value: Any) -> str:
    """Return `value` as text that can stand in an element or in a quoted attribute."""
    return _escape(str(value), quote=True)


def code(text: str) -> str:
    """Return escaped text in which `...` becomes code."""
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )


def page_header(device: str, user: str = "") -> str:
    """Return the head of the page, with the device that models run on, and who has signed in."""
    chip = f"<span class='hf-chip' title='The device that models run and train on'>{escape(device)}</span>"
    signed_in = f"<span class='hf-user'>{escape(user)} · <a href='logout'>Sign out</a></span>" if user else ""
    return (
        f"<div class='hf-head'><h1>hfdemo</h1><p>Run a model, see its tokens, fine-tune it.</p>{chip}{signed_in}</div>"
    )


def sign_in_page(said: str, action: str, target: str) -> str:
    """Return the document with the form for a name and a password.

    `said` is a sentence above it, `action` is where it is sent, `target` what is opened afterwards.
    """
    return fill_template("sign_in.html.j2", said=said, action=action, target=target)


def first_steps() -> str:
    """Return the steps of a first visit, each with the tab that it leads to; the browser ticks them off."""
    return fill_template("first_steps.html.j2", steps=FIRST_STEPS)


def steps(titles: Mapping[str, str]) -> str:
    """Return the steps of a tab as its own tabs, by the names of their panels."""
    return fill_template("steps.html.j2", steps=titles)


def fill_template(name: str, **values: Any) -> str:
    """Return the template `name` with `values` in it, escaped."""
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    return templates.get_template(name).render(**values)


def about(text: str) -> str:
    """Return a panel's explanation; `...` becomes code."""
    return f"<div class='hf-about'>{code(text)}</div>"


def placeholder(text: str) -> str:
    """Return what stands where a result will be."""
    return f"<div class='hf-empty'>{code(text)}</div>"


def notes(texts: Iterable[str]) -> str:
    """Return a box for each sentence that a person has to read."""
    return "".join(f"<div class='hf-note'>{escape(text)}</div>" for text in texts)


def with_title(title: Any, body: str) -> str:
    """Return HTML under a title that is text."""
    return f"<div class='hf-row-title'>{escape(title)}</div>{body}"


def format_percent(score: Any) -> str:
    """Return a score of 0 to 1 as a percentage; a missing one as a dash."""
    return "–" if score is None else f"{float(score):.1%}"


def show_spaces(token: str) -> str:
    """Return a token with its white space made visible; an empty one is named."""
    return token.translate(SPACES) or "(empty)"


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return small print: name and value, side by side."""
    return (
        "<div class='hf-facts'>" + "".join(f"<span>{escape(n)} <b>{escape(v)}</b></span>" for n, v in pairs) + "</div>"
    )


class Html(str):
    """Markup that is escaped already."""

    __slots__ = ()


@dataclass(frozen=True)
class TableCell:
    """A cell with more than its content: `kind` are classes, `columns` how many it spans."""

    content: Any
    kind: str = ""
    title: str = ""
    style: str = ""
    columns: int = 1


@dataclass(frozen=True)
class TableRow:
    """A row with attributes of its own, such as {"class": "hf-open"} or {"data-n": "n1"}."""

    cells: Sequence[Any]
    attributes: Mapping[str, str]


def table(
    head: Sequence[Any],
    rows: Iterable[Sequence[Any] | TableRow],
    numbers: Container[int] = (),
    *,
    kind: str = "",
    scroll: str = "",
    wrap: bool = False,
    row_heads: bool = False,
    focusable: bool = False,
) -> str:
    """Return a table that scrolls sideways where it is too wide; no row of heads where `head` is empty.

    A cell is a text, Html or a TableCell. `numbers` are the columns that are set to the right, `row_heads` says that
    the first cell of each row names it unless it spans several, `kind` and `scroll` are classes of the table and of
    what it scrolls in, which the Tab key reaches where it is `focusable`.
    """

    def row(found: Sequence[Any] | TableRow, heads: bool) -> str:
        cells, attributes = (found.cells, found.attributes) if isinstance(found, TableRow) else (found, {})

        def scope(index: int, cell: Any) -> str:
            if heads:
                return "col"
            spans = isinstance(cell, TableCell) and cell.columns > 1
            return "row" if row_heads and index == 0 and not spans else ""

        drawn = (_table_cell(cell, scope(index, cell), index in numbers) for index, cell in enumerate(cells))
        return f"<tr{_attributes(attributes)}>{''.join(drawn)}</tr>"

    body = "".join(row(cells, heads=False) for cells in rows)
    kinds = " ".join(filter(None, ("hf-table", "hf-wrap" if wrap else "", kind)))
    around = _attributes({"class": f"hf-scroll {scroll}".strip(), "tabindex": "0" if focusable else ""})
    return f"<div{around}><table class='{kinds}'>{row(head, heads=True) if head else ''}{body}</table></div>"


def _table_cell(cell: Any, scope: str, is_number: bool) -> str:
    """Return a cell; with a `scope` it is the head of a column or a row, unless there is nothing in it."""
    found = cell if isinstance(cell, TableCell) else TableCell(cell)
    content = found.content if isinstance(found.content, Html) else escape(found.content)
    is_head = bool(scope and content)
    attributes = {
        "scope": scope if is_head else "",
        "class": " ".join(filter(None, ("hf-number" if is_number else "", found.kind))),
        "colspan": str(found.columns) if found.columns > 1 else "",
        "title": found.title,
        "style": found.style,
    }
    tag = "th" if is_head else "td"
    return f"<{tag}{_attributes(attributes)}>{content}</{tag}>"


def _attributes(named: Mapping[str, str]) -> str:
    """Return attributes as they stand in a tag; empty ones are left out."""
    return "".join(f" {name}='{escape(value)}'" for name, value in named.items() if value)


def progress_bar(fraction: float) -> str:
    """Return a bar of progress from 0 to 1."""
    return (
        f"<div class='hf-progress' role='progressbar' aria-label='Progress' aria-valuenow='{100 * fraction:.0f}' "
        f"aria-valuemin='0' aria-valuemax='100'><i style='width:{100 * fraction:.1f}%'></i></div>"
    )


def score_bar(score: float, mark: float | None = None) -> str:
    """Draw a thin bar for a score from 0 to 1, with a line at `mark`, which it is compared with."""
    line = "" if mark is None else f"<em style='left:{100 * mark:.1f}%'></em>"
    return f"<div class='hf-track'><i style='width:{100 * min(max(score, 0), 1):.1f}%'></i>{line}</div>"


def label_bars(labels: Sequence[Mapping[str, Any]]) -> str:
    """Draw [{"label", "score"}, ...] as bars in this order; raw logits grow left and right of a zero in the middle."""
    widest = max((abs(item["score"]) for item in labels), default=1.0) or 1.0
    are_probabilities = all(0 <= item["score"] <= 1 for item in labels)

    def line(item: Mapping[str, Any]) -> str:
        score = item["score"]
        width = 100 * score if are_probabilities else 50 * abs(score) / widest
        start = 0.0 if are_probabilities else 50 - width * (score < 0)
        shown = f"{score:.1%}" if are_probabilities else f"{score:.3f}"
        return (
            f"<div class='hf-label'><b>{escape(item['label'])}</b>"
            f"<div><i style='width:{width:.2f}%;margin-left:{start:.2f}%'></i></div><span>{shown}</span></div>"
        )

    return f"<div>{''.join(map(line, labels))}</div>"
