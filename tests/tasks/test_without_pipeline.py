"""The rows without a pipeline: their Auto-class form against the model's own numbers, worked out another way."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS
from hfdemo.tasks.field import Field
from hfdemo.tasks.question_answering import QUESTION_ANSWERING, VISUAL_QUESTION_ANSWERING
from hfdemo.tasks.sequence_to_sequence import SUMMARIZATION, TEXT_TO_TEXT, TRANSLATION
from hfdemo.tasks.task import Task

Load = Callable[[Task], Any]
CONTEXT = (
    "Ada Lovelace was born in London in 1815. She wrote a program for the analytical engine, which was never built, "
    "and saw that such machines might one day compose music."
)
QUESTION = "Where was Ada Lovelace born?"
TEXT = "The small red lamp stands on the table next to the window."
IMAGE_TO_IMAGE = TASKS["image-to-image"]
GENERATING = (SUMMARIZATION, TRANSLATION, TEXT_TO_TEXT)
each_task = pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if not task.has_pipeline], ids=lambda task: task.name
)
each_generating = pytest.mark.parametrize("task", GENERATING, ids=lambda task: task.name)


@pytest.fixture(scope="module")
def load(zoo: Callable[[str], Path]) -> Load:
    """The zoo's tiny model of a task with its processors, made once."""
    made: dict[str, Any] = {}

    def get(task: Task) -> Any:
        if task.name not in made:
            made[task.name] = load_from(zoo(task.name), task)
        return made[task.name]

    return get


def load_from(folder: Path, task: Task) -> Any:
    model = getattr(transformers, task.classes[0]).from_pretrained(folder).eval()
    autos = {"tokenizer": transformers.AutoTokenizer, "image_processor": transformers.AutoImageProcessor}
    return SimpleNamespace(model=model, **{name: autos[name].from_pretrained(folder) for name in task.processors})


def run(task: Task, loaded: Any, inputs: Mapping[str, Any], **parameters: Any) -> Any:
    """What the row answers, called as the app calls it."""
    full = {field.name: field.default for field in task.parameters} | parameters
    call = task.call(inputs, full)
    processors = [getattr(loaded, name) for name in task.processors]
    state = torch.get_rng_state()  # ViLT shuffles its patches, and sampling draws
    answer = task.auto_class_form(loaded.model, *processors, *call.args, **call.kwargs)
    torch.set_rng_state(state)
    assert answer == task.auto_class_form(loaded.model, *processors, **inputs, **full), (
        "set or left at the default: the same"
    )
    return answer


@each_task
def test_the_arguments_of_the_auto_class_form_are_the_rows(task: Task) -> None:
    names = ["model", *task.processors, *(field.name for field in task.fields)]
    assert list(inspect.signature(task.auto_class_form).parameters) == names


@each_task
def test_each_parameter_changes_the_call(task: Task) -> None:
    inputs, _ = task.check(task.examples[0], 1000)
    defaults = {field.name: field.default for field in task.parameters}
    plain = task.call(inputs, defaults)
    assert (*plain.args, *plain.kwargs.values()) == tuple(inputs.values())
    for field in task.parameters:
        value = {"number": 1, "flag": not field.default}.get(field.kind, "de")
        assert task.call(inputs, {**defaults, field.name: value}) != plain, field.name


@each_task
def test_examples_pass_their_own_checks(task: Task) -> None:
    assert [task.call(*task.check(example, 1000)) for example in task.examples]


# --- Question answering ---------------------------------------------------------------------------------------------


def answer(loaded: Any, context: str = CONTEXT, **parameters: Any) -> Any:
    return run(QUESTION_ANSWERING, loaded, {"question": QUESTION, "context": context}, **parameters)


def library_spans(loaded: Any, top_k: int, longest: int) -> list[tuple[float, str]]:
    """The best spans of one window, by the functions that the library keeps for documents."""
    from transformers.pipelines.document_question_answering import select_starts_ends

    encoding = loaded.tokenizer(QUESTION, CONTEXT, return_offsets_mapping=True, return_tensors="pt")
    offsets = encoding.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        outputs = loaded.model(**encoding)
    forbidden = np.array([[part != 1 for part in encoding.sequence_ids(0)]]).astype(int)
    forbidden[0, 0] = 0
    starts, ends, scores, _ = select_starts_ends(
        outputs.start_logits.numpy(), outputs.end_logits.numpy(), forbidden, None, top_k=top_k, max_answer_len=longest
    )
    found = zip(starts, ends, scores, strict=True)
    return [(float(score), CONTEXT[offsets[start][0] : offsets[end][1]]) for start, end, score in found]


