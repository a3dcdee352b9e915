"""The HTML of results: one drawing per kind of output, from what the pipeline returned and what it was given."""

from __future__ import annotations

import difflib
import itertools
import json as _json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.inference import SPEECH_RATE, Prediction
from hfdemo.ui import html
from hfdemo.ui.html import empty, escape, facts, notes, table
from hfdemo.ui.pictures import (
    array,
    audio,
    boxes,
    framed,
    hues,
    image,
    keypoints,
    masks,
    outlines,
    share,
    transcript,
)

SHOWN_LABELS = 50
SHOWN_TEXTS = 12
SHOWN_ITEMS = 12
SHOWN_CHARACTERS = 2_000
MOST_WORDS = 4_000
MASK_TOKENS = re.compile(r"\[MASK\]|<mask>|<extra_id_\d+>")
TEXT_KEYS = ("generated_text", "summary_text", "translation_text", "answer")
SPACES = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


def labels(output: Any, inputs: Mapping[str, Any]) -> str:
    """[{"label", "score"}, ...], one such list per text, or {"sequence", "labels", "scores"}, as bars."""
    if isinstance(output, list) and output and _is_zero_shot(output[0]):
        return "".join(_titled(each["sequence"], labels(each, inputs)) for each in output)
    if isinstance(output, list) and len(output) > 1 and isinstance(output[0], list):
        return "".join(_titled(f"text {number}", labels(each, inputs)) for number, each in enumerate(output, start=1))
    found = _labelled(output)
    if not found:
        return empty("Nothing was found above the threshold: no label has a score to show.")
    bars = html.label_bars([{"label": name, "score": score} for name, score in found[:SHOWN_LABELS]])
    return bars + (
        f"<p class='hf-about'>… and {len(found) - SHOWN_LABELS:,} more labels.</p>" if found[SHOWN_LABELS:] else ""
    )


def _is_zero_shot(output: Any) -> bool:
    return isinstance(output, Mapping) and "labels" in output and "scores" in output and "masks" not in output


def _labelled(output: Any) -> list[tuple[str, float]] | None:
    """Labels and scores of any classifier's output for one input; None when it is something else."""
    if _is_zero_shot(output):
        return [(str(name), float(score)) for name, score in zip(output["labels"], output["scores"], strict=True)]
    if isinstance(output, list) and len(output) == 1 and isinstance(output[0], list):
        output = output[0]
    rows = [output] if isinstance(output, Mapping) else output
    if not isinstance(rows, list) or not all(
        isinstance(row, Mapping) and set(row) == {"label", "score"} for row in rows
    ):
        return None
    return [(str(row["label"]), float(row["score"])) for row in rows]


def _titled(title: Any, body: str) -> str:
    return f"<div class='hf-row-title'>{escape(title)}</div>{body}"


def spans(output: Any, inputs: Mapping[str, Any]) -> str:
    """[{"entity" | "entity_group", "score", "word", "start", "end"}, ...] marked in inputs["text"], and as a table."""
    found = output[0] if output and isinstance(output[0], list) else output
    if not found:
        return empty("Nothing was found above the threshold: the model took every word for an ordinary one.")
    kinds = [str(item.get("entity_group", item.get("entity"))) for item in found]
    text, rows, marks = str(inputs.get("text") or ""), [], []
    for item, kind in zip(found, kinds, strict=True):
        start, end = item.get("start"), item.get("end")
        placed = start is not None and end is not None
        rows.append((kind, item["word"], share(item["score"]), f"{start}–{end}" if placed else "–"))
        if placed and 0 <= start < end <= len(text):
            marks.append((int(start), int(end), kind, share(item["score"])))
    marked = f"<p class='hf-text hf-spans'>{_marked(text, marks)}</p>" if marks else ""
    slow = "" if marks else "<p class='hf-about'>This tokenizer does not say where in the text its words stand.</p>"
    listed = table(("type", "text", "score", "characters"), rows, numbers=(2, 3))
    return f"{marked}{slow}<div class='hf-wrapping'>{listed}</div>"


