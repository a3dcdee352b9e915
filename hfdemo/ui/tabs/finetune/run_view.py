"""The chosen run: how far it is, its curves, what came of it, and what can be done with it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.devices import find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.events import Event
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.runs.run import Run, Status
from hfdemo.ownership import read_secret
from hfdemo.ui import html
from hfdemo.ui.deep_links import read_finetune_query
from hfdemo.ui.event_handling import LATEST, QUICK, toast_errors
from hfdemo.ui.line_chart import ChartView
from hfdemo.ui.tabs.finetune import (
    chart_tools,
    failure_card,
    headline,
    label_review,
    report_view,
    run_actions,
    run_charts,
    run_comparison,
    wrong_rows,
)
from hfdemo.ui.tabs.finetune.run_actions import list_run_choices
from hfdemo.ui.tabs.run import RunTab

NO_RUN = "No run yet. Pick data and press Start: loss and metrics will appear here as it learns."
ON_STATE = (
    "hfdemo.listenToRemedies(element, trigger);"
    "hfdemo.announce(element, '.hf-run .hf-state, .hf-phases [aria-current], .hf-headline, .hf-failure p, .hf-note')"
)
# Each look costs the browser a fifth of a second, whatever comes of it.
WATCH_SECONDS, REST_SECONDS = 1.0, 4.0
CHART_VIEW = ChartView()
# What a part shows is known by a mark that is cheap to find; only where that changed is the update made and sent.
Part = tuple[Any, Callable[[], Any]]


class RunView:
    """The chosen run in the `panel` of its step: progress, results, charts, buttons; and all runs in the `sidebar`.

    `run` chooses it: by its id or, where its owner shares it with whoever opened the page, by what the link calls it;
    `prefill` is what the form is to be filled with: None, or {"config": a RunConfig as JSON, "run":
    the id of the run that it is of, "at": when it was asked for}.
    """

    def __init__(
        self,
        app: App,
        demo: gr.Blocks,
        opened: Any,
        run_tab: RunTab,
        tabs: gr.Tabs,
        panel: gr.Column,
        sidebar: gr.Column,
    ) -> None:
        self.app = app
        with sidebar:
            self.run = gr.Dropdown([], label="Run", info="every run is kept until you delete it", interactive=True)
            table = run_comparison.build_table()
        with panel:
            self._build(demo, opened, run_tab, tabs, table)

    def _build(self, demo: gr.Blocks, opened: Any, run_tab: RunTab, tabs: gr.Tabs, table: gr.HTML) -> None:
        compared = run_comparison.build_comparison()
        state = gr.HTML(html.placeholder(NO_RUN), js_on_load=ON_STATE)
        run_buttons = run_actions.build_run_buttons(self.app, self.run, run_tab, tabs)
        self.listed = gr.State("")
        # The run that the page was opened with; until that is known nothing is drawn.
        self.opened = gr.State(None)
        self.timer = gr.Timer(WATCH_SECONDS)
        # What a refresh fills, by the names of `parts_of_run`.
        self.outputs: dict[str, list[Any]] = {
            "listed": [self.run, self.listed],
            "pace": [self.timer],
            "state": [state],
            "buttons": run_buttons.components,
            **self._build_errors(),
            **self._build_charts(),
            **self._build_results(),
            **self._build_ended(demo),
        }
        failure_card.listen(self.app, state, self.run, self.prefill)
        run_comparison.wire(self.app, opened, self.run, self.listed, table, compared)
        self._wire(demo, tabs)

    def _build_errors(self) -> dict[str, list[Any]]:
        with gr.Accordion("Where it is wrong on validation, the worst first", open=True, visible=False) as fold:
            wrong = wrong_rows.build(self.app, self.run)
        return {"errors": [fold, *wrong]}

    def _build_charts(self) -> dict[str, list[Any]]:
        self.view = gr.State(CHART_VIEW)
        tools = chart_tools.build_tools(self.view)
        charts = chart_tools.build_charts(self.view)
        with gr.Accordion("More curves", open=False, visible=False) as more_curves:
            # What the page sends may still be of the last run: with its own choices alone it would be refused.
            self.metrics = gr.Dropdown(
                [], multiselect=True, label="Metrics on the chart", interactive=True, allow_custom_value=True
            )
            more = chart_tools.build_charts(self.view)
        return {"charts": [tools, charts], "metrics": [more_curves, self.metrics], "more_charts": [more]}

    def _build_results(self) -> dict[str, list[Any]]:
        with gr.Accordion("Epoch by epoch: per label, confusion matrix, curves", open=False, visible=False) as epochs:
            self.epoch = gr.Slider(0, 1, step=1, label="After epoch", info="0 is before training", interactive=True)
            judged = gr.HTML()
        result = gr.HTML(visible=False)
        return {"epochs": [epochs, self.epoch, judged], "report": [result]}

    def _build_ended(self, demo: gr.Blocks) -> dict[str, list[Any]]:
        with gr.Column(visible=False) as ended:
            self.notes = gr.Textbox(
                label="Notes", placeholder="What you tried, and what came of it", lines=1, max_lines=8
            )
            with gr.Column() as own:
                address, unshare = run_actions.build_sharing(self.app, self.run)
                with gr.Accordion("Continue", open=False):
                    self.prefill, epochs_more = run_actions.build_continuation(self.app, self.run)
                labels = label_review.build(self.app, demo, self.run, self.prefill)
                with gr.Accordion("Download", open=False):
                    files = run_actions.build_downloads(self.app, self.run)
            with gr.Accordion("Code, config and log", open=False, elem_id=failure_card.LOG):
                code = gr.Code(
                    language="python", label="train.py: the same run without this app", lines=1, max_lines=24
                )
                config = gr.Code(language="json", label="config.json", lines=1, max_lines=24)
                log = gr.Textbox(label="The end of log.txt", lines=4, max_lines=12, interactive=False)
        return {
            "run": [ended, self.notes, own, address, code, config],
            "sharing": [unshare],
            "files": [epochs_more, labels, *files.values()],
            "log": [log],
        }

    def _wire(self, demo: gr.Blocks, tabs: gr.Tabs) -> None:
        run, shown, picked, unfolded = self.run, gr.State({}), gr.State({}), gr.State(False)
        more_curves = self.outputs["metrics"][0]
        # Charts in a closed fold would be drawn with each step.
        more_curves.expand(lambda: True, outputs=unfolded, **QUICK)
        more_curves.collapse(lambda: False, outputs=unfolded, **QUICK)
        every = [component for part in self.outputs.values() for component in part]
        gr.on(
            [self.timer.tick, run.change, picked.change, unfolded.change, self.view.change],
            toast_errors(self.refresh),
            [run, picked, shown, self.opened, unfolded, self.view],
            [*every, shown],
            **QUICK,
        )
        run.change(lambda view: replace(view, zoom=None), self.view, self.view, **QUICK)
        # Only what a person picks counts: in a closed fold a component keeps what it had for the last run.
        for name, component in (("metrics", self.metrics), ("epoch", self.epoch)):
            component.input(functools.partial(remember_pick, name), [component, run, picked], picked, **LATEST)
        demo.load(self.follow_link, run, [run, self.opened, tabs], **QUICK)
        typed = [self.notes.blur, self.notes.submit]
        gr.on(typed, toast_errors(self.keep_note), [self.notes, shown], None, **QUICK)

    def refresh(
        self,
        run_id: str | None,
        picked: Mapping[str, Any],
        shown: Mapping[str, Any],
        opened: str | None,
        unfolded: bool,
        view: ChartView,
    ) -> Any:
        """Update everything that shows the run; components whose content did not change are left alone.

        `opened` is the run that the page was opened with, somebody else's maybe; None before that is known. `unfolded`
        says whether the further curves are in sight, `view` how all of them are looked at.
        """
        if opened is None:
            return gr.skip()  # of all outputs
        runs, linked = self.app.runs.list(), run_actions.find_linked(self.app, opened)
        found = next((run for run in runs if run.id == run_id), linked.get(run_id or ""))
        newest = runs[0].id if runs else None
        # Nothing chosen yet, or deleted from another page: turn to the one asked for, else the newest there is.
        is_there = opened in linked or any(run.id == opened for run in runs)
        turned = gr.skip() if found else opened if is_there and not run_id else newest
        mark = run_comparison.describe_listing([*runs, *linked.values()])
        choose: Part = (mark, lambda: [_update_choices(self.app, turned, linked), mark])
        seconds = WATCH_SECONDS if run_comparison.has_active(mark) else REST_SECONDS
        listed: dict[str, Part] = {"listed": choose, "pace": (seconds, lambda: [gr.Timer(seconds)])}
        try:
            is_own = run_id not in linked
            parts = (
                parts_of_run(self.app, found, picked, shown, is_own=is_own, curves=unfolded, view=view)
                if found
                else _empty_parts(html.placeholder(NO_RUN))
            )
            return update_changed_parts({**listed, **parts}, shown, self.outputs)
        except (OSError, DemoError) as error:  # deleted while it was looked at, or damaged
            why = html.notes([f"Run {run_id} can't be read: {error}"])
            can_delete = Status("lost") if run_id not in linked else None
            return update_changed_parts({**listed, **_empty_parts(why, can_delete)}, shown, self.outputs)

    def keep_note(self, text: str | None, shown: Mapping[str, Any]) -> None:
        """Keep what was typed as the note of the run on view."""
        save_note(self.app, text, shown)

    def follow_link(self, run_id: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Open the run that the address of the page asks for; without one, the newest where none is chosen."""
        asked, is_shown = read_finetune_query(dict(request.query_params))
        chosen, opened = run_actions.choose_run(self.app, run_id, asked)
        return chosen, opened, gr.Tabs(selected="finetune") if is_shown else gr.skip()


