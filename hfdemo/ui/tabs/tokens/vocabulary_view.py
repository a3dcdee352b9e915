"""The HTML of ids, words, merges and the vocabulary: what the numbers of a tokenizer stand for."""

from __future__ import annotations

from hfdemo.tokenization.decoding import DecodedIds, RoundTrip
from hfdemo.tokenization.learned_merges import MergedText
from hfdemo.tokenization.vocabulary import VocabularyMatches
from hfdemo.tokenization.word_labels import IGNORED, AlignedWords
from hfdemo.ui.html import Html, TableCell, about, escape, facts, notes, placeholder, table, with_title
from hfdemo.ui.renderers.generated_text import render_text_difference
from hfdemo.ui.renderers.pieces import SHOWN_PIECES, render_ink, render_rest, render_token
from hfdemo.ui.renderers.tokens import render_strip, token_cell


def render_decoded(found: RoundTrip, text: str) -> str:
    """Render the text, what came back, and what was lost on the way."""
    changes = (
        ""
        if found.exact
        else with_title("Struck through is lost, underlined is new", render_text_difference(text, found.plain))
    )
    return (
        facts([("round trip", "exact" if found.exact else "not exact")])
        + _render_both(found)
        + changes
        + "".join(map(about, found.lost))
    )


def _render_both(found: RoundTrip | DecodedIds) -> str:
    """Render what decode gives with special tokens, and without."""
    ways = (("tokenizer.decode(ids)", found.whole), ("tokenizer.decode(ids, skip_special_tokens=True)", found.plain))
    return "".join(with_title(call, f"<pre class='hf-pre'>{escape(text)}</pre>") for call, text in ways)


def render_ids(found: DecodedIds) -> str:
    """Render the token of each id that was typed in, and the text that they are together."""
    shown = list(zip(found.ids, found.tokens, found.special, strict=True))[:SHOWN_PIECES]
    drawn = "".join(render_token(token, ["hf-special"] * special, str(id)) for id, token, special in shown)
    rest = render_rest(len(found.ids) - SHOWN_PIECES, "ids")
    line = f"<div class='hf-pieces'>{drawn}{rest}</div>"
    return with_title(f"tokenizer.convert_ids_to_tokens(ids): {len(found.ids):,}", line) + _render_both(found)


def render_words(found: AlignedWords) -> str:
    """Render each token below the number of its word, and above the label that training gives it."""
    cells = found.cells[:SHOWN_PIECES]
    befores = [None, *cells]
    strip = render_strip(
        [
            ("token", [token_cell(cell, before) for cell, before in zip(cells, befores, strict=False)]),
            ("word_ids", ["None" if cell.word is None else cell.word for cell in cells]),
            ("label", ["" if label is None else label for label in found.labels[:SHOWN_PIECES]]),
            ("labels", [_label_cell(id) for id in found.label_ids[:SHOWN_PIECES]]),
        ]
    )
    learned = sum(label is not None for label in found.labels)
    legend = about(
        f"{learned:,} of {len(found.labels):,} tokens have a label: the first of each word. `{IGNORED}` is what the "
        "loss leaves out: special tokens, and the rest of a word."
    )
    numbered = "".join(
        f"<span class='hf-chip'>{number} {escape(name)}</span> " for number, name in enumerate(found.label_names)
    )
    return notes(found.notes) + strip + legend + with_title("Labels by their number", numbered)


def _label_cell(id: int) -> TableCell:
    return TableCell(id, "hf-quiet" if id == IGNORED else "")


def render_merges(found: MergedText) -> str:
    """Render the text as the first merges cut it, and the last of them."""
    pieces = "".join(map(render_token, found.tokens))
    latest = table(
        ("merge", "left", "right", "makes"),
        [(f"{each.rank:,}", each.left, each.right, Html(render_token(each.made))) for each in found.latest],
        numbers=(0,),
    )
    return (
        facts(
            [
                ("merges used", f"{found.applied:,} of {found.total:,}"),
                ("tokens", f"{len(found.tokens):,}"),
                ("without any", f"{found.before:,}"),
                ("with all", f"{found.after:,}"),
            ]
        )
        + f"<div class='hf-pieces'>{pieces}</div>"
        + (with_title("The latest of them, the newest first", latest) if found.latest else "")
    )


def render_vocabulary(found: VocabularyMatches, query: str) -> str:
    """Render a page of the tokens that a search found."""
    if not found.found:
        return placeholder(f"None of {found.size:,} tokens holds “{query}”. Upper and lower case count as the same.")
    if not found.entries:
        return placeholder(f"There are {found.found:,} tokens, and no more pages.")
    last = found.first + len(found.entries)
    said = f"{found.first + 1:,} to {last:,} of {found.found:,} found, among {found.size:,} tokens."
    rows = [
        (
            f"{each.id:,}",
            Html(f"<bdi class='hf-piece'>{render_ink(each.token)}</bdi>"),
            Html(render_ink(each.text)),
            _KINDS[each.kind],
        )
        for each in found.entries
    ]
    return about(said) + table(("id", "token", "reads", ""), rows, numbers=(0,))


_KINDS = {"token": "", "added": "added", "special": "special"}
