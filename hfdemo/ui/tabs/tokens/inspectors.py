"""One text in detail: its stages, what is cut, a chat, several tokenizers, decoded again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.api import App
from hfdemo.errors import DemoError, Stopped
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization import by_reference
from hfdemo.tokenization.backend import MOST_CHARACTERS
from hfdemo.tokenization.by_reference import (
    compare_tokenizers,
    decode_text,
    split_text,
    trace_first_word,
    trace_text,
    truncate_text,
)
from hfdemo.tokenization.chat_templates import ChatOptions, RenderedChat
from hfdemo.tokenization.comparison import Segmentation, find_disagreements
from hfdemo.tokenization.decoding import RoundTrip
from hfdemo.tokenization.encoding import Cell
from hfdemo.tokenization.merges import WordTrace
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.snippets import write_tokenization_script
from hfdemo.tokenization.stages import Piece, Stage
from hfdemo.tokenization.truncating import Truncated, Window
from hfdemo.ui import html
from hfdemo.ui.html import about, code, escape, facts, notes, table, with_title
from hfdemo.ui.renderers.generated_text import render_text_difference
from hfdemo.ui.renderers.tokens import name_invisible, render_characters

SHOWN_PIECES = 400
SHOWN_WINDOWS = 24


def render_stages(found: Sequence[Stage], texts: Sequence[str]) -> str:
    """Render the stages below each other, linked by the characters of `texts` (the text and its pair) that they came
    from.
    """
    hint = about("Point at a piece, or go to it with the arrow keys: what came from the same characters lights up.")
    rows = "".join(
        f"<div class='hf-stage'><h4>{escape(stage.name)}</h4><p>{escape(stage.did)}</p>"
        f"{_render_pieces(stage.pieces, texts)}</div>"
        for stage in found
    )
    return f"{hint}<div class='hf-linked-stages'>{rows}</div>"


def _render_pieces(found: Sequence[Piece], texts: Sequence[str]) -> str:
    shown = [_render_piece(piece, texts, first=not index) for index, piece in enumerate(found[:SHOWN_PIECES])]
    return f"<div class='hf-pieces'>{''.join(shown)}{_render_rest(len(found) - SHOWN_PIECES, 'pieces')}</div>"


def _render_piece(piece: Piece, texts: Sequence[str], first: bool = False) -> str:
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
    return f"<span class='{' '.join(kinds)}'{linked}{came}><bdi>{_render_text(piece.text)}</bdi>{number}</span>"


def _render_text(text: str) -> str:
    """Render a piece as HTML, with everything in it that has no ink made visible; an empty one is named."""
    return render_characters(text, visible=True) or "(empty)"


def _render_rest(left: int, what: str) -> str:
    return f"<span class='hf-quiet'>… and {left:,} more {what}</span>" if left > 0 else ""


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
    return "".join(
        f"<span class='hf-piece{' hf-new' if index in changed else ''}'><bdi>{_render_text(piece)}</bdi></span>"
        for index, piece in enumerate(pieces)
    )


def render_truncations(found: Sequence[Truncated], max_length: int) -> str:
    """Render each strategy's row with what it cuts off struck through."""

    def one(each: Truncated) -> str:
        kept = len(each.kept) - each.lost
        said = "can't be done" if each.error else f"keeps {kept:,} of {len(each.kept):,} tokens, cuts {each.lost:,}"
        body = notes([each.error]) if each.error else _render_cells(each.cells, [not kept for kept in each.kept], "del")
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
        with_title(
            f"Window {number} · {len(window.cells):,} tokens", _render_cells(window.cells, window.overlap, "ins")
        )
        for number, window in enumerate(found[:SHOWN_WINDOWS], start=1)
    )
    more = f"<p class='hf-about'>{_render_rest(len(found) - SHOWN_WINDOWS, 'windows')}</p>"
    return f"<p class='hf-about'>{legend}</p>{rows}{more if len(found) > SHOWN_WINDOWS else ''}"


def _render_cells(cells: Sequence[Cell], marked: Sequence[bool], mark: str) -> str:
    """Render tokens in a line; those that are marked stand in `mark` (del or ins), so that no colour has to say it."""
    drawn = []
    before: Cell | None = None
    for cell, is_marked in list(zip(cells, marked, strict=True))[:SHOWN_PIECES]:
        kinds = ["hf-piece", *_cell_classes(cell, before)]
        if is_marked:
            kinds.append("hf-cut" if mark == "del" else "hf-shared")
        tag = mark if is_marked else "span"
        drawn.append(f"<{tag} class='{' '.join(kinds)}'><bdi>{_render_text(cell.token)}</bdi></{tag}>")
        before = cell
    return f"<div class='hf-pieces'>{''.join(drawn)}{_render_rest(len(cells) - SHOWN_PIECES, 'tokens')}</div>"


