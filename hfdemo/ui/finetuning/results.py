"""What a report says of a run's model, as HTML: scores beside what they have to beat, then the details of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.judging import JUDGES
from hfdemo.ui.charts import SHARES
from hfdemo.ui.finetuning import curves, firsts
from hfdemo.ui.html import escape, facts, notes, table, titled
from hfdemo.ui.training import duration

LOWER = ("loss", "mae", "mse", "rmse", "perplexity")
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
    parts.append(facts(about) + f"<p class='hf-quiet hf-small'>{escape(_judge(found).meaning)}</p>")
    *others, last = splits
    parts.append(titled(f"In detail: {last}", details(found, last)))
    parts += [
        f"<details class='hf-fold'><summary>In detail: {escape(split)}</summary>{details(found, split)}</details>"
        for split in reversed(others)
    ]
    return "<div class='hf-results'>" + "".join(parts) + "</div>"


def _judge(found: Report) -> Any:
    return JUDGES[found.get("kind", "single_label")]


def metric_title(name: str, found: Report) -> str:
    """A metric's name with what it is the mean of, where the name alone does not say it."""
    kind, positive = found.get("kind", "single_label"), found.get("positive_label")
    if name == "f1" and kind == "single_label":
        return f"f1 of “{positive}”" if positive else "f1 (macro)"
    if name == "f1" and kind == "multi_label":
        return "f1 (macro)"
    if name == "accuracy" and kind == "multi_label":
        return "accuracy (all right)"
    return name


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
    lower = "<small>lower is better</small>" if name in LOWER else ""
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
    judge = _judge(found)
    ours, theirs = metrics.get(judge.selection), baseline.get(judge.selection)
    if ours is None or theirs is None or (ours > theirs if judge.greater_is_better else ours < theirs):
        return ""
    return notes(
        [
            f"By {judge.selection} this is no better than the baseline ({answer}), which does not look at the text. "
            "Train longer, raise the learning rate, or look at the data."
        ]
    )


def details(found: Report, split: str) -> str:
    """What a split shows besides its scores; what a kind of answer does not have is left out."""

    def of(name: str) -> Any:
        return (found.get(name) or {}).get(split)

    blocks = []
    if of("per_class"):
        blocks.append(per_class(of("per_class"), _per_class_title(found)))
    if of("labels_per_row"):
        given = of("labels_per_row")
        pairs = (("labels per row: true", f"{given['label']:.2f}"), ("predicted", f"{given['predicted']:.2f}"))
        blocks.append(f"<div>{facts(pairs)}</div>")
    if of("confusion_matrix"):
        blocks.append(confusion(found.get("labels", []), of("confusion_matrix")))
    diagrams = _diagrams(found, of)
    if of("perplexity") is not None:
        blocks.append(_language(of))
    drawn = f"<div class='hf-blocks'>{''.join(blocks)}</div>" if blocks else ""
    drawn += f"<div class='hf-diagrams'>{diagrams}</div>" if diagrams else ""
    return drawn + firsts.first_row(found, split)


def _diagrams(found: Report, of: Any) -> str:
    parts = []
    labels = found.get("labels") or []
    if found.get("kind", "single_label") == "single_label" and len(labels) == 2:
        positive = found.get("positive_label") or labels[1]
        support = {name: each["support"] for name, each in (of("per_class") or {}).items()}
        share = support.get(positive, 0) / (sum(support.values()) or 1)
        if of("roc"):
            parts.append(curves.roc(of("roc"), positive))
        if of("precision_recall"):
            parts.append(curves.precision_recall(of("precision_recall"), positive, share))
        if not of("roc"):
            parts.append(notes(["There is no ROC curve: only one of the two labels occurs in this split."]))
    if of("calibration"):
        parts.append(curves.calibration(of("calibration")))
    if of("points"):
        parts.append(curves.scatter(of("points"), (of("fit") or {}).get("r2")))
    if of("residuals"):
        parts.append(curves.residuals(of("residuals")))
    return "".join(parts)


def _per_class_title(found: Report) -> str:
    if found.get("kind") != "tokens":
        return "Per label"
    return "Per entity type" if any(tag[1:2] == "-" for tag in found.get("labels", [])) else "Per tag"


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
