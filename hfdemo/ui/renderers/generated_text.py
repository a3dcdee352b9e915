"""The HTML of what a model wrote: texts, conversations, the probability of each token, how two texts differ."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfdemo.ui.html import escape, facts, format_percent, placeholder, show_spaces, with_title
from hfdemo.ui.renderers.embeddings import dump_json, render_json, shorten_value
from hfdemo.ui.renderers.image import render_image

TEXT_KEYS = ("generated_text", "summary_text", "translation_text", "answer")
MOST_WORDS = 4_000


def render_text(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"generated_text" | "summary_text" | "translation_text"}, ...] as paragraphs with their white space kept.

    A model that writes anything may have made a picture, {"generated_image"}, instead, or something else.
    """
    found = [output] if isinstance(output, Mapping) else list(output or [])
    if any(not set(TEXT_KEYS) & set(each) for each in found):
        return "".join(
            render_image(each["generated_image"], inputs) if "generated_image" in each else render_json(each, inputs)
            for each in found
        )
    written = [next(each[key] for key in TEXT_KEYS if key in each) for each in found]
    if any(isinstance(each, list) for each in written):
        return render_chat(output, inputs)
    if not any(str(each).strip() for each in written):
        return placeholder("The model wrote nothing: its first token was the one that ends a text.")
    paragraphs = [f"<p class='hf-text hf-written'>{escape(each)}</p>" for each in written]
    return _number_texts(paragraphs)


def _number_texts(drawn: Sequence[str]) -> str:
    if len(drawn) == 1:
        return drawn[0]
    return "".join(with_title(f"{number} of {len(drawn)}", each) for number, each in enumerate(drawn, start=1))


