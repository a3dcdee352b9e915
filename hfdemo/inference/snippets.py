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
from hfdemo.inference.prediction import LoadOptions, Prediction
from hfdemo.media import decode_audio, decode_image, is_plain_image
from hfdemo.models.reference import ModelRef
from hfdemo.models.snippets import format_literal, write_model
from hfdemo.settings import Settings
from hfdemo.tasks import PROCESSORS, Task


class _Name:
    """Stands for a variable in the arguments of a call that is written down."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


@dataclass(frozen=True, eq=False)
class RecordedCall:
    """A prediction as code can repeat it: `inputs` have a variable's name for each file, `values` the file's path.

    It holds no tensor and no picture, so that a page can keep it until somebody asks for the code.
    """

    task: Task
    ref: ModelRef
    setup: LoadOptions
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    values: Mapping[str, Any]
    seed: int | None

    @classmethod
    def of(cls, task: Task, prediction: Prediction, values: Mapping[str, Any]) -> RecordedCall:
        """Record `prediction`, made from the checked `values`."""
        media = {field.name for field in task.inputs if field.is_media}
        named = {
            name: _Name(name) if name in media and value is not None else value
            for name, value in prediction.inputs.items()
        }
        return cls(task, prediction.ref, prediction.setup, named, prediction.parameters, values, prediction.seed)


@dataclass(frozen=True)
class Snippets:
    """The same prediction in four forms, each ready to be copied and run."""

    pipeline: str
    auto_classes: str
    client: str
    curl: str


def write_snippets(recorded: RecordedCall, settings: Settings, url: str) -> Snippets:
    """Write the code that gives the answer of `recorded` again, here or through the app at `url`.

    The first form of a task without a pipeline is the Auto-class form, too.
    """
    auto_classes = _write_auto_class_script(recorded, settings)
    return Snippets(
        pipeline=_write_pipeline_script(recorded, settings) if recorded.task.has_pipeline else auto_classes,
        auto_classes=auto_classes,
        client=write_client_script(recorded.task, str(recorded.ref), recorded.values, url),
        curl=write_curl_script(recorded.task, str(recorded.ref), recorded.values, url),
    )


def _write_setup(recorded: RecordedCall, settings: Settings) -> str:
    """Write everything before the call: the model, its processors, the files, the seed."""
    setup, seed = recorded.setup, recorded.seed
    options = [f"dtype=torch.{setup.dtype}"] if setup.dtype != "float32" else []
    options += [f"attn_implementation={setup.attention!r}"] if setup.attention else []
    lines = [
        write_model(
            recorded.ref,
            setup.auto_class,
            settings,
            processors=setup.processors,
            weights_arguments=", ".join(options),
        )
    ]
    lines.append("model.eval()\n")
    if "tokenizer" in setup.processors and setup.context:
        lines.append(f"tokenizer.model_max_length = {setup.context}\n")
    imports = ["import torch\n"] if options or seed is not None else []
    for field in recorded.task.inputs:
        value = recorded.values.get(field.name)
        if value is None or not field.is_media:
            continue
        name = Path(value).name
        if field.kind == "image" and not is_plain_image(Path(value)):
            lines.append(f"\n\n{inspect.getsource(decode_image)}\n\n")
            lines.append(f"{field.name} = decode_image({name!r})\n")
        elif field.kind == "image":
            imports.append("from PIL import Image, ImageOps\n")
            lines.append(f"{field.name} = ImageOps.exif_transpose(Image.open({name!r})).convert('RGB')\n")
        elif field.kind == "audio":
            rate = setup.sampling_rate or SPEECH_RATE
            lines.append(f"\n\n{inspect.getsource(decode_audio)}\n\n")
            lines.append(f"{field.name} = decode_audio({name!r}, {rate})\n")
        else:
            lines.append(f"{field.name} = {name!r}\n")
    if seed is not None:
        lines.append(f"torch.manual_seed({seed})\n")
    return "".join(dict.fromkeys(imports)) + "".join(lines)


def _write_pipeline_script(recorded: RecordedCall, settings: Settings) -> str:
    call = recorded.task.call(recorded.inputs, recorded.parameters)
    arguments = [format_literal(argument) for argument in call.args]
    arguments += [f"{name}={format_literal(value)}" for name, value in call.kwargs.items()]
    given = "".join(f", {name}={name}" for name in recorded.setup.processors)
    return (
        f"from transformers import pipeline\n{_write_setup(recorded, settings)}\n"
        f'pipe = pipeline("{recorded.task.name}", model=model{given})\n'
        f"output = pipe({', '.join(arguments)})\nprint(output)\n"
    )


def _write_auto_class_script(recorded: RecordedCall, settings: Settings) -> str:
    form = recorded.task.auto_class_form
    given = {**recorded.inputs, **recorded.parameters}
    defaults = {name: each.default for name, each in inspect.signature(form).parameters.items()}
    arguments = ["model"]
    for name in PROCESSORS:  # of those that a checkpoint may lack, the form takes None
        if name in defaults:
            arguments.append(f"{name}={name if name in recorded.setup.processors else None}")
    arguments += [f"{name}={format_literal(value)}" for name, value in given.items() if value != defaults[name]]
    source = inspect.getsource(form)
    return (
        f"{_write_typing_imports(source)}{_write_setup(recorded, settings)}\n\n{source}\n\n"
        f"output = {form.__name__}({', '.join(arguments)})\nprint(output)\n"
    )


def _write_typing_imports(source: str) -> str:
    """Import the names of types that a function's signature uses."""
    typing = [name for name in ("Any",) if re.search(rf"\b{name}\b", source)]
    collections = [name for name in ("Mapping", "Sequence") if re.search(rf"\b{name}\b", source)]
    lines = [f"from collections.abc import {', '.join(collections)}\n"] if collections else []
    return "".join([*lines, *([f"from typing import {', '.join(typing)}\n"] if typing else [])])


def write_client_script(task: Task, model: str, values: Mapping[str, Any], url: str) -> str:
    """Write the call of this app's endpoint through gradio_client."""
    arguments = []
    for field in task.fields:
        value = values.get(field.name)
        if value == field.default or value is None:
            continue
        shown = f"handle_file({Path(value).name!r})" if field.is_media else format_literal(value)
        arguments.append(f"    {field.name}={shown},\n")
    files = ", handle_file" if any("handle_file(" in line for line in arguments) else ""
    return (
        f"from gradio_client import Client{files}\n\n"
        f"client = Client({url!r})\n"
        f"result = client.predict(\n{''.join(arguments)}    model={model!r},\n"
        f'    api_name="/{task.endpoint}",\n)\nprint(result["output"])\n'
    )


def write_curl_script(task: Task, model: str, values: Mapping[str, Any], url: str) -> str:
    """Write the same over plain HTTP: files are uploaded, the call is announced, its events are read."""
    lines, sent, uploads = [f"URL={url}/gradio_api"], {}, {}
    for field in task.fields:
        value = values.get(field.name)
        if value == field.default or value is None:
            continue
        if field.is_media:
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
