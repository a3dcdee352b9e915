"""The endpoints of tasks and models: one for each task's row, and those that list, load and unload models."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import inspect
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from hfdemo.api import App
from hfdemo.api.callers import caller_left, caller_progress
from hfdemo.api.uploads import required_path, served_folder, uploaded_path
from hfdemo.inference import (
    PartialPrediction,
    Prediction,
    build_need,
    explain_answer,
    map_embeddings,
    predict,
    read_attention,
    stream_prediction,
)
from hfdemo.inference import predict_file as predict_rows
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import list_offline_models
from hfdemo.models.model_facts import infer_task
from hfdemo.models.reference import ModelRef
from hfdemo.tables import ReadOptions
from hfdemo.tasks import TASKS, Field, Task, find_task


def task_endpoint(task: Task) -> Callable[..., Any]:
    """Return the endpoint of `task`, its signature and docstring made from the row; a generator where it streams."""
    parameters = [_parameter("app", App), *_parameters(task)]
    media = {field.name for field in task.inputs if field.is_media}

    def read_values(sent: dict[str, Any]) -> tuple[ModelRef, dict[str, Any]]:
        values = sent | {name: uploaded_path(sent[name]) for name in media & set(sent)}
        return ModelRef.parse(values.pop("model", None) or task.default_model), values

    def run(app: App, ref: ModelRef, values: dict[str, Any]) -> dict[str, Any]:
        found = app.engine.call(predict, app.models, task, ref, values, stop=caller_left(), keep_probabilities=False)
        return found.to_json(served_folder("results"))

    def call(app: App, **sent: Any) -> dict:
        ref, values = read_values(sent)
        return run(app, ref, values)

    def call_streaming(app: App, **sent: Any) -> Iterator[dict]:
        ref, values = read_values(sent)
        if _is_direct_call():  # gradio's answer to it is the first item
            yield run(app, ref, values)
            return
        for item in stream_prediction(app.engine, task, ref, values, caller_left(), keep_probabilities=False):
            if isinstance(item, PartialPrediction | Prediction):
                yield item.to_json(served_folder("results"))

    function: Any = call if task.partial_output is None else call_streaming
    function.__name__ = task.endpoint
    function.__doc__ = _docstring(task)
    function.__signature__ = inspect.Signature(parameters, return_annotation=dict)
    function.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": dict}
    return function


def _is_direct_call() -> bool:
    """Return whether this is a call of /run, which has one answer, and no event of the queue."""
    return LocalContext.event_id.get("") is None


def _required_first(task: Task) -> list[Field]:
    """Return the inputs of `task` in the order that Python wants: what has no default comes first."""
    return sorted(task.inputs, key=lambda field: not field.is_required)


def _parameters(task: Task) -> list[inspect.Parameter]:
    def parameter(field: Field) -> inspect.Parameter:
        annotation = (gr.FileData if field.is_required else gr.FileData | None) if field.is_media else field.annotation
        return _parameter(field.name, annotation, inspect.Parameter.empty if field.is_required else field.default)

    model = _parameter("model", str | None, None)
    return [*map(parameter, _required_first(task)), model, *map(parameter, task.parameters)]


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def _docstring(task: Task) -> str:
    def lines(fields: Iterable[Field]) -> list[str]:
        return [f"    {field.name}: {field.help}" for field in fields]

    model = f"    model: a model reference; left out, {task.default_model}"
    return (
        f"{task.summary}\n\nArgs:\n"
        + "\n".join([*lines(_required_first(task)), model, *lines(task.parameters)])
        + "\n\nReturns:\n"
        '    {"task", "model", "device", "output", "seconds": {"load", "run"}, "warnings"}; '
        f"output is what {task.answer_source} returns"
        + ('; before it come {"output", "text"}: what there is so far' if task.partial_output else "")
    )


def predict_file(
    app: App,
    file: gr.FileData,
    task: str,
    model: str | None = None,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    parameters: dict | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> gr.FileData:
    """Run a task on every row of a CSV and return the CSV with the predictions added, its order kept.

    A row without an answer says why in the column error, and what an answer does not show is in the column warning.
    While it works the queue's messages say how many rows are done; a call that is cancelled ends.

    Args:
        file: an uploaded CSV file, or any other that can be trained on
        task: a task that takes a text
        model: a model reference; left out, the task's default
        text_column: the column of the texts; left out, the one called text or the like
        text_pair_column: the column of the second texts, for models trained on pairs
        parameters: the task's other inputs and parameters, the same for every row
        encoding: the encoding of the file, such as cp1251; left out, it is found out
        header: whether the first line names the columns; left out, it is found out
    """
    path = required_path(file, "a CSV")
    row = find_task(task)
    found = app.engine.call(
        predict_rows,
        app.models,
        row,
        ModelRef.parse(model or row.default_model),
        path,
        served_folder("results") / secrets.token_hex(8),
        text_column=text_column,
        text_pair_column=text_pair_column,
        values=parameters,
        options=ReadOptions(encoding or None, header),
        on_rows=caller_progress("rows"),
        stop=caller_left(),
    )
    return gr.FileData(path=str(found.path))


def explain(
    app: App,
    text: str,
    text_pair: str | None = None,
    model: str | None = None,
    target: str | None = None,
    method: str = "integrated_gradients",
    task: str | None = None,
) -> dict:
    """Say why a model answers as it does: how much each token adds to the logit of an answer, or speaks against it.

    Args:
        text: one text
        text_pair: the second text, for models trained on pairs
        model: a model reference; left out, embedded:sentiment
        target: what is explained; left out, the likeliest answer. A label; for tags "place" or "place:label" of a token
            counted from 0; for models that write the next token as it is written
        method: integrated_gradients, whose scores sum to the difference from a text without words; or leave_one_out,
            what the logit loses without the token
        task: text-classification, token-classification or text-generation; left out, what the model is made for
    """
    ref, row = _find_explained(app, model, task)
    found = app.engine.call(explain_answer, app.models, row, ref, text, text_pair, target, method, stop=caller_left())
    return found.to_json()


def attention(
    app: App,
    text: str,
    text_pair: str | None = None,
    model: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    task: str | None = None,
) -> dict:
    """Show where a model looks: the share of each token in what a layer makes of each other one.

    Args:
        text: one text, of which the first 64 tokens are looked at
        text_pair: the second text, for models trained on pairs
        model: a model reference; left out, embedded:sentiment
        layer: which layer, from 0; left out, the last
        head: which of its heads, from 0; left out, the mean of all
        task: text-classification, token-classification or text-generation; left out, what the model is made for
    """
    ref, row = _find_explained(app, model, task)
    found = app.engine.call(read_attention, app.models, row, ref, text, text_pair, layer, head, stop=caller_left())
    return found.to_json()


def embedding_map(
    app: App,
    file: gr.FileData,
    model: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    method: str = "pca",
    encoding: str | None = None,
    header: bool | None = None,
) -> dict:
    """Lay the texts of a file out in a plane, by the mean of the vectors that a model makes of their tokens.

    Args:
        file: an uploaded CSV file, or any other that can be trained on
        model: a model reference; left out, embedded:minilm. One that classifies says its label of each text, too
        text_column: the column of the texts; left out, the one called text or the like
        label_column: the column of labels that come with the points; left out, none
        method: pca, the two directions in which the texts differ most; or tsne, which keeps near ones near
        encoding: the encoding of the file, such as cp1251; left out, it is found out
        header: whether the first line names the columns; left out, it is found out
    """
    found = app.engine.call(
        map_embeddings,
        app.models,
        ModelRef.parse(model or find_task("feature-extraction").default_model),
        required_path(file, "a CSV"),
        text_column,
        label_column,
        method,
        ReadOptions(encoding or None, header),
        on_rows=caller_progress("rows"),
        stop=caller_left(),
    )
    return found.to_json()


def _find_explained(app: App, model: str | None, task: str | None) -> tuple[ModelRef, Task]:
    """Find the model whose answer is explained, and the task that it answers."""
    ref = ModelRef.parse(model or find_task("text-classification").default_model)
    return ref, find_task(task) if task else app.engine.call(infer_task, ref, app.settings)[0]


def list_tasks(app: App) -> list[dict]:
    """List every task that can be run here, with its endpoint, default model, inputs and parameters."""
    return [
        {
            "task": task.name,
            "endpoint": f"/{task.endpoint}",
            "group": task.group,
            "subtitle": task.subtitle,
            "summary": task.summary,
            "default_model": task.default_model,
            "inputs": [field.name for field in task.inputs],
            "parameters": [field.name for field in task.parameters],
            "output": task.output,
            "streams": task.partial_output is not None,
            "requires": [requirement.name for requirement in task.requires],
        }
        for task in TASKS.values()
    ]


def list_models(app: App) -> dict:
    """List models that are loaded now (their cards), and references that work here without a network."""
    return {
        "loaded": app.engine.call(ModelCache.list_cards, app.models),
        "available": list_offline_models(app.settings),
    }


def load_model(
    app: App, model: str, task: str | None = None, dtype: str = "auto", attention: str | None = None
) -> dict:
    """Load a model and tell what it is: task and why, architecture, parameters, dtype, device, bytes, load report.

    Args:
        model: a model reference: Hub id, folder, run:<id>, embedded:<name> or untrained:<reference>
        task: the task to load it for; left out, the one that the Hub or its config names
        dtype: auto, float32, bfloat16 or float16
        attention: eager, sdpa or flash_attention_2; left out, the library's choice
    """
    ref = ModelRef.parse(model)
    row, why = (find_task(task), "it was asked for") if task else app.engine.call(infer_task, ref, app.settings)
    card = app.engine.call(ModelCache.load_card, app.models, ref, build_need(row, dtype, attention), stop=caller_left())
    return {"task": row.name, "why": why, **card}


def unload_model(app: App, model: str) -> dict:
    """Drop a loaded model from memory and tell how many bytes that freed.

    Args:
        model: the reference that it was loaded by
    """
    return {"model": model, "bytes": app.engine.call(ModelCache.unload, app.models, ModelRef.parse(model))}
