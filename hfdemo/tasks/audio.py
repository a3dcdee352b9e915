"""The tasks whose input or output is sound, and the rows that put labels on it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hfdemo.tasks.by_hand.audio import classify_audio, classify_audio_zero_shot
from hfdemo.tasks.calling import check_template, chosen
from hfdemo.tasks.common_fields import ALL_LABELS, AUDIO, FUNCTION_TO_APPLY, hypothesis_template
from hfdemo.tasks.explaining import explain_classification, explain_ranking
from hfdemo.tasks.field import Field
from hfdemo.tasks.media_examples import MEDIA
from hfdemo.tasks.speech import RECOGNITION, TEXT_TO_AUDIO
from hfdemo.tasks.task import Call, Explanation, Task

# --- Classification -------------------------------------------------------------------------------------------------


def _call_classification(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    return Call((inputs["audio"],), chosen(parameters))


CLASSIFICATION = Task(
    name="audio-classification",
    title="Audio classification",
    group="Audio",
    summary=(
        "Puts a sound into one of the model's labels: a command, a speaker's mood, a barking dog. "
        '`pipeline("audio-classification", model=...)(audio, top_k=None)`'
    ),
    inputs=(AUDIO,),
    parameters=(ALL_LABELS, FUNCTION_TO_APPLY),
    output="labels",
    call=_call_classification,
    by_hand=classify_audio,
    classes=("AutoModelForAudioClassification",),
    processors=("feature_extractor",),
    default_model="superb/wav2vec2-base-superb-ks",
    examples=({"audio": MEDIA / "speech.wav"}, {"audio": MEDIA / "bell.wav"}),
    explain=partial(explain_classification, lone_label="softmax"),
)


# --- Zero-shot classification ---------------------------------------------------------------------------------------


def _call_zero_shot(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    check_template(parameters["hypothesis_template"], "This is a sound of {}.")
    return Call((inputs["audio"],), {"candidate_labels": inputs["candidate_labels"], **chosen(parameters)})


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
    summary=(
        "Compares a sound with any labels you write, with no training on them (CLAP). "
        '`pipeline("zero-shot-audio-classification", model=...)(audio, candidate_labels=[...])`'
    ),
    inputs=(AUDIO, Field("candidate_labels", "labels", "Candidate labels", "what the sound may be")),
    parameters=(
        hypothesis_template('the sentence that a label is put into, at {}; left out: "This is a sound of {}."'),
    ),
    output="labels",
    call=_call_zero_shot,
    by_hand=classify_audio_zero_shot,
    classes=("AutoModel",),
    processors=("tokenizer", "feature_extractor"),
    default_model="laion/clap-htsat-unfused",
    examples=(
        {"audio": MEDIA / "bell.wav", "candidate_labels": ["a bell", "a dog", "a person speaking"]},
        {"audio": MEDIA / "speech.wav", "candidate_labels": ["a bell", "a dog", "a person speaking"]},
    ),
    explain=_explain_zero_shot,
)


TASKS = (RECOGNITION, CLASSIFICATION, ZERO_SHOT, TEXT_TO_AUDIO)
