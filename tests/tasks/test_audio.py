"""Every audio row against its pipeline: what it is called with, the same without it, and the numbers behind it."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from hfdemo.errors import DemoError
from hfdemo.tasks.audio import CLASSIFICATION, RECOGNITION, TASKS, TEXT_TO_AUDIO, ZERO_SHOT
from hfdemo.tasks.field import Field
from hfdemo.tasks.task import Task
from tests.zoo.tokenizers import chat_tokenizer, speak

Pipes = Callable[[str], Any]


def sound(rate: int, seconds: float) -> np.ndarray:
    """A sweep in noise, mono, the same every time."""
    time = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(0).normal(size=time.shape)
    return (0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time) + 0.1 * noise).astype(np.float32)


def inputs_for(task: Task, pipe: Any, seconds: float = 1.5) -> dict[str, Any]:
    known: dict[str, Any] = {"candidate_labels": ["a bell", "a dog", "rain"], "text": "the ferry leaves at seven"}
    if pipe.feature_extractor is not None:
        known["audio"] = sound(pipe.feature_extractor.sampling_rate, seconds)
    return {field.name: known[field.name] for field in task.inputs}


def filled(task: Task, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: field.default for field in task.parameters} | dict(parameters)


def both(task: Task, pipe: Any, parameters: Mapping[str, Any], seconds: float = 1.5) -> tuple[Any, Any]:
    """What auto_class_form and the pipeline return for the same call, each after the same seed."""
    inputs, full = inputs_for(task, pipe, seconds), filled(task, parameters)
    call = task.call(inputs, full)
    processors = {name: getattr(pipe, name) for name in (each.removesuffix("?") for each in task.processors)}
    torch.manual_seed(0)
    ours = task.auto_class_form(pipe.model, **processors, **inputs, **full)
    torch.manual_seed(0)
    return ours, pipe(*call.args, **call.kwargs)


def assert_same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for name in ours:
            assert_same(ours[name], theirs[name])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    elif isinstance(ours, np.ndarray):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    else:
        assert ours == pytest.approx(theirs, abs=1e-5) if isinstance(ours, float) else ours == theirs


WHISPER, CTC = "automatic-speech-recognition", "automatic-speech-recognition/ctc"
CALLS: list[tuple[str, Task, dict[str, Any]]] = [
    (WHISPER, RECOGNITION, {}),
    (WHISPER, RECOGNITION, {"return_timestamps": "segment"}),
    (WHISPER, RECOGNITION, {"return_timestamps": "word"}),
    (WHISPER, RECOGNITION, {"return_language": True}),
    (WHISPER, RECOGNITION, {"return_language": True, "return_timestamps": "word", "language": "fr"}),
    (WHISPER, RECOGNITION, {"language": "fr", "task": "translate"}),
    (WHISPER, RECOGNITION, {"max_new_tokens": 4, "num_beams": 1}),
    (WHISPER, RECOGNITION, {"chunk_length_s": 1.0}),
    (WHISPER, RECOGNITION, {"chunk_length_s": 1.0, "stride_length_s": 0.25, "return_timestamps": "segment"}),
    (WHISPER, RECOGNITION, {"chunk_length_s": 1.0, "return_timestamps": "word", "return_language": True}),
    (CTC, RECOGNITION, {}),
    (CTC, RECOGNITION, {"return_timestamps": "word"}),
    (CTC, RECOGNITION, {"return_timestamps": "char"}),
    (CTC, RECOGNITION, {"chunk_length_s": 1.0}),
    (CTC, RECOGNITION, {"chunk_length_s": 1.3, "stride_length_s": 0.31, "return_timestamps": "char"}),
    (CTC, RECOGNITION, {"chunk_length_s": 60.0, "stride_length_s": 0.0}),
    ("audio-classification", CLASSIFICATION, {}),
    ("audio-classification", CLASSIFICATION, {"top_k": 2}),
    ("audio-classification", CLASSIFICATION, {"top_k": 99}),
    ("audio-classification", CLASSIFICATION, {"function_to_apply": "sigmoid"}),
    ("audio-classification", CLASSIFICATION, {"function_to_apply": "none"}),
    ("zero-shot-audio-classification", ZERO_SHOT, {}),
    ("zero-shot-audio-classification", ZERO_SHOT, {"hypothesis_template": "I hear {} here"}),
    ("text-to-audio", TEXT_TO_AUDIO, {}),
    ("text-to-audio", TEXT_TO_AUDIO, {"forward_params": {"speaking_rate": 2.0}}),
]


@pytest.mark.parametrize(("name", "task", "parameters"), CALLS, ids=[f"{name}-{given}" for name, _, given in CALLS])
def test_auto_class_form_returns_what_the_pipeline_returns(
    load: Pipes, name: str, task: Task, parameters: dict[str, Any]
) -> None:
    assert_same(*both(task, load(name), parameters))


@pytest.mark.parametrize("parameters", [{}, {"num_beams": 1, "max_new_tokens": 5}], ids=str)
def test_auto_class_form_drives_encoder_decoders_other_than_whisper(parameters: dict[str, Any]) -> None:
    from transformers import MoonshineConfig, MoonshineForConditionalGeneration, Wav2Vec2FeatureExtractor

    tokenizer = chat_tokenizer()
    config = MoonshineConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=1,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        max_position_embeddings=300,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        decoder_start_token_id=1,
    )
    torch.manual_seed(0)
    model = MoonshineForConditionalGeneration(config).eval()
    speak(model, tokenizer, decoder_start_token_id=1)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    pipe = pipeline(WHISPER, model=model, tokenizer=tokenizer, feature_extractor=extractor)
    ours, theirs = both(RECOGNITION, pipe, parameters)
    assert_same(ours, theirs)
    assert ours["text"]


def test_auto_class_form_keeps_what_a_transducer_says_twice() -> None:
    from transformers import ParakeetFeatureExtractor, ParakeetForTDT, ParakeetTDTConfig

    tokenizer = chat_tokenizer()
    encoder = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "subsampling_conv_channels": 16,
        "num_mel_bins": 80,
    }
    blank = len(tokenizer)
    sizes = {"vocab_size": blank + 1, "decoder_hidden_size": 16, "joint_hidden_size": 16}
    torch.manual_seed(0)
    model = ParakeetForTDT(ParakeetTDTConfig(**sizes, encoder_config=encoder, blank_token_id=blank)).eval()
    model.generation_config.update(decoder_start_token_id=blank, max_length=60)
    extractor = ParakeetFeatureExtractor(feature_size=80)
    pipe = pipeline(WHISPER, model=model, tokenizer=tokenizer, feature_extractor=extractor)
    ours, theirs = both(RECOGNITION, pipe, {})
    assert_same(ours, theirs)
    words = ours["text"].split()
    assert any(first == second for first, second in pairwise(words))
    assert "greedily" in choices(RECOGNITION, pipe, "num_beams")


@pytest.mark.parametrize(("seconds", "parameters"), [(7.0, {"return_timestamps": "segment"}), (0.4, {})])
def test_whisper_hears_more_and_less_than_its_window(load: Pipes, seconds: float, parameters: dict[str, Any]) -> None:
    assert_same(*both(RECOGNITION, load(WHISPER), parameters, seconds))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [*((WHISPER, each) for each in (1.0, 1.66, 1.67)), *((CTC, each) for each in (1.0, 1.01, 1.66, 1.67, 2.0, 7.3))],
)
def test_pieces_are_cut_as_the_pipeline_cuts_them(load: Pipes, name: str, seconds: float) -> None:
    assert_same(*both(RECOGNITION, load(name), {"chunk_length_s": 1.0}, seconds))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_classes_are_those_of_the_pipeline(task: Task) -> None:
    from transformers.pipelines import SUPPORTED_TASKS

    theirs = [each.__name__ for each in SUPPORTED_TASKS[task.name]["pt"]]
    # A spectrogram model would make the pipeline fetch a vocoder from the Hub: not offered.
    assert list(task.classes) == [name for name in theirs if not name.endswith("Spectrogram")]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_each_parameter_changes_the_call(task: Task) -> None:
    inputs = {field.name: field.name for field in task.inputs}
    plain = task.call(inputs, filled(task, {}))
    arguments = {"generate_kwargs": {"num_beams": 2}, "forward_params": {"speaker_id": 3}}
    known = {"flag": True, "number": 1, "text": "heard: {}"}
    for field in task.parameters:
        value = field.choices[0] if field.choices else arguments.get(field.name) or known[field.kind]
        assert task.call(inputs, filled(task, {field.name: value})) != plain, field.name


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_examples_pass_their_own_checks(task: Task) -> None:
    assert [task.call(*task.check(example, 1000)) for example in task.examples]


def test_whispers_arguments_go_to_generate_and_segments_become_true() -> None:
    call = RECOGNITION.call(
        {"audio": "sound"},
        filled(RECOGNITION, {"return_timestamps": "segment", "language": "en", "max_new_tokens": 5}),
    )
    assert call.args == ("sound",)
    assert call.kwargs == {"return_timestamps": True, "generate_kwargs": {"language": "en", "max_new_tokens": 5}}


def test_pieces_that_overlap_entirely_get_a_sentence() -> None:
    with pytest.raises(DemoError, match=r"Pieces of 1 s that overlap by 0\.5 s"):
        RECOGNITION.call({"audio": "sound"}, filled(RECOGNITION, {"chunk_length_s": 1.0, "stride_length_s": 0.5}))


@pytest.mark.parametrize("template", ["no place", "{label}", "{", "{} {}"])
def test_a_template_without_one_place_for_the_label_gets_a_sentence(template: str) -> None:
    with pytest.raises(DemoError, match="hypothesis_template"):
        ZERO_SHOT.call(
            {"audio": "sound", "candidate_labels": ["a"]}, filled(ZERO_SHOT, {"hypothesis_template": template})
        )


def loaded_from(pipe: Any) -> Any:
    return SimpleNamespace(model=pipe.model, tokenizer=pipe.tokenizer, feature_extractor=pipe.feature_extractor)


def choices(task: Task, pipe: Any, name: str) -> Any:
    assert task.narrow_parameters
    found = task.narrow_parameters(loaded_from(pipe))[name]
    return found.choices if isinstance(found, Field) else found


def test_timestamps_are_those_that_the_model_can_give(load: Pipes) -> None:
    assert choices(RECOGNITION, load(WHISPER), "return_timestamps") == ("segment", "word")
    assert choices(RECOGNITION, load(CTC), "return_timestamps") == ("word", "char")


def test_only_multilingual_whisper_takes_a_language_and_only_one_it_knows(load: Pipes) -> None:
    assert choices(RECOGNITION, load(WHISPER), "language") == ("en", "fr")
    assert "Whisper" in choices(RECOGNITION, load(CTC), "language")


def test_one_language_whisper_takes_neither_language_nor_task(zoo: Callable[[str], Path]) -> None:
    pipe = pipeline(WHISPER, model=str(zoo(WHISPER)))
    del pipe.model.generation_config.lang_to_id
    assert all("one language" in choices(RECOGNITION, pipe, name) for name in ("language", "task"))


def test_other_encoder_decoders_get_neither_timestamps_nor_pieces() -> None:
    from transformers import Speech2TextConfig, Speech2TextForConditionalGeneration

    config = Speech2TextConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
    )
    model = Speech2TextForConditionalGeneration(config)
    pipe = SimpleNamespace(model=model, tokenizer=None, feature_extractor=None)
    for name in ("return_timestamps", "chunk_length_s", "language"):
        assert isinstance(choices(RECOGNITION, pipe, name), str)


def test_a_model_that_speaks_in_one_pass_takes_no_arguments_for_generate(load: Pipes) -> None:
    assert "one pass" in choices(TEXT_TO_AUDIO, load("text-to-audio"), "generate_kwargs")


def forward(pipe: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    with torch.no_grad():
        return dict(pipe.model(**inputs))


@pytest.mark.parametrize("function", [None, "softmax", "sigmoid", "none"])
def test_the_logits_shown_are_those_of_the_answer(load: Pipes, function: str | None) -> None:
    pipe = load("audio-classification")
    ours, _ = both(CLASSIFICATION, pipe, {"function_to_apply": function})
    rate = pipe.feature_extractor.sampling_rate
    outputs = forward(pipe, dict(pipe.feature_extractor(sound(rate, 1.5), sampling_rate=rate, return_tensors="pt")))
    assert CLASSIFICATION.explain
    shown = CLASSIFICATION.explain(loaded_from(pipe), {}, outputs, {"function_to_apply": function})
    assert shown
    assert [(row[0], pytest.approx(row[2], abs=1e-5)) for row in shown.rows] == [(e["label"], e["score"]) for e in ours]


def test_the_sentences_shown_are_ranked_as_the_answer(load: Pipes) -> None:
    pipe = load("zero-shot-audio-classification")
    ours, _ = both(ZERO_SHOT, pipe, {})
    rate, labels = pipe.feature_extractor.sampling_rate, inputs_for(ZERO_SHOT, pipe)["candidate_labels"]
    texts = pipe.tokenizer([f"This is a sound of {label}." for label in labels], return_tensors="pt", padding=True)
    features = pipe.feature_extractor([sound(rate, 1.5)], sampling_rate=rate, return_tensors="pt")
    inputs = {**texts, **features}
    assert ZERO_SHOT.explain
    shown = ZERO_SHOT.explain(loaded_from(pipe), inputs, forward(pipe, inputs), filled(ZERO_SHOT, {}))
    assert shown
    assert [row[0] for row in shown.rows] == [f"This is a sound of {each['label']}." for each in ours]
    assert [row[2] for row in shown.rows] == pytest.approx([each["score"] for each in ours], abs=1e-5)


def test_the_frames_shown_spell_the_beginning_of_the_transcript(load: Pipes) -> None:
    pipe = load(CTC)
    ours, _ = both(RECOGNITION, pipe, {})
    rate = pipe.feature_extractor.sampling_rate
    outputs = forward(pipe, dict(pipe.feature_extractor(sound(rate, 1.5), sampling_rate=rate, return_tensors="pt")))
    assert RECOGNITION.explain
    shown = RECOGNITION.explain(loaded_from(pipe), {}, outputs, {})
    assert shown
    spelled = "".join(str(row[0]) for row in shown.rows if row[0] != pipe.tokenizer.pad_token).replace("|", " ")
    assert spelled
    assert ours["text"].startswith(spelled.strip())
    ends = [float(row[1]) + int(row[2]) * 0.02 for row in shown.rows]
    assert [float(row[1]) for row in shown.rows[1:]] == pytest.approx(ends[:-1])


def test_the_first_token_shown_is_the_likeliest_that_whisper_writes(load: Pipes) -> None:
    pipe = load(WHISPER)
    rate = pipe.feature_extractor.sampling_rate
    features = dict(pipe.feature_extractor(sound(rate, 1.5), sampling_rate=rate, return_tensors="pt"))
    outputs = forward(pipe, {**features, "decoder_input_ids": torch.tensor([[3, 5]])})
    assert RECOGNITION.explain
    shown = RECOGNITION.explain(loaded_from(pipe), {}, outputs, {})
    assert shown
    assert shown.rows[0][0] == pipe.tokenizer.decode([int(outputs["logits"][0, -1].argmax())])
    assert RECOGNITION.explain(loaded_from(pipe), {}, {}, {}) is None


def test_the_seconds_shown_are_those_of_the_sound(load: Pipes) -> None:
    pipe = load("text-to-audio")
    ours, _ = both(TEXT_TO_AUDIO, pipe, {})
    torch.manual_seed(0)
    outputs = forward(pipe, dict(pipe.tokenizer(inputs_for(TEXT_TO_AUDIO, pipe)["text"], return_tensors="pt")))
    assert TEXT_TO_AUDIO.explain
    shown = TEXT_TO_AUDIO.explain(loaded_from(pipe), {}, outputs, {})
    assert shown
    assert {row[0]: row[1] for row in shown.rows} == pytest.approx(
        {
            "seconds": ours["audio"].size / ours["sampling_rate"],
            "smallest sample": float(ours["audio"].min()),
            "largest sample": float(ours["audio"].max()),
        }
    )
    assert TEXT_TO_AUDIO.explain(loaded_from(pipe), {}, {}, {}) is None


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("generate_kwargs", {"custom_generate": "somebody/code"}, "can't hold custom_generate. It takes: max_new"),
        ("generate_kwargs", {"max_new_tokens": 3001}, "from 1 to 3000"),
        ("generate_kwargs", {"num_beams": [1]}, "must be a number"),
        ("forward_params", {"output_attentions": True}, "can't hold output_attentions"),
        ("forward_params", {"speaking_rate": 1e-6}, "from 0.25 to 4"),
        ("forward_params", {"speaking_rate": float("nan")}, "from 0.25 to 4"),
    ],
)
def test_arguments_that_could_take_all_memory_get_a_sentence(name: str, values: dict[str, Any], says: str) -> None:
    with pytest.raises(DemoError, match=says):
        TEXT_TO_AUDIO.call({"text": "a"}, filled(TEXT_TO_AUDIO, {name: values}))
