"""Each tiny model works in the library's own pipeline, or in its Auto classes where version 5 removed the pipeline."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfdemo.tasks import TASKS
from tests.zoo import MAKERS, make

SENTENCE = "Ada Lovelace lives in London."
SPOKEN = "The small lamp stands near the window."
Zoo = Callable[[str], Path]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small run many times faster where threads do not wait for one another on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pipe(task: str, folder: Path) -> Any:
    from transformers import pipeline

    return pipeline(task.partition("/")[0], model=str(folder), device="cpu", trust_remote_code=False)


def picture(seed: int = 0) -> Image.Image:
    """80 x 60 pixels, no two alike."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8))


def tone(rate: int = 16_000, seconds: float = 1.0) -> Any:
    """A tone of 440 Hz with some noise, float32 in [-1, 1]."""
    times = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(0).normal(size=len(times))
    return (0.3 * np.sin(2 * np.pi * 440 * times) + 0.01 * noise).astype(np.float32)


def film(path: Path) -> Path:
    """Sixteen frames of growing light as an MP4 file."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for light in range(0, 160, 10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), light, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def asked(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A chat of one turn: something to see or hear, and a question about it."""
    return [{"role": "user", "content": [part, {"type": "text", "text": "What is it?"}]}]


def names(rows: Any) -> set[str]:
    return {row["label"] for row in rows}


def words(answer: Any) -> str:
    """What the assistant said last, in a result of a chat."""
    turn = answer[0]["generated_text"][-1]
    assert turn["role"] == "assistant"
    return str(turn["content"])


def boxes(rows: Any) -> list[int]:
    """The areas of the boxes, in square pixels."""
    return [(box["xmax"] - box["xmin"]) * (box["ymax"] - box["ymin"]) for box in (row["box"] for row in rows)]


TABLE = {"name": ["Ada", "Bob"], "age": ["36", "41"]}
WORD_BOXES = [("total", (0, 0, 100, 100)), ("12", (100, 0, 200, 100))]
REQUEST = {
    "state": "I was charged twice.",
    "questions": {"refund": {"type": "noul"}, "tone": {"type": "choice", "criteria": {"calm": None, "angry": None}}},
}
CATS = {"candidate_labels": ["cat", "dog"]}

# What to call each pipeline with, and what its answer then promises.
CALLS: Mapping[str, tuple[tuple[Any, ...], Mapping[str, Any], Callable[[Any], bool]]] = {
    "text-classification": (
        (SENTENCE,),
        {"top_k": None},
        lambda out: names(out) == {"negative", "neutral", "positive"},
    ),
    "token-classification": ((SENTENCE,), {}, lambda out: SENTENCE[out[0]["start"] : out[0]["end"]] == "Ada"),
    "zero-shot-classification": ((SENTENCE,), CATS, lambda out: sum(out["scores"]) == pytest.approx(1)),
    "feature-extraction": ((SENTENCE,), {}, lambda out: np.shape(out)[0] == 1 and np.shape(out)[2] == 32),
    "fill-mask": (("It is [MASK].",), {"top_k": 3}, lambda out: len({row["token_str"] for row in out}) == 3),
    "table-question-answering": ((), {"table": TABLE, "query": "How old?"}, lambda out: len(out["cells"]) > 0),
    "text-generation": (
        ([{"role": "user", "content": "Hello"}],),
        {"max_new_tokens": 8},
        lambda out: len(words(out)) > 0,
    ),
    "decision": ((REQUEST,), {}, lambda out: sum(out["tone"]["probabilities"].values()) == pytest.approx(1)),
    "audio-classification": ((tone(),), {"top_k": None}, lambda out: names(out) == {"speech", "music", "silence"}),
    "automatic-speech-recognition": ((tone(),), {}, lambda out: out["text"].strip() == SPOKEN),
    "automatic-speech-recognition/ctc": ((tone(),), {}, lambda out: out["text"].isupper()),
    "text-to-audio": (("Hello",), {}, lambda out: len(out["audio"]) > 1000 and bool(np.isfinite(out["audio"]).all())),
    "image-classification": ((picture(),), {"top_k": 3}, lambda out: names(out) == {"cat", "dog", "car"}),
    "image-feature-extraction": ((picture(),), {}, lambda out: np.shape(out) == (1, 17, 32)),
    "image-segmentation": ((picture(),), {}, lambda out: all(row["mask"].size == (80, 60) for row in out)),
    "image-segmentation/panoptic": ((picture(),), {}, lambda out: min(row["score"] for row in out) > 0.9),
    "object-detection": ((picture(),), {"threshold": 0.0}, lambda out: len(out) == 8 and min(boxes(out)) > 0),
    "depth-estimation": ((picture(),), {}, lambda out: out["depth"].size == (80, 60)),
    "keypoint-matching": (([picture(0), picture(1)],), {}, lambda out: 0 < out[0]["score"] <= 1),
    "document-question-answering": (
        (),
        {"image": picture(), "question": "What?", "word_boxes": WORD_BOXES},
        lambda out: out[0]["answer"] in ("total", "12", "total 12"),
    ),
    "document-question-answering/donut": (
        (),
        {"image": picture(), "question": "What?"},
        lambda out: len(out[0]["answer"]) > 0,
    ),
    "zero-shot-audio-classification": ((tone(48_000),), CATS, lambda out: names(out) == {"cat", "dog"}),
    "zero-shot-image-classification": ((picture(),), CATS, lambda out: names(out) == {"cat", "dog"}),
    "zero-shot-object-detection": ((picture(),), CATS | {"threshold": 0.0}, lambda out: min(boxes(out)) > 0),
    "image-text-to-text": (
        (),
        {"text": asked({"type": "image", "image": picture()}), "max_new_tokens": 8},
        lambda out: len(words(out)) > 0,
    ),
    "any-to-any": (
        (),
        {"text": asked({"type": "audio", "audio": tone()}), "max_new_tokens": 8},
        lambda out: len(words(out)) > 0,
    ),
}
WITHOUT_A_CALL = {"mask-generation", "video-classification"}  # each has a test of its own below
RETIRED = set(MAKERS) - set(CALLS) - WITHOUT_A_CALL


