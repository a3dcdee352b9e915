"""The tasks whose input or output is sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.audio import classify_audio, classify_audio_zero_shot, generate_audio, transcribe
from hfdemo.tasks.explanations import (
    MOST_ROWS,
    explain_classification,
    explain_first_token,
    explain_ranking,
    explain_waveform,
)
from hfdemo.tasks.field import (
    ALL_LABELS,
    AUDIO,
    EXAMPLE_MEDIA,
    FUNCTION_TO_APPLY,
    LARGEST,
    Field,
    check_hypothesis_template,
    hypothesis_template,
    parameter,
    real_number,
    whole_number,
)
from hfdemo.tasks.task import Explanation, PipelineCall, Task, drop_unset_parameters

# --- Speech recognition ---------------------------------------------------------------------------------------------


def _call_recognition(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    length, stride = parameters["chunk_length_s"], parameters["stride_length_s"]
    if length is not None and stride is not None and 2 * stride >= length:
        raise DemoError(
            f"Pieces of {length:g} s that overlap by {stride:g} s on both sides leave nothing in between. "
            "Make chunk_length_s more than twice stride_length_s."
        )
    kwargs = drop_unset_parameters(
        parameters, "return_timestamps", "chunk_length_s", "stride_length_s", "return_language"
    )
    if parameters["return_timestamps"] == "segment":
        kwargs["return_timestamps"] = True
    generating = drop_unset_parameters(parameters, "language", "task", "max_new_tokens", "num_beams")
    if generating:
        kwargs["generate_kwargs"] = generating
    return PipelineCall((inputs["audio"],), kwargs)


def _explain_transcript(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """Explain how CTC reads letters off frames, or the first token of a model that generates its text."""
    architecture = type(loaded.model).__name__
    if architecture.endswith(("ForTDT", "ForRNNT")):
        return None
    if not architecture.endswith("ForCTC"):
        return explain_first_token(loaded, inputs, outputs, parameters)
    odds, tokens = outputs["logits"][0].float().softmax(-1).max(-1)
    names = loaded.tokenizer.convert_ids_to_tokens(tokens.tolist())
    seconds = getattr(loaded.model.config, "inputs_to_logits_ratio", 1) / loaded.feature_extractor.sampling_rate
    runs: list[list[Any]] = []  # token, its first frame, its frames, its best odds
    for frame, (name, chance) in enumerate(zip(names, odds.tolist(), strict=True)):
        if runs and runs[-1][0] == name:
            runs[-1][2:] = [runs[-1][2] + 1, max(runs[-1][3], chance)]
        else:
            runs.append([name, frame, 1, chance])
    return Explanation(
        f"`logits.argmax(-1)` names one token for each of {len(names)} frames. CTC merges equal neighbours and drops "
        f"`{loaded.tokenizer.pad_token}`, the sign for nothing new: {len(runs)} runs are left, the first of them here.",
        ("token", "starts at (s)", "frames", "highest probability"),
        tuple((name, first * seconds, frames, chance) for name, first, frames, chance in runs[:MOST_ROWS]),
    )


def _narrow_transcript(loaded: Any) -> Mapping[str, Field | str]:
    config, generation = loaded.model.config, getattr(loaded.model, "generation_config", None)
    architecture = type(loaded.model).__name__
    fields = {field.name: field for field in RECOGNITION.parameters}
    if config.model_type == "whisper":
        longest = getattr(loaded.feature_extractor, "chunk_length", 30)
        codes = sorted(token.strip("<|>") for token in getattr(generation, "lang_to_id", None) or {})
        found: dict[str, Field | str] = {
            "return_timestamps": replace(fields["return_timestamps"], choices=("segment", "word")),
            "chunk_length_s": replace(fields["chunk_length_s"], maximum=float(longest)),
        }
        if getattr(generation, "alignment_heads", None) is None:
            # Without them generate() can't tell words apart in time.
            found["return_timestamps"] = replace(fields["return_timestamps"], choices=("segment",))
        if codes:
            return {**found, "language": replace(fields["language"], kind="choice", choices=tuple(codes))}
        english = "this Whisper knows one language only."
        return {**found, "language": english, "task": english, "return_language": english}
    only_whisper = dict.fromkeys(("language", "task", "return_language"), "only Whisper takes it.")
    if architecture.endswith("ForCTC"):
        reads_at_once = "a CTC model reads all frames at once; it generates nothing."
        times: Field | str = replace(fields["return_timestamps"], choices=("word", "char"))
        if not hasattr(loaded.tokenizer, "_get_word_offsets"):
            times = "its tokenizer does not keep the frames of its tokens."
        return {**only_whisper, "return_timestamps": times, "max_new_tokens": reads_at_once, "num_beams": reads_at_once}
    unmerged = "only CTC models and Whisper can join pieces that overlap; this model would repeat words."
    return {
        **only_whisper,
        "return_timestamps": "only CTC models and Whisper know when a word was spoken.",
        "chunk_length_s": unmerged,
        "stride_length_s": unmerged,
        **({"num_beams": "transducers decode greedily."} if architecture.endswith(("ForTDT", "ForRNNT")) else {}),
    }


RECOGNITION = Task(
    name="automatic-speech-recognition",
    title="Speech recognition",
    group="Audio",
    subtitle="Writes down what is said",
    summary=(
        "Writes down what is said. Whisper generates the text token by token; a CTC model such as wav2vec2 names one "
        'letter per 20 ms frame. `pipeline("automatic-speech-recognition", model=...)(audio)`'
    ),
    inputs=(AUDIO,),
    parameters=(
        parameter(
            "return_timestamps",
            "choice",
            "also say when; Whisper: segment or word, CTC models: word or char",
            choices=("segment", "word", "char"),
        ),
        real_number(
            "chunk_length_s",
            "seconds of the pieces that a long recording is cut into; left out: in one go",
            minimum=1,
            maximum=600,
        ),
        real_number(
            "stride_length_s",
            "seconds by which the pieces overlap on either side; left out: a sixth of chunk_length_s",
            minimum=0,
            maximum=300,
        ),
        parameter("return_language", "flag", "also say which language Whisper heard", False),
        parameter(
            "language", "text", "what multilingual Whisper should hear, such as en; left out: it listens for itself"
        ),
        parameter(
            "task",
            "choice",
            "multilingual Whisper: write down as spoken, or translate into English",
            choices=("transcribe", "translate"),
        ),
        whole_number("max_new_tokens", "where the generated text ends at the latest"),
        whole_number(
            "num_beams",
            "texts that are followed side by side; left out: 5 unless the checkpoint says otherwise",
            maximum=16,
        ),
    ),
    output="transcript",
    auto_class_form=transcribe,
    pipeline_call=_call_recognition,
    classes=("AutoModelForCTC", "AutoModelForTDT", "AutoModelForSpeechSeq2Seq"),
    processors=("tokenizer", "feature_extractor"),
    default_model="openai/whisper-tiny",
    untrained_model="untrained:embedded:tiny-wav2vec2",
    examples=({"audio": EXAMPLE_MEDIA / "speech.wav", "return_timestamps": "word"},),
    explain=_explain_transcript,
    narrow_parameters=_narrow_transcript,
)


# --- Text to audio --------------------------------------------------------------------------------------------------


# What else a model takes can ask for more memory than there is, or return other things than a sound.
_ARGUMENTS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "generate_kwargs": {
        "max_new_tokens": (1, 3000),
        "do_sample": (0, 1),
        "temperature": (0.01, 10),
        "top_k": (1, LARGEST),
        "top_p": (0, 1),
        "guidance_scale": (0, 20),
        "num_beams": (1, 8),
        "repetition_penalty": (0.01, 10),
    },
    "forward_params": {"speaker_id": (0, LARGEST), "speaking_rate": (0.25, 4)},
}


def _check_arguments(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse what is not one plain number, or yes or no, under a known name and in its range."""
    for name, ranges in _ARGUMENTS.items():
        for key, value in (parameters[name] or {}).items():
            if key not in ranges:
                raise DemoError(f"{name} can't hold {key}. It takes: {', '.join(ranges)}.")
            low, high = ranges[key]
            if not isinstance(value, int | float) or not low <= value <= high:
                raise DemoError(f"{name}.{key} must be a number from {low:g} to {high:g}, but {value!r} was sent.")


