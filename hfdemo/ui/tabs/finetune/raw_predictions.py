"""What the model returned for the first row of a split, from its logits to the answer, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS, Kind
from hfdemo.ui.html import Html, code, escape, table, titled, track

# Of more labels the most likely ones are shown.
SHOWN = 12


def kind_of(found: Mapping[str, Any]) -> Kind:
    """Return the kind of answers that a report is of; reports of an earlier version don't name it."""
    return KINDS[found.get("kind", DEFAULT_KIND.name)]


def render_first_row(found: Mapping[str, Any], split: str) -> str:
    """Show the shapes of predictions and label_ids of a split, and its first row; nothing for a report without them."""
    shapes, example = ((found.get(name) or {}).get(split) for name in ("shapes", "example"))
    if not shapes:
        return ""
    page = kind_of(found).page
    said = f"`predictions = trainer.predict({split})` returned arrays: "
    said += f"`predictions.predictions.shape` is `{_format_shape(shapes['logits'])}`"
    if shapes.get("labels"):
        said += f", `predictions.label_ids.shape` is `{_format_shape(shapes['labels'])}`"
    drawn = f"<p>{code(said)}: {escape(page.arrays)}.</p>"
    if example:
        drawn += EXAMPLES[page.example](example, found.get("labels") or [])
    return titled("What the model returned, as it is", f"<div class='hf-first-row'>{drawn}</div>")


def _format_shape(sizes: Sequence[int]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _explain_softmax(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    where = f"Row {example['row']}"
    if "position" in example:
        where = f"The first token that counts (row {example['row']}, position {example['position']})"
    answer = f"<b>{example['argmax']}</b>, which is <b>{escape(example['name'])}</b>"
    right = "right" if example["name"] == example["label"] else "wrong"
    return (
        f"<p>{where}. Logits are the raw, unnormalised scores of the model's last layer. Softmax turns them into "
        "probabilities, which sum to 1.</p>"
        + _score_table(example, labels, "softmax", {example["argmax"]}, "argmax", [example["label"]])
        + f"<p>{code('`np.argmax(logits, axis=-1)`')} takes the index of the highest logit: {answer}. "
        f"The label is <b>{escape(example['label'])}</b>: {right}.</p>"
    )


def _explain_sigmoid(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    given = {index for index, logit in enumerate(example["logits"]) if logit > 0}
    names = ", ".join(example["name"]) or "no label"
    truth = ", ".join(example["label"]) or "no label"
    return (
        f"<p>Row {example['row']}. Each label is a question of its own: sigmoid turns its logit into a probability, "
        "and the label is given where that is above 0.5, which is a logit above 0.</p>"
        + _score_table(example, labels, "sigmoid", given, "given", example["label"])
        + f"<p>The answer is <b>{escape(names)}</b>, the label <b>{escape(truth)}</b>.</p>"
    )


def _score_table(
    example: Mapping[str, Any],
    labels: Sequence[str],
    function: str,
    chosen: set[int],
    mark: str,
    truth: Sequence[str],
) -> str:
    """List index, label, logit and probability of each label; the answer and the true label are marked in words."""
    logits, probabilities = example["logits"], example[function]
    order: list[int] = list(range(len(logits)))
    if len(order) > SHOWN:
        best = sorted(order, key=lambda index: -(logits[index] or 0.0))[:SHOWN]
        order = sorted(best)
    rows: list[Sequence[Any]] = []
    for index in order:
        label = labels[index] if index < len(labels) else str(index)
        marks = [mark] * (index in chosen) + ["true"] * (label in truth)
        chips = "".join(f" <span class='hf-chip'>{each}</span>" for each in marks)
        probability = probabilities[index] or 0.0
        name = Html(f"{escape(label)}{chips}")
        rows.append((index, name, _format_number(logits[index]), f"{probability:.4f}", Html(track(probability))))
    left = len(logits) - len(order)
    more = f"<p class='hf-quiet hf-small'>The {left} other labels have lower logits.</p>" if left else ""
    return table(("", "label", "logit", function, ""), rows, (0, 2, 3), kind="hf-logits") + more


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _explain_number(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    predicted, label = _format_number(example["predicted"]), _format_number(example["label"])
    return (
        f"<p>Row {example['row']}. The model has a single output, and its logit is the answer as it stands: no "
        f"softmax, no argmax. Predicted <b>{predicted}</b>, label <b>{label}</b>.</p>"
    )


def _explain_likelihood(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    total, count = example["logits"]
    return (
        f"<p>Row {example['row']}. At every token the logits of the whole vocabulary go through a softmax; the loss is "
        "the negative logarithm of the probability that the token which really follows got. "
        f"Summed up <b>{_format_number(total)}</b> over <b>{count:,.0f}</b> tokens, so "
        f"{_format_number(total)} / {count:,.0f} = "
        f"<b>{_format_number(example['loss'])}</b> per token, and e to the power of that is a perplexity of "
        f"<b>{example['perplexity']:,.2f}</b>: as unsure as a choice between that many equally likely tokens.</p>"
    )


# What the kinds of answers name as the renderer of their example.
EXAMPLES: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = MappingProxyType(
    {
        "softmax": _explain_softmax,
        "sigmoid": _explain_sigmoid,
        "number": _explain_number,
        "likelihood": _explain_likelihood,
    }
)
