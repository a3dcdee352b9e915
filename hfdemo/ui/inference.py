"""The tab Run a model: a panel made from the chosen task's row."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from hfdemo.api import HEAVY, Endpoints
from hfdemo.errors import DemoError
from hfdemo.inference import predict
from hfdemo.models.sources import offline_choices
from hfdemo.snippets import prediction_script
from hfdemo.tasks import TASKS, find_task
from hfdemo.ui import html
from hfdemo.ui.widgets import DRAWINGS, field_value, field_widget

RUN_BUTTON = "run-now"
MODEL_HELP = "embedded, a run, a folder (/… ./… ~…), or any Hub id, with @revision if you like"


def build(endpoints: Endpoints) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Lay the tab out; returns its task and model dropdowns, so that another tab can send a model here."""
    first = next(iter(TASKS.values()))
    with gr.Row():
        task = gr.Dropdown(
            [(row.title, row.name) for row in TASKS.values()], value=first.name, label="Task", scale=1, min_width=200
        )
        model = gr.Dropdown(
            _choices(endpoints, first.default_model),
            value=first.default_model,
            label="Model",
            info=MODEL_HELP,
            allow_custom_value=True,
            interactive=True,
            scale=2,
            min_width=300,
        )
    # .input, not .change: a run that another tab sends here brings its own model along.
    task.input(
        lambda name: gr.update(
            choices=_choices(endpoints, find_task(name).default_model), value=find_task(name).default_model
        ),
        task,
        model,
        api_visibility="private",
        show_progress="hidden",
    )
    model.focus(
        lambda name: gr.update(choices=_choices(endpoints, find_task(name).default_model)),
        task,
        model,
        api_visibility="private",
        show_progress="hidden",
    )

    @gr.render(inputs=task)
    def panel(name: str) -> None:
        _panel(endpoints, name, model)

    return task, model


def _choices(endpoints: Endpoints, default: str) -> list[str]:
    return list(dict.fromkeys([default, *offline_choices(endpoints.settings)]))


def _panel(endpoints: Endpoints, name: str, model: gr.Dropdown) -> None:
    task = find_task(name)
    example = task.examples[0]
    gr.HTML(html.about(task.summary))
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            inputs = [field_widget(field, example.get(field.name)) for field in task.inputs]
            parameters: list[Any] = []
            if task.parameters:
                with gr.Accordion("Parameters", open=False):
                    parameters = [field_widget(field) for field in task.parameters]
            run = gr.Button("Run", variant="primary", elem_id=RUN_BUTTON)
            shown = [widget for widget, field in zip(inputs, task.inputs, strict=True) if field.name in example]
            gr.Examples([list(each.values()) for each in task.examples], shown, label="Try one of these")
        with gr.Column(scale=6, min_width=320):
            answer = gr.HTML(html.empty("Loading the model for the first answer …"), label="Answer")
            with gr.Accordion("Inside the pipeline", open=True):
                inside = gr.HTML(html.empty("The three stages of the run will stand here."))
            with gr.Accordion("JSON", open=False):
                raw = gr.Code(language="json", label="What the pipeline returns", lines=1, max_lines=24)
            with gr.Accordion("Code", open=False):
                code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24)

    def answer_with(reference: str, *values: Any, progress: Any = gr.Progress()) -> tuple[str, str, str, str]:  # noqa: B008
        def report(done: int, total: int) -> None:
            progress((done, total), desc=f"Downloading {reference}", unit="bytes")

        meant = {field.name: field_value(field, value) for field, value in zip(task.fields, values, strict=True)}
        try:
            prediction = predict(endpoints.models, task, reference, meant, report)
            script = prediction_script(task, reference, prediction.call, endpoints.settings)
        except DemoError as error:  # said where the answer would be: an old one beside it would look like its result
            return html.notes([str(error)]), html.empty("No run, no stages."), "", ""
        drawn = html.notes(prediction.warnings) + DRAWINGS[task.output](prediction.output)
        return (
            drawn + html.prediction_facts(prediction),
            html.stages(prediction.stages, prediction.seconds),
            json.dumps(_shortened(prediction.output), indent=2, ensure_ascii=False),
            script,
        )

    wires: dict[str, Any] = {
        "fn": answer_with,
        "inputs": [model, *inputs, *parameters],
        "outputs": [answer, inside, raw, code],
        "show_progress_on": answer,
        "api_visibility": "private",
        **HEAVY,
    }
    submits = [widget.submit for widget in inputs if isinstance(widget, gr.Textbox)]
    gr.on([run.click, *submits], **wires)
    # The tab opens on an answer, not on empty boxes: one tick after the panel is drawn, the example is run.
    opening = gr.Timer(0.2)
    opening.tick(lambda: gr.Timer(active=False), outputs=opening, api_visibility="private").then(**wires)


def _shortened(output: Any, most: int = 8) -> Any:
    """Long lists of numbers cut to their beginning: 384 numbers a token are no reading matter."""
    if isinstance(output, list) and len(output) > most and isinstance(output[0], float):
        return [*output[:most], f"… {len(output) - most} more"]
    if isinstance(output, list):
        return [_shortened(item, most) for item in output]
    return output