def _marked(text: str, marks: Sequence[tuple[int, int, str, str]]) -> str:
    """`text` with (start, end, name, title) marked; marks may touch, nest or cross: they are cut at each border."""
    colours = hues(_kind(name) for _, _, name, _ in marks)
    borders = sorted({0, len(text), *(place for start, end, _, _ in marks for place in (start, end))})
    drawn = []
    for start, end in itertools.pairwise(borders):
        piece = escape(text[start:end])
        covering = [(number, mark) for number, mark in enumerate(marks) if mark[0] <= start and end <= mark[1]]
        # The shortest lies inside; a name stands once, where its mark ends.
        for number, (first, last, name, title) in sorted(covering, key=lambda each: each[1][1] - each[1][0]):
            label = f"<sup>{escape(name)}</sup>" if last == end and name else ""
            edges = f"{' hf-opens' if first == start else ''}{' hf-closes' if last == end else ''}"
            colour = f" style='--hf-hue:{colours[_kind(name)]}'" if name else ""
            piece = (
                f"<mark class='hf-span{edges}' data-n='{number}'{colour} title='{escape(title)}'>{piece}{label}</mark>"
            )
        drawn.append(piece)
    return "".join(drawn)


def _kind(entity: str) -> str:
    """An entity's type without the letter for its place in the entity: B-PER and I-PER are both PER."""
    return re.sub(r"^[BIESLU]-", "", entity)


def answers(output: Any, inputs: Mapping[str, Any]) -> str:
    """{"answer", "score"?, "start"?, "end"?} or a list: in inputs["context"], on inputs["image"], or by themselves."""
    found = [each for each in (output if isinstance(output, list) else [output]) if each]
    found = found[0] if found and isinstance(found[0], list) else found
    if not found:
        return empty("The model found no answer. Ask for something that stands in the text or the picture.")
    best = found[0]
    said = str(best.get("answer") or "").strip()
    head = (
        f"<p class='hf-answer'><b>{escape(said)}</b>{_score(best)}</p>"
        if said
        else "<p class='hf-note'>The model's best answer is the empty one: "
        f"it holds that the question has no answer here.{_score(best)}</p>"
    )
    others = [(each.get("answer") or "(no answer)", share(each.get("score"))) for each in found[1:]]
    rest = _titled("Other answers", table(("answer", "score"), others, numbers=(1,))) if others else ""
    return head + _answer_place(best, said, inputs) + rest


def _score(item: Mapping[str, Any]) -> str:
    return f" <span class='hf-chip'>{share(item['score'])}</span>" if item.get("score") is not None else ""


def _answer_place(best: Mapping[str, Any], said: str, inputs: Mapping[str, Any]) -> str:
    """Where the best answer stands: marked in the context, or outlined among the words of the image."""
    start, end, context = best.get("start"), best.get("end"), inputs.get("context")
    if start is None or end is None or not said:
        return f"<p class='hf-text hf-quiet'>{escape(context)}</p>" if context else ""
    if context:
        return (
            f"<p class='hf-text hf-quiet hf-spans'>{_marked(str(context), [(int(start), int(end), '', 'answer')])}</p>"
        )
    picture, words = inputs.get("image"), inputs.get("word_boxes")
    if picture is None or not words:
        return ""
    width, height = picture.size
    across, down = width / 1000, height / 1000  # word boxes count in thousandths of the page
    places = [
        (box[0] * across, box[1] * down, box[2] * across, box[3] * down) for _, box in words[int(start) : int(end) + 1]
    ]
    names = [""] * len(places)
    over = outlines(picture.size, places, names, [hues(["answer"])["answer"]] * len(places))
    return framed(picture, over, "The document with the words of the answer outlined")


def candidates(output: Any, inputs: Mapping[str, Any]) -> str:
    """[{"score", "token", "token_str", "sequence"}, ...], or one such list per mask in inputs["text"]."""
    per_mask = output if output and isinstance(output[0], list) else [output]
    if not per_mask or not all(per_mask):
        return empty("Nothing was found for the mask. Ask for one candidate or more.")
    pieces = MASK_TOKENS.split(str(inputs.get("text") or ""))
    if len(pieces) == len(per_mask) + 1:
        best = [f"<mark class='hf-filled'>{escape(each[0]['token_str'].strip())}</mark>" for each in per_mask]
        sentence = "".join(escape(piece) + mark for piece, mark in zip(pieces, [*best, ""], strict=True))
    else:
        sentence = escape(per_mask[0][0]["sequence"])
    bars = []
    for number, found in enumerate(per_mask, start=1):
        rows = [{"label": _visible(each["token_str"]), "score": float(each["score"])} for each in found]
        drawn = html.label_bars(rows)
        bars.append(_titled(f"Mask {number} of {len(per_mask)}", drawn) if len(per_mask) > 1 else drawn)
    return f"<p class='hf-text'>{sentence}</p>{''.join(bars)}"


def _visible(token: str) -> str:
    """A token with its white space made visible; an empty one is named."""
    return token.translate(SPACES) or "(empty)"


