"""The HTML of token strips: what a tokenizer makes of a batch, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.ui.html import TableCell, notes, table, titled

SHOWN_SLOTS = 256
SHOWN_ROWS = 16
LEGEND = (
    "<div class='hf-legend'><span style='--hf-swatch:var(--hf-first)'>first text</span>"
    "<span style='--hf-swatch:var(--hf-second)'>second text</span>"
    "<span style='--hf-swatch:var(--hf-special)'>special token</span>"
    "<span class='hf-hatched'>padding</span>"
    "<span style='--hf-swatch:transparent'>┃ goes on with the same word</span></div>"
)


def render_token_rows(encoding: Encoding) -> str:
    """Draw a batch as the tensors that the model gets: one strip per text, one column per slot."""
    rows = encoding.rows()
    strips = "".join(_draw_row(number, row) for number, row in enumerate(rows[:SHOWN_ROWS], start=1))
    more = f"<p class='hf-about'>… and {len(rows) - SHOWN_ROWS} more rows.</p>" if len(rows) > SHOWN_ROWS else ""
    warnings = notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    widths = sorted({len(row) for row in rows})
    shape = f"[{len(rows)}, {widths[0]}]" if len(widths) == 1 else f"{len(rows)} rows of {widths[0]} to {widths[-1]}"
    ragged = "" if len(widths) == 1 else " These rows are ragged: no tensor can be made of them as they are."
    slots, tokens = sum(map(len, rows)), sum(encoding.lengths)
    padding = (slots - tokens) / slots if slots else 0.0
    summary = (
        f"<p>Shape <b>{shape}</b>: {slots:,} slots for {tokens:,} tokens, <b>{padding:.0%}</b> padding.{ragged}</p>"
    )
    return summary + warnings + LEGEND + strips + more


def _draw_row(number: int, row: Sequence[Cell]) -> str:
    shown = row[:SHOWN_SLOTS]
    lines: list[tuple[str, Sequence[Any]]] = [
        ("token", [token_cell(cell, before) for cell, before in zip(shown, [None, *shown], strict=False)]),
        ("input_ids", [cell.id for cell in shown]),
    ]
    if any(cell.type_id is not None for cell in shown):
        lines.append(("token_type_ids", [cell.type_id for cell in shown]))
    lines.append(("attention_mask", [cell.attention for cell in shown]))
    more = f" · the first {SHOWN_SLOTS} of {len(row):,} slots" if len(row) > SHOWN_SLOTS else ""
    real = sum(cell.attention for cell in row)
    return titled(f"Text {number} · {real:,} token{'' if real == 1 else 's'}{more}", render_strip(lines))


def render_strip(lines: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """Draw named lines of cells above each other."""
    rows = [[name, *cells] for name, cells in lines]
    return table((), rows, kind="hf-tokens", row_heads=True, focusable=True)


def token_cell(cell: Cell, before: Cell | None = None) -> TableCell:
    """Return a token in the colour of its kind; joined to the one before where both are of one word."""
    kinds = ["hf-token"]
    if cell.kind in ("special", "pad"):
        kinds.append(f"hf-{cell.kind}")
    elif cell.sequence == 1:
        kinds.append("hf-second")
    same_word = before is not None and cell.word is not None and cell.word == before.word
    if same_word and before is not None and cell.sequence == before.sequence:
        kinds.append("hf-continued")
    return TableCell(cell.token, " ".join(kinds))