def _narrow_speech(loaded: Any) -> Mapping[str, Field | str]:
    if loaded.model.can_generate():
        return {}
    return {"generate_kwargs": "this model makes its waveform in one pass; it takes forward_params only."}


TEXT_TO_AUDIO = Task(
    name="text-to-audio",
    title="Text to audio",
    group="Text",
    subtitle="Speaks a text, or plays what it describes",
    summary=(
        "Speaks a text or plays what it describes, with any model that makes a waveform itself (VITS, Bark, MusicGen; "
        'not SpeechT5, which needs a second model as vocoder). `pipeline("text-to-audio", model=...)(text)`'
    ),
    inputs=(
        # What a model computes at once grows with the square of it: a long text takes all memory.
        Field("text", "text", "Text", "what to say, in the model's language; two minutes at most", maximum=2000),
    ),
    parameters=(
        parameter(
            "generate_kwargs",
            "json",
            'for a model that generates, arguments of its generate(): {"max_new_tokens": 100}',
        ),
        parameter(
            "forward_params", "json", 'more arguments of the model: {"speaker_id": 3} where it has several voices'
        ),
    ),
    output="audio",
    auto_class_form=generate_audio,
    validate=_check_arguments,
    classes=("AutoModelForTextToWaveform",),
    processors=("tokenizer", "processor?"),
    default_model="facebook/mms-tts-eng",
    untrained_model="untrained:embedded:tiny-vits",
    examples=({"text": "The ferry leaves at seven."}, {"text": "A tokenizer, a model and some arithmetic."}),
    explain=explain_waveform,
    narrow_parameters=_narrow_speech,
)