def _cell_classes(cell: Cell, before: Cell | None) -> Iterable[str]:
    if cell.kind in ("special", "pad"):
        yield f"hf-{cell.kind}"
    elif cell.sequence == 1:
        yield "hf-second"
    if before is not None and cell.word is not None and (cell.word, cell.sequence) == (before.word, before.sequence):
        yield "hf-continued"


def render_chat(found: RenderedChat) -> str:
    """Render the rendered string, what add_generation_prompt added to it marked, and its tokens."""
    borrowed = (
        [
            f"This tokenizer has no chat template of its own. The {found.borrowed} one is shown instead, which a "
            "fine-tuning on messages uses and saves with the model, too."
        ]
        if found.borrowed
        else []
    )
    body = found.text.removesuffix(found.prompt)
    added = f"<ins class='hf-shared' title='add_generation_prompt'>{escape(found.prompt)}</ins>" if found.prompt else ""
    row = found.encoding.rows()[0]
    return (
        notes([*borrowed, *found.warnings])
        + with_title(
            "Rendered: the one string that the model reads", f"<pre class='hf-pre'>{escape(body)}{added}</pre>"
        )
        + with_title(f"Tokens: {len(row):,}", _render_cells(row, [False] * len(row), "ins"))
        + with_title("Learned in training: the assistant mask", _render_learned(found))
    )


def _render_learned(found: RenderedChat) -> str:
    """Render which tokens a training on this conversation learns, as far as the template says it."""
    if not found.learned:
        return about(
            "The template does not mark what the assistant writes (`{% generation %}`), so "
            "`return_assistant_tokens_mask=True` gives zeros. Fine-tune finds the answers by itself."
        )
    count = sum(found.learned)
    said = about(f"{count:,} of {len(found.learned):,} tokens are learned: the labels of the others are -100.")
    return said + _render_cells(found.encoding.rows()[0], found.learned, "ins")


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
        drawn.append(mark + _render_piece(piece, [text]))
    rest = _render_rest(found.tokens - SHOWN_PIECES, "tokens")
    no_offsets = about("It knows no offsets, so its splits can't be compared.") if found.boundaries is None else ""
    return f"{no_offsets}<div class='hf-pieces'>{''.join(drawn)}{rest}</div>"


def render_decoded(found: RoundTrip, text: str) -> str:
    """Render the text, what came back, and what was lost on the way."""
    changes = (
        ""
        if found.exact
        else with_title("Struck through is lost, underlined is new", render_text_difference(text, found.plain))
    )
    return (
        facts([("round trip", "exact" if found.exact else "not exact")])
        + with_title("tokenizer.decode(ids)", f"<pre class='hf-pre'>{escape(found.whole)}</pre>")
        + with_title(
            "tokenizer.decode(ids, skip_special_tokens=True)", f"<pre class='hf-pre'>{escape(found.plain)}</pre>"
        )
        + changes
        + "".join(map(about, found.lost))
    )


EXAMPLE_TOOLS = [{"type": "function", "function": {"name": "tide", "description": "", "parameters": {}}}]
EXAMPLE_DOCUMENTS = [{"title": "Harbour", "text": "The ferry leaves at seven."}]
EXAMPLE_MESSAGE = {"role": "user", "content": "And at low tide?"}
# The inspectors draw every piece several times; a screenful of it is enough to see how it goes.
INSPECTED_CHARACTERS = min(800, MOST_CHARACTERS)
SHORTENED = frozenset({"Stages", "Several tokenizers", "Decode"})
MOST_COMPARED = 8


def make_options(special: bool, splitting: bool) -> Options:
    # Off means the tokenizer's own way, which may be to split them.
    return Options(add_special_tokens=special, split_special_tokens=splitting or None)


def render_inspector(app: App, inspector: str, given: Mapping[str, Any], stop: Event | None = None) -> tuple[str, str]:
    """Return the HTML of one inspector, and its code where it is the code.

    Raises:
        DemoError: what the inspector's own functions raise, and messages that can't be read.
    """
    text, pair = given["text"] or "", given["pair"] or None
    if inspector in SHORTENED:
        text, pair = text[:INSPECTED_CHARACTERS], pair and pair[:INSPECTED_CHARACTERS]
    short = text != given["text"] or pair != (given["pair"] or None)
    note = f"Of each text, the first {INSPECTED_CHARACTERS:,} characters are looked at here." if short else ""
    about = html.about(note) if note else ""
    if not text and inspector not in ("One word", "Chat template"):
        return html.placeholder("Type a text above."), ""
    if inspector == "Code":
        options = {} if given["special"] else {"add_special_tokens": False}
        options |= {"split_special_tokens": True} if given["splitting"] else {}
        pairs = [pair] if pair else None
        return "", app.engine.call(write_tokenization_script, given["tokenizer"], [text], pairs, options, app.settings)
    if inspector == "Several tokenizers":
        return about + _compare_tokenizers(app, given["others"] or [], text, stop), ""
    look = Look(app, ModelRef.parse(given["tokenizer"]), text, pair, given, stop)
    return about + _INSPECTORS[inspector](look), ""


