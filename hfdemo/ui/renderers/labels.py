"""The HTML of what was found in a text, a document or a table: labels, spans, answers, candidates and cells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.ui.appearance import distinct_colours
from hfdemo.ui.html import (
    Html,
    TableCell,
    escape,
    facts,
    format_percent,
    label_bars,
    placeholder,
    show_spaces,
    table,
    with_title,
)
from hfdemo.ui.renderers.image import frame_image, outline_boxes

SHOWN_LABELS = 50
MASK_TOKENS = re.compile(r"\[MASK\]|<mask>|<extra_id_\d+>")


def render_labels(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw labels with their scores as bars.

    [{"label", "score"}, ...], one such list per text, {"sequence", "labels", "scores"}, or a decision's answers by the
    names of its questions, each {"type", ...}.
    """
    if isinstance(output, Mapping) and output and all(_is_decision(each) for each in output.values()):
        return "".join(with_title(name, _draw_decision(each)) for name, each in output.items())
    if isinstance(output, list) and output and _is_zero_shot(output[0]):
        return "".join(with_title(each["sequence"], render_labels(each, inputs)) for each in output)
    if isinstance(output, list) and len(output) > 1 and isinstance(output[0], list):
        return "".join(
            with_title(f"text {number}", render_labels(each, inputs)) for number, each in enumerate(output, start=1)
        )
    found = read_label_scores(output)
    if not found:
        return placeholder("Nothing was found above the threshold: no label has a score to show.")
    bars = label_bars([{"label": name, "score": score} for name, score in found[:SHOWN_LABELS]])
    return bars + (
        f"<p class='hf-about'>… and {len(found) - SHOWN_LABELS:,} more labels.</p>" if found[SHOWN_LABELS:] else ""
    )


def _is_decision(answer: Any) -> bool:
    return isinstance(answer, Mapping) and ("noul" in answer or "probabilities" in answer)


def _draw_decision(answer: Mapping[str, Any]) -> str:
    """Draw one answer of a decision: yes and no, or the options with their probabilities and score."""
    if "noul" in answer:
        yes = float(answer["noul"])
        return label_bars([{"label": "yes", "score": yes}, {"label": "no", "score": 1 - yes}])
    legend = answer.get("legend") or {}
    names = {
        option: f"{option}: {legend[option]}" if legend.get(option) else option for option in answer["probabilities"]
    }
    bars = label_bars([{"label": names[key], "score": float(p)} for key, p in answer["probabilities"].items()])
    said = [("score", f"{answer['score']:.2f}")] if "score" in answer else []
    return bars + facts([*said, ("confidence", format_percent(answer["confidence"]))])


def _is_zero_shot(output: Any) -> bool:
    return isinstance(output, Mapping) and "labels" in output and "scores" in output and "masks" not in output


def read_label_scores(output: Any) -> list[tuple[str, float]] | None:
    """Return labels and scores of any classifier's output for one input; None when it is something else."""
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


def render_spans(output: Any, inputs: Mapping[str, Any]) -> str:
    """Mark [{"entity" | "entity_group", "score", "word", "start", "end"}, ...] in inputs["text"], and list them."""
    found = output[0] if output and isinstance(output[0], list) else output
    if not found:
        return placeholder("Nothing was found above the threshold: the model took every word for an ordinary one.")
    kinds = [str(item.get("entity_group", item.get("entity"))) for item in found]
    text, rows, marks = str(inputs.get("text") or ""), [], []
    for item, kind in zip(found, kinds, strict=True):
        start, end = item.get("start"), item.get("end")
        placed = start is not None and end is not None
        rows.append((kind, item["word"], format_percent(item["score"]), f"{start}–{end}" if placed else "–"))
        if placed and 0 <= start < end <= len(text):
            marks.append((int(start), int(end), kind, format_percent(item["score"])))
    marked = f"<p class='hf-text hf-spans'>{_mark_spans(text, marks)}</p>" if marks else ""
    slow = "" if marks else "<p class='hf-about'>This tokenizer does not say where in the text its words stand.</p>"
    listed = table(("type", "text", "score", "characters"), rows, numbers=(2, 3))
    return f"{marked}{slow}<div class='hf-wrapping'>{listed}</div>"


def _mark_spans(text: str, marks: Sequence[tuple[int, int, str, str]]) -> str:
    """Return `text` with (start, end, name, title) marked; marks may touch, nest or cross: each border cuts them."""
    colours = distinct_colours(_entity_type(name) for _, _, name, _ in marks)
    borders = sorted({0, len(text), *(place for start, end, _, _ in marks for place in (start, end))})
    drawn = []
    for start, end in itertools.pairwise(borders):
        piece = escape(text[start:end])
        covering = [(number, mark) for number, mark in enumerate(marks) if mark[0] <= start and end <= mark[1]]
        # The shortest lies inside; a name stands once, where its mark ends.
        for number, (first, last, name, title) in sorted(covering, key=lambda each: each[1][1] - each[1][0]):
            label = f"<sup>{escape(name)}</sup>" if last == end and name else ""
            edges = f"{' hf-opens' if first == start else ''}{' hf-closes' if last == end else ''}"
            colour = f" style='--hf-hue:{colours[_entity_type(name)]}'" if name else ""
            piece = (
                f"<mark class='hf-span{edges}' data-n='{number}'{colour} title='{escape(title)}'>{piece}{label}</mark>"
            )
        drawn.append(piece)
    return "".join(drawn)


def _entity_type(entity: str) -> str:
    """Return an entity's type without the letter for its place in the entity: B-PER and I-PER are both PER."""
    return re.sub(r"^[BIESLU]-", "", entity)