CLASSIFICATION = Task(
    name="audio-classification",
    title="Audio classification",
    group="Audio",
    subtitle="Says which label fits a sound: a command, a bark",
    summary=(
        "Puts a sound into one of the model's labels: a command, a speaker's mood, a barking dog. "
        '`pipeline("audio-classification", model=...)(audio, top_k=None)`'
    ),
    inputs=(AUDIO,),
    parameters=(ALL_LABELS, FUNCTION_TO_APPLY),
    output="labels",
    auto_class_form=classify_audio,
    classes=("AutoModelForAudioClassification",),
    processors=("feature_extractor",),
    default_model="superb/wav2vec2-base-superb-ks",
    untrained_model="untrained:embedded:tiny-wav2vec2",
    examples=({"audio": EXAMPLE_MEDIA / "speech.wav"}, {"audio": EXAMPLE_MEDIA / "bell.wav"}),
    explain=partial(explain_classification, lone_label="softmax"),
)


# --- Zero-shot classification ---------------------------------------------------------------------------------------


def _explain_zero_shot(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    logits = outputs["logits_per_audio"][0].float()
    sentences = loaded.tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=True)
    said = (
        "Sound and sentences become vectors of one space. Their cosines, times a learned scale, are "
        "`logits_per_audio`; `softmax(0)` over the sentences makes them scores."
    )
    return explain_ranking(said, ("sentence", "logit", "softmax"), sentences, logits, logits.softmax(0))


ZERO_SHOT = Task(
    name="zero-shot-audio-classification",
    title="Zero-shot audio classification",
    group="Audio",
    subtitle="Sorts a sound by labels that you make up",
    summary=(
        "Compares a sound with any labels you write, with no training on them (CLAP). "
        '`pipeline("zero-shot-audio-classification", model=...)(audio, candidate_labels=[...])`'
    ),
    inputs=(AUDIO, Field("candidate_labels", "labels", "Candidate labels", "what the sound may be")),
    parameters=(hypothesis_template("This is a sound of {}."),),
    output="labels",
    auto_class_form=classify_audio_zero_shot,
    validate=partial(check_hypothesis_template, "This is a sound of {}."),
    classes=("AutoModel",),
    processors=("tokenizer", "feature_extractor"),
    default_model="laion/clap-htsat-unfused",
    untrained_model="untrained:embedded:tiny-clap",
    examples=(
        {"audio": EXAMPLE_MEDIA / "bell.wav", "candidate_labels": ["a bell", "a dog", "a person speaking"]},
        {"audio": EXAMPLE_MEDIA / "speech.wav", "candidate_labels": ["a bell", "a dog", "a person speaking"]},
    ),
    explain=_explain_zero_shot,
)


TASKS = (RECOGNITION, CLASSIFICATION, ZERO_SHOT, TEXT_TO_AUDIO)