@dataclass(frozen=True)
class Look:
    """What an inspector looks at: a text and its pair, if it has one, and what else stands in the fields."""

    app: App
    ref: ModelRef
    text: str
    pair: str | None
    given: Mapping[str, Any]
    stop: Event | None = None

    @property
    def options(self) -> Options:
        return make_options(self.given["special"], self.given["splitting"])


def _inspect_stages(look: Look) -> str:
    app, text, pair = look.app, look.text, look.pair
    found = app.engine.call(trace_text, app.models, look.ref, text, pair, look.options, look.stop)
    return render_stages(found, [text, pair] if pair else [text])


def _inspect_word(look: Look) -> str:
    app, word = look.app, look.given["word"] or ""
    return render_steps(app.engine.call(trace_first_word, app.models, look.ref, word, look.stop))


def _inspect_truncation(look: Look) -> str:
    app, most = look.app, int(look.given["max_length"] or 0)
    found = app.engine.call(truncate_text, app.models, look.ref, look.text, look.pair, most, look.options, look.stop)
    return render_truncations(found, most)


def _inspect_windows(look: Look) -> str:
    try:
        return _render_windows_of(look, look.given["strategy"])
    except Stopped:
        raise
    except DemoError as error:
        if look.pair is None or look.given["strategy"] != "longest_first":
            raise
        # With a pair that is what the view opens on; the usual way is to slide over the second text.
        return html.notes([f"{error} Shown is only_second."]) + _render_windows_of(look, "only_second")


def _render_windows_of(look: Look, strategy: str) -> str:
    app, most, stride = look.app, int(look.given["max_length"] or 0), int(look.given["stride"] or 0)
    found = app.engine.call(
        split_text, app.models, look.ref, look.text, look.pair, most, stride, strategy, look.options, look.stop
    )
    return render_windows(found, stride)


def _inspect_chat(look: Look) -> str:
    app, given = look.app, look.given
    messages = _read_json("messages", given["messages"], [EXAMPLE_MESSAGE])
    options = ChatOptions(
        _read_optional("tools", given, EXAMPLE_TOOLS),
        _read_optional("documents", given, EXAMPLE_DOCUMENTS),
        _read_optional("arguments", given, {"enable_thinking": False}) or {},
    )
    # Its field is hidden on a shared server, but whoever calls can fill it in all the same.
    template = None if app.settings.public else given["template"] or None
    found = app.engine.call(
        by_reference.render_chat, app.models, look.ref, messages, given["prompt"], template, look.stop, options
    )
    return render_chat(found)


def _read_optional(name: str, given: Mapping[str, Any], example: Any) -> Any:
    return _read_json(name, given[name], example) if given.get(name) else None


def _read_json(name: str, text: str | None, example: Any) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise DemoError(f"{name} is not JSON: {error}. Write it like {json.dumps(example)}.") from error


def _inspect_decoding(look: Look) -> str:
    app, text = look.app, look.text
    only = html.about("Only the first text is decoded here.") if look.pair else ""
    found = app.engine.call(decode_text, app.models, look.ref, text, look.options, INSPECTED_CHARACTERS, look.stop)
    return only + render_decoded(found, text)


_INSPECTORS: Mapping[str, Callable[[Look], str]] = {
    "Stages": _inspect_stages,
    "One word": _inspect_word,
    "Truncation": _inspect_truncation,
    "Windows": _inspect_windows,
    "Chat template": _inspect_chat,
    "Decode": _inspect_decoding,
}


def _compare_tokenizers(app: App, references: Sequence[str], text: str, stop: Event | None) -> str:
    """Render several tokenizers on one text; one that can't be had is said, and the others are shown."""
    asked = list(dict.fromkeys(references))[:MOST_COMPARED]
    found, failed = app.engine.call(compare_tokenizers, app.models, asked, text, stop)
    if len(references) > MOST_COMPARED:
        failed.append(f"{len(references)} tokenizers are chosen; the first {MOST_COMPARED} are compared.")
    if not found:
        return html.notes(failed) or html.placeholder("Choose two tokenizers or more.")
    return html.notes(failed) + render_comparison(found, find_disagreements(found), text)
