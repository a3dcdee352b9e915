"""The result of a run at first sight: a sentence, and up to three scores beside what they have to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.finetuning.kinds import LOWER_IS_BETTER
from hfdemo.ui.html import escape, notes
from hfdemo.ui.tabs.finetune.report_view import Report, find_baselines, format_metric_name, format_score, kind_of

KEY_FIGURES = 3


def render_result(found: Report) -> str:
    """Draw the sentence and the scores of the rows that the model has not learned from, those of the test split where
    there is one."""
    split = next(reversed(found["metrics"]), "")
    return render_headline(found, split) + render_key_figures(found, split) if split else ""


def render_headline(found: Report, split: str) -> str:
    """Say in a sentence how well the model answers the rows of a split, and what a baseline gets."""
    evaluator = kind_of(found).evaluator
    answer, baseline, before = find_baselines(found, split)
    metrics, rows = found["metrics"][split], found.get("rows", {}).get(split)
    name = evaluator.share_right or evaluator.selection
    if metrics.get(name) is None or rows is None:
        return ""

    def format_value(value: float) -> str:
        return f"{round(value * rows):,}" if evaluator.share_right else format_score(value)

    # The best checkpoint was picked by validation: of the two only test is all new to it.
    which = f"{rows:,} {'unseen' if split == 'test' else 'held-out'} {'row' if rows == 1 else 'rows'}"
    said = (
        f"Right for {format_value(metrics[name])} of {which}"
        if evaluator.share_right
        else f"{format_metric_name(name, found)} {format_value(metrics[name])} on {which}"
    )
    if baseline.get(name) is not None:
        said += f"; the baseline ({answer}) gets {format_value(baseline[name])}"
    elif before.get(name) is not None:
        said += f"; before training it was {format_value(before[name])}"
    return f"<p class='hf-headline'>{escape(said)}.</p>"


def render_key_figures(found: Report, split: str) -> str:
    """Draw the scores that say most of a split, each with its difference from the baseline or, where there is none,
    from the model before training; and a warning where the model is no better."""
    answer, baseline, before = find_baselines(found, split)
    metrics = found["metrics"][split]
    beaten, words = (baseline, "baseline") if baseline else (before, "before")
    figures = "".join(
        _figure(format_metric_name(name, found), name, metrics[name], beaten.get(name), words)
        for name in list_key_metrics(found, split)
    )
    legend = f"<p class='hf-quiet hf-small'>On {escape(split)}; baseline: {escape(answer)}</p>" if baseline else ""
    drawn = f"<div class='hf-figures'>{figures}</div>{legend}" if figures else ""
    return drawn + _baseline_warning(found, metrics, answer, baseline)


def list_key_metrics(found: Report, split: str) -> list[str]:
    """Return what says most of a split: the share that is right, what picks the best model, what is charted."""
    evaluator = kind_of(found).evaluator
    wanted = (evaluator.share_right, evaluator.selection, *evaluator.charted, *evaluator.names, "loss")
    known = [name for name in dict.fromkeys(wanted) if found["metrics"][split].get(name) is not None]
    return known[:KEY_FIGURES]


def _figure(title: str, name: str, value: float, beaten: float | None, words: str) -> str:
    drawn = f"<div><span>{escape(title)}</span><b>{format_score(value)}</b>"
    if beaten is None:
        return f"{drawn}</div>"
    gain = value - beaten
    is_better = gain < 0 if name in LOWER_IS_BETTER else gain > 0
    verdict = "better" if is_better else "worse" if gain else "the same"
    sign = "+" if gain > 0 else "−" if gain < 0 else "±"
    return (
        f"{drawn}<small><i class='{'hf-better' if is_better else 'hf-worse' if gain else ''}'>"
        f"{sign}{format_score(abs(gain))} {verdict}</i> <span>{words} {format_score(beaten)}</span></small></div>"
    )


def _baseline_warning(found: Report, metrics: Mapping[str, Any], answer: str, baseline: Mapping[str, Any]) -> str:
    """Say where the model is no better than an answer that does not look at the text."""
    evaluator = kind_of(found).evaluator
    ours, theirs = metrics.get(evaluator.selection), baseline.get(evaluator.selection)
    if ours is None or theirs is None or (ours > theirs if evaluator.greater_is_better else ours < theirs):
        return ""
    by = format_metric_name(evaluator.selection, found)
    return notes(
        [
            f"By {by} this is no better than the baseline ({answer}), which does not look at the text. "
            "Train longer, raise the learning rate, or look at the data."
        ]
    )
