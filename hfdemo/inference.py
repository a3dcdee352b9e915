"""One prediction: a task, a model and inputs in; the pipeline's output and its three stages out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfdemo.models.hub import Progress
from hfdemo.models.loading import LoadedModel, readable_panics
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serializing import to_json
from hfdemo.tasks import Call, Scores, Task


@dataclass(frozen=True)
class Stages:
    """What went on inside the pipeline.

    `tokens` and `token_ids` are those of the first row of the batch; `special` marks [CLS] and the like, `sequences`
    says which of two texts each came from (0, 1 or None). `inputs` and `outputs` are (name, shape) of the tensors that
    went into and came out of the model; `scores` is there when the answer is made from logits.
    """

    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    special: tuple[bool, ...]
    sequences: tuple[int | None, ...]
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]
    scores: Scores | None


@dataclass(frozen=True)
class Prediction:
    """A pipeline's answer.

    `output` is what the transformers pipeline of that name returns for the same arguments, as plain JSON values.
    `seconds` has load (0.0 when the model was already here), preprocess, forward, postprocess and run, their sum.
    `warnings` are sentences about what the output does not show: text cut off, weights that are random.
    """

    task: str
    model: str
    device: str
    output: Any
    seconds: Mapping[str, float]
    stages: Stages
    call: Call
    card: Mapping[str, Any]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What the task's endpoint returns."""
        return {
            "task": self.task,
            "model": self.model,
            "device": self.device,
            "output": self.output,
            "seconds": {"load": self.seconds["load"], "run": self.seconds["run"]},
            "warnings": list(self.warnings),
        }


def predict(
    models: ModelCache,
    task: Task,
    model: str | None,
    values: Mapping[str, Any],
    progress: Progress | None = None,
) -> Prediction:
    """Run `task` on `values` (inputs and parameters by field name) with `model`, or the task's default model.

    Raises:
        DemoError: a field is wrong, or the model can't be found or loaded for this task.
    """
    inputs, parameters = task.check(values, models.settings.max_characters)
    ref = ModelRef.parse(model or task.default_model)
    started = time.perf_counter()
    loaded = models.get(ref, task.model_class, progress)
    load_seconds = time.perf_counter() - started
    call = task.call(inputs, parameters)
    # The lock covers the tokenizer as well: a call changes its padding and truncation state.
    with models.device_lock:
        output, model_inputs, sequences, model_outputs, seconds = _run(task, loaded, call)
        stages = _stages(task, loaded, parameters, model_inputs, sequences, model_outputs)
        warnings = _warnings(loaded, call, model_inputs)
    return Prediction(
        task=task.name,
        model=str(ref),
        device=str(loaded.device),
        output=to_json(output),
        seconds={"load": load_seconds if load_seconds > 0.001 else 0.0, **seconds},
        stages=stages,
        call=call,
        card=loaded.card(),
        warnings=warnings,
    )


def _run(task: Task, loaded: LoadedModel, call: Call) -> tuple[Any, Any, Any, Any, dict[str, float]]:
    """The pipeline's own three steps, called one by one so that each can be timed and shown."""
    from transformers import pipeline

    pipe: Any = pipeline(task.name, model=loaded.model, tokenizer=loaded.tokenizer, device=loaded.device.kind)
    before, during, after = pipe._sanitize_parameters(**call.kwargs)
    marks = [time.perf_counter()]
    with readable_panics():
        model_inputs = pipe.preprocess(*call.args, **before)
    # forward() moves the tensors and may empty the dict, so what is shown later is kept here.
    kept = {name: tensor.detach().cpu() for name, tensor in model_inputs.items() if hasattr(tensor, "shape")}
    sequences = model_inputs.sequence_ids(0) if loaded.tokenizer.is_fast else [None] * kept["input_ids"].shape[-1]
    marks.append(time.perf_counter())
    model_outputs = pipe.forward(model_inputs, **during)
    marks.append(time.perf_counter())
    output = pipe.postprocess(model_outputs, **after)
    marks.append(time.perf_counter())
    steps = zip(("preprocess", "forward", "postprocess"), marks, marks[1:], strict=False)
    seconds = {name: end - start for name, start, end in steps}
    return output, kept, sequences, model_outputs, {**seconds, "run": marks[-1] - marks[0]}


def _stages(
    task: Task,
    loaded: LoadedModel,
    parameters: Mapping[str, Any],
    model_inputs: Any,
    sequences: Any,
    model_outputs: Any,
) -> Stages:
    def shapes(tensors: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return tuple((name, tuple(tensor.shape)) for name, tensor in tensors.items() if hasattr(tensor, "shape"))

    token_ids = tuple(model_inputs["input_ids"][0].tolist())
    return Stages(
        tokens=tuple(loaded.tokenizer.convert_ids_to_tokens(list(token_ids))),
        token_ids=token_ids,
        special=tuple(token in set(loaded.tokenizer.all_special_ids) for token in token_ids),
        sequences=tuple(sequences),
        inputs=shapes(model_inputs),
        outputs=shapes(model_outputs),
        scores=task.explain(loaded.model.config, model_outputs, parameters) if task.explain else None,
    )


def _warnings(loaded: LoadedModel, call: Call, model_inputs: Any) -> tuple[str, ...]:
    said = []
    if not loaded.report.trustworthy:
        said.append(str(loaded.report))
    read = model_inputs["input_ids"].shape[-1]
    if read >= loaded.tokenizer.model_max_length:
        whole = loaded.tokenizer(call.args[0]) if isinstance(call.args[0], str) else loaded.tokenizer(**call.args[0])
        tokens = len(whole["input_ids"])
        if tokens > read:
            said.append(f"The text has {tokens:,} tokens; the model reads {read:,}. The rest was cut off.")
    return tuple(said)
