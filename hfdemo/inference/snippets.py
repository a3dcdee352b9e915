"""The code that repeats a prediction: with the pipeline, with the Auto classes, and through this app's endpoint."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.inference.predict import SPEECH_RATE
from hfdemo.inference.prediction import Prediction
from hfdemo.media import decode_audio
from hfdemo.models.reference import ModelRef
from hfdemo.models.snippets import literal, model_lines
from hfdemo.settings import Settings
from hfdemo.tasks import PROCESSORS, Task


class _Name:
    """Stands for a variable in the arguments of a call that is written down."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


@dataclass(frozen=True)
class Snippets:
    """The same prediction in four forms, each ready to be copied and run."""

    pipeline: str
    auto_classes: str
    client: str
    curl: str


def prediction_snippets(
    task: Task, prediction: Prediction, values: Mapping[str, Any], settings: Settings, url: str
) -> Snippets:
    """The code that gives what `prediction` shows; `values` are its checked inputs and parameters, files as paths.

    The first form of a task without a pipeline is the Auto-class form, too.
    """
    auto_classes = _auto_class_script(task, prediction, values, settings)
    return Snippets(
        pipeline=_pipeline_script(task, prediction, values, settings) if task.has_pipeline else auto_classes,
        auto_classes=auto_classes,
        client=client_script(task, prediction.model, values, url),
        curl=curl_script(task, prediction.model, values, url),
    )


def _opening(task: Task, prediction: Prediction, values: Mapping[str, Any], settings: Settings) -> str:
    """Everything before the call: the model, its processors, the files, the seed."""
    setup = prediction.setup
    options = [f"dtype=torch.{setup.dtype}"] if setup.dtype != "float32" else []
    options += [f"attn_implementation={setup.attention!r}"] if setup.attention else []
    lines = [
        model_lines(
            ModelRef.parse(prediction.model),
            setup.auto_class,
            settings,
            processors=setup.processors,
            weights_arguments=", ".join(options),
        )
    ]
    lines.append("model.eval()\n")
    if "tokenizer" in setup.processors and setup.context:
        lines.append(f"tokenizer.model_max_length = {setup.context}\n")
    imports = ["import torch\n"] if options or prediction.seed is not None else []
    for field in task.inputs:
        value = values.get(field.name)
        if value is None or not field.media:
            continue
        name = Path(value).name
        if field.kind == "image":
            imports.append("from PIL import Image, ImageOps\n")
            lines.append(f"{field.name} = ImageOps.exif_transpose(Image.open({name!r})).convert('RGB')\n")
        elif field.kind == "audio":
            rate = setup.sampling_rate or SPEECH_RATE
            lines.append(f"\n\n{inspect.getsource(decode_audio)}\n\n")
            lines.append(f"{field.name} = decode_audio({name!r}, {rate})\n")
        else:
            lines.append(f"{field.name} = {name!r}\n")
    if prediction.seed is not None:
        lines.append(f"torch.manual_seed({prediction.seed})\n")
    return "".join(dict.fromkeys(imports)) + "".join(lines)


def _named(task: Task, prediction: Prediction) -> dict[str, Any]:
    """The decoded inputs, with a variable's name where a file was read."""
    media = {field.name for field in task.inputs if field.media}
    inputs = prediction.inputs
    return {name: _Name(name) if name in media and inputs[name] is not None else inputs[name] for name in inputs}


def _pipeline_script(task: Task, prediction: Prediction, values: Mapping[str, Any], settings: Settings) -> str:
    call = task.call(_named(task, prediction), prediction.parameters)
    arguments = [literal(argument) for argument in call.args]
    arguments += [f"{name}={literal(value)}" for name, value in call.kwargs.items()]
    given = "".join(f", {name}={name}" for name in prediction.setup.processors)
    return (
        f"from transformers import pipeline\n{_opening(task, prediction, values, settings)}\n"
        f'pipe = pipeline("{task.name}", model=model{given})\n'
        f"output = pipe({', '.join(arguments)})\nprint(output)\n"
    )


def _auto_class_script(task: Task, prediction: Prediction, values: Mapping[str, Any], settings: Settings) -> str:
    given = {**_named(task, prediction), **prediction.parameters}
    defaults = {name: each.default for name, each in inspect.signature(task.auto_class_form).parameters.items()}
    arguments = ["model"]
    for name in PROCESSORS:  # of those that a checkpoint may lack, the form takes None
        if name in defaults:
            arguments.append(f"{name}={name if name in prediction.setup.processors else None}")
    arguments += [f"{name}={literal(value)}" for name, value in given.items() if value != defaults[name]]
    source = inspect.getsource(task.auto_class_form)
    function = task.auto_class_form.__name__
    joined = ", ".join(arguments)
    return (
        f"{_typing_imports(source)}{_opening(task, prediction, values, settings)}\n\n{source}\n\n"
        f"output = {function}({joined})\nprint(output)\n"
    )


def _typing_imports(source: str) -> str:
    """The names of types that a function's signature uses, imported."""
    typing = [name for name in ("Any",) if re.search(rf"\b{name}\b", source)]
    collections = [name for name in ("Mapping", "Sequence") if re.search(rf"\b{name}\b", source)]
    lines = [f"from collections.abc import {', '.join(collections)}\n"] if collections else []
    return "".join([*lines, *([f"from typing import {', '.join(typing)}\n"] if typing else [])])


def client_script(task: Task, model: str, values: Mapping[str, Any], url: str) -> str:
    """The call of this app's endpoint through gradio_client."""
    arguments = []
    for field in task.fields:
        value = values.get(field.name)
        if value == field.default or value is None:
            continue
        shown = f"handle_file({Path(value).name!r})" if field.media else literal(value)
        arguments.append(f"    {field.name}={shown},\n")
    files = ", handle_file" if any("handle_file(" in line for line in arguments) else ""
    return (
        f"from gradio_client import Client{files}\n\n"
        f"client = Client({url!r})\n"
        f"result = client.predict(\n{''.join(arguments)}    model={model!r},\n"
        f'    api_name="/{task.endpoint}",\n)\nprint(result["output"])\n'
    )


def curl_script(task: Task, model: str, values: Mapping[str, Any], url: str) -> str:
    """The same over plain HTTP: files are uploaded, the call is announced, its events are read."""
    lines, sent, uploads = [f"URL={url}/gradio_api"], {}, {}
    for field in task.fields:
        value = values.get(field.name)
        if value == field.default or value is None:
            continue
        if field.media:
            variable = field.name.upper()
            uploads[f"@@{variable}@@"] = f"'\"${variable}\"'"
            name = shlex.quote(Path(value).name)
            lines.append(f"{variable}=$(curl -s -F files=@{name} $URL/upload | cut -d'\"' -f2)")
            value = {"path": f"@@{variable}@@", "meta": {"_type": "gradio.FileData"}}
        sent[field.name] = value
    body = json.dumps({**sent, "model": model}, ensure_ascii=False).replace("'", "'\\''")
    for placeholder, variable in uploads.items():
        body = body.replace(placeholder, variable)
    address = f"$URL/call/v2/{task.endpoint}"
    lines.append(f"EVENT=$(curl -s {address} -H 'Content-Type: application/json' \\\n  -d '{body}' | cut -d'\"' -f4)")
    lines.append(f"curl -sN {address}/$EVENT")
    return "\n".join(lines) + "\n"
