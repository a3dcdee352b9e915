"""What a report says of a run's model, as HTML: scores, raw predictions, and the details of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.kinds.kind import LOWER_IS_BETTER
from hfdemo.ui.html import Html, TableCell, escape, facts, notes, table, titled, track
from hfdemo.ui.tabs.finetune import report_diagrams
from hfdemo.ui.tabs.finetune.raw_predictions import kind_of, render_first_row
from hfdemo.ui.tabs.finetune.run_charts import UNIT_METRICS, format_duration

# A larger confusion matrix is a wall of numbers: then its largest confusions are listed.
MATRIX_LABELS = 24
LISTED = 20
# Columns of errors.csv that hold numbers, and those that need no six decimals to be read.
_DECIMALS = ("confidence", "loss", "residual")
_NUMBERS = ("row", "tokens", "tags", "wrong_tags", "wrong_labels", *_DECIMALS)
Report = Mapping[str, Any]


def render_report(found: Report) -> str:
    """Draw everything: the scores of all splits, the details of the last one, and those of the others in a fold."""
    splits = list(found["metrics"])
    parts = [notes(found["notes"])] if found.get("notes") else []
    parts += [render_scores(found, split) for split in splits]
    kept = found.get("best_step") or found.get("steps")
    about = [("kept: the model after step", f"{kept:,}")] if kept else []
    if found.get("seconds"):
        about.append(("took", format_duration(found["seconds"])))
    parts.append(facts(about) + f"<p class='hf-quiet hf-small'>{escape(kind_of(found).evaluator.meaning)}</p>")
    others, last = splits[:-1], splits[-1:]
    parts += [titled(f"In detail: {split}", render_details(found, split)) for split in last]
    parts += [
        f"<details class='hf-fold'><summary>In detail: {escape(split)}</summary>"
        f"{render_details(found, split)}</details>"
        for split in reversed(others)
    ]
    return "<div class='hf-results'>" + "".join(parts) + "</div>"


def metric_title(name: str, found: Report) -> str:
    """Return a metric's name with what it is the mean of, where the name alone does not say it."""
    positive = found.get("positive_label")
    return f"f1 of “{positive}”" if positive and name == "f1" else kind_of(found).evaluator.titles.get(name, name)


