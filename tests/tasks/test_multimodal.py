"""The rows that read several kinds of input: what is called, and that the Auto-class form gives the same."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, multimodal
from hfdemo.tasks.field import Field
from hfdemo.tasks.task import PipelineCall, Task

ROWS = {task.name: task for task in (*multimodal.TASKS, TASKS["document-question-answering"])}
Load = Callable[[str], Any]

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
AUDIO = (0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)
WORDS = [[f"{word}{n}", [10 * n, 10, 10 * n + 8, 30]] for n in range(20) for word in ("total", "sum", "coffee")]
ASKED: Mapping[str, Mapping[str, Any]] = {
    "zero-shot-image-classification": {"image": IMAGE, "candidate_labels": ["cat", "dog", "lamp"]},
    "zero-shot-object-detection": {"image": IMAGE, "candidate_labels": ["cat", "dog"]},
    "document-question-answering": {"image": IMAGE, "question": "How much was the coffee?", "word_boxes": WORDS},
    "image-text-to-text": {"image": IMAGE, "text": "What is it?"},
    "any-to-any": {"text": "What is said?", "image": None, "audio": AUDIO, "video": None},
}


def defaults(task: Task) -> dict[str, Any]:
    return {field.name: field.default for field in task.parameters}


def loaded_from(pipe: Any) -> Any:
    """What the app hands to `explain` and `narrow`."""
    return SimpleNamespace(
        ref="tiny", model=pipe.model, tokenizer=pipe.tokenizer, processors={"processor": pipe.processor}
    )


def both(task: Task, pipe: Any, given: Mapping[str, Any], changed: Mapping[str, Any]) -> tuple[Any, Any]:
    """The answer of the Auto-class form and that of the pipeline, each from the same seed."""
    import torch

    parameters = {**defaults(task), **changed}
    processors = [getattr(pipe, name.removesuffix("?")) for name in task.processors]
    torch.manual_seed(7)
    ours = task.auto_class_form(pipe.model, *processors, **given, **parameters)
    call = task.call(given, parameters)
    torch.manual_seed(7)
    return ours, pipe(*call.args, **call.kwargs)


def assert_rows_match(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """The same rows: scores to 1e-5, all else exactly."""
    assert [{**row, "score": None} for row in ours] == [{**row, "score": None} for row in theirs]
    assert [row.get("score", 0) for row in ours] == pytest.approx([row.get("score", 0) for row in theirs], abs=1e-5)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("zero-shot-image-classification", {}),
    ("zero-shot-image-classification", {"hypothesis_template": "{}, drawn by a child"}),
    ("zero-shot-object-detection", {}),
    ("zero-shot-object-detection", {"threshold": 0.0}),
    ("zero-shot-object-detection", {"threshold": 0.0, "top_k": 3}),
    ("document-question-answering", {}),
    ("document-question-answering", {"top_k": 5}),
    ("document-question-answering", {"top_k": 5, "max_answer_len": 1}),
    ("document-question-answering", {"top_k": 5, "max_seq_len": 40}),
    ("document-question-answering", {"top_k": 5, "max_seq_len": 40, "doc_stride": 5}),
    ("document-question-answering", {"top_k": 400, "max_seq_len": 40, "handle_impossible_answer": True}),
]


@pytest.mark.parametrize(("name", "changed"), CASES)
def test_auto_class_form_gives_what_the_pipeline_gives(load: Load, name: str, changed: dict[str, Any]) -> None:
    ours, theirs = both(ROWS[name], load(name), ASKED[name], changed)
    assert theirs
    assert_rows_match(ours, theirs)


def test_long_documents_are_read_in_windows_by_the_auto_classes_too(load: Load) -> None:
    name = "document-question-answering"
    _, whole = both(ROWS[name], load(name), ASKED[name], {"top_k": 5})
    _, windows = both(ROWS[name], load(name), ASKED[name], {"top_k": 5, "max_seq_len": 40})
    assert whole != windows


def test_an_impossible_answer_is_an_empty_one(load: Load) -> None:
    name = "document-question-answering"
    given = {**ASKED[name], "word_boxes": WORDS[:3]}
    for answers in both(ROWS[name], load(name), given, {"top_k": 1000, "handle_impossible_answer": True}):
        assert [row["answer"] for row in answers if row["score"] > 0 and row["start"] == row["end"] == 0].count("") == 1


def test_donut_writes_the_same_answer_with_auto_classes(load: Load) -> None:
    task, pipe = ROWS["document-question-answering"], load("document-question-answering/donut")
    ours, theirs = both(task, pipe, {"image": IMAGE, "question": "What?", "word_boxes": None}, {})
    assert theirs[0]["answer"]
    assert ours == theirs


def test_a_chat_model_is_sent_to_the_task_that_it_can_do(load: Load) -> None:
    task, asked = ROWS["document-question-answering"], ASKED["document-question-answering"]
    assert task.adapt_inputs is not None
    for key in (task.name, f"{task.name}/donut"):
        assert task.adapt_inputs(loaded_from(load(key)), asked) == asked
    with pytest.raises(DemoError, match=r"LlavaForConditionalGeneration.*image-text-to-text"):
        task.adapt_inputs(loaded_from(load("image-text-to-text")), asked)


def test_donut_takes_none_of_the_parameters_of_models_that_point(load: Load) -> None:
    task = ROWS["document-question-answering"]
    assert task.parameters_for(loaded_from(load("document-question-answering/donut"))) == ()
    assert task.parameters_for(loaded_from(load("document-question-answering"))) == task.parameters


GENERATION: list[dict[str, Any]] = [
    {"max_new_tokens": 8},
    {"max_new_tokens": 8, "num_beams": 3},
    {"max_new_tokens": 8, "do_sample": True},
    {"max_new_tokens": 8, "do_sample": True, "temperature": 3.0},
    {"max_new_tokens": 8, "do_sample": True, "top_p": 0.3},
    {},
]


@pytest.mark.parametrize("changed", GENERATION)
@pytest.mark.parametrize("name", ["image-text-to-text", "any-to-any"])
def test_auto_class_form_writes_what_the_pipeline_writes(load: Load, name: str, changed: dict[str, Any]) -> None:
    ours, theirs = both(ROWS[name], load(name), ASKED[name], changed)
    assert ours[0]["generated_text"] == theirs[0]["generated_text"] != ""
    assert ours[0]["input_text"] == theirs[0]["input_text"]
    assert ours[0].keys() == theirs[0].keys()


@pytest.mark.parametrize(
    ("name", "text"),
    [("image-text-to-text", "<image> It shows"), ("any-to-any", "<|audio_bos|><|AUDIO|><|audio_eos|> It says")],
)
def test_a_raw_prompt_is_read_as_it_is(load: Load, name: str, text: str) -> None:
    given = {**ASKED[name], "text": text}
    ours, theirs = both(ROWS[name], load(name), given, {"raw_prompt": True, "max_new_tokens": 8})
    assert ours == theirs
    assert ours[0]["input_text"] == text
    assert ours[0]["generated_text"]


def test_text_alone_is_a_chat_too(load: Load) -> None:
    given = {"text": "Hello", "image": None, "audio": None, "video": None}
    ours, theirs = both(ROWS["any-to-any"], load("any-to-any"), given, {"max_new_tokens": 8})
    assert ours == theirs
    assert theirs[0]["input_text"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]


@pytest.mark.parametrize("name", ["image-text-to-text", "any-to-any"])
def test_the_same_call_can_be_made_twice(load: Load, name: str) -> None:
    task = ROWS[name]
    call = task.call(ASKED[name], defaults(task) | {"max_new_tokens": 4})
    first, second = (load(name)(*call.args, **call.kwargs)[0]["generated_text"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["image-text-to-text", "any-to-any"])
@pytest.mark.parametrize("raw", [False, True])
def test_a_stream_has_the_form_of_the_answer(name: str, raw: bool) -> None:
    task = ROWS[name]
    parameters = defaults(task) | {"raw_prompt": raw}
    assert task.partial_output is not None
    [row] = task.partial_output(ASKED[name], parameters, "A lamp")
    assert row["generated_text"] == "A lamp"
    call = task.call(ASKED[name], parameters)
    assert row["input_text"] == (ASKED[name]["text"] if raw else call.kwargs["text"])


def test_a_message_holds_what_is_seen_and_heard_before_the_text() -> None:
    given = {"text": "Well?", "image": IMAGE, "audio": AUDIO, "video": "a.mp4"}
    [message] = ROWS["any-to-any"].call(given, defaults(ROWS["any-to-any"])).kwargs["text"]
    assert [part["type"] for part in message["content"]] == ["image", "video", "audio", "text"]
    assert [part[part["type"]] for part in message["content"]] == [IMAGE, "a.mp4", AUDIO, "Well?"]


def test_an_answer_in_sound_is_asked_for_without_the_words_for_text() -> None:
    parameters = defaults(ROWS["any-to-any"]) | {"generation_mode": "audio"}
    call = ROWS["any-to-any"].call(ASKED["any-to-any"], parameters)
    assert call.kwargs["generation_mode"] == "audio"
    assert "return_full_text" not in call.kwargs


def test_a_model_without_a_chat_template_starts_with_the_raw_prompt(load: Load) -> None:
    task, loaded = ROWS["image-text-to-text"], loaded_from(load("image-text-to-text"))
    with_template = {field.name: field for field in task.parameters_for(loaded)}
    loaded.processors = {"processor": SimpleNamespace(chat_template=None)}
    without = {field.name: field for field in task.parameters_for(loaded)}
    assert with_template["raw_prompt"].default is False
    assert without["raw_prompt"].default is True


def test_a_model_answers_only_in_what_it_can_make(load: Load) -> None:
    task = ROWS["any-to-any"]
    fields = {field.name: field for field in task.parameters_for(loaded_from(load("any-to-any")))}
    assert fields["generation_mode"].choices == ("text",)


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "{label}", "{0.__class__}"])
def test_a_template_without_one_place_for_the_label_gets_a_sentence(template: str) -> None:
    task = ROWS["zero-shot-image-classification"]
    with pytest.raises(DemoError, match=r"hypothesis_template must hold \{\} once"):
        task.call(ASKED[task.name], {"hypothesis_template": template})


def test_the_words_of_a_document_are_passed_only_when_given() -> None:
    task = ROWS["document-question-answering"]
    given = {"image": IMAGE, "question": "What?", "word_boxes": None}
    assert task.call(given, defaults(task)) == PipelineCall((IMAGE,), {"question": "What?"})
    assert task.call({**given, "word_boxes": WORDS}, defaults(task)).kwargs["word_boxes"] == WORDS


def sample(field: Field) -> Any:
    """A value that is not the default."""
    return {"choice": field.choices[:1], "flag": (not field.default,), "text": ("{} x",)}.get(field.kind, (1,))[0]


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_every_parameter_changes_what_the_pipeline_is_called_with(task: Task) -> None:
    plain = task.call(ASKED[task.name], defaults(task))
    for field in task.parameters:
        changed = task.call(ASKED[task.name], defaults(task) | {field.name: sample(field)})
        assert repr(changed) != repr(plain), field.name


def test_the_explanation_of_labels_has_the_scores_of_the_answer(load: Load) -> None:
    import torch

    task, pipe = ROWS["zero-shot-image-classification"], load("zero-shot-image-classification")
    _, answer = both(task, pipe, ASKED[task.name], {})
    labels = ASKED[task.name]["candidate_labels"]
    texts = pipe.tokenizer([f"This is a photo of {label}." for label in labels], return_tensors="pt", padding=True)
    tensors = {**texts, **pipe.image_processor(IMAGE, return_tensors="pt")}
    with torch.no_grad():
        outputs = pipe.model(**tensors)
    assert task.explain is not None
    explanation = task.explain(loaded_from(pipe), tensors, outputs, defaults(task))
    assert explanation is not None
    assert [row[2] for row in explanation.rows] == pytest.approx([row["score"] for row in answer])
    for row, best in zip(explanation.rows, answer, strict=True):
        assert best["label"] in str(row[0]).replace(" ", "")
    assert sorted(row[1] for row in explanation.rows) == pytest.approx(sorted(outputs.logits_per_image[0].tolist()))


def test_the_explanation_of_a_document_has_the_logits_of_its_tokens(load: Load) -> None:
    import torch

    task, pipe = ROWS["document-question-answering"], load("document-question-answering")
    tensors = dict(next(iter(pipe.preprocess(ASKED[task.name]))))
    seen = {name: value for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    with torch.no_grad():
        outputs = pipe.model(**seen)
    assert task.explain is not None
    explanation = task.explain(loaded_from(pipe), seen, outputs, defaults(task))
    assert explanation is not None
    assert len(explanation.rows) == 12
    starts = outputs.start_logits[0].tolist()
    tokens = pipe.tokenizer.convert_ids_to_tokens(seen["input_ids"][0].tolist())
    for token, start, _ in explanation.rows:
        assert any(name == token and start == pytest.approx(logit) for name, logit in zip(tokens, starts, strict=True))
    assert max(row[1] for row in explanation.rows) == pytest.approx(max(starts))


def test_the_first_of_the_next_tokens_is_the_one_that_greedy_search_takes(load: Load) -> None:
    import torch

    task, pipe = ROWS["image-text-to-text"], load("image-text-to-text")
    tensors = pipe.processor(images=IMAGE, text="<image> It shows", return_tensors="pt")
    with torch.no_grad():
        outputs = pipe.model(**tensors)
    assert task.explain is not None
    explanation = task.explain(loaded_from(pipe), tensors, outputs, defaults(task))
    assert explanation is not None
    token, logit, probability = explanation.rows[0]
    best = int(outputs.logits[0, -1].argmax())
    assert token == pipe.tokenizer.decode([best])
    assert logit == pytest.approx(outputs.logits[0, -1, best].item())
    assert probability == pytest.approx(outputs.logits[0, -1].softmax(-1)[best].item())


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_every_example_passes_the_checks_of_its_fields(task: Task) -> None:
    for example in task.examples:
        inputs, parameters = task.check(example, 1000)
        assert {**inputs, **parameters}.items() >= example.items()


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_classes_are_those_that_transformers_gives_the_pipeline(task: Task) -> None:
    from transformers.pipelines import SUPPORTED_TASKS

    # The pipeline takes what `config.architectures` names where its own classes know no such model.
    more = {"document-question-answering": ("AutoModelForImageTextToText",)}.get(task.name, ())
    assert task.classes == (*(each.__name__ for each in SUPPORTED_TASKS[task.name]["pt"]), *more)


def test_the_places_explained_are_the_boxes_answered(load: Load) -> None:
    import torch

    task, pipe = ROWS["zero-shot-object-detection"], load("zero-shot-object-detection")
    given = {**ASKED[task.name], "candidate_labels": ["cat"]}
    _, theirs = both(task, pipe, given, {"threshold": 0.0})
    inputs = {**pipe.tokenizer("cat", return_tensors="pt"), **pipe.image_processor(IMAGE, return_tensors="pt")}
    with torch.no_grad():
        outputs = dict(pipe.model(**inputs))
    assert task.explain is not None
    shown = task.explain(loaded_from(pipe), inputs, outputs, {})
    assert shown is not None
    assert [row[2] for row in shown.rows] == pytest.approx([each["score"] for each in theirs[: len(shown.rows)]])
    assert task.explain(loaded_from(pipe), inputs, {}, {}) is None


def test_the_first_token_explained_is_the_likeliest_that_donut_writes(load: Load) -> None:
    import torch

    task, pipe = ROWS["document-question-answering"], load("document-question-answering/donut")
    inputs = dict(pipe.image_processor(IMAGE, return_tensors="pt"))
    with torch.no_grad():
        outputs = dict(pipe.model(**inputs, decoder_input_ids=torch.tensor([[1, 3]])))
    assert task.explain is not None
    shown = task.explain(loaded_from(pipe), inputs, outputs, {})
    assert shown is not None
    assert shown.rows[0][0] == pipe.tokenizer.decode([int(outputs["logits"][0, -1].argmax())])
    assert task.explain(loaded_from(pipe), inputs, {}, {}) is None
