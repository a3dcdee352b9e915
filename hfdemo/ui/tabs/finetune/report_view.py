"""What a report says of a run's model, as HTML: scores, the details of a split, and raw predictions step by step."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.kinds import DEFAULT_KIND, ERROR_NUMBERS, KINDS, LOWER_IS_BETTER, UNIT_METRICS, Kind
from hfdemo.finetuning.runs.run import Run
from hfdemo.ui.html import Html, code, escape, facts, notes, score_bar, table, with_title
from hfdemo.ui.tabs.finetune import report_figures
from hfdemo.ui.tabs.finetune.confusion import render_confusion_matrix
from hfdemo.ui.tabs.finetune.run_charts import format_duration

Report = Mapping[str, Any]
# Of more labels the most likely ones are shown.
SHOWN = 12


def kind_of(found: Mapping[str, Any]) -> Kind:
    """Return the kind of answers that a report is of; reports of an earlier version don't name it."""
    return KINDS[found.get("kind", DEFAULT_KIND.name)]


def render_report(found: Report) -> str:
    """Draw what has to be read, and in a fold the scores of all splits and their details, the last one's first."""
    splits = list(found["metrics"])
    said = notes(found["notes"]) if found.get("notes") else ""
    kept = found.get("best_step") or found.get("steps")
    about = [("kept: the model after step", f"{kept:,}")] if kept else []
    if found.get("seconds"):
        about.append(("took", format_duration(found["seconds"])))
    parts = [render_scores(found, split) for split in splits]
    parts.append(facts(about) + f"<p class='hf-quiet hf-small'>{escape(kind_of(found).evaluator.meaning)}</p>")
    parts += [with_title(f"In detail: {split}", render_details(found, split)) for split in reversed(splits)]
    return (
        f"<div class='hf-results'>{said}<details class='hf-fold'><summary>All scores, per label and curves</summary>"
        f"{''.join(parts)}</details></div>"
    )


def format_metric_name(name: str, found: Report) -> str:
    """Return a metric's name with what it is the mean of, where the name alone does not say it."""
    return kind_of(found).evaluator.title(name, found.get("positive_label"))


