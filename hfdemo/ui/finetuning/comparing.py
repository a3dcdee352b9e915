"""All runs in a table, and several of them side by side: their curves on one chart, and how their configs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from hfdemo.api import Endpoints, at_the_edge
from hfdemo.errors import DemoError
from hfdemo.finetuning.runs.comparing import compare
from hfdemo.finetuning.runs.run import Run
from hfdemo.ui import charts, html
from hfdemo.ui.finetuning import history
from hfdemo.ui.wiring import QUICK

HOW = "Tick two or more runs to lay their curves over each other and to see how their configs differ."
_ENDED = ("finished", "stopped", "failed")


def listing(runs: Sequence[Run]) -> str:
    """What the table of runs and the choice of a run depend on: it changes when a run comes to another state, is
    judged, gets a note, or is deleted. Of a run that has ended no whole file is read."""
    return "\n".join(
        f"{run.id} {_standing(run)} {_changed(run, 'report.json')} {_changed(run, 'notes.txt')}" for run in runs
    )


def build(endpoints: Endpoints, demo: gr.Blocks, run: gr.Dropdown, listed: gr.State) -> None:
    """The table of all runs, which also chooses the run on view, and below it those that are compared; `listed` is
    `listing` as the page last saw it."""
    table = gr.HTML(html.empty("No run yet."), js_on_load=history.JAVASCRIPT)
    chosen = gr.State([])
    said = gr.HTML(html.about(HOW))
    with gr.Column(visible=False) as side_by_side:
        metric = gr.Dropdown([], label="Compared by", interactive=True)
        with gr.Row():
            loss = _plot("Loss on validation")
            curve = _plot("Metric on validation")
        differing = gr.HTML()

    def draw(run_id: str | None, chosen: list[str]) -> tuple[str, list[str]]:
        found = history.lines(endpoints.runs.list())
        there = [each for each in chosen if any(line.run == each for line in found)]
        drawn = history.table(found, there, run_id) if found else html.empty("No run yet.")
        return drawn, there

    def tick(found: gr.EventData) -> list[str]:
        runs = found.runs if isinstance(found.runs, list) else []
        return [endpoints.runs.get(each).id for each in runs]

    def open_run(found: gr.EventData) -> Any:
        return gr.update(value=endpoints.runs.get(found.run).id)

    def lay_over(chosen: list[str], metric: str | None) -> tuple[Any, ...]:
        if len(chosen) < 2:
            return html.about(HOW), gr.update(visible=False), *[gr.skip()] * 4
        letters = history.lettered(chosen)
        try:
            runs = {letter: endpoints.runs.get(each) for letter, each in letters.items()}
            found = compare(list(runs.values()))
        except DemoError as error:
            return html.notes([str(error)]), gr.update(visible=False), *[gr.skip()] * 4
        events = {letter: each.events() for letter, each in runs.items()}
        names = list(dict.fromkeys(name for each in events.values() for name in charts.metric_names(each)))
        taken = metric if metric in names else next(iter(names), None)
        more = f" Of {len(chosen)} runs the first {len(letters)} are shown." if len(chosen) > len(letters) else ""
        return (
            _remark(found, more),
            gr.update(visible=True),
            gr.update(choices=names, value=taken),
            _lines(charts.overlay(events, "loss"), list(letters), "Loss on validation"),
            _lines(charts.overlay(events, taken or ""), list(letters), f"{taken} on validation", taken),
            history.side_by_side(letters, found),
        )

    shown = [said, side_by_side, metric, loss, curve, differing]
    gr.on(
        [listed.change, run.change, demo.load], at_the_edge(draw, html.plain), [run, chosen], [table, chosen], **QUICK
    )
    table.select(at_the_edge(open_run, html.plain), None, run, **QUICK)
    # A chart whose series change while it is on the page goes on showing those that it had: it is put back anew.
    for event in (table.input(at_the_edge(tick, html.plain), None, chosen, **QUICK).then, metric.input):
        event(lambda: [gr.update(visible=False)] * 2, None, [loss, curve], **QUICK).then(
            at_the_edge(lay_over, html.plain), [chosen, metric], shown, **QUICK
        )


def _remark(found: Mapping[str, Any], more: str) -> str:
    """What the letters are, and a warning where scores can't be compared."""
    drawn = html.about(f"A letter for each run, in the order of the table.{more}")
    if len({each["rows"] for each in found["runs"].values()}) > 1:
        drawn += html.notes(["These runs were judged on different rows, so their scores can't be compared one to one."])
    return drawn


def _plot(title: str) -> gr.LinePlot:
    return gr.LinePlot(
        charts.overlay({}, "loss"),
        x="epoch",
        y="value",
        y_title=" ",
        color="run",
        color_map=charts.palette(list(history.LETTERS)),
        title=title,
        height=230,
        min_width=280,
        visible=False,
    )


def _lines(table: Any, letters: list[str], title: str, metric: str | None = None) -> Any:
    return gr.update(
        value=table,
        title=title,
        y_lim=charts.limits([metric] if metric else []),
        visible=table["epoch"].nunique() > 1,
    )


def _standing(run: Run) -> str:
    """What the state and the score of a run depend on; the steps of a training that goes on are all the same."""
    word, resumed = _last_word(run), _changed(run, "resume")
    if word in _ENDED and not resumed:
        return word
    try:
        waits, alive = bool((run.process() or {}).get("waiting")), run.alive()
        with (run.folder / "events.jsonl").open("rb") as file:
            judged = sum(b'"evaluated"' in line[:80] for line in file)
    except FileNotFoundError:  # nothing has been said yet
        judged = 0
    except OSError:
        return "gone"
    return f"{word} {judged} {waits} {alive} {_changed(run, 'stop')} {resumed}"


def _last_word(run: Run) -> str:
    """The last event's kind, or that it goes on."""
    try:
        with (run.folder / "events.jsonl").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            last = file.read().splitlines()[-1]
    except (OSError, IndexError):
        return "begun"
    return next((word for word in _ENDED if f'"{word}"'.encode() in last[:80]), "going")


def _changed(run: Run, name: str) -> int:
    try:
        return (run.folder / name).stat().st_mtime_ns
    except OSError:
        return 0
