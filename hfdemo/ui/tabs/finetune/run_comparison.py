"""All runs in a table, and several of them side by side: their curves on one chart, and how their configs differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.errors import DemoError
from hfdemo.finetuning.events import Event
from hfdemo.finetuning.kinds import KINDS, find_kind
from hfdemo.finetuning.kinds.kind import name_of_class
from hfdemo.finetuning.runs.comparison import compare
from hfdemo.finetuning.runs.run import Run, State
from hfdemo.ui import html
from hfdemo.ui.event_handling import EACH, LATEST, PRIVATE, draw_errors, read_event, toast_errors
from hfdemo.ui.html import Html, TableCell, TableRow, escape
from hfdemo.ui.line_chart import ChartView, draw_charts
from hfdemo.ui.tabs.finetune import chart_tools, run_charts, steps
from hfdemo.ui.tabs.finetune.report_view import format_score

LETTERS = "ABCDEF"


@dataclass(frozen=True)
class RunRow:
    """A run in the table. `value` and `baseline` are of `metric` on the validation split, None where not known;
    `data` says by a hash which data it was trained on, "" before there is a report; `course` are the values of the
    metric from evaluation to evaluation."""

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
    course: tuple[float, ...] = ()


def list_run_rows(runs: Iterable[Run]) -> list[RunRow]:
    """Return a line per run in their order; one that is being deleted, or is damaged, is passed over."""
    found = []
    for run in runs:
        try:
            found.append(_read_run_row(run))
        except (DemoError, OSError):
            continue
    return _mark_best(found)


def _read_run_row(run: Run) -> RunRow:
    config, events = run.config, run.events()
    status = run.status(events)
    kind = find_kind(config.task, config.problem_type)
    selection = kind.evaluator.selection
    line = RunRow(
        run.id,
        status.state,
        config.dataset,
        config.model,
        config.method,
        kind.name,
        kind.evaluator.title(selection, config.positive_label),
        value=status.metrics.get(selection),
        notes=run.notes,
        course=tuple(
            point.value
            for each in run_charts.make_metrics_chart(events, {selection: selection}).series
            for point in each.points
        ),
    )
    if not (run.folder / "report.json").is_file():
        return line
    report = run.report()
    baseline = (report.get("baseline") or {}).get("validation") or {}
    return replace(
        line,
        value=report["metrics"].get("validation", {}).get(selection),
        baseline=(baseline.get("metrics") or baseline).get(selection),
        data=report.get("data_sha256", ""),
    )


def _mark_best(found: Sequence[RunRow]) -> list[RunRow]:
    """Mark the best of each group that was trained on the very same data, where there are two or more of them."""
    groups: dict[tuple[str, str], list[RunRow]] = {}
    for line in found:
        if line.data and line.value is not None:
            groups.setdefault((line.data, line.kind), []).append(line)
    best = set()
    for (_, kind), group in groups.items():
        if len(group) > 1:
            sign = 1 if KINDS[kind].evaluator.greater_is_better else -1
            best.add(max(group, key=lambda line: sign * (line.value or 0.0)).run)
    return [replace(line, best=line.run in best) for line in found]


def render_runs(found: Sequence[RunRow], shown: str | None = None) -> str:
    """List every run with a box to compare it and its name to show it; `shown` is on view."""
    rows = [_render_row(line, line.run == shown) for line in found]
    drawn = html.table(("compare", "run", "on validation"), rows, (2,), kind="hf-runs", scroll="hf-tall")
    return drawn + (html.about(HOW) if len(rows) > 1 else "")


def _render_row(line: RunRow, shown: bool) -> TableRow:
    name, note = escape(line.run), escape(line.notes)
    best = " <span class='hf-chip hf-best'>best on this data</span>" if line.best else ""
    value = "" if line.value is None else f"<b>{format_score(line.value)}</b><small>{escape(line.metric)}</small>"
    if line.baseline is not None:
        value += f"<small>baseline {format_score(line.baseline)}</small>"
    written = f"<small class='hf-written-down' title='{note}'>{note}</small>" if note else ""
    box = f"<input type='checkbox' value='{name}' aria-label='compare {name}'>"
    when = escape(format_start(line.run, "%d %b, %H:%M"))
    described = (
        f"<button type='button' data-open='{name}'>{escape(format_data_name(line))}</button>{best}"
        f"<small><i class='hf-state-dot hf-{line.state}'></i>{line.state} · {when}</small>"
        f"<small>{escape(line.model)} · {escape(line.method)}</small>{written}"
    )
    cells = (Html(box), Html(described), Html(value + render_sparkline(line.course)))
    return TableRow(cells, {"class": "hf-open" if shown else ""})


def render_sparkline(values: Sequence[float], width: int = 64, height: int = 18) -> str:
    """Draw how a metric went, from its lowest to its highest value; nothing where there are not two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    places = [
        f"{2 + index * (width - 4) / (len(values) - 1):.1f},"
        f"{height - 2 - (height - 4) * ((value - low) / (high - low) if high > low else 0.5):.1f}"
        for index, value in enumerate(values)
    ]
    return (
        f"<svg class='hf-sparkline' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"aria-hidden='true'><polyline points='{' '.join(places)}'/></svg>"
    )


