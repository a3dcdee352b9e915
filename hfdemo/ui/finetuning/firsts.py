"""What the model returned, shown once as it is: the arrays' shapes, and the first row from logits to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.ui.html import code, escape, titled

# Of more labels the most likely ones are shown.
SHOWN = 12
_SHAPES = {
    "single_label": "one row of logits per text, one logit per label; one label id per text",
    "multi_label": "one row of logits per text, one logit per label; one 0 or 1 per text and label",
    "regression": "one number per text, on both sides",
    "tokens": "per text, a row of logits for each token; label ids of -100 (special tokens, padding, the inside of "
    "words) are not counted",
    "language": "per text the sum of its negative log likelihoods and how many tokens that counts: the logits "
    "themselves, one per token of the vocabulary, would not fit into the memory",
}


def first_row(found: Mapping[str, Any], split: str) -> str:
    """The shapes of predictions and label_ids of a split, and its first row; nothing for a report without them."""
    shapes, example = ((found.get(name) or {}).get(split) for name in ("shapes", "example"))
    if not shapes:
        return ""
    kind = found.get("kind", "single_label")
    said = f"`predictions = trainer.predict({split})` returned arrays: "
    said += f"`predictions.predictions.shape` is `{_shape(shapes['logits'])}`"
    if shapes.get("labels"):
        said += f", `predictions.label_ids.shape` is `{_shape(shapes['labels'])}`"
    drawn = f"<p>{code(said)}: {escape(_SHAPES[kind])}.</p>"
    if example:
        drawn += _DRAWN[kind](example, found.get("labels") or [])
    return titled("What the model returned, as it is", f"<div class='hf-first-row'>{drawn}</div>")


def _shape(sizes: Sequence[int]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _single(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    where = f"Row {example['row']}"
    if "position" in example:
        where = f"The first token that counts (row {example['row']}, position {example['position']})"
    answer = f"<b>{example['argmax']}</b>, which is <b>{escape(example['name'])}</b>"
    right = "right" if example["name"] == example["label"] else "wrong"
    return (
        f"<p>{where}. Logits are the raw, unnormalised scores of the model's last layer. Softmax turns them into "
        "probabilities, which sum to 1.</p>"
        + _scores(example, labels, "softmax", {example["argmax"]}, "argmax", [example["label"]])
        + f"<p>{code('`np.argmax(logits, axis=-1)`')} takes the index of the highest logit: {answer}. "
        f"The label is <b>{escape(example['label'])}</b>: {right}.</p>"
    )


def _multi(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    given = {index for index, logit in enumerate(example["logits"]) if logit > 0}
    names = ", ".join(example["name"]) or "no label"
    truth = ", ".join(example["label"]) or "no label"
    return (
        f"<p>Row {example['row']}. Each label is a question of its own: sigmoid turns its logit into a probability, "
        "and the label is given where that is above 0.5, which is a logit above 0.</p>"
        + _scores(example, labels, "sigmoid", given, "given", example["label"])
        + f"<p>The answer is <b>{escape(names)}</b>, the label <b>{escape(truth)}</b>.</p>"
    )


def _scores(
    example: Mapping[str, Any],
    labels: Sequence[str],
    function: str,
    chosen: set[int],
    mark: str,
    truth: Sequence[str],
) -> str:
    """Index, label, logit and probability of each label; the answer and the true label are marked in words."""
    logits, probabilities = example["logits"], example[function]
    order: list[int] = list(range(len(logits)))
    if len(order) > SHOWN:
        best = sorted(order, key=lambda index: -(logits[index] or 0.0))[:SHOWN]
        order = sorted(best)
    rows = []
    for index in order:
        label = labels[index] if index < len(labels) else str(index)
        marks = [mark] * (index in chosen) + ["true"] * (label in truth)
        chips = "".join(f" <span class='hf-chip'>{each}</span>" for each in marks)
        share = probabilities[index] or 0.0
        shown = f"<div class='hf-track'><i style='width:{100 * share:.1f}%'></i></div>"
        rows.append(
            f"<tr><td class='hf-number'>{index}</td><td>{escape(label)}{chips}</td>"
            f"<td class='hf-number'>{_number(logits[index])}</td><td class='hf-number'>{share:.4f}</td>"
            f"<td>{shown}</td></tr>"
        )
    head = f"<tr><th></th><th>label</th><th class='hf-number'>logit</th><th class='hf-number'>{function}</th><th></th>"
    left = len(logits) - len(order)
    more = f"<p class='hf-quiet hf-small'>The {left} other labels have lower logits.</p>" if left else ""
    return f"<div class='hf-scroll'><table class='hf-table hf-logits'>{head}</tr>{''.join(rows)}</table></div>{more}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _regression(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    predicted, label = _number(example["predicted"]), _number(example["label"])
    return (
        f"<p>Row {example['row']}. The model has a single output, and its logit is the answer as it stands: no "
        f"softmax, no argmax. Predicted <b>{predicted}</b>, label <b>{label}</b>.</p>"
    )


def _language(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    total, count = example["logits"]
    return (
        f"<p>Row {example['row']}. At every token the logits of the whole vocabulary go through a softmax; the loss is "
        "the negative logarithm of the probability that the token which really follows got. "
        f"Summed up <b>{_number(total)}</b> over <b>{count:,.0f}</b> tokens, so {_number(total)} / {count:,.0f} = "
        f"<b>{_number(example['loss'])}</b> per token, and e to the power of that is a perplexity of "
        f"<b>{example['perplexity']:,.2f}</b>: as unsure as a choice between that many equally likely tokens.</p>"
    )


_DRAWN = {
    "single_label": _single,
    "multi_label": _multi,
    "regression": _regression,
    "tokens": _single,
    "language": _language,
}