@pytest.mark.parametrize(("top_k", "longest"), [(1, 15), (5, 15), (8, 3), (20, 1)])
def test_the_best_spans_are_those_that_the_library_finds(load: Load, top_k: int, longest: int) -> None:
    ours = answer(load(QUESTION_ANSWERING), top_k=top_k, max_answer_len=longest, align_to_words=False)
    found = [(each["score"], each["answer"]) for each in (ours if top_k > 1 else [ours])]
    theirs = library_spans(load(QUESTION_ANSWERING), top_k, longest)
    assert [text for _, text in found] == [text for _, text in theirs]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in theirs], abs=1e-6)


def test_one_answer_is_a_dict_and_several_are_a_list_best_first(load: Load) -> None:
    one, several = answer(load(QUESTION_ANSWERING)), answer(load(QUESTION_ANSWERING), top_k=6)
    assert list(one) == ["score", "start", "end", "answer"]
    assert several[0] == one
    assert len({(each["start"], each["end"]) for each in several}) == 6
    assert [each["score"] for each in several] == sorted((each["score"] for each in several), reverse=True)
    assert all(CONTEXT[each["start"] : each["end"]] == each["answer"] for each in several)


def test_an_answer_is_made_of_whole_words_unless_told_otherwise(load: Load) -> None:
    context = "Electroencephalographically unquestionable counterrevolutionaries"
    loaded = load(QUESTION_ANSWERING)
    words = set(context.split())
    aligned = answer(loaded, context, top_k=8, max_answer_len=1)
    pieces = answer(loaded, context, top_k=8, max_answer_len=1, align_to_words=False)
    assert {each["answer"] for each in aligned} == words
    assert not {each["answer"] for each in pieces} <= words