def cells(output: Any, inputs: Mapping[str, Any]) -> str:
    """{"answer", "coordinates"?: [(row, column), ...], "cells"?, "aggregator"?}, or a list, on inputs["table"]."""
    if isinstance(output, list):
        return "".join(cells(each, inputs) for each in output) or empty("The model found no answer in the table.")
    chosen = {(int(row), int(column)) for row, column in output.get("coordinates") or ()}
    aggregator = str(output.get("aggregator") or "")
    # Tapas writes the aggregator before the answer, too.
    answer = str(output.get("answer") or "").removeprefix(f"{aggregator} > ").strip()
    if not answer or (output.get("coordinates") is not None and not chosen):
        head = "<p class='hf-note'>The model selected no cell: it found no answer in this table.</p>"
    else:
        chip = f" <span class='hf-chip'>{escape(aggregator)}</span>" if aggregator not in ("", "NONE") else ""
        head = (
            f"<p class='hf-answer'><b>{escape(answer)}</b>{chip}</p>{_reckoned(aggregator, output.get('cells') or [])}"
        )
    columns = inputs.get("table") or {}
    names = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td><mark>{escape(cell)}</mark></td>" if (row, column) in chosen else f"<td>{escape(cell)}</td>"
            for column, cell in enumerate(line)
        )
        + "</tr>"
        for row, line in enumerate(zip(*columns.values(), strict=True))
    )
    return f"{head}<div class='hf-scroll'><table class='hf-table hf-cells'><tr>{names}</tr>{rows}</table></div>"


def _reckoned(aggregator: str, chosen: Sequence[Any]) -> str:
    """What the aggregator gives for the chosen cells: the model names the operation and leaves the sum to others."""
    try:
        numbers = [float(str(cell).replace(",", "")) for cell in chosen]
    except ValueError:
        numbers = []
    value = {
        "SUM": sum(numbers) if numbers else None,
        "AVERAGE": sum(numbers) / len(numbers) if numbers else None,
        "COUNT": len(chosen),
    }.get(aggregator)
    return "" if value is None else f"<p>{escape(aggregator)} of the marked cells: <b>{value:,.10g}</b></p>"


def text(output: Any, inputs: Mapping[str, Any]) -> str:
    """[{"generated_text" | "summary_text" | "translation_text"}, ...] as paragraphs with their white space kept.

    A model that writes anything may have made a picture, {"generated_image"}, instead, or something else.
    """
    found = [output] if isinstance(output, Mapping) else list(output or [])
    if any(not set(TEXT_KEYS) & set(each) for each in found):
        return "".join(
            image(each["generated_image"], inputs) if "generated_image" in each else json(each, inputs)
            for each in found
        )
    written = [next(each[key] for key in TEXT_KEYS if key in each) for each in found]
    if any(isinstance(each, list) for each in written):
        return chat(output, inputs)
    if not any(str(each).strip() for each in written):
        return empty("The model wrote nothing: its first token was the one that ends a text.")
    paragraphs = [f"<p class='hf-text hf-written'>{escape(each)}</p>" for each in written]
    return _numbered(paragraphs)


def _numbered(drawn: Sequence[str]) -> str:
    if len(drawn) == 1:
        return drawn[0]
    return "".join(_titled(f"{number} of {len(drawn)}", each) for number, each in enumerate(drawn, start=1))


def chat(output: Any, inputs: Mapping[str, Any]) -> str:
    """[{"generated_text": str | [{"role", "content"}, ...]}, ...]: a text going on, or a conversation in bubbles."""
    found = [output] if isinstance(output, Mapping) else list(output or [])
    found = found[0] if found and isinstance(found[0], list) else found
    if not found:
        return empty("The model wrote nothing.")
    return _numbered([_said(each["generated_text"], inputs) for each in found])


def _said(written: Any, inputs: Mapping[str, Any]) -> str:
    if isinstance(written, str) and inputs.get("messages"):
        written = [*inputs["messages"], {"role": "assistant", "content": written}]
    if not isinstance(written, str):
        return f"<div class='hf-chat'>{''.join(map(_bubble, written))}</div>"
    prompt = str(inputs.get("text") or "")
    known = prompt if prompt and written.startswith(prompt) else ""
    new = written[len(known) :]
    quiet = f"<span class='hf-quiet'>{escape(known)}</span>" if known else ""
    if not new.strip():
        return f"<p class='hf-text'>{quiet}</p>" + empty("The model added nothing to the text.")
    return f"<div class='hf-text hf-written'>{quiet}{_reasoned(new, 'b')}</div>"


