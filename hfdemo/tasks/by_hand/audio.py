"""A sound in; labels out."""

from __future__ import annotations

from typing import Any


def classify_audio(
    model: Any,
    feature_extractor: Any,
    audio: Any,
    top_k: int | None = None,
    function_to_apply: str | None = None,
) -> list[dict[str, Any]]:
    """Sound to features, features to one logit per label, logits to scores."""
    import torch

    inputs = feature_extractor(audio, sampling_rate=feature_extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs.to(model.device, model.dtype)).logits[0]
    usual = {"regression": "none", "multi_label_classification": "sigmoid"}
    function = function_to_apply or usual.get(model.config.problem_type, "softmax")
    applied = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}
    scores, labels = applied[function].topk(min(top_k or len(logits), len(logits)))
    return [
        {"score": score, "label": model.config.id2label[label]}
        for score, label in zip(scores.tolist(), labels.tolist(), strict=True)
    ]


def classify_audio_zero_shot(
    model: Any,
    tokenizer: Any,
    feature_extractor: Any,
    audio: Any,
    candidate_labels: list[str],
    hypothesis_template: str | None = None,
) -> list[dict[str, Any]]:
    """One vector for the sound, one for a sentence about each label, and how near they are."""
    import torch

    sentences = [(hypothesis_template or "This is a sound of {}.").format(label) for label in candidate_labels]
    texts = tokenizer(sentences, return_tensors="pt", padding=True).to(model.device)
    sound = feature_extractor([audio], sampling_rate=feature_extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        logits = model(**texts, **sound.to(model.device, model.dtype)).logits_per_audio[0]
    scores = logits.softmax(dim=0).tolist()
    ranked = sorted(zip(scores, candidate_labels, strict=True), key=lambda pair: -pair[0])
    return [{"score": score, "label": label} for score, label in ranked]