def render_chat(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"generated_text": str | [{"role", "content"}, ...]}, ...]: a continued text, or a conversation."""
    found = [output] if isinstance(output, Mapping) else list(output or [])
    found = found[0] if found and isinstance(found[0], list) else found
    if not found:
        return placeholder("The model wrote nothing.")
    return _number_texts([_draw_generated(each["generated_text"], inputs) for each in found])


def _draw_generated(written: Any, inputs: Mapping[str, Any]) -> str:
    if isinstance(written, str) and inputs.get("messages"):
        written = [*inputs["messages"], {"role": "assistant", "content": written}]
    if not isinstance(written, str):
        return f"<div class='hf-chat'>{''.join(map(_draw_message, written))}</div>"
    prompt = str(inputs.get("text") or "")
    known = prompt if prompt and written.startswith(prompt) else ""
    new = written[len(known) :]
    quiet = f"<span class='hf-quiet'>{escape(known)}</span>" if known else ""
    if not new.strip():
        return f"<p class='hf-text'>{quiet}</p>" + placeholder("The model added nothing to the text.")
    return f"<div class='hf-text hf-written'>{quiet}{_fold_reasoning(new, 'b')}</div>"


def _draw_message(message: Mapping[str, Any]) -> str:
    role, content = str(message.get("role", "")), message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    drawn = "".join(
        _fold_reasoning(str(part.get("text", "")), "span")
        if part.get("type") == "text"
        else f"<span class='hf-chip'>{escape(part.get('type', 'part'))}</span> "
        for part in parts
    )
    wanted = message.get("tool_calls")
    calls = f"<pre class='hf-pre'>{escape(dump_json(shorten_value(wanted)))}</pre>" if wanted else ""
    known = role if role in ("user", "assistant", "system", "tool") else "other"
    return (
        f"<div class='hf-bubble hf-{known}'><small>{escape(role)}</small>"
        f"<div class='hf-text'>{drawn}{calls}</div></div>"
    )


def _fold_reasoning(written: str, tag: str) -> str:
    """Draw text with what stands between <think> and </think> folded away; the end or the beginning may be missing."""
    if "</think>" in written and "<think>" not in written.split("</think>")[0]:
        written = f"<think>{written}"  # some chat templates write the opening tag themselves
    drawn = []
    for index, piece in enumerate(re.split(r"<think>(.*?)(?:</think>|\Z)", written, flags=re.DOTALL)):
        if index % 2:
            words = len(piece.split())
            drawn.append(
                f"<details><summary>Reasoning · {words:,} words</summary>{escape(piece.strip())}</details>"
                if words
                else ""
            )
        elif piece.strip():
            drawn.append(f"<{tag}>{escape(piece.lstrip() if index else piece)}</{tag}>")
    return "".join(drawn)


def render_token_probabilities(steps: Sequence[Mapping[str, Any]]) -> str:
    """Draw [{"token", "probability", "entropy" in bits, "top": [(token, probability), ...]}, ...]: how sure of what.

    An entry of "top" may be {"token", "probability"}, too. Each token is shaded by its probability; pointing at one, or
    tabbing to it, shows what else it might have been.
    """
    if not steps:
        return placeholder("No token was written, so there are no odds to show.")
    chips = "".join(map(_draw_step, steps))
    mean = sum(float(step["entropy"]) for step in steps) / len(steps)
    surest = sum(step["token"] == _read_alternatives(step)[0][0] for step in steps if step["top"])
    said = facts(
        [
            ("tokens", len(steps)),
            ("the likeliest was taken", f"{surest} times"),
            ("mean entropy", f"{mean:.2f} bits"),
        ]
    )
    hint = "<p class='hf-about'>The stronger the shade, the likelier the token. Point at one to see its rivals.</p>"
    return f"<div class='hf-text hf-odds'>{chips}</div>{hint}{said}"


def _read_alternatives(step: Mapping[str, Any]) -> list[tuple[str, float]]:
    pairs = ((top["token"], top["probability"]) if isinstance(top, Mapping) else top for top in step["top"])
    return [(str(token), float(probability)) for token, probability in pairs]


def _draw_step(step: Mapping[str, Any]) -> str:
    token, probability = str(step["token"]), float(step["probability"])
    bars = []
    for rival, chance in _read_alternatives(step):
        taken = " hf-taken" if rival == token else ""
        bars.append(
            f"<span class='hf-rival{taken}'><b>{escape(show_spaces(rival))}</b>"
            f"<i style='width:{100 * chance:.1f}%'></i><em>{format_percent(chance)}</em></span>"
        )
    # A line break is both named and made: the text keeps its shape.
    shown = escape(token).replace("\n", "⏎\n") or "∅"
    return (
        f"<span class='hf-odd' tabindex='0' style='--hf-strength:{probability:.0%}'>{shown}<span class='hf-rivals'>"
        f"<span>{escape(show_spaces(token))} · {format_percent(probability)} · "
        f"entropy {float(step['entropy']):.2f} bits</span>"
        f"{''.join(bars)}</span></span>"
    )


def render_text_difference(left_text: str, right_text: str) -> str:
    """Show two texts as one: what only the left has is struck out, what only the right has is underlined."""
    if left_text == right_text:
        return placeholder("Both texts are the same, letter for letter.")
    left, right = _split_words(left_text), _split_words(right_text)
    if max(len(left), len(right)) > MOST_WORDS:  # the comparison takes the square of the length: go by lines
        left, right = left_text.splitlines(keepends=True), right_text.splitlines(keepends=True)
    return f"<p class='hf-text hf-difference'>{''.join(_mark_changes(left, right))}</p>"


def _split_words(written: str) -> list[str]:
    return re.findall(r"\s*\w+|\s*[^\w\s]|\s+", written)


def _mark_changes(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, from_left, to_left, from_right, to_right in matcher.get_opcodes():
        gone, come = escape("".join(left[from_left:to_left])), escape("".join(right[from_right:to_right]))
        if kind == "equal":
            yield gone
        else:
            yield (f"<del>{gone}</del>" if gone else "") + (f"<ins>{come}</ins>" if come else "")
