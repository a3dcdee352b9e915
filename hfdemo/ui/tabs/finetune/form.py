"""What is to be trained on and how: the steps before Start, and the same as a file and as a command."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.preflight import RunData
from hfdemo.finetuning.runs.comparison import estimate_seconds
from hfdemo.models.reference import ModelRef
from hfdemo.ui.deep_links import keep_known
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUICK, toast_errors
from hfdemo.ui.page_state import PageState, find_upload, read_kept
from hfdemo.ui.tabs.finetune import form_steps, form_values, start_bar, steps
from hfdemo.ui.tabs.finetune.data_events import DataEvents, FormStates
from hfdemo.ui.tabs.finetune.form_data import (
    DatasetCache,
    ExaminedData,
    FieldValues,
    FormFields,
    examine_data,
    suggest_values,
    summarise_data,
)
from hfdemo.ui.tabs.finetune.form_table import DATA_FIELDS, DEFAULTS
from hfdemo.ui.tabs.finetune.training_events import list_base_models, wire_training
from hfdemo.ui.tabs.run.batch_predict import SentRows
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

SAY_PLAN = "hfdemo.announce(element, '.hf-ready, .hf-note')"
_LOOKED_AT = 20  # runs, the newest first, for how long such a training takes


@dataclass(frozen=True)
class Form:
    """The button Start, the form that it sends, and the line before it, which also says a refusal.

    `fill_on(source)` has the form filled whenever the component `source` changes: it holds {"config": a RunConfig as
    JSON} or None.
    """

    start: gr.Button
    ready_line: gr.HTML
    form: FormFields
    fill_on: Callable[[Any], None]


def build(
    app: App,
    demo: gr.Blocks,
    opened: Any,
    tabs: gr.Tabs,
    panels: Mapping[str, gr.Column],
    chosen: DatasetChoice,
    rows: SentRows,
    page: PageState,
) -> Form:
    """Lay out the steps in their `panels`, and Start below, and wire everything but Start itself.

    Some of it waits until the tab is `opened`.
    """
    datasets = DatasetCache(app)
    values, examined = _initial_values(datasets)
    suggested = {name: values[name] for name in ("epochs", "rate")}
    config = form_values.config_from_values(values)
    step = form_steps.build_data_steps(panels, examined, values, app.settings.public)
    training = form_steps.build_training_steps(panels, list_base_models(app), suggested)
    with panels["train"]:
        brought, written, command = _build_config(config)
    line, start = _build_bar(config, values, examined)
    states = FormStates(run_data=gr.State(summarise_data(examined)), suggested=gr.State(suggested))
    form = FormFields.lay_out({**step.fields, **training.fields}, datasets)
    for name, field in form.fields.items():
        field.elem_id = f"field-{name}"  # by which a refusal leads there
    data = DataEvents(app, demo, form, step, states)
    events = _FormEvents(app, form, step, states, training.lora)
    shown, said = [line, written, command], toast_errors(events.on_change)
    changes = [*(field.change for field in form.fields.values()), states.run_data.change]
    form.handle_on(functools.partial(gr.on, changes), said, [states.run_data], shown, **LATEST)
    # As the tab opens, too: what Start asks of the libraries and the model is then found out before it is pressed.
    form.handle_on(opened, said, [states.run_data], shown, **QUICK)
    wire_training(app, opened, training, form, states)
    filled = [*form.fields.values(), step.pending, states.suggested, training.lora]
    opened_config = form.handle_on(brought.upload, toast_errors(events.on_config), [brought], filled, **QUICK)
    data.read_data_on(opened_config.success)

    def fill_from(source: Any, fill: Callable[..., Any] = events.on_duplicate) -> None:
        changed = form.handle_on(source.change, toast_errors(fill), [source], filled, **QUICK)
        data.read_data_on(changed.success)

    # A state, so that nothing is read once more where there is nothing to recall.
    recalled = gr.State(None)
    opened(lambda kept: kept, page.recalled, recalled, js=page.recall("finetune"), **QUICK)
    fill_from(recalled, events.on_recalled)
    # States are not known to the browser: what they hold is in the config.
    page.keep("finetune", {"fields": form.component, "file": form.fields["file"], "config": written})
    _wire_arrivals(form, data, training, tabs, chosen, rows)
    return Form(start, line, form, fill_from)


def _wire_arrivals(
    form: FormFields,
    data: DataEvents,
    training: form_steps.TrainingStep,
    tabs: gr.Tabs,
    chosen: DatasetChoice,
    rows: SentRows,
) -> None:
    """Take what the other two tabs send: a data set with the setting that fits it, and the rows of a file."""
    choice = [chosen.file, chosen.dataset, chosen.tokenizer, chosen.model]
    choice += [chosen.padding, chosen.max_length, chosen.batch_size]
    fields = [form.fields[name] for name in ("file", "dataset", "model", "padding", "max_length", "batch")]
    arrived = chosen.button.click(
        toast_errors(_take_dataset_choice), choice, [*fields, training.length_fold, tabs], **QUICK
    )
    arrived.success(None, js=steps.open_step("data"), **PRIVATE)
    data.read_data_on(arrived.success, (chosen.text, chosen.pair))
    taken = rows.sent.change(lambda file: (file, gr.Tabs(selected="finetune")), rows.file, [fields[0], tabs], **QUICK)
    taken.success(None, js=steps.open_step("data"), **PRIVATE)
    data.read_data_on(taken.success, (rows.text, rows.pair))


def _build_config(config: RunConfig) -> tuple[gr.UploadButton, gr.Code, gr.Code]:
    """Lay out the config as a file, which can be brought, too, and the command that does the same."""
    with gr.Accordion("config.json and the shell command", open=False):
        brought = gr.UploadButton("Open a config.json", file_types=[".json"], size="sm", min_width=150)
        written = gr.Code(form_values.write_config(config), language="json", label="config.json as it stands", lines=1)
        command = gr.Code(
            form_values.write_commands(config), language="shell", label="The same run from a shell", lines=1
        )
    return brought, written, command


def _build_bar(config: RunConfig, values: FieldValues, examined: ExaminedData) -> tuple[gr.HTML, gr.Button]:
    data = summarise_data(examined)
    with gr.Row(elem_classes="hf-start"):
        line = gr.HTML(
            start_bar.render_chosen(values, data) + start_bar.render_plan(config, data),
            padding=False,
            js_on_load=SAY_PLAN,
        )
        start = gr.Button("Start", variant="primary", size="lg", scale=0, min_width=140, elem_id=start_bar.START_BUTTON)
    return line, start


class _FormEvents:
    """What the form does when it has changed, and when a config fills it."""

    def __init__(
        self, app: App, form: FormFields, step: form_steps.DataStep, states: FormStates, lora_fold: Any
    ) -> None:
        self._app, self._form, self._step, self._states, self._lora_fold = app, form, step, states, lora_fold

    def on_change(self, data: RunData | None, *values: Any) -> tuple[Any, ...]:
        """Return what the form says now, and whether that could be trained."""
        named, public = self._form.by_name(values), self._app.settings.public
        said = start_bar.render_ready_line(named, data, self._app.runs.preflight, self._estimate)
        unread = form_values.explain_missing_data(named["dataset"], public=public)
        if data is None and named["file"] is None and unread:
            said = start_bar.render_chosen(named, data) + start_bar.render_refusal(unread, "data", "dataset")
        try:
            config, path = self._form.read_config(values)
        except DemoError:
            return said, gr.skip(), gr.skip()
        return said, form_values.write_config(config), form_values.write_commands(config, uploaded=path is not None)

    def _estimate(self, config: RunConfig, steps: int) -> float | None:
        return estimate_seconds(self._app.runs.list()[:_LOOKED_AT], config, steps)

    def on_config(self, file: Any, *values: Any) -> dict[Any, Any]:
        """Fill the form from a config.json."""
        path = uploaded_path(file)
        if path is None:
            return {self._step.pending: gr.skip()}
        config = RunConfig.read(path)
        find_kind(config.task, config.problem_type)
        return self._fill(config, *values)

    def on_duplicate(self, source: Any, *values: Any) -> dict[Any, Any]:
        """Fill the form from the config of a run."""
        return self._fill(RunConfig.from_json(source["config"]), *values) if source else {self._step.pending: gr.skip()}

    def on_recalled(self, kept: str | None, *values: Any) -> dict[Any, Any]:
        """Fill the form as it was before the page was loaded again, with what is no config yet, too."""
        _, held = read_kept(kept)
        try:
            config = RunConfig.from_json(json.loads(held.get("config") or "null"))
        except (ValueError, TypeError):  # nothing was kept, or not by this page
            return {self._step.pending: gr.skip()}
        path, _ = find_upload(held.get("file"))  # where it is gone, the line before Start says so
        fields, shown = self._form.fields, held.get("fields")
        shown = shown if isinstance(shown, dict) else {}
        kinds = {name: (int, float) if isinstance(fields[name], gr.Number) else str for name in fields}
        typed = keep_known({name: shown.get(name) for name in fields if name not in DATA_FIELDS}, kinds)
        filled = self._fill(config, *values)
        return {**filled, **{fields[name]: value for name, value in typed.items()}, fields["file"]: path}

    def _fill(self, config: RunConfig, *values: Any) -> dict[Any, Any]:
        """Return every field as `config` has it; the columns follow when the data has been read."""
        asked, fields = form_values.values_from_config(config), self._form.fields
        path = uploaded_path(self._form.by_name(values)["file"])
        # A config that was made for an upload names it: where that is still here, it stays.
        keeps_file = path is not None and path.stem == config.dataset
        del asked["file"], asked["found"]
        filled = {fields[name]: value for name, value in asked.items() if name not in DATA_FIELDS}
        filled |= {} if keeps_file else {fields["file"]: None}
        lora = gr.update(visible=config.method == "lora")
        states = {self._step.pending: config.to_json(), self._states.suggested: find_suggested(config)}
        return {**filled, **states, self._lora_fold: lora}


def _take_dataset_choice(file: Any, dataset: str, tokenizer: str, read_by: str, *setting: Any) -> tuple[Any, ...]:
    """Return what the tab See the tokens sends: its data, its model where it has one, and the setting that it found."""
    reader = ModelRef.parse(read_by or tokenizer)
    padding, length, batch = setting
    model = gr.skip() if reader.source == "tokenizer" else str(reader)
    folds = gr.Accordion(open=True), gr.Tabs(selected="finetune")
    return file, dataset or EXAMPLE_NAMES[0], model, padding, length or 0, batch, *folds


def find_suggested(config: RunConfig) -> FieldValues:
    """Return what of a config counts as suggested, not as typed, and follows another method.

    It is what the config leaves open, and a learning rate that is but the usual one of its method, as in the config of
    every run that named none.
    """
    asked = form_values.values_from_config(config)
    usual = form_values.suggest_epochs_and_rate(asked["method"], asked["kind"], train_rows=1)["rate"]
    suggested = {name: asked[name] for name in ("epochs", "rate") if form_values.TRAINING[name] not in config.training}
    return {**suggested, "rate": usual} if asked["rate"] == usual else suggested


def _initial_values(datasets: DatasetCache) -> tuple[FieldValues, ExaminedData]:
    """Return the values of the form as it opens, and the first example, inspected."""
    named = suggest_values(FormFields({}, datasets), {**DEFAULTS}, None)
    config = form_values.data_config_from_values(named)
    examined = examine_data(datasets.read(config, None), config)
    named |= form_values.suggest_epochs_and_rate(named["method"], named["kind"], examined.train_rows)
    return {**named, "positive": examined.inspection.positive_label}, examined
