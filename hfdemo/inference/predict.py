"""One prediction, at once or as it grows: a task, a model and inputs in; the pipeline's own output out."""

from __future__ import annotations

import importlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

from hfdemo.background import run_in_background
from hfdemo.engine import Engine
from hfdemo.errors import DemoError, wrap_library_errors
from hfdemo.inference.prediction import (
    LoadOptions,
    LoadProgress,
    PartialPrediction,
    Prediction,
    PredictionJob,
    Shapes,
    Stages,
)
from hfdemo.inference.tracing import TokenProbability, Tracer
from hfdemo.inference.warnings import advise, warn_of_job, warn_of_model
from hfdemo.media import MOST_PIXELS, check_video, note_frames, read_audio, read_image
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import local_folder
from hfdemo.models.hub import Progress
from hfdemo.models.library_warnings import collect_library_warnings
from hfdemo.models.loading import LoadedModel, Need
from hfdemo.models.model_facts import load_config
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import PROCESSORS, Explanation, Task

SPEECH_RATE = 16_000
LATEST_TOKENS = 24


def build_need(task: Task, dtype: str = "auto", attention: str | None = None, labels: Sequence[str] = ()) -> Need:
    """Return what `task` asks of a checkpoint; `labels` are for a head that it may not have."""
    return Need(task.classes, task.processors, dtype, attention, tuple(labels))


def check_requirements(models: ModelCache, task: Task, ref: ModelRef, inputs: Mapping[str, Any]) -> None:
    """Check that nothing is missing on this machine before anything heavy is loaded.

    Raises:
        DemoError: something that this call needs is not installed; the message has the line that installs it.
    """
    if task.requires:
        config = load_config(local_folder(ref, models.settings, weights=False), models.settings)
        for requirement in task.requires:
            if requirement.when(config, inputs) and requirement.missing():
                raise DemoError(str(requirement))


def predict(
    models: ModelCache,
    task: Task,
    ref: ModelRef,
    values: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    stop: Event | None = None,
    on_partial: Callable[[PartialPrediction], None] | None = None,
    dtype: str = "auto",
    attention: str | None = None,
    keep_probabilities: bool = True,
    labels: Sequence[str] = (),
) -> Prediction:
    """Run `task` on `values` (inputs and parameters by field name) with the model behind `ref`.

    A media field's value is the path of a file. `on_partial` gets what there is after each generated token; setting
    `stop` ends the computation, within one token where the model generates. Without `keep_probabilities` those of the
    tokens are not kept. `labels` make the model answer with these, for a comparison with one that was trained on them.

    Raises:
        DemoError: a field is wrong, or the model can't be found or loaded for this task.
        Stopped: `stop` was set before there was anything to show.
    """
    inputs, parameters = task.check(values, models.settings.max_characters)
    check_requirements(models, task, ref, inputs)
    need = build_need(task, dtype, attention, labels)
    started = time.perf_counter()
    loaded = models.get(ref, need, progress, stop)
    load_seconds = time.perf_counter() - started
    job = prepare_job(task, loaded, inputs, parameters)

    def work(jobs: Sequence[PredictionJob]) -> list[Prediction]:
        # Others' calls in the same turn are not this caller's to stop.
        own_stop = stop if len(jobs) == 1 else None
        on_token = _token_callback(task, job, on_partial)
        tracer = Tracer(
            loaded.model,
            loaded.tokenizer,
            own_stop,
            on_token,
            keep_probabilities=keep_probabilities,
            most_tokens=models.settings.max_new_tokens,
        )
        return _predict_jobs(task, loaded, jobs, tracer)

    # By identity: a model whose files change is loaded anew under the same name.
    key = (id(loaded), task.name, repr(job.call.kwargs)) if task.is_batchable else None
    found = models.scheduler.run(job, work, key, stop)
    seconds = {"load": load_seconds if load_seconds > 0.001 else 0.0, **found.seconds}
    return replace(found, seconds=seconds, allowed=task.parameters_for(loaded))