def test_every_task_of_the_library_has_a_tiny_model() -> None:
    from transformers.pipelines import REMOVED_TASKS, SUPPORTED_TASKS

    assert set(SUPPORTED_TASKS) <= set(MAKERS)
    assert set(REMOVED_TASKS) - {"vqa"} <= RETIRED
    assert {name for name, task in TASKS.items() if not task.has_pipeline} == RETIRED, (
        "CALLS has each task that has a pipeline"
    )


@pytest.mark.parametrize("task", CALLS)
def test_the_pipeline_of_a_folder_answers(zoo: Zoo, task: str) -> None:
    arguments, settings, promise = CALLS[task]
    answer = pipe(task, zoo(task))(*arguments, **settings)
    assert promise(answer), answer


def test_a_film_is_classified(zoo: Zoo, tmp_path: Path) -> None:
    answer = pipe("video-classification", zoo("video-classification"))(str(film(tmp_path / "light.mp4")))
    assert names(answer) == {"running", "swimming"}


def test_masks_are_generated_where_torchvision_is_installed(zoo: Zoo) -> None:
    from transformers.utils import is_torchvision_available

    generate = pipe("mask-generation", zoo("mask-generation"))
    everything = {"pred_iou_thresh": -100.0, "stability_score_thresh": -1.0, "points_per_crop": 4}
    if is_torchvision_available():
        assert all(mask.shape == (60, 80) for mask in generate(picture(), **everything)["masks"])
    else:
        with pytest.raises(ImportError, match="Torchvision"):
            generate(picture(), **everything)


@pytest.mark.parametrize("task", ["summarization", "text2text-generation", "translation"])
def test_a_text_task_without_pipeline_writes_what_prints(zoo: Zoo, task: str) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(zoo(task))
    model = AutoModelForSeq2SeqLM.from_pretrained(zoo(task))
    tokens = model.generate(**tokenizer(SENTENCE, return_tensors="pt"), max_new_tokens=16)
    text = tokenizer.decode(tokens[0], skip_special_tokens=True)
    assert text.strip()
    assert text.isprintable()


def test_a_translation_is_in_the_language_asked_for(zoo: Zoo) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(zoo("translation"), src_lang="eng_Latn")
    model = AutoModelForSeq2SeqLM.from_pretrained(zoo("translation"))
    inputs = tokenizer(SENTENCE, return_tensors="pt")
    assert tokenizer.convert_ids_to_tokens(inputs.input_ids[0, 0].item()) == "eng_Latn"
    french = tokenizer.convert_tokens_to_ids("fra_Latn")
    assert model.generate(**inputs, forced_bos_token_id=french, max_new_tokens=4)[0, 1] == french


def test_a_question_has_a_span_of_its_context_for_an_answer(zoo: Zoo) -> None:
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(zoo("question-answering"))
    model = AutoModelForQuestionAnswering.from_pretrained(zoo("question-answering"))
    inputs = tokenizer("Who lives in London?", SENTENCE, return_tensors="pt")
    answer = model(**inputs)
    assert answer.start_logits.shape == answer.end_logits.shape == inputs.input_ids.shape


def test_a_question_about_a_picture_has_one_of_the_labels_for_an_answer(zoo: Zoo) -> None:
    from transformers import AutoModelForVisualQuestionAnswering, AutoProcessor

    processor = AutoProcessor.from_pretrained(zoo("visual-question-answering"))
    model = AutoModelForVisualQuestionAnswering.from_pretrained(zoo("visual-question-answering"))
    logits = model(**processor(picture(), "What is it?", return_tensors="pt")).logits
    assert model.config.id2label[logits[0].argmax().item()] in {"yes", "no", "red", "two"}


def test_a_picture_comes_back_twice_as_large(zoo: Zoo) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageToImage

    processor = AutoImageProcessor.from_pretrained(zoo("image-to-image"))
    model = AutoModelForImageToImage.from_pretrained(zoo("image-to-image"))
    inputs = processor(picture(), return_tensors="pt")
    height, width = inputs.pixel_values.shape[-2:]
    assert model(**inputs).reconstruction.shape == (1, 3, 2 * height, 2 * width)


@pytest.mark.parametrize(("stamps", "count"), [(True, 1), ("word", 7)])
def test_whisper_says_when_it_heard_what(zoo: Zoo, stamps: bool | str, count: int) -> None:
    answer = pipe("automatic-speech-recognition", zoo("automatic-speech-recognition"))(tone(), return_timestamps=stamps)
    times = [chunk["timestamp"] for chunk in answer["chunks"]]
    assert len(times) == count
    assert all(0 <= begin <= end <= 1 for begin, end in times)
    assert "".join(chunk["text"] for chunk in answer["chunks"]).strip() == SPOKEN


def test_a_chat_model_writes_on_until_its_limit(zoo: Zoo) -> None:
    writer = pipe("text-generation", zoo("text-generation"))
    answer = writer(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}], max_new_tokens=200
    )
    assert len(writer.tokenizer.tokenize(words(answer))) > 100
    assert "�" not in words(answer)


@pytest.mark.parametrize(
    "task", ["text-generation", "automatic-speech-recognition", "translation", "text2text-generation"]
)
def test_the_same_task_gives_the_same_model(zoo: Zoo, tmp_path: Path, task: str) -> None:
    again = make(task, tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (zoo(task) / name).read_bytes(), name
