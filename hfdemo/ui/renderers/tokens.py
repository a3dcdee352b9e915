"""The HTML of tokens: a batch slot by slot, and a token's characters, those without ink made visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.ui.html import TableCell, about, escape, notes, table

SHOWN_SLOTS = 256
SHOWN_ROWS = 16
LEGEND = (
    "<div class='hf-legend'><span style='--hf-swatch:var(--hf-first)'>first text</span>"
    "<span style='--hf-swatch:var(--hf-second)'>second text</span>"
    "<span style='--hf-swatch:var(--hf-special)'>special token</span>"
    "<span class='hf-hatched'>padding</span>"
    "<span style='--hf-swatch:transparent'>┃ goes on with the same word</span></div>"
)
ZERO_WIDTH_JOINER = "\u200d"
# The usual short names; what has none is called by its number.
_RUNS = (
    (0x00, "NUL SOH STX ETX EOT ENQ ACK BEL BS"),
    (0x0B, "VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"),
    (0x200B, "ZWSP ZWNJ ZWJ LRM RLM"),
    (0x202A, "LRE RLE PDF LRO RLO NNBSP"),
    (0x2066, "LRI RLI FSI PDI"),
)
_NAMES = {
    **{chr(code): name for first, names in _RUNS for code, name in enumerate(names.split(), first)},
    **{chr(0xFE00 + index): f"VS{index + 1}" for index in range(16)},
    **{"\x7f": "DEL", "\x85": "NEL", "\xa0": "NBSP", "\xad": "SHY", "\u2028": "LSEP", "\u2029": "PSEP"},
    **{"\u115f": "HCF", "\u1160": "HJF", "\u3164": "HF", "\uffa0": "HWHF"},
    **{"\u2060": "WJ", "\ufeff": "BOM", "\u3000": "IDSP"},
}
_SIGNS = {" ": "␣<wbr>", "\n": "⏎\n", "\t": "⇥\t"}
# These change how their neighbours are set: they stay where they are, beside their name.
_STAY = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Controls, format characters, white space, private use, surrogates.
_INKLESS = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"})


def render_token_rows(encoding: Encoding) -> str:
    """Draw a batch as the tensors that the model gets: each a rectangle, a row per text and a column per slot."""
    rows = encoding.rows()
    warnings = notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    widths = sorted({len(row) for row in rows})
    shape = f"[{len(rows)}, {widths[0]}]" if len(widths) == 1 else f"{len(rows)} rows of {widths[0]} to {widths[-1]}"
    ragged = "" if len(widths) == 1 else " These rows are ragged: no tensor can be made of them as they are."
    slots, tokens = sum(map(len, rows)), sum(encoding.lengths)
    padding = (slots - tokens) / slots if slots else 0.0
    summary = (
        f"<p>Shape <b>{shape}</b>: {slots:,} positions for {tokens:,} tokens, <b>{padding:.0%}</b> padding.{ragged}</p>"
    )
    more = render_cut((SHOWN_ROWS, len(rows), "rows"), (SHOWN_SLOTS, widths[-1], "positions"))
    return summary + warnings + LEGEND + _draw_tensors([row[:SHOWN_SLOTS] for row in rows[:SHOWN_ROWS]], shape) + more


def render_cut(*parts: tuple[int, int, str]) -> str:
    """Say of each (most, in all, what) how much is shown, where that is not all."""
    cut = [f"the first {most:,} of {count:,} {what}" for most, count, what in parts if count > most]
    return about(f"Shown: {' and '.join(cut)}.") if cut else ""


def _draw_tensors(rows: Sequence[Sequence[Cell]], shape: str) -> str:
    """Draw the tokens of a batch and its tensors below each other, slot below slot."""
    width = max(map(len, rows))
    blocks: list[tuple[str, list[Sequence[Any]]]] = [
        (
            "tokens",
            [[token_cell(cell, before) for cell, before in zip(row, [None, *row], strict=False)] for row in rows],
        ),
        (f"input_ids {shape}", [[_value_cell(cell, cell.id) for cell in row] for row in rows]),
    ]
    if any(cell.type_id is not None for row in rows for cell in row):
        blocks.append((f"token_type_ids {shape}", [[_value_cell(cell, cell.type_id) for cell in row] for row in rows]))
    blocks.append((f"attention_mask {shape}", [[_value_cell(cell, cell.attention) for cell in row] for row in rows]))
    lines: list[Sequence[Any]] = []
    for name, values in blocks:
        lines.append([TableCell(name, "hf-tensor-name", columns=width + 1)])
        # A row that ends before the others has nothing there, and no padding either.
        lines += [[number, *row, *[""] * (width - len(row))] for number, row in enumerate(values, start=1)]
    return table((), lines, kind="hf-tokens hf-tensors", row_heads=True, focusable=True)


def _value_cell(cell: Cell, value: Any) -> TableCell:
    return TableCell(value, "hf-pad" if cell.kind == "pad" else "hf-value")


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


def render_characters(text: str, *, visible: bool) -> str:
    """Render `text` as HTML; with `visible`, white space as signs and everything else without ink as its name."""
    if not visible:
        return escape(text)
    drawn, cursor = [], 0
    for index, char in enumerate(text):
        if _is_invisible(char):
            drawn += [escape(text[cursor:index]), _render_invisible(char)]
            cursor = index + 1
    return "".join([*drawn, escape(text[cursor:])])


def name_invisible(text: str) -> str:
    """Return `text` as plain text, where no HTML can be: white space as signs, what else has no ink as [its name]."""
    return "".join(
        char if not _is_invisible(char) else _SIGNS[char][0] if char in _SIGNS else f"[{_character_name(char)}]"
        for char in text
    )


def _is_invisible(char: str) -> bool:
    return char in _NAMES or unicodedata.category(char) in _INKLESS


def _character_name(char: str) -> str:
    return _NAMES.get(char, f"U+{ord(char):04X}")


def _render_invisible(char: str) -> str:
    if char in _SIGNS:
        return f"<i class='hf-space'>{_SIGNS[char]}</i>"
    name = _character_name(char)
    return f"<bdi class='hf-control'>{name}</bdi>{char if char in _STAY else ''}"


def joins_previous(text: str, index: int) -> bool:
    """Say whether the character at `index` is drawn as one with the one before: a mark, a joiner, a half of a flag."""
    if not 0 < index < len(text):
        return False
    char, before = text[index], text[index - 1]
    if char.isascii():
        return False
    if before == ZERO_WIDTH_JOINER or char == ZERO_WIDTH_JOINER or unicodedata.category(char) in ("Mn", "Me", "Mc"):
        return not before.isspace()
    if "\U0001f3fb" <= char <= "\U0001f3ff":  # skin tones
        return True
    if "\u1160" <= char <= "\u11ff":  # vowels and finals of a Korean syllable
        return "\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"
    return _is_flag_half(char) and _is_flag_half(before)


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
