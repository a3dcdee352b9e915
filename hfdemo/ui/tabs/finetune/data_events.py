"""What the form does when its data changes: reads it, inspects it, applies and undoes fixes, counts tokens."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.inspection import Inspection
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.preprocessing import count_tokens
from hfdemo.models.hub import Progress
from hfdemo.ui import html
from hfdemo.ui.event_handling import (
    LATEST,
    PRIVATE,
    QUICK,
    RunningJobs,
    draw_errors,
    follow_job,
    read_event,
    toast_errors,
)
from hfdemo.ui.tabs.finetune import form_steps, inspection_view
from hfdemo.ui.tabs.finetune.form_data import (
    CountedTokens,
    ExaminedData,
    FieldValues,
    FormFields,
    add_upload,
    change_kind,
    change_label,
    make_count_key,
    suggest_values,
    summarise_data,
    update_splits,
)
from hfdemo.ui.tabs.finetune.form_steps import DataStep
from hfdemo.ui.tabs.finetune.form_table import DATA_FIELDS, DEFAULTS, NO_COLUMN, NO_SPLIT, READING
from hfdemo.ui.tabs.finetune.inspection_view import Change, apply_action, changes_of_fixes, drop_overwritten


@dataclass(frozen=True)
class FormStates:
    """What the steps know of each other: `run_data` is a RunData, or None; `suggested` the values nobody has typed."""

    run_data: gr.State
    suggested: gr.State


class DataEvents:
    """The events of the two data steps; `read_data_on` has a further event of other data read it.

    `jobs` are the counts of tokens that pages have going on; that of a page that is closed ends.
    """

    def __init__(self, app: App, demo: gr.Blocks, form: FormFields, step: DataStep, states: FormStates) -> None:
        self._app, self._form, self._step, self._states = app, form, step, states
        self.jobs = RunningJobs()
        self._sent_states = [step.taken, step.counted, step.pending]
        shown = [*(form.fields[name] for name in DATA_FIELDS), step.verdict, step.report]
        self._shown = [*shown, step.refused, step.page, step.refused_fold, step.taken, step.counted, states.run_data]
        self._read = [*self._shown, step.reading, step.preview, step.counting, step.pending, step.seen]
        self._read += [form.fields["dataset"], form.fields["file"]]
        self._visible: dict[str, Any] = {**QUICK, "show_progress": "minimal", "show_progress_on": step.reading}
        self._wire_data()
        self._wire_report()
        demo.unload(self.jobs.on_unload)

    def read_data_on(self, event: Callable[..., Any], columns: tuple[Any, Any] | None = None) -> None:
        """Read other data on `event`, with the text and pair columns of two components where it has them."""
        if columns is None:
            self._read_on(event, self._on_data)
        else:
            self._read_on(event, self._on_data_and_columns, columns)

    def _read_on(self, event: Callable[..., Any], handler: Callable[..., Any], first: Sequence[Any] = ()) -> None:
        sent = [*first, *self._sent_states]
        self._form.handle_on(event, toast_errors(handler), sent, self._read, **self._visible)

    def _wire_data(self) -> None:
        fields = self._form.fields
        # An example that is picked takes the place of an uploaded file, and an uploaded file that of the example.
        self._read_on(fields["dataset"].input, self._on_name, [self._step.seen])
        self._read_on(fields["file"].clear, self._on_clear)
        self._read_on(fields["file"].upload, self._on_data)
        self._read_on(fields["dataset_config"].submit, self._on_data)
        for name in READING:  # one that is being read is no reason to leave another out
            self._read_on(fields[name].input, self._on_reading)
        picked = ("text", "pair", "positive", "train_split", "validation_split", "test_split")
        typed = ("validation_share", "test_share", "max_length", "class_weights", "seed")
        redrawn: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
            (fields["kind"].input, self._redraw_after(change_kind)),
            (fields["split"].input, self._redraw_after(update_splits)),
            (fields["label"].input, self._redraw_after(change_label)),
            (functools.partial(gr.on, [fields[name].input for name in picked]), self._redraw_after()),
            (functools.partial(gr.on, [fields[name].change for name in typed]), self._redraw_after()),
        ]
        for event, handler in redrawn:
            self._form.handle_on(event, handler, self._sent_states, self._shown, **LATEST)

    def _wire_report(self) -> None:
        form, step = self._form, self._step
        changed = [*self._read, form.fields["max_length"], form.fields["class_weights"]]
        # What comes next in a chain is not told what was pressed: here both are of the same event, in this order.
        form.gather_on(step.report.click)
        step.report.click(toast_errors(self._on_press), [*self._sent_states, *form.inputs], changed, **QUICK)
        form.handle_on(step.page.change, toast_errors(self._on_page), [step.page], step.refused, **LATEST)
        count, counted = draw_errors(self._on_count, gr.skip()), [step.counting, step.counted]
        done = form.handle_on(step.count.click, count, [], counted, **PRIVATE, **HEAVY)
        form.handle_on(done.then, self._redraw_after(), self._sent_states, self._shown, **QUICK)

    def _read_data(
        self,
        columns: tuple[str | None, str | None] | None,
        states: Sequence[Any],
        named: FieldValues,
        progress: Any = None,
        kept: FieldValues | None = None,
        taken: Sequence[Change] = (),
    ) -> dict[Any, Any]:
        """Return what shows other data, or what is wrong with it, and nothing of the last but how it is read if that is
        `kept`, by the changes that were `taken`."""
        form, step = self._form, self._step
        _, counted, pending = states
        wanted = RunConfig.from_json(pending) if pending else None

        def report(what: str, done: int, whole: int) -> None:
            if progress is not None:
                progress((done, whole or None), desc=what)

        named, _ = add_upload({**named, **dict.fromkeys(READING, ""), **(kept or {})})
        seen = {form.fields["dataset"]: named["dataset"], step.seen: named["dataset"]}
        try:
            named = suggest_values(form, named, wanted, report)
            if columns is not None and columns[0] is not None:
                named |= {"text": columns[0], "pair": columns[1] or NO_COLUMN}
            taken = [*taken, *changes_of_fixes(named["fixes"])]
            examined, still = form.examine(named, counted)
        except DemoError as error:
            gone = {form.fields[name]: value for name, value in clear_data_fields().items()}
            hidden = {step.refused_fold: gr.update(visible=False), step.taken: [], self._states.run_data: None}
            said = {step.reading: html.notes([str(error)]), step.verdict: "", step.report: "", step.preview: ""}
            return {**said, **gone, **hidden, **seen}
        return {
            **seen,
            **self._show_examined(named, list(taken), examined, still),
            step.reading: inspection_view.render_reading(examined),
            step.preview: inspection_view.render_first_rows(examined),
            step.counting: form_steps.COUNTING,
            step.pending: None,
        }

    def _split_inputs(self, sent: Sequence[Any]) -> tuple[Sequence[Any], FieldValues]:
        """Return the states and the values of the form."""
        count = len(self._sent_states)
        return sent[:count], self._form.by_name(sent[count:])

    # gradio passes a bar to what has one among its defaults.
    def _on_data(self, *sent: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        return self._read_data(None, *self._split_inputs(sent), progress)

    def _on_reading(self, *sent: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        states, named = self._split_inputs(sent)
        return self._read_data(None, states, named, progress, {name: named[name] for name in READING})

    def _on_data_and_columns(self, text: str | None, pair: str | None, *sent: Any) -> dict[Any, Any]:
        return self._read_data((text, pair), *self._split_inputs(sent))

    def _read_by_name(self, name: str | None, sent: Sequence[Any], progress: Any) -> dict[Any, Any]:
        """Return what shows the data set `name` instead of an uploaded file."""
        states, named = self._split_inputs(sent)
        named |= {"dataset": name, "file": None}
        return {self._form.fields["file"]: None, **self._read_data(None, states, named, progress)}

    def _on_name(self, seen: str | None, *sent: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        """Read the name that was picked or typed; the box may only have been left, with the name of what is on view."""
        name = self._split_inputs(sent)[1]["dataset"]
        # gradio takes an empty dict for a value.
        return {self._step.seen: seen} if name == seen else self._read_by_name(name, sent, progress)

    def _on_clear(self, *sent: Any, progress: Any = gr.Progress()) -> dict[Any, Any]:  # noqa: B008
        return self._read_by_name(DEFAULTS["dataset"], sent, progress)

    def _redraw_after(
        self, change: Callable[[FormFields, FieldValues], FieldValues] | None = None
    ) -> Callable[..., Any]:
        """Return a handler that draws the data anew, after `change` of the form's values."""

        def on_change(taken: list[Change], counted: Any, pending: Any, *values: Any) -> dict[Any, Any]:
            named = self._form.by_name(values)
            try:
                return self._show_data(change(self._form, named) if change else named, taken, counted)
            except DemoError:  # said already where it was read
                return {self._states.run_data: None}

        return toast_errors(on_change)

    def _on_press(self, event: gr.EventData, *sent: Any) -> dict[Any, Any]:
        """Do what a button of the report says."""
        states, named = self._split_inputs(sent)
        taken, counted, _ = states
        examined, _ = self._form.examine(named, counted)
        changed, taken = apply_action(str(read_event(event, "pressed") or ""), named, taken, examined)
        if not changed:
            return {self._step.taken: taken}
        others = {self._form.fields[name]: value for name, value in changed.items() if name not in DATA_FIELDS}
        named |= changed
        if set(READING) & changed.keys():  # another reading has other columns
            kept = {name: named[name] for name in READING}
            of_reading = [each for each in taken if each["name"] in READING]
            return self._read_data(None, states, named, None, kept, of_reading)
        if "kind" in changed:
            named = change_kind(self._form, named)
        return {**self._show_data(named, taken, counted), **others}

    def _on_page(self, page: float | None, *values: Any) -> str:
        corpus, _, _ = self._form.read_data(self._form.by_name(values))
        return inspection_view.render_refused_rows(corpus.refused, int(page or 1))

    def _on_count(self, request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any]]:
        named = self._form.by_name(values)

        def work(tell: Progress, stop: Event) -> CountedTokens:
            corpus, config, path = self._form.read_data(named, tell)
            model = named["model"]

            def report_rows(done: int, whole: int) -> None:
                tell("Rows counted", done, whole)

            engine, settings = self._app.engine, self._app.settings
            counts = engine.call(count_tokens, corpus, config, model, settings, stop, report_rows)
            return CountedTokens(make_count_key(config, path, model), counts)

        for now, result in follow_job(self.jobs, request.session_hash, work):
            yield (now, gr.skip()) if result is None else (form_steps.COUNTED, result)

    def _show_data(self, named: FieldValues, taken: list[Change], counted: CountedTokens | None) -> dict[Any, Any]:
        """Return everything that shows the data, for these values of the form."""
        examined, still = self._form.examine(named, counted)
        return self._show_examined(named, drop_overwritten(named, taken), examined, still)

    def _show_examined(
        self, named: FieldValues, taken: list[Change], examined: ExaminedData, counted: CountedTokens | None
    ) -> dict[Any, Any]:
        """Return the components of both steps, as they show `examined`."""
        form, step = self._form, self._step
        rows = examined.inspection.refused
        updates = update_data_fields(examined.inspection, named)
        return {
            **{form.fields[name]: update for name, update in updates.items()},
            step.verdict: inspection_view.render_verdict(examined),
            step.report: inspection_view.render_inspection(examined, taken, counted),
            step.refused_fold: gr.update(visible=bool(rows)),
            step.refused: inspection_view.render_refused_rows(rows, 1),
            step.page: gr.update(value=1, visible=len(rows) > inspection_view.PAGE),
            step.taken: taken,
            step.counted: counted,
            self._states.run_data: summarise_data(examined),
        }