def render_answers(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw {"answer", "score"?, "start"?, "end"?} or a list, in inputs["context"], on inputs["image"], or alone."""
    found = [each for each in (output if isinstance(output, list) else [output]) if each]
    found = found[0] if found and isinstance(found[0], list) else found
    if not found:
        return placeholder("The model found no answer. Ask for something that stands in the text or the picture.")
    best = found[0]
    said = str(best.get("answer") or "").strip()
    head = (
        f"<p class='hf-answer'><b>{escape(said)}</b>{_draw_score(best)}</p>"
        if said
        else "<p class='hf-note'>The model's best answer is the empty one: "
        f"it holds that the question has no answer here.{_draw_score(best)}</p>"
    )
    others = [(each.get("answer") or "(no answer)", format_percent(each.get("score"))) for each in found[1:]]
    rest = with_title("Other answers", table(("answer", "score"), others, numbers=(1,))) if others else ""
    return head + _mark_answer(best, said, inputs) + rest


def _draw_score(item: Mapping[str, Any]) -> str:
    return f" <span class='hf-chip'>{format_percent(item['score'])}</span>" if item.get("score") is not None else ""


def _mark_answer(best: Mapping[str, Any], said: str, inputs: Mapping[str, Any]) -> str:
    """Show where the best answer stands: marked in the context, or outlined among the words of the image."""
    start, end, context = best.get("start"), best.get("end"), inputs.get("context")
    if start is None or end is None or not said:
        return f"<p class='hf-text hf-quiet'>{escape(context)}</p>" if context else ""
    if context:
        marked = _mark_spans(str(context), [(int(start), int(end), "", "answer")])
        return f"<p class='hf-text hf-quiet hf-spans'>{marked}</p>"
    picture, words = inputs.get("image"), inputs.get("word_boxes")
    if picture is None or not words:
        return ""
    width, height = picture.size
    across, down = width / 1000, height / 1000  # word boxes count in thousandths of the page
    places = [
        (box[0] * across, box[1] * down, box[2] * across, box[3] * down) for _, box in words[int(start) : int(end) + 1]
    ]
    names = [""] * len(places)
    over = outline_boxes(picture.size, places, names, [distinct_colours(["answer"])["answer"]] * len(places))
    return frame_image(picture, over, "The document with the words of the answer outlined")


def render_candidates(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"score", "token", "token_str", "sequence"}, ...], or one such list per mask in inputs["text"]."""
    per_mask = output if output and isinstance(output[0], list) else [output]
    if not per_mask or not all(per_mask):
        return placeholder("Nothing was found for the mask. Ask for one candidate or more.")
    pieces = MASK_TOKENS.split(str(inputs.get("text") or ""))
    if len(pieces) == len(per_mask) + 1:
        best = [f"<mark class='hf-filled'>{escape(each[0]['token_str'].strip())}</mark>" for each in per_mask]
        sentence = "".join(escape(piece) + mark for piece, mark in zip(pieces, [*best, ""], strict=True))
    else:
        sentence = escape(per_mask[0][0]["sequence"])
    bars = []
    for number, found in enumerate(per_mask, start=1):
        rows = [{"label": show_spaces(each["token_str"]), "score": float(each["score"])} for each in found]
        drawn = label_bars(rows)
        bars.append(with_title(f"Mask {number} of {len(per_mask)}", drawn) if len(per_mask) > 1 else drawn)
    return f"<p class='hf-text'>{sentence}</p>{''.join(bars)}"


def render_table_answers(output: Any, inputs: Mapping[str, Any]) -> str:
    """Mark {"answer", "coordinates"?: [(row, column), ...], "cells"?, "aggregator"?}, or a list, in inputs["table"]."""
    if isinstance(output, list):
        return "".join(render_table_answers(each, inputs) for each in output) or placeholder(
            "The model found no answer in the table."
        )
    chosen = {(int(row), int(column)) for row, column in output.get("coordinates") or ()}
    aggregator = str(output.get("aggregator") or "")
    # Tapas writes the aggregator before the answer, too.
    answer = str(output.get("answer") or "").removeprefix(f"{aggregator} > ").strip()
    if not answer or (output.get("coordinates") is not None and not chosen):
        head = "<p class='hf-note'>The model selected no cell: it found no answer in this table.</p>"
    else:
        chip = f" <span class='hf-chip'>{escape(aggregator)}</span>" if aggregator not in ("", "NONE") else ""
        total = _aggregate_cells(aggregator, output.get("cells") or [])
        head = f"<p class='hf-answer'><b>{escape(answer)}</b>{chip}</p>{total}"
    columns = inputs.get("table") or {}
    rows = [
        [Html(f"<mark>{escape(cell)}</mark>") if (row, column) in chosen else cell for column, cell in enumerate(line)]
        for row, line in enumerate(zip(*columns.values(), strict=True))
    ]
    return head + table(list(columns), rows, kind="hf-cells")


def _aggregate_cells(aggregator: str, chosen: Sequence[Any]) -> str:
    """Return what the aggregator gives for the chosen cells: the model names the operation alone."""
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


def render_score_differences(left: Any, right: Any) -> str:
    """Compare two classifiers' outputs label by label, with right minus left; "" when they have no label in common."""
    one, other = read_label_scores(left), read_label_scores(right)
    if not one or not other or not {name for name, _ in one} & {name for name, _ in other}:
        return ""
    first, second = dict(one), dict(other)
    scores = [*first.values(), *second.values()]
    are_probabilities = all(0 <= score <= 1 for score in scores)
    shown, signed, whole = (".1%", "+.1%", 1.0) if are_probabilities else (".3f", "+.3f", 2 * max(map(abs, scores)))
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
        rows.append([name, *numbers, number, TableCell(Html(bar), "hf-change")])
    return table(("label", "A", "B", "B − A", ""), rows, (1, 2, 3), kind="hf-changes")
