"""The HTML of pieces of a text in a line: tokens with their ids, what is marked of them, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hfdemo.tokenization.encoding import Cell
from hfdemo.tokenization.stages import Piece
from hfdemo.ui.html import escape
from hfdemo.ui.renderers.tokens import name_invisible, render_characters

SHOWN_PIECES = 400


def render_pieces(found: Sequence[Piece], texts: Sequence[str]) -> str:
    """Render pieces in a line; each is linked by the characters of `texts` that it came from."""
    shown = [render_piece(piece, texts, first=not index) for index, piece in enumerate(found[:SHOWN_PIECES])]
    return f"<div class='hf-pieces'>{''.join(shown)}{render_rest(len(found) - SHOWN_PIECES, 'pieces')}</div>"


def render_piece(piece: Piece, texts: Sequence[str], first: bool = False) -> str:
    """Render a piece above its id; the `first` one of a line is where Tab stops."""
    kinds = ["hf-piece"]
    if piece.special:
        kinds.append("hf-special")
    elif piece.sequence == 1:
        kinds.append("hf-second")
    if piece.joined:
        kinds.append("hf-continued")
    came = ""
    linked = ""
    if piece.start is not None and piece.end is not None and piece.sequence is not None:
        linked = f" data-text='{piece.sequence}' data-from='{piece.start}' data-to='{piece.end}'"
        linked += f" tabindex='{0 if first else -1}'"
        raw = texts[piece.sequence][piece.start : piece.end]
        if raw != piece.text and piece.id is None:
            kinds.append("hf-changed")
            came = f" title='from {escape(name_invisible(raw))}'"
    number = "" if piece.id is None else f"<small>{piece.id}</small>"
    return f"<span class='{' '.join(kinds)}'{linked}{came}><bdi>{render_ink(piece.text)}</bdi>{number}</span>"


def render_token(token: str | None, kinds: Sequence[str] = (), note: str = "") -> str:
    """Render a token by itself, with what has no ink made visible, above a `note`; None is an id that has none."""
    ink = "(no token)" if token is None else render_ink(token)
    below = f"<small>{escape(note)}</small>" if note else ""
    return f"<span class='{' '.join(['hf-piece', *kinds])}'><bdi>{ink}</bdi>{below}</span>"


def render_ink(text: str) -> str:
    """Render a piece as HTML, with everything in it that has no ink made visible; an empty one is named."""
    return render_characters(text, visible=True) or "(empty)"


def render_rest(left: int, what: str) -> str:
    """Render how many more there are, "" where there are none."""
    return f"<span class='hf-quiet'>… and {left:,} more {what}</span>" if left > 0 else ""


def render_cells(cells: Sequence[Cell], marked: Sequence[bool], mark: str) -> str:
    """Render tokens in a line; those that are marked stand in `mark` (del or ins), so that no colour has to say it."""
    drawn = []
    before: Cell | None = None
    for cell, is_marked in list(zip(cells, marked, strict=True))[:SHOWN_PIECES]:
        kinds = ["hf-piece", *_cell_classes(cell, before)]
        if is_marked:
            kinds.append("hf-cut" if mark == "del" else "hf-shared")
        tag = mark if is_marked else "span"
        drawn.append(f"<{tag} class='{' '.join(kinds)}'><bdi>{render_ink(cell.token)}</bdi></{tag}>")
        before = cell
    return f"<div class='hf-pieces'>{''.join(drawn)}{render_rest(len(cells) - SHOWN_PIECES, 'tokens')}</div>"


def _cell_classes(cell: Cell, before: Cell | None) -> Iterable[str]:
    if cell.kind in ("special", "pad"):
        yield f"hf-{cell.kind}"
    elif cell.sequence == 1:
        yield "hf-second"
    if before is not None and cell.word is not None and (cell.word, cell.sequence) == (before.word, before.sequence):
        yield "hf-continued"