def values_to_beat(found: Report, split: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Return what a split's scores have to beat: the baseline's answer and metrics, and the metrics before training."""
    baseline = found.get("baseline", {}).get(split, {})
    answer = baseline.get("answer") or f"always '{baseline.get('label', '')}'"
    known = baseline.get("metrics") or {name: baseline[name] for name in ("accuracy",) if name in baseline}
    before = found.get("before", {}).get(split, {})
    # Where there is no answer without the text, the model before training is the baseline.
    return answer, {} if known == before else known, before


def render_scores(found: Report, split: str) -> str:
    """Draw a box per metric: its value, and below it the baseline's and the untrained model's."""
    answer, baseline, before = values_to_beat(found, split)
    metrics = found["metrics"][split]
    names = sorted((name for name in metrics if metrics[name] is not None), key=lambda name: name == "loss")
    boxes = "".join(
        _score_box(metric_title(name, found), name, metrics[name], baseline.get(name), before.get(name))
        for name in names
    )
    rows = found.get("rows", {}).get(split)
    title = f"{split} · {rows:,} rows" if rows is not None else split
    legend = [("baseline:", answer)] if baseline else []
    drawn = titled(title, f"<div class='hf-scores'>{boxes}</div>{facts(legend) if legend else ''}")
    return drawn + _baseline_warning(found, metrics, answer, baseline)


def _score_box(title: str, name: str, value: float, baseline: float | None, before: float | None) -> str:
    lines = "".join(
        f"<div><span>{words}</span><span>{format_score(other)}</span></div>"
        for words, other in (("baseline", baseline), ("before", before))
        if other is not None
    )
    bar = track(value, baseline) if name in UNIT_METRICS else ""
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


def _baseline_warning(found: Report, metrics: Mapping[str, Any], answer: str, baseline: Mapping[str, Any]) -> str:
    """Say where the model is no better than an answer that does not look at the text."""
    evaluator = kind_of(found).evaluator
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
    return class_table(known["per_class"], title) if known.get("per_class") else ""


def _labels_per_row_block(found: Report, known: Report) -> str:
    given = known.get("labels_per_row")
    if not given:
        return ""
    pairs = (("labels per row: true", f"{given['label']:.2f}"), ("predicted", f"{given['predicted']:.2f}"))
    return f"<div>{facts(pairs)}</div>"


def _confusion_block(found: Report, known: Report) -> str:
    return confusion_table(found.get("labels", []), known["confusion_matrix"]) if known.get("confusion_matrix") else ""


def _perplexity_block(found: Report, known: Report) -> str:
    return _perplexity_details(known.get) if known.get("perplexity") is not None else ""


def _two_label_diagrams(found: Report, known: Report) -> str:
    """Draw the curves of the positive one of two labels."""
    labels = found.get("labels") or []
    if len(labels) != 2:
        return ""
    positive = found.get("positive_label") or labels[1]
    support = {name: each["support"] for name, each in (known.get("per_class") or {}).items()}
    prevalence = support.get(positive, 0) / (sum(support.values()) or 1)
    drawn = report_diagrams.draw_roc(known["roc"], positive) if known.get("roc") else ""
    if known.get("precision_recall"):
        drawn += report_diagrams.draw_precision_recall(known["precision_recall"], positive, prevalence)
    if not known.get("roc"):
        drawn += notes(["There is no ROC curve: only one of the two labels occurs in this split."])
    return drawn


def _calibration_diagram(found: Report, known: Report) -> str:
    return report_diagrams.draw_calibration(known["calibration"]) if known.get("calibration") else ""


def _points_diagram(found: Report, known: Report) -> str:
    return (
        report_diagrams.draw_scatter(known["points"], (known.get("fit") or {}).get("r2")) if known.get("points") else ""
    )


def _residuals_diagram(found: Report, known: Report) -> str:
    return report_diagrams.draw_residuals(known["residuals"]) if known.get("residuals") else ""


def class_table(found: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """List precision, recall, f1 and support, and the average precision where it is known; f1 as a bar, too."""
    ranked = any("average_precision" in each for each in found.values())
    head = ["", "precision", "recall", "f1", *(["AP"] if ranked else []), "support"]
    rows = []
    for label, each in found.items():
        numbers = [each["precision"], each["recall"], each["f1"], *([each["average_precision"]] if ranked else [])]
        scores = ["" if number is None else f"{number:.3f}" for number in numbers]
        rows.append([Html(f"{escape(label)}{track(each['f1'])}"), *scores, f"{each['support']:,}"])
    drawn = table(head, rows, range(1, len(head)), kind="hf-classes", scroll="hf-tall", row_heads=True)
    return f"<div>{titled(title, drawn)}</div>"


def confusion_table(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Draw true labels as rows and predicted ones as columns, shaded by their part of the row; of many labels, list the
    largest confusions."""
    if len(labels) > MATRIX_LABELS:
        return _largest_confusions(labels, matrix)
    names = [Html(f"<span>{escape(label)}</span>") for label in labels]
    head = ["true ↓ · predicted →", *(TableCell(name, "hf-number") for name in names)]
    rows = [
        [
            names[truth],
            *(_confusion_cell(count, sum(counts), label, truth == given) for given, count in enumerate(counts)),
        ]
        for truth, (label, counts) in enumerate(zip(labels, matrix, strict=True))
    ]
    drawn = table(head, rows, kind="hf-confusion", scroll="hf-tall", row_heads=True)
    return f"<div>{titled('Confusion matrix', drawn)}</div>"


def _confusion_cell(count: int, total: int, label: str, is_right: bool) -> TableCell:
    """Return a count of predictions, the stronger the larger its part of the rows of the true label."""
    part = count / (total or 1)
    shade = f"background:color-mix(in srgb, var(--hf-bar) {90 * part:.0f}%, transparent)"
    ink = ";color:#18181b" if part > 0.7 else ""
    return TableCell(count, "hf-hit" if is_right else "", title=f"{part:.0%} of the true “{label}”", style=shade + ink)


def _largest_confusions(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
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


def _perplexity_details(of: Any) -> str:
    """Draw perplexity and the rows that are hardest to predict."""
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


def render_wrong_rows(rows: Sequence[Mapping[str, str]], more: bool) -> str:
    """List lines of errors.csv, whose text cells may break; `more` says that the file has further ones."""
    if not rows:
        return facts([("", "nothing: every validation row is right")])
    names = list(rows[0])
    numbers = [index for index, name in enumerate(names) if name in _NUMBERS]
    drawn = table(names, [[_format_error_cell(row[name], name) for name in names] for row in rows], numbers, wrap=True)
    left = "<p class='hf-quiet hf-small'>The first ones; errors.csv has them all.</p>" if more else ""
    return f"<div class='hf-tall hf-wrong'>{drawn}</div>{left}"


def _format_error_cell(text: str, name: str) -> str:
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
