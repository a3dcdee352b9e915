"""What a report says of a run's model, as HTML: scores, raw predictions, and the details of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS, Kind
from hfdemo.finetuning.kinds.kind import LOWER_IS_BETTER
from hfdemo.ui.html import code, escape, facts, notes, table, titled
from hfdemo.ui.tabs.finetune import report_diagrams
from hfdemo.ui.tabs.finetune.run_charts import SHARES, duration

# Of more labels the most likely ones are shown.
SHOWN = 12


def first_row(found: Mapping[str, Any], split: str) -> str:
    """The shapes of predictions and label_ids of a split, and its first row; nothing for a report without them."""
    shapes, example = ((found.get(name) or {}).get(split) for name in ("shapes", "example"))
    if not shapes:
        return ""
    page = _kind(found).page
    said = f"`predictions = trainer.predict({split})` returned arrays: "
    said += f"`predictions.predictions.shape` is `{_shape(shapes['logits'])}`"
    if shapes.get("labels"):
        said += f", `predictions.label_ids.shape` is `{_shape(shapes['labels'])}`"
    drawn = f"<p>{code(said)}: {escape(page.arrays)}.</p>"
    if example:
        drawn += EXAMPLES[page.example](example, found.get("labels") or [])
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


def _raw_language(example: Mapping[str, Any], labels: Sequence[str]) -> str:
    total, count = example["logits"]
    return (
        f"<p>Row {example['row']}. At every token the logits of the whole vocabulary go through a softmax; the loss is "
        "the negative logarithm of the probability that the token which really follows got. "
        f"Summed up <b>{_number(total)}</b> over <b>{count:,.0f}</b> tokens, so {_number(total)} / {count:,.0f} = "
        f"<b>{_number(example['loss'])}</b> per token, and e to the power of that is a perplexity of "
        f"<b>{example['perplexity']:,.2f}</b>: as unsure as a choice between that many equally likely tokens.</p>"
    )


# What the kinds of answers name as the renderer of their example.
EXAMPLES: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = MappingProxyType(
    {"softmax": _single, "sigmoid": _multi, "number": _regression, "likelihood": _raw_language}
)


# A larger confusion matrix is a wall of numbers: then its largest confusions are listed.
MATRIX_LABELS = 24
LISTED = 20
_RIGHT, _HIT = " class='hf-number'", " class='hf-hit'"
# Columns of errors.csv that hold numbers, and those that need no six decimals to be read.
_DECIMALS = ("confidence", "loss", "residual")
_NUMBERS = ("row", "tokens", "tags", "wrong_tags", "wrong_labels", *_DECIMALS)
Report = Mapping[str, Any]


def report(found: Report) -> str:
    """Everything: the scores of all splits, the details of the last one, and those of the others in a fold."""
    splits = list(found["metrics"])
    parts = [scores(found, split) for split in splits]
    kept = found.get("best_step") or found.get("steps")
    about = [("kept: the model after step", f"{kept:,}")] if kept else []
    if found.get("seconds"):
        about.append(("took", duration(found["seconds"])))
    parts.append(facts(about) + f"<p class='hf-quiet hf-small'>{escape(_kind(found).evaluator.meaning)}</p>")
    *others, last = splits
    parts.append(titled(f"In detail: {last}", details(found, last)))
    parts += [
        f"<details class='hf-fold'><summary>In detail: {escape(split)}</summary>{details(found, split)}</details>"
        for split in reversed(others)
    ]
    return "<div class='hf-results'>" + "".join(parts) + "</div>"


def _kind(found: Report) -> Kind:
    """Return the kind of answers that a report is of; reports of an earlier version don't name it."""
    return KINDS[found.get("kind", DEFAULT_KIND.name)]


def metric_title(name: str, found: Report) -> str:
    """A metric's name with what it is the mean of, where the name alone does not say it."""
    positive = found.get("positive_label")
    return f"f1 of “{positive}”" if positive and name == "f1" else _kind(found).evaluator.titles.get(name, name)