def format_data_name(line: RunRow) -> str:
    """Return what a run was trained on, in its config's words; of another run's rows, what they were and since when."""
    if not line.dataset.startswith("run:"):
        return line.dataset
    run = line.dataset.removeprefix("run:")
    name = re.sub(r"^\d{8}-\d{6}-", "", run)
    return f"{name}, the rows of {format_start(run)}" if name != run else f"the rows of {run}"


def format_start(run_id: str, style: str = "%d %b %Y, %H:%M:%S") -> str:
    """Return the day and time in a run's name; the name itself where it has none."""
    found = re.match(r"(\d{8}-\d{6})", run_id)
    try:
        return datetime.strptime(found[1], "%Y%m%d-%H%M%S").strftime(style) if found else run_id
    except ValueError:
        return run_id


def assign_letters(runs: Sequence[str]) -> dict[str, str]:
    """Return a letter for each run, by which the charts and the table of differences name it."""
    return dict(zip(LETTERS, runs, strict=False))


def render_side_by_side(letters: Mapping[str, str], found: Mapping[str, Any]) -> str:
    """Draw one column per run: its scores, then a line per setting in which the runs differ; `found` is what
    `finetuning.runs.comparison.compare` says of them."""
    heads = [
        Html(f"<span class='hf-letter hf-look-{look}'>{letter}</span>{escape(run)}")
        for look, (letter, run) in enumerate(letters.items())
    ]
    classes = {each.get("positive_label") for each in found["runs"].values()}
    positive = classes.pop() if len(classes) == 1 else None
    rows = [("state", {run: each["state"] for run, each in found["runs"].items()})]
    for split, key in (("validation", "metrics"), ("test", "test")):
        scored = {run: each[key] or {} for run, each in found["runs"].items()}
        names = dict.fromkeys(name for each in scored.values() for name in each)
        rows += [
            (f"{split} {name_of_class(name, positive)}", {run: each.get(name) for run, each in scored.items()})
            for name in names
        ]
    drawn: list[list[Any]] = [_row_across(name, values, letters) for name, values in rows]
    drawn.append([TableCell("Settings that differ", "hf-between", columns=len(letters) + 1)])
    drawn += [_row_across(name, values, letters) for name, values in found["differences"].items()]
    if not found["differences"]:
        drawn.append([TableCell("none: the configs are the same", columns=len(letters) + 1)])
    return html.table(["", *heads], drawn, kind="hf-differs", row_heads=True)


def _row_across(name: str, values: Mapping[str, Any], letters: Mapping[str, str]) -> list[Any]:
    return [name, *(_format_value(values.get(run)) for run in letters.values())]


