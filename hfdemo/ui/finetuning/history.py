"""All runs as a table to choose from, the best on its data marked, and how the configs of several differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.judging import JUDGES
from hfdemo.finetuning.recipes import find_recipe
from hfdemo.finetuning.runs.run import Run, State
from hfdemo.ui.charts import palette
from hfdemo.ui.finetuning.results import number
from hfdemo.ui.html import escape

LETTERS = "ABCDEF"
# What a click on the table tells the page: which run is to be shown, or which are to be compared.
JAVASCRIPT = """
element.addEventListener('click', event => {
  const button = event.target.closest('[data-open]');
  if (button) trigger('select', {run: button.dataset.open});
});
element.addEventListener('change', () => {
  trigger('input', {runs: [...element.querySelectorAll('input:checked')].map(each => each.value)});
});
"""


@dataclass(frozen=True)
class Line:
    """A run in the table. `value` and `baseline` are of `metric` on the validation split, None where not known;
    `data` says by a hash which data it was trained on, "" before there is a report."""

    run: str
    state: State
    dataset: str
    model: str
    method: str
    kind: str
    metric: str
    value: float | None = None
    baseline: float | None = None
    data: str = ""
    notes: str = ""
    best: bool = False


def lines(runs: Iterable[Run]) -> list[Line]:
    """A line per run in their order; one that is being deleted, or is damaged, is passed over."""
    found = []
    for run in runs:
        try:
            found.append(_line(run))
        except (DemoError, OSError):
            continue
    return _with_best(found)


def _line(run: Run) -> Line:
    config, status = run.config, run.status()
    judge = find_recipe(config.task, config.problem_type).judge
    line = Line(
        run.id,
        status.state,
        config.dataset,
        config.model,
        config.method,
        judge.kind,
        judge.selection,
        value=status.metrics.get(judge.selection),
        notes=run.notes,
    )
    if not (run.folder / "report.json").is_file():
        return line
    report = run.report()
    baseline = (report.get("baseline") or {}).get("validation") or {}
    return replace(
        line,
        value=report["metrics"]["validation"].get(judge.selection),
        baseline=(baseline.get("metrics") or baseline).get(judge.selection),
        data=report.get("data_sha256", ""),
    )


def _with_best(found: Sequence[Line]) -> list[Line]:
    """The best of each group that was trained on the very same data is marked, where there are two or more of them."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in found:
        if line.data and line.value is not None:
            groups.setdefault((line.data, line.kind), []).append(line)
    best = set()
    for (_, kind), group in groups.items():
        if len(group) > 1:
            sign = 1 if JUDGES[kind].greater_is_better else -1
            best.add(max(group, key=lambda line: sign * (line.value or 0.0)).run)
    return [replace(line, best=line.run in best) for line in found]


def table(found: Sequence[Line], chosen: Collection[str] = (), shown: str | None = None) -> str:
    """Every run with a box to compare it and its name to show it; `chosen` are ticked, `shown` is the one on view."""
    rows = "".join(_row(line, line.run in chosen, line.run == shown) for line in found)
    head = "".join(
        f"<th{kind}>{name}</th>"
        for name, kind in (
            ("compare", ""),
            ("run", ""),
            ("on validation", " class='hf-number'"),
        )
    )
    return f"<div class='hf-scroll hf-tall'><table class='hf-table hf-runs'><tr>{head}</tr>{rows}</table></div>"


def _row(line: Line, ticked: bool, shown: bool) -> str:
    name, note = escape(line.run), escape(line.notes)
    best = " <span class='hf-chip hf-best'>best on this data</span>" if line.best else ""
    value = "" if line.value is None else f"{number(line.value)}<small>{escape(line.metric)}</small>"
    if line.baseline is not None:
        value += f"<small>baseline {number(line.baseline)}</small>"
    written = f"<small class='hf-written-down' title='{note}'>{note}</small>" if note else ""
    return (
        f"<tr{' class=hf-open' if shown else ''}>"
        f"<td><input type='checkbox' value='{name}' aria-label='compare {name}'{' checked' if ticked else ''}></td>"
        f"<td><button type='button' data-open='{name}'>{escape(title(line))}</button>{best}"
        f"<small><span class='hf-state hf-{line.state}'>{line.state}</span> {escape(when(line.run))}</small>"
        f"<small>{escape(line.model)} · {escape(line.method)}</small>{written}</td>"
        f"<td class='hf-number'>{value}</td></tr>"
    )


def title(line: Line) -> str:
    """What a run was trained on, in the words of its config; of another run's rows, what they were and since when."""
    if not line.dataset.startswith("run:"):
        return line.dataset
    run = line.dataset.removeprefix("run:")
    name = re.sub(r"^\d{8}-\d{6}-", "", run)
    return f"{name}, the rows of {when(run)}" if name != run else f"the rows of {run}"


def when(run_id: str) -> str:
    """The day and time in a run's name; "" for a name without them."""
    found = re.match(r"(\d{8}-\d{6})", run_id)
    try:
        return f"{datetime.strptime(found[1], '%Y%m%d-%H%M%S'):%d %b %Y, %H:%M:%S}" if found else run_id
    except ValueError:
        return run_id


def lettered(runs: Sequence[str]) -> dict[str, str]:
    """A letter for each run, by which the charts and the table of differences name it."""
    return dict(zip(LETTERS, runs, strict=False))


def side_by_side(letters: Mapping[str, str], found: Mapping[str, Any]) -> str:
    """One column per run: its scores, then a line per setting in which the runs differ; `found` is what
    `finetuning.comparing.compare` says of them."""
    colours = palette(list(letters))
    heads = "".join(
        f"<th><span class='hf-letter' style='--hf-hue:{colours[letter]}'>{letter}</span>{escape(run)}</th>"
        for letter, run in letters.items()
    )
    rows = [("state", {run: each["state"] for run, each in found["runs"].items()})]
    for split, key in (("validation", "metrics"), ("test", "test")):
        scored = {run: each[key] or {} for run, each in found["runs"].items()}
        names = dict.fromkeys(name for each in scored.values() for name in each)
        rows += [(f"{split} {name}", {run: each.get(name) for run, each in scored.items()}) for name in names]
    drawn = [_across(name, values, letters) for name, values in rows]
    drawn.append(f"<tr><td class='hf-between' colspan='{len(letters) + 1}'>Settings that differ</td></tr>")
    drawn += [_across(name, values, letters) for name, values in found["differences"].items()]
    if not found["differences"]:
        drawn.append(f"<tr><td colspan='{len(letters) + 1}'>none: the configs are the same</td></tr>")
    head = f"<tr><th></th>{heads}</tr>"
    return f"<div class='hf-scroll'><table class='hf-table hf-differs'>{head}{''.join(drawn)}</table></div>"


def _across(name: str, values: Mapping[str, Any], letters: Mapping[str, str]) -> str:
    cells = "".join(f"<td>{escape(_value(values.get(run)))}</td>" for run in letters.values())
    return f"<tr><th>{escape(name)}</th>{cells}</tr>"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