def _bubble(message: Mapping[str, Any]) -> str:
    role, content = str(message.get("role", "")), message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    drawn = "".join(
        _reasoned(str(part.get("text", "")), "span")
        if part.get("type") == "text"
        else f"<span class='hf-chip'>{escape(part.get('type', 'part'))}</span> "
        for part in parts
    )
    wanted = message.get("tool_calls")
    calls = f"<pre class='hf-pre'>{escape(_dumped(_short(wanted)))}</pre>" if wanted else ""
    known = role if role in ("user", "assistant", "system", "tool") else "other"
    return (
        f"<div class='hf-bubble hf-{known}'><small>{escape(role)}</small>"
        f"<div class='hf-text'>{drawn}{calls}</div></div>"
    )


def _reasoned(written: str, tag: str) -> str:
    """Text with what stands between <think> and </think> folded away; the end or the beginning may be missing."""
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


def vectors(output: Any, inputs: Mapping[str, Any]) -> str:
    """[1, tokens, hidden] of one text or image, or a list of them: the shape, first numbers, and who is like whom."""
    found = [array(each) for each in output]
    if not found:
        return empty("The model returned no vector.")
    found = [np.squeeze(each, 0) if each.ndim == 3 else each for each in found]
    if len(found) == 1 and found[0].ndim == 2 and inputs.get("image") is None:
        return html.vectors([found[0].tolist()])
    if len(found) == 1:
        rows = np.atleast_2d(found[0])
        numbers = " ".join(f"{number:+.3f}" for number in rows[0][: html.SHOWN_NUMBERS])
        more = rows.shape[1] - html.SHOWN_NUMBERS
        return (
            f"<p><b>{list(array(output).shape)}</b> for one image. The first vector:</p>"
            f"<pre class='hf-pre'>{numbers}{f' … {more} more' if more > 0 else ''}</pre>"
        )
    shapes = dict.fromkeys(f"[1, {rows}, {width}]" for rows, width in (np.atleast_2d(each).shape for each in found))
    said = ", ".join(list(shapes)[:6]) + (" …" if len(shapes) > 6 else "")
    return (
        f"<p><b>{len(found)} texts</b> × tokens × hidden size: {said}. "
        f"The cosine similarity of their mean vectors:</p>{_likeness(found, inputs)}"
    )


def _likeness(found: Sequence[Any], inputs: Mapping[str, Any]) -> str:
    """The cosine similarity of mean-pooled vectors as a shaded table."""
    given = inputs.get("text")
    texts = given.splitlines() if isinstance(given, str) else list(given or [])
    if len(texts) != len(found):
        texts = [f"text {number}" for number in range(1, len(found) + 1)]
    shown = range(min(len(found), SHOWN_TEXTS))
    means = np.stack([np.atleast_2d(found[index]).mean(0) for index in shown]).astype("float64")
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    means = means / np.where(lengths > 0, lengths, 1)
    head = "".join(f"<th class='hf-number' title='{escape(texts[index])}'>{index + 1}</th>" for index in shown)
    rows = "".join(
        f"<tr><th title='{escape(texts[index])}'>{index + 1} · {escape(_cut(texts[index], 28))}</th>"
        + "".join(
            f"<td style='--hf-share:{max(0.0, cosine):.0%}'>{cosine:.2f}</td>" for cosine in means[index] @ means.T
        )
        + "</tr>"
        for index in shown
    )
    more = (
        f"<p class='hf-about'>The first {SHOWN_TEXTS} of {len(found):,} texts.</p>" if len(found) > SHOWN_TEXTS else ""
    )
    return f"<div class='hf-scroll'><table class='hf-table hf-heat'><tr><th></th>{head}</tr>{rows}</table></div>{more}"


def _cut(written: str, most: int) -> str:
    return written if len(written) <= most else written[: most - 1].rstrip() + "…"


def json(output: Any, inputs: Mapping[str, Any]) -> str:
    """Anything as indented JSON; long lists and texts are cut, pictures and large arrays are named."""
    if output is None or (isinstance(output, list | dict | str) and not output):
        return empty("Nothing was found: the model returned an empty answer.")
    return f"<pre class='hf-pre'>{escape(_dumped(_short(output)))}</pre>"