def _format_value(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


HOW = "Select two or more runs to compare their curves and settings."
_ENDED = ("finished", "stopped", "failed")


def describe_listing(runs: Sequence[Run]) -> str:
    """Return what the table of runs and the choice of a run depend on: it changes when a run comes to another state, is
    judged, gets a note, or is deleted. Of a run that has ended no whole file is read."""
    return "\n".join(
        f"{run.id} {_run_state(run)} {_changed_at(run, 'report.json')} {_changed_at(run, 'notes.txt')}" for run in runs
    )


@dataclass(frozen=True)
class Comparison:
    """What shows several runs side by side: `column` is hidden while there are not two of them."""

    column: gr.Column
    said: gr.HTML
    metric: gr.Dropdown
    view: gr.State
    tools: gr.HTML
    curves: gr.HTML
    differing: gr.HTML


def has_active(listing: str) -> bool:
    """Return whether a run goes on, by what `describe_listing` says."""
    return any(line.split(" ")[1] not in _ENDED for line in listing.splitlines())


def build_table() -> gr.HTML:
    """Lay out the table of all runs, in which one is chosen, and several are ticked to compare them."""
    return gr.HTML(html.placeholder("No run yet."), js_on_load="hfdemo.listenToRuns(element, trigger)")


def build_comparison() -> Comparison:
    """Lay out what shows the runs that are compared."""
    with gr.Column(visible=False) as column:
        said = gr.HTML()
        metric = gr.Dropdown([], label="Compared by", interactive=True)
        # By epochs: runs with other batch sizes differ in how many steps see the same rows.
        view = gr.State(ChartView(x="epoch"))
        tools = chart_tools.build_tools(view)
        curves = chart_tools.build_charts(view)
        differing = gr.HTML()
    return Comparison(column, said, metric, view, tools, curves, differing)


def wire(app: App, opened: Any, run: gr.Dropdown, listed: gr.State, table: gr.HTML, compared: Comparison) -> None:
    """Have the `table` choose the run on view, and those that are ticked be compared; `listed` is what
    `describe_listing` says of the runs, as the page last saw it."""
    chosen = gr.State([])

    def draw_table(run_id: str | None) -> str:
        found = list_run_rows(app.runs.list())
        return render_runs(found, run_id) if found else html.placeholder("No run yet.")

    def read_ticked(found: gr.EventData) -> list[str]:
        runs = read_event(found, "runs")
        return [app.runs.get(str(each)).id for each in runs] if isinstance(runs, list) else []

    def open_run(found: gr.EventData) -> Any:
        return gr.update(value=app.runs.get(str(read_event(found, "run"))).id)

    def compare_ticked(chosen: list[str], metric: str | None, view: ChartView) -> tuple[Any, ...]:
        if len(chosen) < 2:
            return gr.skip(), gr.update(visible=False), *[gr.skip()] * 4
        letters = assign_letters(chosen)
        runs = {letter: app.runs.get(each) for letter, each in letters.items()}
        found = compare(list(runs.values()))
        events = {letter: each.events() for letter, each in runs.items()}
        names = list(dict.fromkeys(name for each in events.values() for name in run_charts.list_metric_names(each)))
        taken = metric if metric in names else next(iter(names), None)
        more = f" Of {len(chosen)} runs the first {len(letters)} are shown." if len(chosen) > len(letters) else ""
        return (
            _describe_comparison(found, more),
            gr.update(visible=True),
            gr.update(choices=names, value=taken),
            *_update_curves(events, taken, view),
            render_side_by_side(letters, found),
        )

    metric, view = compared.metric, compared.view
    shown = [compared.said, compared.column, metric, compared.tools, compared.curves, compared.differing]
    gr.on([listed.change, run.change, opened], toast_errors(draw_table), run, table, **LATEST)
    table.select(toast_errors(open_run), None, run, **EACH).success(None, js=steps.open_step("result"), **PRIVATE)
    table.input(toast_errors(read_ticked), None, chosen, **EACH)
    # The tick of a second run comes while the first is compared: the last counts.
    gr.on(
        [chosen.change, metric.input, view.change],
        draw_errors(compare_ticked, gr.update(visible=False), *[gr.skip()] * 4),
        [chosen, metric, view],
        shown,
        **LATEST,
    )


def _describe_comparison(found: Mapping[str, Any], more: str) -> str:
    """Say what the letters are, and a warning where scores can't be compared."""
    drawn = html.about(f"A letter for each run, in the order of the table.{more}")
    if len({each["rows"] for each in found["runs"].values()}) > 1:
        drawn += html.notes(["These runs were judged on different rows, so their scores can't be compared one to one."])
    return drawn


def _update_curves(events: Mapping[str, Sequence[Event]], metric: str | None, view: ChartView) -> list[Any]:
    """Show the loss and a metric of several runs over each other."""
    charts = [
        run_charts.make_overlay_chart(events, name, f"{words} on validation")
        for name, words in (("loss", "Loss"), (metric, metric))
        if name
    ]
    drawn = draw_charts("compared", charts, view)
    return [gr.update(visible=bool(drawn)), gr.update(value=drawn, visible=bool(drawn))]


def _run_state(run: Run) -> str:
    """Return what the state and the score of a run depend on; the steps of a training that goes on are all the same."""
    word, resumed = _last_event_kind(run), _changed_at(run, "resume")
    if word in _ENDED and not resumed:
        return word
    try:
        waits, alive = bool((run.process() or {}).get("waiting")), run.is_alive()
        with (run.folder / "events.jsonl").open("rb") as file:
            judged = sum(b'"evaluated"' in line[:80] for line in file)
    except FileNotFoundError:  # nothing has been said yet
        judged = 0
    except OSError:
        return "gone"
    return f"{word} {judged} {waits} {alive} {_changed_at(run, 'stop')} {resumed}"


def _last_event_kind(run: Run) -> str:
    """Return the last event's kind, or that it goes on."""
    try:
        with (run.folder / "events.jsonl").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            last = file.read().splitlines()[-1]
    except (OSError, IndexError):
        return "begun"
    return next((word for word in _ENDED if f'"{word}"'.encode() in last[:80]), "going")


def _changed_at(run: Run, name: str) -> int:
    try:
        return (run.folder / name).stat().st_mtime_ns
    except OSError:
        return 0
