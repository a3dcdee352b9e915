"""The HTML of token strips: what a tokenizer makes of a batch, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.ui.html import escape, notes, titled

SHOWN_SLOTS = 256
SHOWN_ROWS = 16
LEGEND = (
    "<div class='hf-legend'><span style='--hf-swatch:var(--hf-first)'>first text</span>"
    "<span style='--hf-swatch:var(--hf-second)'>second text</span>"
    "<span style='--hf-swatch:var(--hf-special)'>special token</span>"
    "<span class='hf-hatched'>padding</span>"
    "<span style='--hf-swatch:transparent'>┃ goes on with the same word</span></div>"
)


def token_rows(encoding: Encoding) -> str:
    """A batch as the tensors that the model gets: one strip per text, one column per slot."""
    rows = encoding.rows()
    strips = "".join(_text_strip(number, row) for number, row in enumerate(rows[:SHOWN_ROWS], start=1))
    more = f"<p class='hf-about'>… and {len(rows) - SHOWN_ROWS} more rows.</p>" if len(rows) > SHOWN_ROWS else ""
    warnings = notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    widths = sorted({len(row) for row in rows})
    shape = f"[{len(rows)}, {widths[0]}]" if len(widths) == 1 else f"{len(rows)} rows of {widths[0]} to {widths[-1]}"
    ragged = "" if len(widths) == 1 else " These rows are ragged: no tensor can be made of them as they are."
    slots, tokens = sum(map(len, rows)), sum(encoding.lengths)
    share = (slots - tokens) / slots if slots else 0.0
    summary = f"<p>Shape <b>{shape}</b>: {slots:,} slots for {tokens:,} tokens, <b>{share:.0%}</b> padding.{ragged}</p>"
    return summary + warnings + LEGEND + strips + more


def _text_strip(number: int, row: Sequence[Cell]) -> str:
    shown = row[:SHOWN_SLOTS]
    lines = [
        ("token", [token_cell(cell, before) for cell, before in zip(shown, [None, *shown], strict=False)]),
        ("input_ids", [value_cell(cell.id) for cell in shown]),
    ]
    if any(cell.type_id is not None for cell in shown):
        lines.append(("token_type_ids", [value_cell(cell.type_id) for cell in shown]))
    lines.append(("attention_mask", [value_cell(cell.attention) for cell in shown]))
    more = f" · the first {SHOWN_SLOTS} of {len(row):,} slots" if len(row) > SHOWN_SLOTS else ""
    real = sum(cell.attention for cell in row)
    return titled(f"Text {number} · {real:,} token{'' if real == 1 else 's'}{more}", strip(lines))


def strip(lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Named lines of cells, HTML already, above each other."""
    rows = "".join(f"<tr><th scope='row'>{name}</th>{''.join(cells)}</tr>" for name, cells in lines)
    return f"<div class='hf-scroll' tabindex='0'><table class='hf-tokens'>{rows}</table></div>"


def token_cell(cell: Cell, before: Cell | None = None) -> str:
    """A token in the colour of its kind; joined to the one before where both are of one word."""
    kinds = ["hf-token"]
    if cell.kind in ("special", "pad"):
        kinds.append(f"hf-{cell.kind}")
    elif cell.sequence == 1:
        kinds.append("hf-second")
    same_word = before is not None and cell.word is not None and cell.word == before.word
    if same_word and before is not None and cell.sequence == before.sequence:
        kinds.append("hf-continued")
    return f"<td class='{' '.join(kinds)}'>{escape(cell.token)}</td>"


def value_cell(value: Any) -> str:
    """An id or a mask below its token."""
    return f"<td>{escape(value)}</td>"