def _dumped(value: Any, indent: str = "") -> str:
    """JSON with one line per entry; a list of numbers or texts keeps to one line."""
    deeper = f"{indent}  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{_json.dumps(key, ensure_ascii=False)}: {_dumped(value[key], deeper)}" for key in value]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(f"{deeper}{_dumped(item, deeper)}" for item in value) + f"\n{indent}]"
    return _json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}… {len(value):,} characters"
    if isinstance(value, Mapping):
        return {str(key): _short(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - SHOWN_ITEMS:,} more"] if len(value) > SHOWN_ITEMS else []
        return [*(_short(item) for item in value[:SHOWN_ITEMS]), *more]
    if hasattr(value, "width") and hasattr(value, "mode"):
        return f"picture, {value.width} × {value.height} pixels, {value.mode}"
    if hasattr(value, "tolist"):
        numbers = array(value)
        return _short(numbers.tolist()) if numbers.ndim < 2 else f"{value.dtype} array of shape {list(numbers.shape)}"
    return str(value)


def odds(steps: Sequence[Mapping[str, Any]]) -> str:
    """[{"token", "probability", "entropy" in bits, "top": [(token, probability), ...]}, ...]: how sure of what.

    An entry of "top" may be {"token", "probability"}, too. Each token is shaded by its probability; pointing at one, or
    tabbing to it, shows what else it might have been.
    """
    if not steps:
        return empty("No token was written, so there are no odds to show.")
    chips = "".join(map(_odd, steps))
    mean = sum(float(step["entropy"]) for step in steps) / len(steps)
    surest = sum(step["token"] == _rivals(step)[0][0] for step in steps if step["top"])
    said = facts(
        [
            ("tokens", len(steps)),
            ("the likeliest was taken", f"{surest} times"),
            ("mean entropy", f"{mean:.2f} bits"),
        ]
    )
    hint = "<p class='hf-about'>The stronger the shade, the likelier the token. Point at one to see its rivals.</p>"
    return f"<div class='hf-text hf-odds'>{chips}</div>{hint}{said}"


def _rivals(step: Mapping[str, Any]) -> list[tuple[str, float]]:
    pairs = ((top["token"], top["probability"]) if isinstance(top, Mapping) else top for top in step["top"])
    return [(str(token), float(probability)) for token, probability in pairs]


def _odd(step: Mapping[str, Any]) -> str:
    token, probability = str(step["token"]), float(step["probability"])
    bars = []
    for rival, chance in _rivals(step):
        taken = " hf-taken" if rival == token else ""
        bars.append(
            f"<span class='hf-rival{taken}'><b>{escape(_visible(rival))}</b>"
            f"<i style='width:{100 * chance:.1f}%'></i><em>{share(chance)}</em></span>"
        )
    # A line break is both named and made: the text keeps its shape.
    shown = escape(token).replace("\n", "⏎\n") or "∅"
    return (
        f"<span class='hf-odd' tabindex='0' style='--hf-share:{probability:.0%}'>{shown}<span class='hf-rivals'>"
        f"<span>{escape(_visible(token))} · {share(probability)} · entropy {float(step['entropy']):.2f} bits</span>"
        f"{''.join(bars)}</span></span>"
    )


def comparison(left: Any, right: Any) -> str:
    """Two classifiers' outputs label by label, with right minus left; "" when they have no label in common."""
    one, other = _labelled(left), _labelled(right)
    if not one or not other or not {name for name, _ in one} & {name for name, _ in other}:
        return ""
    first, second = dict(one), dict(other)
    scores = [*first.values(), *second.values()]
    shares = all(0 <= score <= 1 for score in scores)
    shown, signed, whole = (".1%", "+.1%", 1.0) if shares else (".3f", "+.3f", 2 * max(map(abs, scores)))
    rows = []
    for name in list(dict.fromkeys([*first, *second]))[:SHOWN_LABELS]:
        before, after = first.get(name), second.get(name)
        bar = number = ""
        if before is not None and after is not None:
            change = after - before
            width = 50 * abs(change) / whole
            start = 50 - width if change < 0 else 50.0
            number = f"{change:{signed}}"
            bar = f"<i class='{'hf-less' if change < 0 else ''}' style='left:{start:.2f}%;width:{width:.2f}%'></i>"
        numbers = ["–" if each is None else f"{each:{shown}}" for each in (before, after)]
        cells = "".join(f"<td class='hf-number'>{each}</td>" for each in (*numbers, number))
        rows.append(f"<tr><td>{escape(name)}</td>{cells}<td class='hf-change'>{bar}</td></tr>")
    heads = "".join(f"<th class='hf-number'>{each}</th>" for each in ("left", "right", "change"))
    return (
        "<div class='hf-scroll'><table class='hf-table hf-changes'>"
        f"<tr><th>label</th>{heads}<th></th></tr>{''.join(rows)}</table></div>"
    )


def difference(left_text: str, right_text: str) -> str:
    """Two texts as one: what only the left has is struck out, what only the right has is underlined."""
    if left_text == right_text:
        return empty("Both texts are the same, letter for letter.")
    left, right = _words(left_text), _words(right_text)
    if max(len(left), len(right)) > MOST_WORDS:  # the comparison takes the square of the length: go by lines
        left, right = left_text.splitlines(keepends=True), right_text.splitlines(keepends=True)
    return f"<p class='hf-text hf-difference'>{''.join(_changes(left, right))}</p>"


def _words(written: str) -> list[str]:
    return re.findall(r"\s*\w+|\s*[^\w\s]|\s+", written)


def _changes(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, from_left, to_left, from_right, to_right in matcher.get_opcodes():
        gone, come = escape("".join(left[from_left:to_left])), escape("".join(right[from_right:to_right]))
        if kind == "equal":
            yield gone
        else:
            yield (f"<del>{gone}</del>" if gone else "") + (f"<ins>{come}</ins>" if come else "")


def drawn(kind: str, prediction: Prediction) -> str:
    """A prediction's answer as its kind of output is drawn, below the sentences about it."""
    stopped = ["Stopped: this is what there was by then."] if prediction.stopped else []
    inputs = {**prediction.inputs, "sampling_rate": prediction.setup.sampling_rate or SPEECH_RATE}
    return notes([*stopped, *prediction.warnings]) + DRAWINGS[kind](prediction.result, inputs)


DRAWINGS: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "labels": labels,
    "spans": spans,
    "answers": answers,
    "candidates": candidates,
    "boxes": boxes,
    "masks": masks,
    "image": image,
    "keypoints": keypoints,
    "transcript": transcript,
    "audio": audio,
    "cells": cells,
    "text": text,
    "chat": chat,
    "vectors": vectors,
    "json": json,
}

CSS = """
.hf-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; margin: 0 0 10px; font-size: 15px;
  color: var(--body-text-color); }
.hf-row-title { overflow-wrap: anywhere; }
.hf-quiet { color: var(--body-text-color-subdued); }
.hf-written { border-left: 3px solid var(--hf-bar); padding-left: 14px; }
.hf-written b { font-weight: 500; color: var(--body-text-color); }
.hf-pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; font-family: var(--font-mono);
  max-height: 420px; overflow-y: auto; margin: 0; }
.hf-links { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 8px 0 0; }
.hf-links a { padding: 0 !important; color: var(--body-text-color) !important; text-decoration: underline;
  text-underline-offset: 3px; }
.hf-answer { font-size: 20px; margin: 0 0 10px; overflow-wrap: anywhere; }
.hf-answer b { font-weight: 600; }
.hf-answer .hf-chip, .hf-note .hf-chip { font-variant-numeric: tabular-nums; vertical-align: 3px; color: inherit; }

.hf-spans { line-height: 2.1; }
.hf-span, .hf-cells mark, .hf-filled { color: var(--body-text-color); border-radius: 4px; padding: 2px 4px;
  background: color-mix(in srgb, var(--hf-hue, var(--hf-bar)) 22%, transparent);
  box-shadow: inset 0 -2px 0 var(--hf-hue, var(--hf-bar)); }
.hf-span { padding: 2px 0; border-radius: 0; }
.hf-opens { padding-left: 4px; border-radius: 4px 0 0 4px; }
.hf-closes { padding-right: 4px; border-radius: 0 4px 4px 0; }
.hf-opens.hf-closes { border-radius: 4px; }
.dark .hf-span, .dark .hf-cells mark, .dark .hf-filled {
  background: color-mix(in srgb, var(--hf-hue, var(--hf-bar)) 42%, transparent); }
.hf-spans sup { font-size: 10px; font-weight: 700; letter-spacing: .02em; margin-left: 4px; top: -.35em;
  position: relative; vertical-align: baseline; user-select: none; }
.hf-spans.hf-quiet mark { font-weight: 600; }
.hf-wrapping td:nth-child(2), .hf-found td { white-space: normal !important; overflow-wrap: anywhere; }
.hf-cells { border-collapse: separate; border-spacing: 0; }
.hf-cells th, .hf-cells td { padding: 5px 14px 5px 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.hf-cells mark { font-weight: 600; margin-left: -4px; }

.hf-look { display: flex; flex-wrap: wrap; gap: 14px 20px; align-items: flex-start; }
.hf-look > .hf-figure { flex: 4 1 400px; }
.hf-look > .hf-found { flex: 1 1 190px; max-height: 70vh; overflow-y: auto; }
.hf-figure { position: relative; margin: 0 0 8px; box-shadow: 0 0 0 1px var(--border-color-primary);
  overflow: hidden; border-radius: 8px; width: 100%; min-width: 0; }
.hf-figure > img { position: absolute; inset: 0; width: 100% !important; height: 100% !important; margin: 0 !important;
  max-width: none !important; }
.hf-figure > svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.hf-figure rect { fill: none; stroke: var(--hf-hue); stroke-width: 2.5px; vector-effect: non-scaling-stroke; }
.hf-figure rect.hf-halo { stroke: #ffffffb3; stroke-width: 5px; }
.hf-figure .hf-name { position: absolute; transform: translateY(-100%); background: var(--hf-hue); color: #fff;
  font-size: 12px; font-weight: 600; line-height: 1.4; padding: 0 5px; border-radius: 3px 3px 0 0; max-width: 60%;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.hf-figure .hf-name:empty { display: none; }
.hf-figure .hf-inside { transform: none; border-radius: 0 0 3px 0; }
.hf-figure .hf-middle { transform: translate(-50%, -50%); border-radius: 3px; }
.hf-shape { transition: opacity .12s; }
.hf-shape[hidden] { display: none !important; }
.hf-look:has(tr.hf-lit) .hf-shape:not(.hf-lit) { opacity: .15; }
.hf-found tr.hf-lit td { background: var(--background-fill-secondary); }
.hf-found tr:focus-visible { outline: 2px solid var(--hf-bar); outline-offset: -2px; }
.hf-found label { display: inline-flex; align-items: center; gap: 7px; cursor: pointer; margin: 0; }
.hf-found small { display: block; font-size: 11px; color: var(--body-text-color-subdued);
  font-variant-numeric: tabular-nums; }
.hf-found td, .hf-found th { vertical-align: top; }
.hf-found td { padding-top: 4px !important; padding-bottom: 4px !important; }
.hf-found input { margin: 0; accent-color: var(--hf-bar); }
.hf-swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; background: var(--hf-hue);
  margin-right: 7px; vertical-align: -1px; flex: none; }
label > .hf-swatch { margin-right: 0; }
.hf-found .hf-table { width: 100%; max-width: 440px; }
.hf-found th.hf-number:first-child { width: 1%; }

.hf-compare { --hf-cut: 50%; }
.hf-compare > .hf-over { clip-path: inset(0 0 0 var(--hf-cut)); }
.hf-compare > input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; padding: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y; -webkit-appearance: none; appearance: none; }
.hf-compare > input::-webkit-slider-thumb { -webkit-appearance: none; width: 1px; height: 1px; }
.hf-compare > input::-moz-range-thumb { width: 1px; height: 1px; border: 0; }
.hf-compare .hf-line { position: absolute; top: 0; bottom: 0; left: var(--hf-cut); width: 3px; margin-left: -1.5px;
  background: #fff; box-shadow: 0 0 0 1px #00000059; pointer-events: none; }
.hf-compare .hf-line::after { content: "◂ ▸"; position: absolute; top: 50%; left: 50%; transform: translate(-50%, -50%);
  background: #fff; color: #18181b; border-radius: 999px; font-size: 13px; font-style: normal; line-height: 32px;
  width: 40px; text-align: center; white-space: nowrap; box-shadow: 0 1px 4px #00000066; }
.hf-compare > input:focus-visible ~ .hf-line::after { outline: 3px solid var(--hf-bar); }
.hf-compare .hf-side { position: absolute; bottom: 8px; left: 8px; background: #000000b3; color: #fff; font-size: 12px;
  padding: 1px 8px; border-radius: 999px; pointer-events: none; }
.hf-compare .hf-right { left: auto; right: 8px; }
.hf-ramp { display: flex; align-items: center; gap: 10px; font-size: 13px; font-variant-numeric: tabular-nums;
  margin: 10px 0 6px; }
.hf-ramp i { flex: 1; height: 10px; border-radius: 5px; max-width: 320px; }
.hf-matches { display: block; width: 100%; height: auto; max-height: 80vh; border-radius: 8px; }
.hf-matches line { stroke: var(--hf-hue); stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.hf-matches circle { fill: var(--hf-hue); stroke: #18181b; stroke-width: .75px; vector-effect: non-scaling-stroke; }
.hf-matches g:hover line { stroke-width: 4px; }

.hf-transcript audio, .hf-sound audio { display: block; width: 100%; margin: 6px 0 10px; }
.hf-pieces { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; font-size: 15px; }
.hf-pieces button { display: inline; font: inherit; color: inherit; background: none; border: 0; padding: 2px 1px;
  border-radius: 4px; cursor: pointer; text-align: left; white-space: pre-wrap; text-decoration: underline dotted;
  text-decoration-color: var(--body-text-color-subdued); text-underline-offset: 4px; }
.hf-pieces button:hover, .hf-pieces button.hf-now { background: color-mix(in srgb, var(--hf-bar) 40%, transparent); }
.hf-pieces button:focus-visible { outline: 2px solid var(--hf-bar); }
.dark .hf-transcript audio, .dark .hf-sound audio { color-scheme: dark; }
.hf-sound svg { display: block; width: 100%; height: 96px; border-radius: 8px;
  background: var(--background-fill-secondary); }
.hf-sound polyline { fill: none; stroke: var(--hf-bar); stroke-width: 1.5px; vector-effect: non-scaling-stroke; }

.hf-chat { display: flex; flex-direction: column; gap: 10px; }
.hf-bubble { max-width: 86%; min-width: 0; box-sizing: border-box; overflow-wrap: anywhere; align-self: flex-start;
  border-radius: 12px 12px 12px 3px; padding: 8px 14px;
  background: var(--background-fill-secondary); border: 1px solid var(--border-color-primary); }
.hf-bubble small { display: block; font-size: 11px; font-weight: 600; color: var(--body-text-color-subdued); }
.hf-bubble .hf-text { margin: 0; }
.hf-bubble .hf-chip { color: inherit; border-color: currentColor; }
.hf-bubble.hf-user { align-self: flex-end; border-radius: 12px 12px 3px 12px; background: var(--hf-first);
  border-color: transparent; }
.hf-bubble.hf-user .hf-text, .hf-bubble.hf-user small { color: var(--hf-first-ink); }
.hf-bubble.hf-system, .hf-bubble.hf-tool { align-self: stretch; max-width: none; border-style: dashed;
  border-radius: 8px; background: none; }
.hf-text details { margin: 2px 0 8px; font-size: 13px; color: var(--body-text-color-subdued); font-weight: 400; }
.hf-text details[open] { border-left: 2px solid var(--border-color-primary); padding-left: 10px; }
.hf-text summary { cursor: pointer; white-space: normal; }

.hf-heat { border-collapse: separate; border-spacing: 2px; }
.hf-heat td { text-align: center !important; padding: 5px 8px !important; border-radius: 4px; min-width: 42px;
  font-variant-numeric: tabular-nums; }
.hf-heat th:first-child { max-width: min(26vw, 220px); overflow: hidden; text-overflow: ellipsis; }
.hf-heat td, .hf-odd { background: color-mix(in srgb, var(--hf-bar) calc(.5 * var(--hf-share)), transparent); }
.hf-odds { position: relative; line-height: 2; }
.hf-odd { border-radius: 3px; padding: 2px 1px; margin-right: 1px; cursor: default; anchor-name: --hf-odd;
  anchor-scope: --hf-odd; box-shadow: inset 0 -1px 0 var(--border-color-primary); }
.hf-odd:hover, .hf-odd:focus-visible { outline: 2px solid var(--hf-bar); }
.hf-rivals { display: none; position: absolute; z-index: 5; left: 0; width: min(290px, 100%); box-sizing: border-box;
  padding: 8px 12px; border-radius: 8px; font-size: 13px; line-height: 1.5; white-space: normal;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); box-shadow: 0 6px 20px #0003;
  position-anchor: --hf-odd; top: calc(anchor(bottom) + 2px); left: clamp(0px, anchor(left), calc(100% - 290px)); }
.hf-odd:hover > .hf-rivals, .hf-odd:focus-within > .hf-rivals { display: block; }
.hf-rivals > span { display: block; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.hf-rivals > .hf-rival { display: grid; grid-template-columns: minmax(60px, 35%) 1fr 48px; gap: 8px;
  align-items: center; color: var(--body-text-color); }
.hf-rival b { font-weight: 400; font-family: var(--font-mono); }
.hf-rival.hf-taken b { font-weight: 700; }
.hf-rival i { height: 9px; border-radius: 3px; background: var(--hf-bar-rest); min-width: 2px; }
.hf-rival.hf-taken i { background: var(--hf-bar); }
.hf-rival em { font-style: normal; text-align: right; font-variant-numeric: tabular-nums; }

.hf-changes { width: 100% !important; }
.hf-changes td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 72px; }
.hf-changes .hf-change { position: relative; width: 38%; min-width: 56px; padding: 3px 0 !important;
  background: linear-gradient(var(--border-color-primary) 0 0) center / 1px 100% no-repeat; }
.hf-change i { position: absolute; top: 5px; bottom: 5px; border-radius: 3px; background: var(--hf-bar);
  min-width: 2px; }
.hf-change i.hf-less { background: var(--hf-bar-rest); }
.hf-difference ins { background: color-mix(in srgb, var(--hf-good) 22%, transparent); text-decoration: underline;
  text-decoration-color: var(--hf-good); }
.hf-difference del { background: color-mix(in srgb, var(--hf-bad) 18%, transparent); text-decoration: line-through;
  text-decoration-color: var(--hf-bad); }
"""