def prepare_job(
    task: Task, loaded: LoadedModel, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> PredictionJob:
    """Build the call of `task` for checked `inputs` and `parameters`, as this very model wants it.

    Raises:
        DemoError: a file can't be decoded, or the model can't take a parameter.
    """
    fitted = task.fit_parameters(loaded, parameters)
    decoded = _decode_inputs(task, inputs, loaded)
    if task.adapt_inputs is not None:
        decoded = task.adapt_inputs(loaded, decoded)
    return PredictionJob(task.call(decoded, fitted), decoded, fitted, tuple(_note_files(task, inputs)))


def _note_files(task: Task, inputs: Mapping[str, Any]) -> Iterator[str]:
    for field in task.inputs:
        path = inputs[field.name]
        if field.kind == "image" and path is not None and (said := note_frames(path)) is not None:
            yield said


def _token_callback(
    task: Task, job: PredictionJob, on_partial: Callable[[PartialPrediction], None] | None
) -> Callable[[str, Sequence[TokenProbability]], None] | None:
    """Return what a Tracer calls after each token; None where nobody listens, so that nothing is decoded for nobody."""
    stream_output = task.partial_output
    if on_partial is None or stream_output is None:
        return None

    def on_token(text: str, seen: Sequence[TokenProbability]) -> None:
        on_partial(
            PartialPrediction(stream_output(job.inputs, job.parameters, text), text, tuple(seen[-LATEST_TOKENS:]))
        )

    return on_token


def stream_prediction(
    engine: Engine, task: Task, ref: ModelRef, values: Mapping[str, Any], stop: Event, **options: Any
) -> Iterator[LoadProgress | PartialPrediction | Prediction | None]:
    """Yield what `predict` returns as the last item; before it Loading while files come in, then Partial for new text.

    Closing this generator stops the computation: see `run_in_background`, which also sends a None now and then.
    """

    def work(tell: Callable[[Any], None]) -> Prediction:
        def report(what: str, done: int, total: int) -> None:
            tell(LoadProgress(what, done, total))

        return engine.call(
            predict, engine.models, task, ref, values, progress=report, on_partial=tell, stop=stop, **options
        )

    return run_in_background(work, stop)


def _decode_inputs(task: Task, inputs: Mapping[str, Any], loaded: LoadedModel) -> dict[str, Any]:
    """Decode every file among `inputs` to what the pipeline reads: PIL image, mono waveform, path of a video."""
    rate = loaded.sampling_rate or SPEECH_RATE
    decoded = dict(inputs)
    for field in task.inputs:
        path = inputs[field.name]
        if path is None or not field.is_media:
            continue
        if field.kind == "image":
            decoded[field.name] = read_image(path, field.maximum or MOST_PIXELS)
        elif field.kind == "audio":
            decoded[field.name] = read_audio(path, rate)
        else:
            check_video(path)
            decoded[field.name] = str(path)
    return decoded


def build_pipeline(task: Task, loaded: LoadedModel) -> Any:
    """Build the transformers pipeline of `task` around a model that is loaded already."""
    from transformers.pipelines import PIPELINE_REGISTRY

    # transformers.pipeline() would look for processors that a checkpoint doesn't have, on the Hub if need be.
    module, name = PIPELINE_REGISTRY.check_task(task.name)[1]["impl"].rsplit(".", 1)
    pipeline_class = getattr(importlib.import_module(module), name)
    return pipeline_class(model=loaded.model, task=task.name, device=loaded.device.kind, **loaded.processors)


def _predict_jobs(task: Task, loaded: LoadedModel, jobs: Sequence[PredictionJob], tracer: Tracer) -> list[Prediction]:
    """Return the predictions for `jobs`, which differ in nothing but their inputs."""
    import torch

    jobs = [fit_job(task, loaded, job) for job in jobs]
    seed = secrets.randbelow(2**31)
    torch.manual_seed(seed)
    with tracer, collect_library_warnings() as said:
        results = run_pipeline(task, loaded, jobs)
    return [
        Prediction(
            task=task.name,
            ref=loaded.ref,
            device=str(loaded.device),
            result=result,
            seconds=tracer.timings,
            stages=(stages := _build_stages(task, loaded, job, tracer, row, len(jobs))),
            inputs=job.inputs,
            parameters=job.parameters,
            call=job.call,
            card=loaded.card(),
            setup=_describe_loading(loaded),
            warnings=tuple(
                dict.fromkeys(
                    (
                        *warn_of_model(loaded),
                        *warn_of_job(task, loaded, job, stages.token_ids),
                        *_warn_of_limit(tracer),
                        *said,
                    )
                )
            ),
            tokens=tracer.tokens,
            token_probabilities=tuple(tracer.token_probabilities),
            seed=seed if tracer.drew_random else None,
            stopped=tracer.was_stopped,
            together=len(jobs),
        )
        for row, (job, result) in enumerate(zip(jobs, results, strict=True))
    ]


def fit_job(task: Task, loaded: LoadedModel, job: PredictionJob) -> PredictionJob:
    """Return `job` so that it fits into what the model can read at once, with a note of what that changed.

    Only inside the caller's turn: the tokenizer is one for all.

    Raises:
        DemoError: it can't be made to fit.
    """
    if task.fit_length is None:
        return job
    parameters, note = task.fit_length(loaded, job.inputs, job.parameters)
    if note is None:
        return job
    return PredictionJob(task.call(job.inputs, parameters), job.inputs, parameters, (*job.notes, note))


def run_pipeline(task: Task, loaded: LoadedModel, jobs: Sequence[PredictionJob]) -> list[Any]:
    """Return the pipeline's own answer to each of `jobs`, in one batch where there are several.

    Only inside the caller's turn: a pipeline changes its tokenizer's state, and the model is one for all.

    Raises:
        ModelError: the pipeline or the model can't do it; its own words are in the message.
    """
    with wrap_library_errors(f"{task.name} can't be done this way", advise(loaded, jobs)):
        if not task.has_pipeline:
            processors = {name: loaded.processors[name] for name in PROCESSORS if name in loaded.processors}
            return [task.auto_class_form(loaded.model, **processors, **job.inputs, **job.parameters) for job in jobs]
        pipe, kwargs = build_pipeline(task, loaded), jobs[0].call.kwargs
        if len(jobs) == 1:
            return [pipe(*jobs[0].call.args, **kwargs)]
        return list(pipe([job.call.args[0] for job in jobs], batch_size=len(jobs), **kwargs))


def _describe_loading(loaded: LoadedModel) -> LoadOptions:
    return LoadOptions(
        auto_class=loaded.auto_class,
        processors=tuple(loaded.processors),
        dtype=str(loaded.model.dtype).removeprefix("torch."),
        attention=loaded.need.attention,
        sampling_rate=loaded.sampling_rate,
        context=loaded.context,
    )


def _build_stages(task: Task, loaded: LoadedModel, job: PredictionJob, tracer: Tracer, row: int, rows: int) -> Stages:
    inputs, outputs = _take_row(tracer.inputs, row, rows), _take_row(tracer.outputs, row, rows)
    ids: tuple[int, ...] = ()
    found = inputs.get("input_ids")
    if loaded.tokenizer is not None and found is not None and found.ndim == 2:
        mask = inputs.get("attention_mask")
        real = found[0][mask[0].bool()] if mask is not None and mask.shape == found.shape else found[0]
        ids = tuple(real.tolist())
    special = tuple(token in set(loaded.tokenizer.all_special_ids) for token in ids)
    return Stages(
        tokens=tuple(loaded.tokenizer.convert_ids_to_tokens(list(ids))) if ids else (),
        token_ids=ids,
        special=special,
        sequences=_number_sequences(task, loaded, job, ids, special),
        inputs=_shapes_of(inputs),
        outputs=_shapes_of(outputs),
        explanation=_explain(task, loaded, inputs, outputs, job),
        tokenizer_call=task.tokenizer_call(job.inputs),
    )


def _explain(
    task: Task, loaded: LoadedModel, inputs: Mapping[str, Any], outputs: Mapping[str, Any], job: PredictionJob
) -> Explanation | None:
    """Explain how the answer came about; a model that the explanation does not fit has an answer all the same."""
    if task.explain is None or not outputs:
        return None
    try:
        return task.explain(loaded, inputs, outputs, job.parameters)
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, AttributeError):
        logging.getLogger(__name__).warning("%s can't be explained for %s", task.name, loaded.ref, exc_info=True)
        return None


