"""What the form does when its data changes: reads it, inspects it, applies and undoes fixes, counts tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.findings import Finding
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.preprocessing.token_counts import count_tokens
from hfdemo.models.hub import Progress
from hfdemo.ui import html
from hfdemo.ui.event_options import LATEST, PRIVATE, QUICK, draw_errors, toast_errors
from hfdemo.ui.jobs import RunningJobs, follow_job
from hfdemo.ui.tabs.finetune import data_step, inspection_view
from hfdemo.ui.tabs.finetune.data_step import DataStep
from hfdemo.ui.tabs.finetune.dataset_preview import Counted, Examined, counted_of
from hfdemo.ui.tabs.finetune.form_fields import Desk, Named, of_kind, of_label, opened, resplit, with_file
from hfdemo.ui.tabs.finetune.form_values import DEFAULTS, NO_COLUMN, Values
from hfdemo.ui.tabs.finetune.ready_line import summarise_data

# A change that was taken: the field of the form, its value, the one before it, and what that does, in words.
Taken = Mapping[str, Any]


def act(what: str, values: Values, taken: Sequence[Taken], examined: Examined) -> tuple[dict[str, Any], list[Taken]]:
    """(the fields that change, the changes that are in force then) after a press on the button that does `what`.

    A button of a report that has been drawn anew since, or of nobody's, does nothing.
    """
    does, _, of = what.partition(":")
    kept = list(taken)
    order = list(examined.labels or examined.inspection.label_order)
    if does == "fix":
        problem = next((each for each in examined.inspection.problems if each.code == of and each.change), None)
        return _mend(problem, values, kept) if problem else ({}, kept)
    if does == "usual":
        return {"labels": None}, [each for each in kept if each["name"] != "labels"]
    if not of.isdecimal():
        return {}, kept
    number = int(of)
    if does == "undo" and number < len(kept):
        return _undo(kept.pop(number), values), kept
    other = number + {"up": -1, "down": 1}.get(does, 0)
    if other != number and 0 <= other < len(order) and number < len(order):
        order[number], order[other] = order[other], order[number]
        return {"labels": order}, [each for each in kept if each["name"] != "labels"]
    return {}, kept


def in_force(values: Values, taken: Sequence[Taken]) -> list[Taken]:
    """The changes that nobody has changed again by hand."""
    return [each for each in taken if each["name"] == "fixes" or values[each["name"]] == each["value"]]


def of_fixes(names: Sequence[str]) -> list[Taken]:
    """Fixes that a config brings along, as if they had been taken here."""
    return [{"name": "fixes", "value": name, "before": None, "said": ""} for name in names]


def _mend(problem: Finding, values: Values, taken: list[Taken]) -> tuple[dict[str, Any], list[Taken]]:
    fixes = list(values["fixes"] or ())
    new = [name for name in problem.change.get("fixes", ()) if name not in fixes]
    changed: dict[str, Any] = {"fixes": fixes + new} if new else {}
    taken += of_fixes(new)
    for name, value in _fields(problem).items():
        changed[name] = value
        taken.append({"name": name, "value": value, "before": values[name], "said": problem.fix})
    return changed, taken


def _fields(problem: Finding) -> dict[str, Any]:
    """The changes of a problem besides its fixes, by the names of the form."""
    change = {name: value for name, value in problem.change.items() if name != "fixes"}
    task = change.pop("task", None)
    problem_type = change.pop("problem_type", None)
    if task is not None:
        change["kind"] = find_kind(task, problem_type).name
    if isinstance(change.get("class_weights"), Mapping):
        change["class_weights"] = json.dumps(change["class_weights"])
    return change


def _undo(entry: Taken, values: Values) -> dict[str, Any]:
    if entry["name"] == "fixes":
        return {"fixes": [name for name in values["fixes"] or () if name != entry["value"]]}
    return {entry["name"]: entry["before"]}


@dataclass(frozen=True)
class Told:
    """What the steps tell each other: `known` of the data (a RunData, or None), and the defaults that were `given`."""

    known: gr.State
    given: gr.State


def listen(app: App, desk: Desk, step: DataStep, told: Told) -> Callable[..., None]:
    """Wire the two data steps; returns what makes `event` (of other data) read it, with the text and pair columns of
    two components where it is given them."""
    inputs = list(desk.fields.values())
    states = [step.taken, step.counted, step.pending]
    shown = [*(desk.fields[name] for name in data_step.SHOWN), step.report, step.refused, step.page, step.refused_fold]
    shown += [step.taken, step.counted, told.known]

    def drawn(named: Named, taken: list[Taken], counted: Counted | None, page: int = 1) -> dict[Any, Any]:
        """Everything that shows the data, for these values of the form."""
        examined, still = desk.examined(named, counted)
        return _drawn(desk, step, told, named, in_force(named, taken), examined, still, page)

    def look(
        text: str | None,
        pair: str | None,
        taken: list[Taken],
        counted: Any,
        pending: Any,
        *values: Any,
        progress: Any = None,
    ) -> dict[Any, Any]:
        """Other data was chosen: what it is, or what is wrong with it, and nothing of the last."""
        named = desk.named(values)
        wanted = RunConfig.from_json(pending) if pending else None

        def tell(what: str, done: int, whole: int) -> None:
            if progress is not None:
                progress((done, whole or None), desc=what)

        named, _ = with_file(named)
        seen = {desk.fields["dataset"]: named["dataset"], step.seen: named["dataset"]}
        try:
            named = opened(desk, named, wanted, tell)
            if text is not None:
                named |= {"text": text, "pair": pair or NO_COLUMN}
            taken = of_fixes(named["fixes"])
            examined, still = desk.examined(named, counted)
        except DemoError as error:
            gone = {desk.fields[name]: value for name, value in data_step.nothing().items()}
            hidden = {step.refused_fold: gr.update(visible=False), step.taken: [], told.known: None}
            said = {step.reading: html.notes([str(error)]), step.report: "", step.preview: None}
            return {**said, **gone, **hidden, **seen}
        return {
            **seen,
            **_drawn(desk, step, told, named, taken, examined, still),
            step.reading: inspection_view.reading(examined),
            step.preview: data_step.first_rows(examined),
            step.counting: data_step.COUNTING,
            step.pending: None,
        }

    # gradio passes a bar to what has one among its defaults.
    def look_with_bar(*values: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        return look(None, None, *values, progress=progress)

    def look_with_columns(*values: Any) -> dict[Any, Any]:
        return look(*values)

    looked = [*shown, step.reading, step.preview, step.counting, step.pending, step.seen]
    looked += [desk.fields["dataset"], desk.fields["file"]]
    visible: dict[str, Any] = {**QUICK, "show_progress": "minimal", "show_progress_on": step.reading}

    def on_data(event: Callable[..., Any], columns: tuple[Any, Any] | None = None) -> None:
        if columns is None:
            event(toast_errors(look_with_bar), [*states, *inputs], looked, **visible)
        else:
            event(toast_errors(look_with_columns), [*columns, *states, *inputs], looked, **visible)

    fields = desk.fields

    def other(name: str | None, *values: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        """The data set `name` instead of an uploaded file."""
        states_of, named = values[: len(states)], desk.named(values[len(states) :])
        named |= {"dataset": name, "file": None}
        return {fields["file"]: None, **look(None, None, *states_of, *named.values(), progress=progress)}

    def named_other(seen: str | None, *values: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        """A name was picked or typed; or the box was only left, with the name of what is on view."""
        name = desk.named(values[len(states) :])["dataset"]
        # gradio takes an empty dict for a value.
        return {step.seen: seen} if name == seen else other(name, *values, progress=progress)

    def cleared(*values: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        return other(DEFAULTS["dataset"], *values, progress=progress)

    # An example that is picked takes the place of an uploaded file, and an uploaded file that of the example.
    fields["dataset"].input(toast_errors(named_other), [step.seen, *states, *inputs], looked, **visible)
    fields["file"].clear(toast_errors(cleared), [*states, *inputs], looked, **visible)
    on_data(fields["file"].upload)
    on_data(lambda *args, **kwargs: gr.on([fields["dataset_config"].submit], *args, **kwargs))

    def again(change: Callable[[Desk, Named], Named] | None = None) -> Callable[..., Any]:
        def handle(taken: list[Taken], counted: Any, pending: Any, *values: Any) -> dict[Any, Any]:
            named = desk.named(values)
            try:
                return drawn(change(desk, named) if change else named, taken, counted)
            except DemoError:  # said already where it was read
                return {told.known: None}

        return toast_errors(handle)

    sent = [*states, *inputs]
    fields["kind"].input(again(of_kind), sent, shown, **LATEST)
    fields["split"].input(again(resplit), sent, shown, **LATEST)
    fields["label"].input(again(of_label), sent, shown, **LATEST)
    picked = ("text", "pair", "positive", "train_split", "validation_split", "test_split")
    gr.on([fields[name].input for name in picked], again(), sent, shown, **LATEST)
    typed = ("validation_share", "test_share", "max_length", "class_weights", "seed")
    gr.on([fields[name].change for name in typed], again(), sent, shown, **LATEST)

    def press(taken: list[Taken], counted: Any, pending: Any, *values: Any, event: gr.EventData) -> dict[Any, Any]:
        """A button of the report."""
        named = desk.named(values)
        examined, _ = desk.examined(named, counted)
        changed, taken = act(str(event._data.get("pressed", "")), named, taken, examined)
        if not changed:
            return {step.taken: taken}
        others = {desk.fields[name]: value for name, value in changed.items() if name not in data_step.SHOWN}
        named |= changed
        if "kind" in changed:
            named = of_kind(desk, named)
        return {**drawn(named, taken, counted), **others}

    def pressed(event: gr.EventData, *values: Any) -> dict[Any, Any]:
        return press(*values, event=event)

    step.report.click(toast_errors(pressed), sent, [*shown, fields["max_length"], fields["class_weights"]], **QUICK)

    def turn(page: float | None, *values: Any) -> str:
        corpus, _, _ = desk.corpus(desk.named(values))
        return inspection_view.refused(corpus.refused, int(page or 1))

    step.page.change(toast_errors(turn), [step.page, *inputs], step.refused, **LATEST)
    running = RunningJobs()

    def count(request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any]]:
        named = desk.named(values)

        def work(tell: Progress, stop: Event) -> Counted:
            corpus, config, path = desk.corpus(named, tell)
            model = named["model"]
            of = counted_of(config, path, model)

            def told_rows(done: int, whole: int) -> None:
                tell("Rows counted", done, whole)

            return Counted(of, count_tokens(corpus, config, model, app.settings, stop, told_rows))

        for now, result in follow_job(running, request.session_hash, work):
            yield (now, gr.skip()) if result is None else (data_step.COUNTED, result)

    step.count.click(
        draw_errors(count, gr.skip()),
        inputs,
        [step.counting, step.counted],
        **PRIVATE,
        **HEAVY,
    ).then(again(), sent, shown, **QUICK)
    return on_data


def _drawn(
    desk: Desk,
    step: DataStep,
    told: Told,
    named: Named,
    taken: list[Taken],
    examined: Examined,
    counted: Counted | None,
    page: int = 1,
) -> dict[Any, Any]:
    """The components of both steps, as they show `examined`."""
    rows = examined.inspection.refused
    updates = data_step.updates(examined.inspection, named)
    return {
        **{desk.fields[name]: update for name, update in updates.items()},
        step.report: inspection_view.findings(examined, taken, counted),
        step.refused_fold: gr.update(visible=bool(rows)),
        step.refused: inspection_view.refused(rows, page),
        step.page: gr.update(value=page, visible=len(rows) > inspection_view.PAGE),
        step.taken: taken,
        step.counted: counted,
        told.known: summarise_data(examined),
    }
