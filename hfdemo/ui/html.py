"""The elements that all HTML of the page is built of; a text that they are given is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape
from typing import Any

SPACES = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


def escape(value: Any) -> str:
    """`value` as text that can stand in an element or in a quoted attribute."""
    return _escape(str(value), quote=True)


def code(text: str) -> str:
    """Escaped text in which `...` becomes code."""
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )


def plain(text: str) -> str:
    """A sentence for gradio's own toasts, which draw HTML: `run:<id>` must not become a tag."""
    return _escape(text, quote=False).replace("`", "")


def header(device: str) -> str:
    return (
        "<div class='hf-head'><h1>hfdemo</h1><p>Run a model, see its tokens, fine-tune it.</p>"
        f"<span class='hf-chip' title='The device that models run and train on'>{escape(device)}</span></div>"
    )


def about(text: str) -> str:
    """A panel's explanation; `...` becomes code."""
    return f"<div class='hf-about'>{code(text)}</div>"


def empty(text: str) -> str:
    """What stands where a result will be."""
    return f"<div class='hf-empty'>{code(text)}</div>"


def notes(texts: Iterable[str]) -> str:
    return "".join(f"<div class='hf-note'>{escape(text)}</div>" for text in texts)


def titled(title: Any, body: str) -> str:
    """HTML under a title that is text."""
    return f"<div class='hf-row-title'>{escape(title)}</div>{body}"


def visible(token: str) -> str:
    """A token with its white space made visible; an empty one is named."""
    return token.translate(SPACES) or "(empty)"


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Small print: name and value, side by side."""
    return (
        "<div class='hf-facts'>" + "".join(f"<span>{escape(n)} <b>{escape(v)}</b></span>" for n, v in pairs) + "</div>"
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = (), *, wrap: bool = False
) -> str:
    """Rows of texts under a head; `numbers` are the columns that are set to the right."""

    def row(cells: Sequence[Any], tag: str) -> str:
        kinds = (" class='hf-number'" if index in numbers else "" for index in range(len(cells)))
        drawn = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    kind = "hf-table hf-wrap" if wrap else "hf-table"
    return f"<div class='hf-scroll'><table class='{kind}'>{row(head, 'th')}{body}</table></div>"


def bar(share: float) -> str:
    """Progress from 0 to 1."""
    return (
        f"<div class='hf-progress' role='progressbar' aria-valuenow='{100 * share:.0f}' aria-valuemin='0' "
        f"aria-valuemax='100'><i style='width:{100 * share:.1f}%'></i></div>"
    )


def label_bars(labels: Sequence[Mapping[str, Any]]) -> str:
    """[{"label", "score"}, ...] as bars in the order given; raw logits grow left and right of a zero in the middle."""
    widest = max((abs(item["score"]) for item in labels), default=1.0) or 1.0
    shares = all(0 <= item["score"] <= 1 for item in labels)

    def line(item: Mapping[str, Any]) -> str:
        score = item["score"]
        width = 100 * score if shares else 50 * abs(score) / widest
        start = 0.0 if shares else 50 - width * (score < 0)
        shown = f"{score:.1%}" if shares else f"{score:.3f}"
        return (
            f"<div class='hf-label'><b>{escape(item['label'])}</b>"
            f"<div><i style='width:{width:.2f}%;margin-left:{start:.2f}%'></i></div><span>{shown}</span></div>"
        )

    return f"<div>{''.join(map(line, labels))}</div>"
