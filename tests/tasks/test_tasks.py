"""Every row of TASKS, with no test of its own: what is true of one task is true of all."""

import base64
import builtins
import contextlib
import dis
import functools
import inspect
import io
import json
import os
import tempfile
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfdemo.errors import DemoError
from hfdemo.inference import build_pipeline, predict
from hfdemo.media import encode_png
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.tasks import PROCESSORS, TASKS, Field, Task, find_task, find_task_for_architectures
from hfdemo.tasks.field import EXAMPLE_MEDIA
from tests.zoo import MAKERS

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
each_animal = pytest.mark.parametrize("key", MAKERS)


def values_for(key: str) -> dict[str, Any]:
    """The first example of the row, kept short and free of chance where the row lets one say so."""
    task = TASKS[key.split("/")[0]]
    values = dict(task.examples[0])
    short = {"max_new_tokens": 8, "do_sample": "false", "num_beams": 1} if key not in READS_AT_ONCE else {}
    fields = {field.name: field for field in task.parameters}
    for name, value in short.items():
        if name in fields:
            values[name] = False if fields[name].kind == "flag" else value
    if key in ANSWERS_EVERY_PIXEL:
        values["image"] = small_copy(values["image"])
    return {**values, **OWN_VALUES.get(key, {})}


@functools.cache
def small_copy(picture: Path) -> Path:
    """The picture in an eighth of its width and height."""
    copy = Path(tempfile.mkdtemp(dir=os.environ["HFDEMO_TESTS"])) / picture.name
    with Image.open(picture) as image:
        image.resize((image.width // 8, image.height // 8)).save(copy)
    return copy


# Their work grows with the picture: the example of 640 × 480 takes ten seconds.
ANSWERS_EVERY_PIXEL = ("image-to-image", "depth-estimation")
READS_AT_ONCE = ("automatic-speech-recognition/ctc", "document-question-answering/donut")
# What a tiny model can read differs from what the example of a full-grown one holds.
OWN_VALUES: Mapping[str, Mapping[str, Any]] = {
    "any-to-any": {"image": None, "audio": EXAMPLE_MEDIA / "bell.wav", "text": "What is heard?"},
    "document-question-answering/donut": {"word_boxes": None},
}


def test_every_task_of_the_library_has_a_row_and_the_rest_have_no_pipeline() -> None:
    from transformers.pipelines import SUPPORTED_TASKS

    assert set(SUPPORTED_TASKS) <= set(TASKS)
    assert {task.name for task in TASKS.values() if not task.has_pipeline} == set(TASKS) - set(SUPPORTED_TASKS)
    removed = {"question-answering", "summarization", "translation", "text2text-generation"}
    assert removed | {"visual-question-answering", "image-to-image"} <= set(TASKS)


def test_the_zoo_has_a_model_for_every_task() -> None:
    assert {key.split("/")[0] for key in MAKERS} == set(TASKS)


@each_task
def test_classes_and_processors_are_those_that_transformers_gives_the_pipeline(task: Task) -> None:
    import pkgutil

    import transformers
    from transformers.pipelines import SUPPORTED_TASKS

    assert all(hasattr(transformers, name) for name in task.classes)
    if not task.has_pipeline:
        return
    own = [each.__name__ for each in SUPPORTED_TASKS[task.name]["pt"]]
    assert task.classes[0] in own
    module, name = SUPPORTED_TASKS[task.name]["impl"].rsplit(".", 1)
    pipeline_class = pkgutil.resolve_name(f"{module}:{name}")
    needed = [each for each in PROCESSORS if getattr(pipeline_class, f"_load_{each}") is True]
    known = [each for each in PROCESSORS if getattr(pipeline_class, f"_load_{each}") is not False]
    assert set(needed) <= {each for each in task.processors if not each.endswith("?")}, "one that it can't do without"
    assert {each.rstrip("?") for each in task.processors} <= set(known), "one that it never uses"


@pytest.mark.slow
@each_animal
def test_the_output_is_the_pipelines_own(key: str, models: ModelCache, zoo: Callable[[str], Path]) -> None:
    """The same arguments, given to a pipeline around a model that was loaded once more."""
    import torch

    task, folder, values = TASKS[key.split("/")[0]], str(zoo(key)), values_for(key)
    missing = [each for each in task.requires if each.missing() and "donut" not in key and task.name != "any-to-any"]
    needed = [each for each in missing if not values.get("word_boxes")]
    if needed:
        with pytest.raises(DemoError, match=needed[0].name) as caught:
            predict(models, task, ModelRef.parse(folder), values)
        assert needed[0].install in str(caught.value)
        assert not models.find_loaded(ModelRef.parse(folder)), "said before anything was loaded"
        return
    ours = predict(models, task, ModelRef.parse(folder), values)
    again = load_model(ModelRef.parse(folder), ours_need(task), models.settings)
    torch.manual_seed(ours.seed or 0)
    if not task.has_pipeline:
        processors = {name: again.processors[name] for name in PROCESSORS if name in again.processors}
        theirs = task.auto_class_form(again.model, **processors, **ours.inputs, **ours.parameters)
    else:
        call = task.call(ours.inputs, ours.parameters)
        theirs = build_pipeline(task, again)(*call.args, **call.kwargs)
    assert_same(ours.output, to_json(theirs))
    seconds = ours.seconds
    parts = (seconds[name] for name in ("preprocess", "forward", "postprocess"))
    assert seconds["run"] == pytest.approx(sum(parts))
    assert seconds["forward"] > 0
    assert ours.stages.inputs
    json.dumps(ours.to_json())


def ours_need(task: Task) -> Any:
    from hfdemo.inference import build_need

    return build_need(task)


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal in shape and words; numbers to 1e-4, for two loads may round differently."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for name in theirs:
            assert_same(ours[name], theirs[name])
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=1e-4, rel=1e-3)
    elif isinstance(theirs, str) and theirs.startswith("data:"):
        assert ours.partition(",")[0] == theirs.partition(",")[0]
        assert_same_file(*(base64.b64decode(each.partition(",")[2]) for each in (ours, theirs)))
    else:
        assert ours == theirs


def assert_same_file(ours: bytes, theirs: bytes) -> None:
    """The same picture, sound or array; of a thousand numbers one may differ, for two loads may round differently.

    That is by more than a thousandth of what their type can hold, or of the number itself. A pixel of a mask is one or
    the other: where two segments are equally likely, the last digit decides.
    """
    one, other = numbers_in(ours), numbers_in(theirs)
    assert (one.shape, one.dtype) == (other.shape, other.dtype)
    least = 1e-3 * np.iinfo(one.dtype).max if one.dtype.kind in "iu" else 1e-4
    assert np.isclose(one.astype(float), other.astype(float), atol=least, rtol=1e-3).mean() >= 0.999


def numbers_in(content: bytes) -> np.ndarray:
    """The pixels of a PNG, the samples of a WAV, the numbers of an NPY file."""
    file = io.BytesIO(content)
    if content.startswith(b"\x89PNG"):
        return np.asarray(Image.open(file))
    if content.startswith(b"RIFF"):
        with wave.open(file) as sound:
            return np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
    return np.asarray(np.load(file, allow_pickle=False))


def test_files_are_the_same_where_one_pixel_in_a_thousand_differs_and_no_further() -> None:
    mask: np.ndarray = np.zeros((100, 100), np.uint8)
    for changed, same in ((0, True), (10, True), (11, False)):
        other = mask.copy()
        other.flat[:changed] = 255
        files = [f"data:image/png;base64,{base64.b64encode(encode_png(each)).decode()}" for each in (mask, other)]
        with contextlib.nullcontext() if same else pytest.raises(AssertionError):
            assert_same(*files)
    with pytest.raises(AssertionError):
        assert_same_file(encode_png(mask), encode_png(mask[:50]))


@each_task
def test_every_parameter_changes_what_the_pipeline_is_called_with(task: Task) -> None:
    inputs, defaults = task.check(task.examples[0], 10_000)
    plain = task.call(inputs, defaults)
    others: dict[str, Any] = {
        "labels": ["x"],
        "words": ["x"],
        "json": {"max_length": 3},
        "text": "an {} x",
        "number": 1,
    }
    arguments = {"generate_kwargs": {"num_beams": 2}, "forward_params": {"speaker_id": 3}}
    for field in task.parameters:
        if field.kind == "choice":
            candidates: list[Any] = list(field.choices)
        else:
            candidates = (
                [not field.default] if field.kind == "flag" else [arguments.get(field.name, others[field.kind])]
            )
        changed = [task.call(inputs, {**defaults, field.name: each}) for each in candidates]
        assert any(repr(each) != repr(plain) for each in changed), field.name


@each_task
def test_the_auto_class_form_takes_the_rows_own_names_and_nothing_from_outside(task: Task) -> None:
    signature = inspect.signature(task.auto_class_form)
    processors = [name.rstrip("?") for name in task.processors]
    assert [name for name in signature.parameters if name in PROCESSORS] == processors
    fields = {field.name for field in task.fields}
    assert set(signature.parameters) == {"model", *processors, *fields}
    for field in task.fields:
        if not field.is_required:
            assert signature.parameters[field.name].default == field.default, field.name
    assert not task.auto_class_form.__code__.co_freevars
    looked_up = {each.argval for each in dis.get_instructions(task.auto_class_form) if each.opname == "LOAD_GLOBAL"}
    assert looked_up <= set(dir(builtins)), "its source alone must run"


@each_task
def test_a_row_tells_a_learner_what_it_does_and_how_it_is_called(task: Task) -> None:
    assert task.title
    assert len(task.summary) > 60
    assert task.summary.count("`") >= 2, "the call stands in backticks"
    assert task.examples
    for field in task.fields:
        assert field.help, field.name
        assert field.kind != "choice" or field.choices, field.name
    for example in task.examples:
        task.check(example, 10_000)


@each_task
def test_required_inputs_are_missed_by_name(task: Task) -> None:
    for field in task.inputs:
        if field.is_required:
            with pytest.raises(DemoError, match=field.label):
                task.check({**task.examples[0], field.name: ""}, 10_000)


@pytest.mark.parametrize(
    ("task", "field"),
    [(task, field) for task in TASKS.values() for field in task.inputs if field.kind in ("text", "texts")],
    ids=lambda each: each.name,
)
def test_too_long_a_text_is_refused_with_both_numbers(task: Task, field: Field) -> None:
    most = min(50_000, int(field.maximum or 50_000))
    with pytest.raises(DemoError, match=rf"100,000 characters.*{most:,}"):
        task.check({**task.examples[0], field.name: "x" * 100_000}, 50_000)


@pytest.mark.parametrize("text", [" \n\t", 7, "broken \ud83d emoji"])
def test_a_text_that_no_tokenizer_can_read_gets_a_sentence(text: object) -> None:
    with pytest.raises(DemoError):
        TASKS["text-classification"].check({"text": text}, 1000)


@pytest.mark.parametrize(
    ("parameter", "value"), [("top_k", 0), ("top_k", "many"), ("top_k", 1.5), ("function_to_apply", "relu"), ("k", 1)]
)
def test_a_wrong_parameter_gets_a_sentence_that_names_it(parameter: str, value: object) -> None:
    with pytest.raises(DemoError, match=parameter):
        TASKS["text-classification"].check({"text": "fine", parameter: value}, 1000)


def test_a_parameter_that_this_very_model_can_not_take_is_refused_with_the_reason(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    speech = TASKS["automatic-speech-recognition"]
    for key, wrong, right in (("", "char", "word"), ("/ctc", "segment", "char")):
        folder = str(zoo(f"automatic-speech-recognition{key}"))
        loaded = models.get(ModelRef.parse(folder), ours_need(speech))
        allowed = {field.name: field for field in speech.parameters_for(loaded)}["return_timestamps"]
        assert right in allowed.choices
        assert wrong not in allowed.choices
        with pytest.raises(DemoError, match="return_timestamps"):
            predict(models, speech, ModelRef.parse(folder), {**values_for(speech.name), "return_timestamps": wrong})


def test_a_picture_for_a_model_that_only_hears_is_refused(models: ModelCache, zoo: Callable[[str], Path]) -> None:
    given = {"text": "What is this?", "image": EXAMPLE_MEDIA / "desk.png"}
    with pytest.raises(DemoError, match=r"takes no image.*It takes: audio, text"):
        predict(models, TASKS["any-to-any"], ModelRef.parse(str(zoo("any-to-any"))), given)


def test_an_unknown_task_gets_the_list_of_tasks() -> None:
    with pytest.raises(DemoError, match="text-classification"):
        find_task("mind-reading")


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["BertForSequenceClassification"], "text-classification"),
        (["BertForTokenClassification"], "token-classification"),
        (["BertForMaskedLM"], "fill-mask"),
        (["LlamaForCausalLM"], "text-generation"),
        (["GPT2LMHeadModel"], "text-generation"),
        (["WhisperForConditionalGeneration"], "automatic-speech-recognition"),
        (["ViTForImageClassification"], "image-classification"),
        (["ViTModel"], "image-feature-extraction"),
        (["CLIPModel"], "zero-shot-image-classification"),
        (["BertForQuestionAnswering"], "question-answering"),
        (["LlavaForConditionalGeneration"], "image-text-to-text"),
        (["BertModel"], "feature-extraction"),
        (["SomethingNew"], "feature-extraction"),
        ([], "feature-extraction"),
    ],
)
def test_the_task_is_read_off_the_architecture(architectures: list[str], expected: str) -> None:
    task, why = find_task_for_architectures(architectures)
    assert task.name == expected
    assert why
