"""What the form does when its model or its training changes: suggestions follow, and fields explain themselves."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.devices import Device, count_accelerators, find_device
from hfdemo.finetuning.arguments import Knob, knobs
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.preflight import RunData
from hfdemo.models.folders import list_offline_models
from hfdemo.ui import html
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUICK, draw_errors, toast_errors
from hfdemo.ui.tabs.finetune import form_values
from hfdemo.ui.tabs.finetune.data_events import FormStates
from hfdemo.ui.tabs.finetune.form_data import FieldValues, FormFields
from hfdemo.ui.tabs.finetune.form_steps import TrainingStep
from hfdemo.ui.tabs.finetune.form_table import OWN_METRIC


def wire_training(app: App, opened: Any, training: TrainingStep, form: FormFields, states: FormStates) -> None:
    """Wire the steps Model and Train; what there is to train on is said when the tab is `opened`."""
    _wire_fields(app, opened, training, form)
    _wire_suggestions(form, states)


def _wire_fields(app: App, opened: Any, training: TrainingStep, form: FormFields) -> None:
    fields = training.fields
    fields["method"].change(
        lambda method: gr.update(visible=method == "lora"), fields["method"], training.lora, **QUICK
    )
    fields["model"].focus(lambda: gr.update(choices=list_base_models(app)), outputs=fields["model"], **QUICK)
    form.fields["kind"].change(
        lambda kind: gr.update(choices=[OWN_METRIC, *KINDS[kind].evaluator.offered]),
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
        return render_arguments(app.engine.call(knobs), search)

    def say_what_is_installed() -> str:
        return render_devices(app.engine.call(find_device), app.engine.call(count_accelerators))

    training.table_fold.expand(toast_errors(list_arguments), training.search, training.table, **QUICK)
    training.search.change(toast_errors(list_arguments), training.search, training.table, **LATEST)
    # The device needs torch, which is imported by then: the page is drawn first.
    opened(say_what_is_installed, outputs=training.device, **QUICK)


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


def list_base_models(app: App) -> list[str]:
    """List the models that make sense to start from, the embedded backbone first."""
    return list(dict.fromkeys(["embedded:minilm", *list_offline_models(app.settings)]))


def render_arguments(every: Sequence[Knob], search: str | None = "") -> str:
    """List every field of TrainingArguments that `search` is in: its default, its type, what it does, and who decides
    it where a run may not."""
    looked_for = (search or "").strip()
    wanted = looked_for.lower()
    drawn = []
    for knob in every:
        if wanted and wanted not in f"{knob.name} {knob.help}".lower():
            continue
        said = f"Not here: {knob.reserved}." if knob.reserved else knob.help
        drawn.append(
            f"<dt>{html.escape(knob.name)} <small>{html.escape(knob.type)}, the library's default is "
            f"{html.escape(_shorten(knob.default))}</small></dt><dd>{html.code(said)}</dd>"
        )
    if not drawn:
        return html.placeholder(f"No field of TrainingArguments has “{looked_for}” in its name or its help.")
    return f"<dl class='hf-knobs' tabindex='0'>{''.join(drawn)}</dl>"


def render_devices(device: Device, count: int) -> str:
    """Say what there is to train on, `count` of the accelerators."""
    pairs = [("found", str(device)), ("GPUs", str(count))]
    if importlib.util.find_spec("deepspeed") is None:
        pairs.append(("deepspeed", "not installed"))
    return html.facts(pairs)


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


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