def _take_row(tensors: Mapping[str, Any], row: int, rows: int) -> dict[str, Any]:
    """Take one row of every tensor that has a row for each of the jobs."""
    if rows == 1:
        return dict(tensors)
    return {name: tensor[row : row + 1] for name, tensor in tensors.items() if tensor.ndim and len(tensor) == rows}


def _number_sequences(
    task: Task, loaded: LoadedModel, job: PredictionJob, ids: Sequence[int], special: Sequence[bool]
) -> tuple[int | None, ...]:
    """Return the number of the text that each token is of, None for a special one.

    The tokenizer knows it of texts that it reads whole; of others, a special token after a plain one ends the first.
    """
    two = task.reads_pair(job.inputs)
    texts = task.tokenized_texts(job.inputs, job.parameters) if two else ()
    if ids and texts and loaded.tokenizer.is_fast:
        whole = loaded.tokenizer(*texts, verbose=False)
        if whole["input_ids"] == list(ids):
            return tuple(whole.sequence_ids(0))
    found: list[int | None] = []
    sequence, seen = 0, False
    for each in special:
        if each and seen and two:
            sequence = 1
        seen = seen or not each
        found.append(None if each else sequence)
    return tuple(found)


def _shapes_of(tensors: Mapping[str, Any]) -> Shapes:
    return tuple((name, tuple(tensor.shape)) for name, tensor in tensors.items())


def _warn_of_limit(tracer: Tracer) -> Iterator[str]:
    if tracer.was_limited:
        yield f"It was ended after {tracer.tokens:,} tokens, the most that a model writes here in one call."