def update_data_fields(found: Inspection, values: dict[str, Any]) -> dict[str, Any]:
    """Return what the data fields show for `values`, with the choices that the data has."""
    columns = list(found.columns)
    optional = [NO_COLUMN, *columns]
    splits = [NO_SPLIT, *values["found"]]
    kind = KINDS.get(found.kind or "")
    binary = kind is not None and kind.rows.is_single_label and len(found.label_order) == 2
    return {
        "text": gr.update(choices=columns, value=values["text"]),
        **{name: gr.update(choices=optional, value=values[name]) for name in ("pair", "split")},
        "label": gr.update(choices=columns, value=list(values["label"] or ())),
        **{
            f"{split}_split": gr.update(choices=splits, value=values[f"{split}_split"])
            for split in ("train", "validation", "test")
        },
        "positive": gr.update(
            choices=list(found.label_order), value=found.positive_label if binary else None, visible=binary
        ),
        **{
            name: values[name]
            for name in (*READING, "kind", "labels", "fixes", "found", "validation_share", "test_share")
        },
    }


def clear_data_fields() -> dict[str, Any]:
    """Return what the data fields show where the data can't be read: nothing of the last."""
    gone = gr.update(choices=[], value=None)
    columns = dict.fromkeys(("text", "pair", "split", "train_split", "validation_split", "test_split"), gone)
    labels = gr.update(choices=[], value=[])
    return {
        **columns,
        "label": labels,
        "positive": gr.update(value=None, visible=False),
        "labels": None,
        "fixes": (),
        "found": (),
    }