def test_a_long_context_is_read_to_its_end(load: Load) -> None:
    loaded = load(QUESTION_ANSWERING)
    context = " ".join(f"{CONTEXT} Note {number}." for number in range(60))
    several = answer(loaded, context, top_k=100, max_seq_len=64, doc_stride=16, max_answer_len=4)
    assert all(context[each["start"] : each["end"]] == each["answer"] for each in several)
    assert {each["start"] * 4 // len(context) for each in several} == {0, 1, 2, 3}


def test_windows_of_a_long_context_score_as_if_read_alone(load: Load) -> None:
    """Two windows that don't overlap: the answers are those of either half, best first."""
    loaded, tokenizer = load(QUESTION_ANSWERING), load(QUESTION_ANSWERING).tokenizer
    offsets = tokenizer(CONTEXT, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    length = 20 + len(tokenizer(QUESTION)["input_ids"]) + 1
    cut = offsets[20][0]
    settings: dict[str, Any] = {"top_k": 5, "max_answer_len": 3, "align_to_words": False}
    halves = [answer(loaded, CONTEXT[begin : offsets[last][1]], **settings) for begin, last in ((0, 19), (cut, 34))]
    moved = [{**each, "start": each["start"] + cut, "end": each["end"] + cut} for each in halves[1]]
    expected = sorted([*halves[0], *moved], key=lambda each: -each["score"])[:5]
    assert len(offsets) == 35, "the second half must be one window too"
    ours = answer(loaded, max_seq_len=length, doc_stride=0, **settings)
    assert [each["answer"] for each in ours] == [each["answer"] for each in expected]
    assert [each["score"] for each in ours] == pytest.approx([each["score"] for each in expected], abs=1e-5)


def test_no_answer_counts_when_asked_for(load: Load) -> None:
    several = answer(load(QUESTION_ANSWERING), "In London.", top_k=100, handle_impossible_answer=True)
    none = [each for each in several if each["answer"] == ""]
    assert [(each["start"], each["end"]) for each in none] == [(0, 0)]
    assert answer(load(QUESTION_ANSWERING), "In London.", top_k=100) == [each for each in several if each["answer"]]
    # The odds of all pairs of a start and an end add up to 1.
    assert 0 < none[0]["score"] <= 1 - sum(each["score"] for each in several if each["answer"])


def test_a_stride_that_fills_the_window_is_shortened_and_a_question_that_does_gets_a_sentence(load: Load) -> None:
    loaded = load(QUESTION_ANSWERING)
    assert answer(loaded, max_seq_len=24, doc_stride=23)["answer"]
    with pytest.raises(ValueError, match=r"The question takes \d+ of 8 tokens"):
        answer(loaded, max_seq_len=8)
    with pytest.raises(DemoError, match="Windows of 16 tokens can't overlap by 16"):
        answer(loaded, max_seq_len=16, doc_stride=16)


@pytest.mark.parametrize("length", [None, 40])
def test_the_span_explained_is_the_best_answer(load: Load, length: int | None) -> None:
    loaded = load(QUESTION_ANSWERING)
    best = answer(loaded, max_seq_len=length, doc_stride=8, align_to_words=False)
    inputs = loaded.tokenizer(
        QUESTION,
        CONTEXT,
        max_length=length or 384,
        stride=8,
        truncation="only_second",
        padding=True,
        return_overflowing_tokens=True,
        return_tensors="pt",
    )
    del inputs["overflow_to_sample_mapping"]
    with torch.no_grad():
        outputs = dict(loaded.model(**inputs))
    assert QUESTION_ANSWERING.explain
    shown = QUESTION_ANSWERING.explain(loaded, inputs, outputs, {"max_answer_len": None})
    assert shown
    assert f"= {best['score']:.4f}" in shown.text
    assert len(shown.rows) <= 12
    assert max(float(row[3]) for row in shown.rows) * max(float(row[5]) for row in shown.rows) >= best["score"] - 1e-6
    assert not {"[SEP]", "[PAD]"} & {row[1] for row in shown.rows}


# --- Text to text ---------------------------------------------------------------------------------------------------


def written(task: Task, loaded: Any, text: str = TEXT, **parameters: Any) -> str:
    (result,) = run(task, loaded, {"text": text}, **parameters)
    (found,) = result.values()
    return str(found)


@each_generating
@pytest.mark.parametrize(
    "parameters",
    [{"max_new_tokens": 6}, {"max_length": 9}, {"max_new_tokens": 8, "num_beams": 3, "length_penalty": 2.0}],
    ids=str,
)
def test_the_text_is_what_generate_gives_for_the_same_arguments(
    load: Load, task: Task, parameters: dict[str, Any]
) -> None:
    loaded = load(task)
    inputs = loaded.tokenizer(TEXT, return_tensors="pt", return_token_type_ids=False)
    forced = {"forced_bos_token_id": loaded.tokenizer.convert_tokens_to_ids("fra_Latn")} if task is TRANSLATION else {}
    tokens = loaded.model.generate(**inputs, **forced, **parameters, do_sample=False)
    assert written(task, loaded, **parameters) == loaded.tokenizer.decode(tokens[0], skip_special_tokens=True)


@each_generating
def test_the_key_and_the_partial_output_have_one_form(load: Load, task: Task) -> None:
    assert task.partial_output
    whole = run(task, load(task), {"text": TEXT}, max_new_tokens=4)
    assert task.partial_output({"text": TEXT}, {}, whole[0][next(iter(whole[0]))]) == whole


@pytest.mark.slow
@each_generating
def test_with_no_length_the_text_ends_after_256_tokens_and_long_input_is_cut(load: Load, task: Task) -> None:
    tokens = generated_tokens(load(task), lambda: written(task, load(task), TEXT * 200))
    assert tokens in (256, 257)  # the second where the first is a language


def generated_tokens(loaded: Any, work: Callable[[], object]) -> int:
    """How many tokens the longest generate() inside `work` added."""
    lengths: list[int] = []
    own = loaded.model.generate

    def counting(*args: Any, **kwargs: Any) -> Any:
        tokens = own(*args, **kwargs)
        lengths.append(tokens.shape[-1] - 1)
        return tokens

    loaded.model.generate = counting
    try:
        work()
    finally:
        del loaded.model.generate
    return max(lengths)


@pytest.mark.slow
@each_generating
def test_sampling_follows_the_seed_and_is_off_unless_asked_for(load: Load, task: Task) -> None:
    loaded = load(task)

    def sampled(seed: int, do_sample: bool) -> str:
        torch.manual_seed(seed)
        return written(task, loaded, max_new_tokens=12, do_sample=do_sample)

    assert sampled(1, True) == sampled(1, True)
    assert len({sampled(seed, True) for seed in range(4)}) > 1
    assert len({sampled(seed, False) for seed in range(4)}) == 1


def test_a_checkpoint_that_samples_does_not_when_the_flag_is_off(zoo: Callable[[str], Path]) -> None:
    loaded = load_from(zoo("text2text-generation"), TEXT_TO_TEXT)
    loaded.model.generation_config.do_sample = True
    assert len({written(TEXT_TO_TEXT, loaded, max_new_tokens=12) for _ in range(4)}) == 1


def test_t5s_own_instruction_and_settings_are_used_and_the_callers_win(zoo: Callable[[str], Path]) -> None:
    loaded = load_from(zoo("text2text-generation"), SUMMARIZATION)
    plain = written(TEXT_TO_TEXT, loaded, f"summarize: {TEXT}", max_length=7)
    loaded.model.config.task_specific_params = {"summarization": {"prefix": "summarize: ", "max_length": 7}}
    assert written(SUMMARIZATION, loaded) == plain
    longer = written(TEXT_TO_TEXT, loaded, f"summarize: {TEXT}", max_new_tokens=20)
    assert written(SUMMARIZATION, loaded, max_new_tokens=20) == longer


def test_t5_translates_the_pair_that_is_asked_for(zoo: Callable[[str], Path]) -> None:
    loaded = load_from(zoo("text2text-generation"), TRANSLATION)
    names = {"de": "German", "fr": "French"}
    loaded.model.config.task_specific_params = {
        f"translation_en_to_{code}": {"prefix": f"translate English to {name}: ", "max_length": 12}
        for code, name in names.items()
    }
    for code, name in names.items():
        expected = written(TEXT_TO_TEXT, loaded, f"translate English to {name}: {TEXT}", max_length=12)
        assert written(TRANSLATION, loaded, tgt_lang=code) == expected
    assert written(TRANSLATION, loaded) == written(TRANSLATION, loaded, tgt_lang="de", src_lang="en")
    assert languages(loaded) == {"src_lang": ("en",), "tgt_lang": ("de", "fr")}


def languages(loaded: Any) -> dict[str, Any]:
    assert TRANSLATION.narrow_parameters
    found = TRANSLATION.narrow_parameters(loaded)
    named = {name: each for name, each in found.items() if name.endswith("_lang")}
    return {name: each.choices if isinstance(each, Field) else each for name, each in named.items()}


def first_token(loaded: Any, **parameters: Any) -> str:
    seen: list[Any] = []
    own = loaded.model.generate

    def keeping(*args: Any, **kwargs: Any) -> Any:
        seen.append(own(*args, **kwargs))
        return seen[-1]

    loaded.model.generate = keeping
    try:
        written(TRANSLATION, loaded, max_new_tokens=3, **parameters)
    finally:
        del loaded.model.generate
    return str(loaded.tokenizer.convert_ids_to_tokens(seen[0][0].tolist())[1])


def test_the_first_token_names_the_language(load: Load) -> None:
    loaded = load(TRANSLATION)
    assert first_token(loaded) == "fra_Latn"  # the tokenizer's own
    assert first_token(loaded, tgt_lang="deu_Latn") == "deu_Latn"
    assert {"eng_Latn", "deu_Latn"} < set(languages(loaded)["tgt_lang"])


@pytest.mark.slow
def test_the_source_language_of_one_call_is_not_that_of_the_next(load: Load) -> None:
    loaded = load(TRANSLATION)
    before = loaded.tokenizer(TEXT)["input_ids"]
    assert written(TRANSLATION, loaded, src_lang="deu_Latn") != written(TRANSLATION, loaded, src_lang="fra_Latn")
    assert loaded.tokenizer(TEXT)["input_ids"] == before


def test_a_model_of_many_languages_that_is_told_none_says_so(zoo: Callable[[str], Path]) -> None:
    loaded = load_from(zoo("translation"), TRANSLATION)
    loaded.tokenizer.init_kwargs.pop("tgt_lang")
    with pytest.raises(ValueError, match="Choose one with tgt_lang"):
        written(TRANSLATION, loaded)


def test_a_model_of_two_languages_leaves_no_choice(load: Load) -> None:
    assert all("no choice" in each for each in languages(load(SUMMARIZATION)).values())


@each_generating
def test_the_odds_shown_are_those_of_the_first_token(load: Load, task: Task) -> None:
    loaded = load(task)
    inputs = loaded.tokenizer(TEXT, return_tensors="pt", return_token_type_ids=False)
    wanted = {"output_logits": True, "return_dict_in_generate": True, "max_new_tokens": 1}
    (logits,) = loaded.model.generate(**inputs, **wanted).logits
    assert task.explain
    shown = task.explain(loaded, inputs, {"logits": logits[:, None]}, {})
    assert shown
    assert len(shown.rows) == 12
    best = int(logits[0].argmax())
    chance = logits[0].softmax(-1).max().item()
    assert shown.rows[0] == (loaded.tokenizer.decode([best]), logits[0, best].item(), chance)
    assert task.explain(loaded, inputs, {"last_hidden_state": logits}, {}) is None


def test_lengths_that_contradict_each_other_get_a_sentence(load: Load) -> None:
    with pytest.raises(DemoError, match="min_length is 9, but max_length only 4"):
        written(SUMMARIZATION, load(SUMMARIZATION), min_length=9, max_length=4)
    with pytest.raises(DemoError, match="Set one of them"):
        written(SUMMARIZATION, load(SUMMARIZATION), max_length=9, max_new_tokens=4)


# --- Images ---------------------------------------------------------------------------------------------------------


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_answers_about_an_image_are_scored_each_for_itself(load: Load) -> None:
    loaded, image = load(VISUAL_QUESTION_ANSWERING), picture(64, 48)
    inputs = {**loaded.tokenizer(QUESTION, return_tensors="pt"), **loaded.image_processor(image, return_tensors="pt")}
    with torch.no_grad():
        outputs = dict(loaded.model(**inputs))
    odds = outputs["logits"][0].sigmoid()
    names = loaded.model.config.id2label
    ranked = sorted(range(len(odds)), key=lambda each: -float(odds[each]))[:5]
    ours = run(VISUAL_QUESTION_ANSWERING, loaded, {"image": image, "question": QUESTION})
    assert [each["answer"] for each in ours] == [names[each] for each in ranked]
    assert [each["score"] for each in ours] == pytest.approx([float(odds[each]) for each in ranked], abs=1e-6)
    (best,) = run(VISUAL_QUESTION_ANSWERING, loaded, {"image": image, "question": QUESTION}, top_k=1)
    assert best == {"answer": ours[0]["answer"], "score": pytest.approx(ours[0]["score"], abs=1e-6)}
    assert VISUAL_QUESTION_ANSWERING.explain
    shown = VISUAL_QUESTION_ANSWERING.explain(loaded, inputs, outputs, {})
    assert shown
    assert [row[0] for row in shown.rows[: len(ours)]] == [each["answer"] for each in ours]
    assert shown.rows[0][2] == pytest.approx(ours[0]["score"], abs=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (30, 17)])
def test_an_image_comes_back_larger_by_the_models_factor_and_without_its_border(
    load: Load, size: tuple[int, int]
) -> None:
    loaded, image = load(IMAGE_TO_IMAGE), picture(*size)
    larger = run(IMAGE_TO_IMAGE, loaded, {"image": image})
    factor = loaded.model.config.upscale
    assert larger.size == (size[0] * factor, size[1] * factor)
    with torch.no_grad():
        raw = loaded.model(**loaded.image_processor(image, return_tensors="pt")).reconstruction
    whole = np.moveaxis(raw.squeeze().clamp(0, 1).numpy(), 0, -1)
    expected = (whole * 255.0).round().astype(np.uint8)[: larger.height, : larger.width]
    assert (np.asarray(larger) == expected).all()


def test_the_colours_explained_are_those_of_the_larger_image(load: Load) -> None:
    loaded, image = load(IMAGE_TO_IMAGE), picture(32, 32)
    larger = np.asarray(run(IMAGE_TO_IMAGE, loaded, {"image": image})) / 255
    with torch.no_grad():
        outputs = dict(loaded.model(**loaded.image_processor(image, return_tensors="pt")))
    assert IMAGE_TO_IMAGE.explain
    shown = IMAGE_TO_IMAGE.explain(loaded, {}, outputs, {})
    assert shown
    assert [row[0] for row in shown.rows] == ["red", "green", "blue"]
    for row, colour in zip(shown.rows, np.moveaxis(larger, -1, 0), strict=True):
        assert min(1.0, max(0.0, float(row[1]))) <= colour.min() + 0.003
        assert min(1.0, max(0.0, float(row[3]))) >= colour.max() - 0.003
    assert IMAGE_TO_IMAGE.explain(loaded, {}, {}, {}) is None