def beside(found: Report, split: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """What the scores of a split have to beat: the baseline's answer and metrics, and the metrics before training."""
    baseline = found.get("baseline", {}).get(split, {})
    answer = baseline.get("answer") or f"always '{baseline.get('label', '')}'"
    known = baseline.get("metrics") or {name: baseline[name] for name in ("accuracy",) if name in baseline}
    before = found.get("before", {}).get(split, {})
    # Where there is no answer without the text, the model before training is the baseline.
    return answer, {} if known == before else known, before


def scores(found: Report, split: str) -> str:
    """A box per metric: its value, and below it the baseline's and the untrained model's."""
    answer, baseline, before = beside(found, split)
    metrics = found["metrics"][split]
    names = sorted((name for name in metrics if metrics[name] is not None), key=lambda name: name == "loss")
    boxes = "".join(
        _box(metric_title(name, found), name, metrics[name], baseline.get(name), before.get(name)) for name in names
    )
    rows = found.get("rows", {}).get(split)
    title = f"{split} · {rows:,} rows" if rows is not None else split
    legend = [("baseline:", answer)] if baseline else []
    drawn = titled(title, f"<div class='hf-scores'>{boxes}</div>{facts(legend) if legend else ''}")
    return drawn + _warning(found, metrics, answer, baseline)


def _box(title: str, name: str, value: float, baseline: float | None, before: float | None) -> str:
    lines = "".join(
        f"<div><span>{words}</span><span>{number(other)}</span></div>"
        for words, other in (("baseline", baseline), ("before", before))
        if other is not None
    )
    track = ""
    if name in SHARES:
        mark = "" if baseline is None else f"<em style='left:{100 * baseline:.1f}%'></em>"
        track = f"<div class='hf-track'><i style='width:{100 * min(max(value, 0), 1):.1f}%'></i>{mark}</div>"
    lower = "<small>lower is better</small>" if name in LOWER_IS_BETTER else ""
    return (
        f"<div class='hf-score hf-compared'><span>{escape(title)}</span><b>{number(value)}</b>{lower}{track}"
        f"{lines}</div>"
    )


def number(value: float) -> str:
    """A score with three decimals, a large one with fewer."""
    if abs(value) < 100:
        return f"{value:.3f}"
    return f"{value:,.1f}" if abs(value) < 100_000 else f"{value:.2g}"


def _warning(found: Report, metrics: Mapping[str, Any], answer: str, baseline: Mapping[str, Any]) -> str:
    """A sentence where the model is no better than an answer that does not look at the text."""
    evaluator = _kind(found).evaluator
    ours, theirs = metrics.get(evaluator.selection), baseline.get(evaluator.selection)
    if ours is None or theirs is None or (ours > theirs if evaluator.greater_is_better else ours < theirs):
        return ""
    by = evaluator.selection
    return notes(
        [
            f"By {by} this is no better than the baseline ({answer}), which does not look at the text. "
            "Train longer, raise the learning rate, or look at the data."
        ]
    )


def details(found: Report, split: str) -> str:
    """What a split shows besides its scores, as its kind says; what the report does not have is left out."""
    known = {name: value[split] for name, value in found.items() if isinstance(value, Mapping) and split in value}
    names = _kind(found).page.sections
    blocks = "".join(BLOCKS[name](found, known) for name in names if name in BLOCKS)
    diagrams = "".join(DIAGRAMS[name](found, known) for name in names if name in DIAGRAMS)
    drawn = f"<div class='hf-blocks'>{blocks}</div>" if blocks else ""
    drawn += f"<div class='hf-diagrams'>{diagrams}</div>" if diagrams else ""
    return drawn + first_row(found, split)


def _classes_block(found: Report, known: Report) -> str:
    title = _kind(found).page.class_title(found.get("labels") or [])
    return per_class(known["per_class"], title) if known.get("per_class") else ""


def _labels_per_row_block(found: Report, known: Report) -> str:
    given = known.get("labels_per_row")
    if not given:
        return ""
    pairs = (("labels per row: true", f"{given['label']:.2f}"), ("predicted", f"{given['predicted']:.2f}"))
    return f"<div>{facts(pairs)}</div>"


def _confusion_block(found: Report, known: Report) -> str:
    return confusion(found.get("labels", []), known["confusion_matrix"]) if known.get("confusion_matrix") else ""


def _perplexity_block(found: Report, known: Report) -> str:
    return _language(known.get) if known.get("perplexity") is not None else ""


def _two_label_diagrams(found: Report, known: Report) -> str:
    """The curves of the positive one of two labels."""
    labels = found.get("labels") or []
    if len(labels) != 2:
        return ""
    positive = found.get("positive_label") or labels[1]
    support = {name: each["support"] for name, each in (known.get("per_class") or {}).items()}
    share = support.get(positive, 0) / (sum(support.values()) or 1)
    drawn = report_diagrams.roc(known["roc"], positive) if known.get("roc") else ""
    if known.get("precision_recall"):
        drawn += report_diagrams.precision_recall(known["precision_recall"], positive, share)
    if not known.get("roc"):
        drawn += notes(["There is no ROC curve: only one of the two labels occurs in this split."])
    return drawn


def _calibration_diagram(found: Report, known: Report) -> str:
    return report_diagrams.calibration(known["calibration"]) if known.get("calibration") else ""


def _points_diagram(found: Report, known: Report) -> str:
    return report_diagrams.scatter(known["points"], (known.get("fit") or {}).get("r2")) if known.get("points") else ""


def _residuals_diagram(found: Report, known: Report) -> str:
    return report_diagrams.residuals(known["residuals"]) if known.get("residuals") else ""


def per_class(found: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """Precision, recall, f1 and support, and the average precision where it is known; f1 as a bar, too."""
    ranked = any("average_precision" in each for each in found.values())
    head = ["", "precision", "recall", "f1", *(["AP"] if ranked else []), "support"]
    heads = "".join(f"<th{_RIGHT if index else ''}>{escape(name)}</th>" for index, name in enumerate(head))
    rows = []
    for label, each in found.items():
        numbers = [each["precision"], each["recall"], each["f1"], *([each["average_precision"]] if ranked else [])]
        cells = "".join(f"<td{_RIGHT}>{'' if number is None else f'{number:.3f}'}</td>" for number in numbers)
        # A label that nobody gave and that nobody should have given has no score worth a bar.
        bar = f"<div class='hf-track'><i style='width:{100 * each['f1']:.1f}%'></i></div>"
        rows.append(f"<tr><th>{escape(label)}{bar}</th>{cells}<td{_RIGHT}>{each['support']:,}</td></tr>")
    drawn = f"<table class='hf-table hf-classes'><tr>{heads}</tr>{''.join(rows)}</table>"
    return f"<div>{titled(title, '')}<div class='hf-scroll hf-tall'>{drawn}</div></div>"


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Rows are the true labels, columns the predicted ones, each row's share as its shade; of many labels, the largest
    confusions."""
    if len(labels) > MATRIX_LABELS:
        return _confused(labels, matrix)
    head = "".join(f"<th class='hf-number'><span>{escape(label)}</span></th>" for label in labels)
    rows = []
    for truth, (label, counts) in enumerate(zip(labels, matrix, strict=True)):
        total = sum(counts) or 1
        cells = "".join(
            f"<td style='background:color-mix(in srgb, var(--hf-bar) {90 * count / total:.0f}%, transparent)"
            f"{';color:#18181b' if count > 0.7 * total else ''}'{_HIT if truth == given else ''} "
            f"title='{count / total:.0%} of the true “{escape(label)}”'>{count}</td>"
            for given, count in enumerate(counts)
        )
        rows.append(f"<tr><th><span>{escape(label)}</span></th>{cells}</tr>")
    return (
        f"<div>{titled('Confusion matrix', '')}<div class='hf-scroll hf-tall'><table class='hf-table hf-confusion'>"
        f"<tr><th>true ↓ · predicted →</th>{head}</tr>{''.join(rows)}</table></div></div>"
    )


def _confused(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    pairs = [
        (count, labels[truth], labels[given], sum(counts))
        for truth, counts in enumerate(matrix)
        for given, count in enumerate(counts)
        if count and truth != given
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [(truth, given, f"{count:,}", f"{count / total:.0%}") for count, truth, given, total in pairs[:LISTED]]
    title = f"The most frequent confusions; report.json has the whole matrix of {len(labels)} labels"
    drawn = table(["true", "predicted as", "rows", "of the true"], rows, (2, 3))
    return f"<div>{titled(title, drawn if rows else facts([('', 'none')]))}</div>"


def _language(of: Any) -> str:
    """Perplexity and the rows that are hardest to predict."""
    pairs = [
        ("perplexity", f"{of('perplexity'):,.2f}"),
        ("bits per token", f"{of('bits_per_token'):.3f}"),
        ("tokens that count", f"{of('tokens'):,}"),
    ]
    drawn = f"<div class='hf-line-wide'>{facts(pairs)}</div>"
    for name, title in (("worst", "Hardest to predict"), ("longest", "The longest rows")):
        rows = [(each["row"], f"{each['loss']:.3f}", f"{each['tokens']:,}") for each in of(name) or ()]
        if rows:
            drawn += f"<div>{titled(title, table(['row', 'loss per token', 'tokens'], rows, (0, 1, 2)))}</div>"
    return drawn


def wrong(rows: Sequence[Mapping[str, str]], more: bool) -> str:
    """Lines of errors.csv, whose text cells may break; `more` says that the file has further ones."""
    if not rows:
        return facts([("", "nothing: every validation row is right")])
    names = list(rows[0])
    numbers = [index for index, name in enumerate(names) if name in _NUMBERS]
    drawn = table(names, [[_cell(row[name], name) for name in names] for row in rows], numbers, wrap=True)
    left = "<p class='hf-quiet hf-small'>The first ones; errors.csv has them all.</p>" if more else ""
    return f"<div class='hf-tall hf-wrong'>{drawn}</div>{left}"


def _cell(text: str, name: str) -> str:
    return f"{float(text):.4g}" if name in _DECIMALS and text else text


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
