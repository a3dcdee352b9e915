"""What is to be trained on and how: three steps, the line before Start, and the same as a file and as a command."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.devices import count_accelerators, find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import knobs
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS, find_kind
from hfdemo.finetuning.preflight import Preflight, RunData
from hfdemo.models.folders import list_offline_models
from hfdemo.models.reference import ModelRef
from hfdemo.ui import html
from hfdemo.ui.deep_links import keep_known
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUICK, draw_errors, toast_errors
from hfdemo.ui.page_state import PageState, find_upload, read_kept
from hfdemo.ui.tabs.finetune import form_steps, form_values
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
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

ABOUT = "Three steps, already filled in. Change what you like, then press Start."
REFUSED = "hf-refused"  # the class by which the page knows that Start has begun nothing
_METHODS = {"full": "all weights", "lora": "a LoRA adapter", "frozen": "the head"}


@dataclass(frozen=True)
class Form:
    """The button Start, what it sends and how that is read, and the line before it, which also says a refusal.

    `rate` is the field of the learning rate. `fill_on(source)` has the form filled whenever the component `source`
    changes: it holds {"config": a RunConfig as JSON} or None.
    """

    start: gr.Button
    ready_line: gr.HTML
    rate: gr.Number
    inputs: list[Any]
    read_config: Callable[[Sequence[Any]], tuple[RunConfig, Path | None]]
    fill_on: Callable[[Any], None]


def build(app: App, demo: gr.Blocks, opened: Any, tabs: gr.Tabs, chosen: DatasetChoice, page: PageState) -> Form:
    """Lay out the steps and Start, and wire everything but Start itself; some of it waits until the tab is `opened`."""
    datasets = DatasetCache(app)
    values, examined = _initial_values(datasets)
    suggested = {name: values[name] for name in ("epochs", "rate")}
    config = form_values.config_from_values(values)
    with gr.Row():
        gr.HTML(html.about(ABOUT))
        brought = gr.UploadButton("Open a config.json", file_types=[".json"], size="sm", min_width=150, scale=0)
    step = form_steps.build_data_step(examined, values, app.settings.public)
    training = form_steps.build_training_step(_base_model_choices(app), suggested)
    with gr.Column(elem_classes="hf-start"):
        line = gr.HTML(render_plan(config, summarise_data(examined)))
        start = gr.Button("Start", variant="primary", size="lg")
    with gr.Accordion("config.json and the shell command", open=False):
        written = gr.Code(form_values.write_config(config), language="json", label="config.json as it stands", lines=1)
        command = gr.Code(
            form_values.write_commands(config), language="shell", label="The same run from a shell", lines=1
        )
    states = FormStates(run_data=gr.State(summarise_data(examined)), suggested=gr.State(suggested))
    form = FormFields({**step.fields, **training.fields}, datasets)
    inputs = list(form.fields.values())
    data = DataEvents(app, demo, form, step, states)
    events = _FormEvents(app, form, step, states, training.lora)
    shown, sent = [line, written, command], [states.run_data, *inputs]
    changes = [*(field.change for field in inputs), states.run_data.change]
    gr.on(changes, toast_errors(events.on_change), sent, shown, **LATEST)
    # As the tab opens, too: what Start asks of the libraries and the model is then found out before it is pressed.
    opened(toast_errors(events.on_change), sent, shown, **QUICK)
    _wire_training(app, opened, training, form)
    _wire_suggestions(form, states)
    filled = [*inputs, step.pending, states.suggested, training.lora]
    data.read_data_on(brought.upload(toast_errors(events.on_config), [brought, *inputs], filled, **QUICK).success)

    def fill_from(source: Any, fill: Callable[..., Any] = events.on_duplicate) -> None:
        changed = source.change(toast_errors(fill), [source, *inputs], filled, **QUICK)
        data.read_data_on(changed.success)

    # A state, so that nothing is read once more where there is nothing to recall.
    recalled = gr.State(None)
    opened(lambda kept: kept, page.recalled, recalled, js=page.recall("finetune"), **QUICK)
    fill_from(recalled, events.on_recalled)
    # States are not known to the browser: what they hold is in the config.
    typed = {name: field for name, field in form.fields.items() if not isinstance(field, gr.State)}
    page.keep("finetune", {**typed, "config": written})
    choice = [chosen.file, chosen.dataset, chosen.tokenizer, chosen.model]
    choice += [chosen.padding, chosen.max_length, chosen.batch_size]
    fields = [form.fields[name] for name in ("file", "dataset", "model", "padding", "max_length", "batch")]
    arrived = chosen.button.click(
        toast_errors(_take_dataset_choice), choice, [*fields, training.length_fold, tabs], **QUICK
    )
    data.read_data_on(arrived.success, (chosen.text, chosen.pair))
    return Form(start, line, form.fields["rate"], inputs, form.read_config, fill_from)


class _FormEvents:
    """What the form does when it has changed, and when a config fills it."""

    def __init__(
        self, app: App, form: FormFields, step: form_steps.DataStep, states: FormStates, lora_fold: Any
    ) -> None:
        self._app, self._form, self._step, self._states, self._lora_fold = app, form, step, states, lora_fold

    def on_change(self, data: RunData | None, *values: Any) -> tuple[Any, ...]:
        """Return what the form says now, and whether that could be trained."""
        named, public = self._form.by_name(values), self._app.settings.public
        said = render_ready_line(named, data, self._app.runs.preflight)
        unread = form_values.explain_missing_data(named["dataset"], public=public)
        if data is None and named["file"] is None and unread:
            said = render_refusal(unread)
        try:
            config, path = self._form.read_config(values)
        except DemoError:
            return said, gr.skip(), gr.skip()
        return said, form_values.write_config(config), form_values.write_commands(config, uploaded=path is not None)

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
        fields = self._form.fields
        kinds = {name: (int, float) if isinstance(fields[name], gr.Number) else str for name in fields}
        typed = keep_known({name: held.get(name) for name in fields if name not in form_steps.DATA_FIELDS}, kinds)
        filled = self._fill(config, *values)
        return {**filled, **{fields[name]: value for name, value in typed.items()}, fields["file"]: path}

    def _fill(self, config: RunConfig, *values: Any) -> dict[Any, Any]:
        """Return every field as `config` has it; the columns follow when the data has been read."""
        asked, fields = form_values.values_from_config(config), self._form.fields
        path = uploaded_path(self._form.by_name(values)["file"])
        # A config that was made for an upload names it: where that is still here, it stays.
        keeps_file = path is not None and path.stem == config.dataset
        del asked["file"], asked["found"]
        filled = {fields[name]: value for name, value in asked.items() if name not in form_steps.DATA_FIELDS}
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


def drop_suggestion(name: str, suggested: FieldValues) -> FieldValues:
    """Return what still counts as suggested when somebody has typed in the field `name`."""
    return {each: value for each, value in suggested.items() if each != name}


def refit_suggested(fitting: FieldValues, suggested: FieldValues, now: FieldValues) -> FieldValues:
    """Return what to suggest for fields that are `now` as they are.

    That is what is `fitting`, where a field is empty or still has what was `suggested`.
    """
    return {
        name: fitting[name]
        for name, value in now.items()
        if value is None or (name in suggested and value == suggested[name])
    }


def _wire_training(app: App, opened: Any, training: form_steps.TrainingStep, form: FormFields) -> None:
    fields = training.fields
    fields["method"].change(
        lambda method: gr.update(visible=method == "lora"), fields["method"], training.lora, **QUICK
    )
    fields["model"].focus(lambda: gr.update(choices=_base_model_choices(app)), outputs=fields["model"], **QUICK)
    form.fields["kind"].change(
        lambda kind: gr.update(choices=[form_values.OWN_METRIC, *KINDS[kind].evaluator.offered]),
        form.fields["kind"],
        fields["best_metric"],
        **QUICK,
    )

    def check_arguments(more: str | None) -> str:
        """Say what is wrong with the JSON box when it is left."""
        if training := form_values.parse_json_box(more):
            app.runs.preflight(RunConfig("data", training=training)).check()
        return ""

    fields["more"].change(lambda: "", outputs=training.checked, **QUICK)
    fields["more"].blur(draw_errors(check_arguments), fields["more"], training.checked, **QUICK)

    def list_arguments(search: str | None) -> str:
        return form_steps.render_arguments(app.engine.call(knobs), search)

    def say_what_is_installed() -> list[Any]:
        device, count = app.engine.call(find_device), app.engine.call(count_accelerators)
        helps = form_steps.update_help(app.engine.call(knobs), explained)
        return [*helps, form_steps.render_devices(device, count)]

    training.table_fold.expand(toast_errors(list_arguments), training.search, training.table, **QUICK)
    training.search.change(toast_errors(list_arguments), training.search, training.table, **LATEST)
    explained = [name for name in form_values.TRAINING if name != "best_metric"]
    # The library's own words need the library, and so does the device: the page is drawn first.
    helped = [*(fields[name] for name in explained), training.device]
    opened(say_what_is_installed, outputs=helped, **QUICK)


def _wire_suggestions(form: FormFields, states: FormStates) -> None:
    """Have the epochs and the rate follow what is trained, where nobody has typed others."""
    fields = form.fields
    follows = ["method", "kind", "batch", "accumulation", "epochs", "rate"]

    fitted = ("epochs", "rate")
    # A component, and no state: the browser has to see it.
    found = gr.JSON(visible=False)

    def refit(data: RunData | None, suggested: FieldValues, *values: Any) -> tuple[Any, FieldValues]:
        """Return the epochs and the rate that fit what is trained now, where nobody has typed others, and which they
        are to replace."""
        method, kind, batch, accumulation, *own = values
        fitting = form_values.suggest_epochs_and_rate(method, kind, data.train_rows if data else 1, batch, accumulation)
        now = dict(zip(fitted, own, strict=True))
        fresh = refit_suggested(fitting, suggested, now)
        return {name: {"for": now[name], "value": value} for name, value in fresh.items()}, fresh

    for name in fitted:
        # Typed: no longer what was suggested, even where it is the same number.
        fields[name].input(functools.partial(drop_suggestion, name), states.suggested, states.suggested, **LATEST)

    refitted = gr.on(
        [fields[name].change for name in ("method", "batch", "accumulation")] + [states.run_data.change],
        toast_errors(refit),
        [states.run_data, states.suggested, *(fields[name] for name in follows)],
        [found, states.suggested],
        **LATEST,
    )
    # Only the browser knows what has been typed since.
    own = [fields[name] for name in fitted]
    refitted.then(None, [found, *own], own, js=f"hfdemo.fillIn({json.dumps(fitted)})", **PRIVATE)


def _initial_values(datasets: DatasetCache) -> tuple[FieldValues, ExaminedData]:
    """Return the values of the form as it opens, and the first example, inspected."""
    named = suggest_values(FormFields({}, datasets), {**form_values.DEFAULTS}, None)
    config = form_values.data_config_from_values(named)
    examined = examine_data(datasets.read(config, None), config)
    named |= form_values.suggest_epochs_and_rate(named["method"], named["kind"], examined.train_rows)
    return {**named, "positive": examined.inspection.positive_label}, examined


def _base_model_choices(app: App) -> list[str]:
    """List the models that make sense to start from, the embedded backbone first."""
    return list(dict.fromkeys(["embedded:minilm", *list_offline_models(app.settings)]))


def render_ready_line(
    values: form_values.Values, data: RunData | None, check: Callable[[RunConfig, RunData], Preflight]
) -> str:
    """Render what Start would do with the form as it is, by the very check that Start makes."""
    if data is None:
        return render_refusal("There is no data yet that could be trained on.")
    try:
        config = form_values.config_from_values(values)
    except DemoError as error:
        return render_refusal(str(error))
    checked = check(config, data)
    if checked.error is not None:
        return html.notes(checked.warnings) + render_refusal(str(checked.error))
    won = form_values.find_overruled(values)
    said = [f"{', '.join(won)}: the box of TrainingArguments wins over the field of the form."] if won else []
    return html.notes([*checked.warnings, *said]) + render_plan(checked.config or config, data)


def render_plan(config: RunConfig, data: RunData) -> str:
    """Render what a run would do, in a line."""
    rows = data.train_rows
    filled = config.with_training_defaults(rows, find_kind(config.task, config.problem_type).learning_rate)
    steps = filled.steps(rows)
    held = {name: count for name, count in data.split_rows if name != "train"}
    said = "".join(f", {count:,} {'for' if name == 'validation' else 'to'} {name}" for name, count in held.items())
    many = f" in {config.processes} processes" if config.processes > 1 else ""
    return (
        f"<div class='hf-ready'>Start trains {html.escape(_METHODS[config.method])} of "
        f"<b>{html.escape(config.model)}</b> on <b>{rows:,} rows</b>{html.escape(said)}: "
        f"<b>{steps:,} {'step' if steps == 1 else 'steps'}</b>{many}.</div>"
    )


def render_refusal(sentence: str) -> str:
    """Render a sentence so that the page knows that Start has begun nothing."""
    return f"<div class='{REFUSED}'>{html.notes([sentence])}</div>"