def remember_pick(name: str, value: Any, run_id: str | None, picked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was picked to see of the run on view, with `value` for `name`."""
    return {**(picked if picked.get("run") == run_id else {"run": run_id}), name: value}


def save_note(app: App, text: str | None, shown: Mapping[str, Any]) -> None:
    """Keep a note: it belongs to the run that was on view when it was written, whatever is chosen by now."""
    run = next((run for run in app.runs.list() if run.id == shown.get("run")), None)
    if run is not None and run.notes != (text or ""):
        app.runs.set_notes(run.id, text or "")


def update_changed_parts(
    parts: Mapping[str, Part], shown: Mapping[str, Any], outputs: Mapping[str, Sequence[Any]]
) -> tuple[Any, ...]:
    """Return updates for all `outputs`, none for unchanged parts, and at the end the marks by part."""
    updates: list[Any] = []
    marks = dict(shown)
    for name, components in outputs.items():
        mark, make = parts[name]
        if name in shown and shown[name] == mark:
            updates += [gr.skip()] * len(components)
        else:
            made = make()
            updates += made
            marks[name] = mark
    return (*updates, gr.skip() if marks == shown else marks)


def _empty_parts(said: str, status: Status | None = None) -> dict[str, Part]:
    """Show no run but a reason; with a status, what can be done all the same."""
    hidden = gr.update(visible=False)
    empty: dict[str, list[Any]] = {
        "state": [said],
        "buttons": run_actions.update_run_buttons(status, has_model=False),
        "charts": [hidden, hidden],
        "metrics": [hidden, gr.skip()],
        "more_charts": [hidden],
        "epochs": [hidden, gr.skip(), ""],
        "errors": [hidden, "", ""],
        "report": [hidden],
        "run": [hidden, "", hidden, gr.update(value="", visible=False), "", ""],
        "sharing": [hidden],
        "files": [hidden] * (2 + len(run_actions.FILES)),
        "log": [""],
    }
    return {name: (said, functools.partial(list, updates)) for name, updates in empty.items()}


def parts_of_run(
    app: App,
    run: Run,
    picked: Mapping[str, Any],
    shown: Mapping[str, Any],
    *,
    is_own: bool = True,
    curves: bool = True,
    view: ChartView = CHART_VIEW,
) -> dict[str, Part]:
    """Return what there is to show of a run, by the names of `RunView.outputs`; `picked` is of `remember_pick`.

    Of a run that is not one's own (`is_own`) there are neither rows nor the log, and nothing to do. `curves` says
    whether the further ones are in sight, `view` how all are looked at.
    """
    events = run.events()
    status = run.status(events)
    names = run_charts.list_metric_names(events)
    mine = picked if picked.get("run") == run.id else {}
    kind = find_kind(run.config.task, run.config.problem_type)
    evaluator, one_label = kind.evaluator, kind.rows.is_single_label
    wanted = mine.get("metrics", evaluator.charted)
    chosen = [name for name in wanted if name in names]
    titles = {name: evaluator.title(name, run.config.positive_label) for name in names}
    drawn = {name: titles[name] for name in chosen}
    has_report = run.has_model and not status.active and (run.folder / "report.json").is_file()
    written = (run.id, (run.folder / "report.json").stat().st_mtime_ns if has_report else None)
    count = (run.id, len(events))
    log, is_shared = run.log_tail(2000) if is_own else "", is_own and read_secret(run.folder) is not None
    offers = [run_actions.is_offered(run, name) for name in run_actions.FILES.values()]
    return {
        "state": ((*count, status), lambda: [_render_state(app, run, status, events, is_own, has_report)]),
        "buttons": (
            (run.id, status.state, status.resumable, run.has_model),
            lambda: run_actions.update_run_buttons(status if is_own else None, has_model=is_own and run.has_model),
        ),
        "charts": ((*count, chosen, view), lambda: chart_tools.update_charts(run, events, drawn, view)),
        "more_charts": (
            (*count, view) if curves else None,
            lambda: chart_tools.update_logged_charts(run, events if curves else [], view),
        ),
        "metrics": (
            (run.id, names),
            lambda: [
                gr.update(visible=bool(names)),
                gr.update(choices=[(titles[name], name) for name in names], value=chosen),
            ],
        ),
        "epochs": _epochs_part(run, mine.get("epoch"), status.active, shown),
        "errors": (written, lambda: _update_errors(run, is_own and has_report)),
        "report": (written, lambda: [_update_report(run, has_report)]),
        "run": (run.id, lambda: _update_words(run, is_own)),
        "sharing": ((run.id, is_shared), lambda: [gr.update(visible=is_shared)]),
        "files": (
            (run.id, offers),
            lambda: [gr.update(visible=offer) for offer in (run.has_model, run.has_model and one_label, *offers)],
        ),
        "log": ((run.id, log), lambda: [gr.update(value=log, visible=is_own)]),
    }


def _render_state(app: App, run: Run, status: Status, events: Sequence[Event], is_own: bool, has_report: bool) -> str:
    result = failure_card.render_failure(run, status, is_own)
    result += headline.render_result(run.report()) if has_report else ""
    drawn = run_charts.render_progress(run.id, status, events, str(app.engine.call(find_device)), result)
    return drawn if is_own else html.about(run_actions.LINKED) + drawn


def _update_words(run: Run, is_own: bool) -> list[Any]:
    """Show the note, the script and the config of a run, and what is its owner's to do with it."""
    return [
        gr.update(visible=True),
        gr.update(value=run.notes, interactive=is_own),
        gr.update(visible=is_own),
        gr.update(value="", visible=False),
        run.script(),
        _format_config(run),
    ]


def _epochs_part(run: Run, chosen: float | None, active: bool, shown: Mapping[str, Any]) -> Part:
    """Show the evaluation after the chosen epoch; the newest one, unless an older one of this run was chosen."""
    numbers = run.epochs()
    if not numbers:
        return (run.id,), lambda: [gr.update(visible=False), gr.skip(), ""]
    marked = shown.get("epochs", ())
    known = marked[1] if len(marked) > 1 and marked[0] == run.id else []
    stays = chosen in known[:-1]
    number = int(chosen) if stays and chosen is not None else numbers[-1]
    # Opened and closed where its run changes or ends; in between it stays as a person left it.
    fold = {} if known and marked[-1] == active else {"open": active}
    found = run.epoch(number)
    head = f"step {found['step']:,}" + ("" if found["epoch"] == number else f", in the middle of epoch {number}")

    def draw() -> list[Any]:
        several = len(numbers) > 1
        slider = gr.update(minimum=numbers[0], maximum=max(numbers[-1], numbers[0] + 1), value=number, visible=several)
        drawn = report_view.render_details(found, "validation") or html.placeholder(
            "Only metrics are available for this task."
        )
        # While it learns it is the news; afterwards the report above says it of the model that is kept.
        drawn = f"<div class='hf-results'>{html.with_title(f'validation after {head}', drawn)}</div>"
        return [gr.update(visible=True, **fold), slider, drawn]

    return (run.id, numbers, number, found["step"], active), draw


def _update_errors(run: Run, is_shown: bool) -> list[Any]:
    # Without metrics on validation nobody knows which rows it gets wrong.
    if not is_shown or "validation" not in run.report()["metrics"]:
        return [gr.update(visible=False), "", ""]
    return [gr.update(visible=True), wrong_rows.render_matrix(run), wrong_rows.render_list(run)]


def _update_report(run: Run, is_shown: bool) -> Any:
    return gr.update(value=report_view.render_report(run.report()) if is_shown else "", visible=is_shown)


def _format_config(run: Run) -> str:
    return json.dumps(run.config.to_json(), indent=2, ensure_ascii=False)


def _update_choices(app: App, value: Any, linked: Mapping[str, Run]) -> Any:
    choices = list_run_choices(app, linked)
    return gr.update(choices=choices) if isinstance(value, dict) else gr.update(choices=choices, value=value)