def find_baselines(found: Report, split: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Return what a split's scores have to beat: the baseline's answer and metrics, and the metrics before training."""
    baseline = found.get("baseline", {}).get(split, {})
    answer = baseline.get("answer") or f"always '{baseline.get('label', '')}'"
    known = baseline.get("metrics") or {name: baseline[name] for name in ("accuracy",) if name in baseline}
    before = found.get("before", {}).get(split, {})
    # Where there is no answer without the text, the model before training is the baseline.
    return answer, {} if known == before else known, before


def render_scores(found: Report, split: str) -> str:
    """Draw a box per metric: its value, and below it the baseline's and the untrained model's."""
    answer, baseline, before = find_baselines(found, split)
    metrics = found["metrics"][split]
    names = sorted((name for name in metrics if metrics[name] is not None), key=lambda name: name == "loss")
    boxes = "".join(
        _score_box(format_metric_name(name, found), name, metrics[name], baseline.get(name), before.get(name))
        for name in names
    )
    rows = found.get("rows", {}).get(split)
    title = f"{split} · {rows:,} rows" if rows is not None else split
    legend = [("baseline:", answer)] if baseline else []
    return with_title(title, f"<div class='hf-scores'>{boxes}</div>{facts(legend) if legend else ''}")


def _score_box(title: str, name: str, value: float, baseline: float | None, before: float | None) -> str:
    lines = "".join(
        f"<div><span>{words}</span><span>{format_score(other)}</span></div>"
        for words, other in (("baseline", baseline), ("before", before))
        if other is not None
    )
    bar = score_bar(value, baseline) if name in UNIT_METRICS else ""
    lower = "<small>lower is better</small>" if name in LOWER_IS_BETTER else ""
    return (
        f"<div class='hf-score hf-compared'><span>{escape(title)}</span><b>{format_score(value)}</b>{lower}{bar}"
        f"{lines}</div>"
    )


def format_score(value: float) -> str:
    """Return a score with three decimals, a large one with fewer."""
    if abs(value) < 100:
        return f"{value:.3f}"
    return f"{value:,.1f}" if abs(value) < 100_000 else f"{value:.2g}"


def render_details(found: Report, split: str) -> str:
    """Draw what a split shows besides its scores, as its kind says; what the report does not have is left out."""
    known = {name: value[split] for name, value in found.items() if isinstance(value, Mapping) and split in value}
    names = kind_of(found).page.sections
    blocks = "".join(BLOCKS[name](found, known) for name in names if name in BLOCKS)
    diagrams = "".join(DIAGRAMS[name](found, known) for name in names if name in DIAGRAMS)
    drawn = f"<div class='hf-blocks'>{blocks}</div>" if blocks else ""
    drawn += f"<div class='hf-diagrams'>{diagrams}</div>" if diagrams else ""
    return drawn + render_first_row(found, split)


def _classes_block(found: Report, known: Report) -> str:
    title = kind_of(found).page.class_title(found.get("labels") or [])
    return report_figures.render_class_table(known["per_class"], title) if known.get("per_class") else ""


def _labels_per_row_block(found: Report, known: Report) -> str:
    given = known.get("labels_per_row")
    if not given:
        return ""
    pairs = (("labels per row: true", f"{given['label']:.2f}"), ("predicted", f"{given['predicted']:.2f}"))
    return f"<div>{facts(pairs)}</div>"


def _confusion_block(found: Report, known: Report) -> str:
    return (
        render_confusion_matrix(found.get("labels", []), known["confusion_matrix"])
        if known.get("confusion_matrix")
        else ""
    )


def _perplexity_block(found: Report, known: Report) -> str:
    return report_figures.render_perplexity(known.get) if known.get("perplexity") is not None else ""


def _two_label_diagrams(found: Report, known: Report) -> str:
    """Draw the curves of the positive one of two labels."""
    labels = found.get("labels") or []
    if len(labels) != 2:
        return ""
    positive = found.get("positive_label") or labels[1]
    support = {name: each["support"] for name, each in (known.get("per_class") or {}).items()}
    prevalence = support.get(positive, 0) / (sum(support.values()) or 1)
    drawn = report_figures.draw_roc(known["roc"], positive) if known.get("roc") else ""
    if known.get("precision_recall"):
        drawn += report_figures.draw_precision_recall(known["precision_recall"], positive, prevalence)
    if not known.get("roc"):
        drawn += notes(["There is no ROC curve: only one of the two labels occurs in this split."])
    return drawn


def _calibration_diagram(found: Report, known: Report) -> str:
    return report_figures.draw_calibration(known["calibration"]) if known.get("calibration") else ""


def _points_diagram(found: Report, known: Report) -> str:
    return (
        report_figures.draw_scatter(known["points"], (known.get("fit") or {}).get("r2")) if known.get("points") else ""
    )


def _residuals_diagram(found: Report, known: Report) -> str:
    return report_figures.draw_residuals(known["residuals"]) if known.get("residuals") else ""


Section = Callable[[Report, Report], str]
# What the kinds of answers name as the sections of their details: of a whole report and what it knows of a split.
BLOCKS: Mapping[str, Section] = MappingProxyType(
    {
        "per_class": _classes_block,
        "labels_per_row": _labels_per_row_block,
        "confusion_matrix": _confusion_block,
        "perplexity": _perplexity_block,
    }
)
DIAGRAMS: Mapping[str, Section] = MappingProxyType(
    {
        "two_label_curves": _two_label_diagrams,
        "calibration": _calibration_diagram,
        "points": _points_diagram,
        "residuals": _residuals_diagram,
    }
)


def read_wrong_rows(run: Run, most: int | None = None) -> list[dict[str, str]]:
    """Read the first `most` lines of a run's errors.csv, or all."""
    try:
        with (run.folder / "errors.csv").open(encoding="utf-8", newline="") as file:
            return list(islice(csv.DictReader(file), most))
    except FileNotFoundError:
        return []


def render_wrong_rows(
    rows: Sequence[Mapping[str, str]], more: bool, explained: bool = False, places: Sequence[int] | None = None
) -> str:
    """List lines of errors.csv, whose text cells may break; `more` says that the file has further ones.

    With `explained` each has a button that asks why the model said it; `places` are the lines' numbers in the file,
    from 0 on, where some are left out.
    """
    if not rows:
        return facts([("", "nothing: every validation row is right")])
    names = list(rows[0])
    numbers = [index for index, name in enumerate(names) if name in ERROR_NUMBERS]
    cells: list[list[Any]] = [[_format_error_cell(row[name], name) for name in names] for row in rows]
    if explained:
        names, numbers = ["", *names], [number + 1 for number in numbers]
        cells = [
            [Html(f"<button type='button' data-why='{place}'>Why?</button>"), *each]
            for place, each in zip(places or range(len(cells)), cells, strict=True)
        ]
    drawn = table(names, cells, numbers, wrap=True)
    left = "<p class='hf-quiet hf-small'>The first ones; errors.csv has them all.</p>" if more else ""
    return f"<div class='hf-tall hf-wrong'>{drawn}</div>{left}"


def _format_error_cell(text: str, name: str) -> str:
    """Return a number with the four digits that are read; a whole one, and a text, as they are."""
    return f"{float(text):.4g}" if name in ERROR_NUMBERS and text and not text.isdecimal() else text


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
    return with_title("What the model returned, as it is", f"<div class='hf-first-row'>{drawn}</div>")


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
        rows.append((index, name, _format_number(logits[index]), f"{probability:.4f}", Html(score_bar(probability))))
    left = len(logits) - len(order)
    more = f"<p class='hf-quiet hf-small'>The {left} other labels have lower logits.</p>" if left else ""
    return table(("", "label", "logit", function, ""), rows, (0, 2, 3), kind="hf-logits") + more


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


# What the kinds of answers name as the renderer of their example.
EXAMPLES: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = MappingProxyType(
    {
        "softmax": _explain_softmax,
        "sigmoid": _explain_sigmoid,
        "number": _explain_number,
        "likelihood": _explain_likelihood,
    }
)
