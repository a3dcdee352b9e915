"""The HTML of a run and of its data: progress, scores, the confusion matrix, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.runs import Status
from hfdemo.ui.html import bar, escape, facts, notes, titled

_STATE_WORDS = {
    "queued": "waiting for the device: another run is training",
    "starting": "loading the libraries, the model and the data",
    "running": "",
    "stopping": "ending after this step",
    "finished": "",
    "stopped": "stopped by hand",
    "failed": "",
    "lost": "",
}


def progress(run_id: str, status: Status, device: str, remarks: Sequence[str] = ()) -> str:
    """One run's state, bar, steps, time left, and what it had to say when it began."""
    share = 1.0 if status.state == "finished" else status.step / status.total_steps if status.total_steps else 0.0
    words = []
    if status.total_steps:
        words.append(f"step {status.step:,} of {status.total_steps:,} · epoch {status.epoch:.1f}")
    if status.eta_seconds is not None:
        words.append(f"about {_duration(status.eta_seconds)} left")
    words.append(_STATE_WORDS[status.state])
    error = notes([status.error]) if status.error else ""
    return (
        f"<div class='hf-run'><b>{escape(run_id)}</b>"
        f"<span class='hf-state hf-{status.state}'>{status.state}</span></div>"
        f"{bar(share)}"
        f"{facts((('', ' · '.join(filter(None, words))), ('device', device), *(('', each) for each in remarks)))}"
        f"{error}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def scores(report: Mapping[str, Any]) -> str:
    """The metrics of a finished run beside what always guessing the most frequent label would get."""
    parts = []
    for split, found in report["metrics"].items():
        baseline = report["baseline"][split]
        f1 = f"f1 of “{report['positive_label']}”" if report["positive_label"] else "f1 (macro)"
        boxes = [("accuracy", found["accuracy"]), (f1, found["f1"]), ("f1 weighted", found["f1_weighted"])]
        boxes.append((f"baseline: always “{baseline['label']}”", baseline["accuracy"]))
        drawn = "".join(f"<div class='hf-score'><span>{escape(n)}</span><b>{v:.3f}</b></div>" for n, v in boxes)
        rows = report["rows"][split]
        parts.append(titled(f"{split} · {rows:,} rows", f"<div class='hf-scores'>{drawn}</div>"))
    parts.append(facts((("the model that was kept: after step", f"{report['best_step'] or report['steps']}"),)))
    return "".join(parts)


def confusion(report: Mapping[str, Any], split: str = "validation") -> str:
    """The confusion matrix: rows are the true labels, columns the predicted ones; each row's share as its shade."""
    labels, matrix = report["labels"], report["confusion_matrix"][split]
    head = "".join(f"<th class='hf-number'>{escape(label)}</th>" for label in labels)
    rows = []
    for label, counts in zip(labels, matrix, strict=True):
        total = sum(counts) or 1
        cells = "".join(
            f"<td style='background:color-mix(in srgb, var(--hf-bar) {90 * count / total:.0f}%, transparent)"
            f"{';color:#18181b' if count > total / 2 else ''}'>{count}</td>"
            for count in counts
        )
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return (
        "<div class='hf-scroll'><table class='hf-table hf-confusion'>"
        f"<tr><th>true ↓ · predicted →</th>{head}</tr>{''.join(rows)}</table></div>"
    )


def data_summary(rows: int, splits: Mapping[str, int], labels: Mapping[str, int], found: Sequence[Problem]) -> str:
    """What was found in a data set, and what is wrong with it."""
    counted = [("rows", f"{rows:,}"), *((name, f"{count:,}") for name, count in splits.items())]
    if not splits:
        counted.append(("validation", "a fifth of the rows will be held out"))
    classes = ", ".join(f"{name or '(blank)'} × {count:,}" for name, count in list(labels.items())[:12])
    rows_of: dict[tuple[str, str, str], list[str]] = {}
    for problem in found:
        rows_of.setdefault((problem.column, problem.problem, problem.fix), []).append(str(problem.row))
    said = []
    for (column, what, fix), numbers in rows_of.items():
        where = f" (rows {', '.join(numbers[:6])}{' …' if len(numbers) > 6 else ''})" if numbers != ["0"] else ""
        said.append(f"{column + ': ' if column else ''}{what}{where} {fix}")
    return facts([*counted, ("labels", classes or "none found")]) + notes(said)
