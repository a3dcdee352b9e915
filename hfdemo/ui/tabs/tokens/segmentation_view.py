"""The HTML of how one text is cut: its stages, one word's steps, what truncation and windows do, several tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

from hfdemo.tokenization.comparison import Segmentation
from hfdemo.tokenization.merges import WordTrace
from hfdemo.tokenization.stages import Stage
from hfdemo.tokenization.truncating import Truncated, Window
from hfdemo.ui.html import about, code, escape, notes, table, with_title
from hfdemo.ui.renderers.pieces import (
    SHOWN_PIECES,
    render_cells,
    render_piece,
    render_pieces,
    render_rest,
    render_token,
)
from hfdemo.ui.renderers.tokens import name_invisible

SHOWN_WINDOWS = 24


def render_stages(found: Sequence[Stage], texts: Sequence[str]) -> str:
    """Render the stages below each other, linked by the characters of `texts` (the text and its pair) that they came
    from.
    """
    hint = about("Point at a piece, or go to it with the arrow keys: what came from the same characters lights up.")
    rows = "".join(
        f"<div class='hf-stage'><h2>{escape(stage.name)}</h2><p>{escape(stage.did)}</p>"
        f"{render_pieces(stage.pieces, texts)}</div>"
        for stage in found
    )
    return f"{hint}<div class='hf-linked-stages'>{rows}</div>"


def render_steps(found: WordTrace) -> str:
    """Render how a word became pieces, one line a step."""
    lines = "".join(
        f"<li><span class='hf-pieces'>{_render_step(step.pieces, step.changed)}</span>"
        f"<span>{escape(step.why)}</span></li>"
        for step in found.steps
    )
    head = f"{found.algorithm}: {name_invisible(found.word)}"
    return with_title(head, about(found.about) + f"<ol class='hf-steps'>{lines}</ol>")


def _render_step(pieces: Sequence[str], changed: Sequence[int]) -> str:
    return "".join(render_token(piece, ["hf-new"] * (index in changed)) for index, piece in enumerate(pieces))


def render_truncations(found: Sequence[Truncated], max_length: int) -> str:
    """Render each strategy's row with what it cuts off struck through."""

    def one(each: Truncated) -> str:
        kept = len(each.kept) - each.lost
        said = "can't be done" if each.error else f"keeps {kept:,} of {len(each.kept):,} tokens, cuts {each.lost:,}"
        body = notes([each.error]) if each.error else render_cells(each.cells, [not kept for kept in each.kept], "del")
        return with_title(f'truncation="{each.strategy}": {said}', body)

    legend = (
        f"max_length={max_length}, special tokens included. <del class='hf-piece hf-cut'>struck through</del> is what "
        "the model never sees."
    )
    return f"<p class='hf-about'>{legend}</p>{''.join(map(one, found))}"


def render_windows(found: Sequence[Window], stride: int) -> str:
    """Render the rows that overflowing makes, with what they share marked."""
    legend = (
        f"{code(f'`stride={stride}`')}: neighbours share that many tokens, <ins class='hf-piece hf-shared'>underlined"
        "</ins> in the later one. Nothing is lost; the text becomes several rows."
    )
    rows = "".join(
        with_title(f"Window {number} · {len(window.cells):,} tokens", render_cells(window.cells, window.overlap, "ins"))
        for number, window in enumerate(found[:SHOWN_WINDOWS], start=1)
    )
    more = f"<p class='hf-about'>{render_rest(len(found) - SHOWN_WINDOWS, 'windows')}</p>"
    return f"<p class='hf-about'>{legend}</p>{rows}{more if len(found) > SHOWN_WINDOWS else ''}"


def render_comparison(found: Sequence[Segmentation], differing: frozenset[int], text: str) -> str:
    """Render tokenizers side by side: counts, and the text with every split drawn, the differing ones marked."""
    counts = table(
        ("tokenizer", "algorithm", "vocabulary", "tokens", "characters per token", "unknown"),
        [
            (
                *(each.name, each.algorithm, f"{each.vocabulary:,}", f"{each.tokens:,}"),
                *(f"{each.characters_per_token:.2f}", f"{each.unknown:,}"),
            )
            for each in found
        ],
        numbers=(2, 3, 4, 5),
        focusable=True,
    )
    legend = (
        "<p class='hf-about'>Same text, same words, other pieces. <b class='hf-here'>▾</b> stands where some of them "
        f"split and others don't: {len(differing):,} places.</p>"
    )
    strips = "".join(with_title(each.name, _render_split(each, differing, text)) for each in found)
    return counts + legend + strips


def _render_split(found: Segmentation, differing: frozenset[int], text: str) -> str:
    drawn = []
    for piece in found.pieces[:SHOWN_PIECES]:
        place = -1
        if piece.start is not None and piece.end is not None and found.boundaries is not None:
            # A boundary counts where the text goes on: a tokenizer may take the space before a word, or leave it.
            place = next((at for at in range(piece.start, piece.end) if not text[at].isspace()), -1)
        mark = "<b class='hf-here' title='others do not split here'>▾</b>" if place in differing else ""
        drawn.append(mark + render_piece(piece, [text]))
    rest = render_rest(found.tokens - SHOWN_PIECES, "tokens")
    no_offsets = about("It knows no offsets, so its splits can't be compared.") if found.boundaries is None else ""
    return f"{no_offsets}<div class='hf-pieces'>{''.join(drawn)}{rest}</div>"
