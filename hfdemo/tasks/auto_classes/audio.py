"""Sound in or out: labels, text, speech."""

from __future__ import annotations

from typing import Any


def classify_audio(
    model: Any,
    feature_extractor: Any,
    audio: Any,
    top_k: int | None = None,
    function_to_apply: str | None = None,
) -> list[dict[str, Any]]:
    """Classify a sound: features, one logit per label, scores."""
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
    """Classify a sound with any labels: one vector for it, one for a sentence about each label, how near they are."""
    import torch

    sentences = [(hypothesis_template or "This is a sound of {}.").format(label) for label in candidate_labels]
    texts = tokenizer(sentences, return_tensors="pt", padding=True).to(model.device)
    sound = feature_extractor([audio], sampling_rate=feature_extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        logits = model(**texts, **sound.to(model.device, model.dtype)).logits_per_audio[0]
    scores = logits.softmax(dim=0).tolist()
    ranked = sorted(zip(scores, candidate_labels, strict=True), key=lambda pair: -pair[0])
    return [{"score": score, "label": label} for score, label in ranked]


def transcribe(
    model: Any,
    tokenizer: Any,
    feature_extractor: Any,
    audio: Any,
    return_timestamps: str | None = None,
    chunk_length_s: float | None = None,
    stride_length_s: float | None = None,
    return_language: bool = False,
    language: str | None = None,
    task: str | None = None,
    max_new_tokens: int | None = None,
    num_beams: int | None = None,
) -> dict[str, Any]:
    """Transcribe speech: sound to features, features to tokens, tokens to text; long sound in pieces that overlap."""
    import torch

    rate = feature_extractor.sampling_rate
    whisper, ctc = model.config.model_type == "whisper", type(model).__name__.endswith("ForCTC")
    transducer = type(model).__name__.endswith(("ForTDT", "ForRNNT"))
    step = getattr(model.config, "inputs_to_logits_ratio", 1)  # samples per frame of a CTC model's answer

    pieces = [(audio, 0, 0)]  # samples, and how many of them overlap with the piece before and after
    if chunk_length_s:
        overlap = chunk_length_s / 6 if stride_length_s is None else stride_length_s
        size, side = (round(seconds * rate / step) * step for seconds in (chunk_length_s, overlap))
        starts = range(0, max(1, len(audio) - 2 * side), size - 2 * side)
        pieces = [(audio[at : at + size], side if at else 0, side if at + size < len(audio) else 0) for at in starts]

    asked = {"language": language, "task": task, "max_new_tokens": max_new_tokens, "num_beams": num_beams}
    settings: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if not (ctc or transducer):  # what pipeline() adds where neither the call nor the checkpoint says anything
        known = {**model.generation_config.to_diff_dict(), **settings}
        defaults = {"num_beams": 5, "max_new_tokens": 256, "pad_token_id": tokenizer.pad_token_id}
        if "max_length" in known:
            del defaults["max_new_tokens"]
        settings |= {name: value for name, value in defaults.items() if name not in known}
    if whisper and return_timestamps:
        settings["return_timestamps"] = True
        settings["return_token_timestamps"] = return_timestamps == "word"
    if whisper and (return_language or return_timestamps == "word"):
        settings["return_segments"] = True

    heard: list[dict[str, Any]] = []
    for samples, left, right in pieces:
        long = whisper and len(samples) > feature_extractor.n_samples
        whole = {"truncation": False, "padding": "longest"} if long else {}
        features = feature_extractor(
            samples, sampling_rate=rate, return_tensors="pt", return_attention_mask=True, **whole
        ).to(model.device, model.dtype)
        with torch.no_grad():
            if ctc:
                tokens = model(**features).logits.argmax(dim=-1).cpu()
                if chunk_length_s:  # each frame once: from the piece that heard it in full
                    tokens = tokens[:, left // step : round(len(samples) / step) - right // step]
                heard.append({"tokens": tokens})
                continue
            generated = model.generate(**features, **settings)
        found = {"tokens": generated["sequences"] if isinstance(generated, dict) else generated}
        if whisper and chunk_length_s:
            found["stride"] = (len(samples) / rate, left / rate, right / rate)
        if whisper and return_timestamps == "word":
            times = [segment["token_timestamps"] for segment in generated["segments"][0]]
            found["token_timestamps"] = torch.cat(times)[None]
        if whisper and return_language and generated["segments"][0]:
            first = generated["segments"][0][0]["result"]
            codes = set(getattr(model.generation_config, "lang_to_id", {}).values())
            said = (first["sequences"] if isinstance(first, dict) else first).tolist()
            spoken = [token for token in said if token in codes][:1]  # generate() cuts it off its answer
            found["tokens"] = torch.cat([found["tokens"].new_tensor([spoken]), found["tokens"]], dim=-1)
        heard.append(found)

    if whisper:
        text, more = tokenizer._decode_asr(
            heard,
            return_timestamps=True if return_timestamps == "segment" else return_timestamps,
            return_language=return_language,
            time_precision=feature_extractor.chunk_length / model.config.max_source_positions,
        )
        return {"text": text, **more}
    tokens = torch.cat([found["tokens"] for found in heard], dim=1)[0].cpu()
    apart = {"group_tokens": False} if transducer else {}  # only CTC writes one letter many times
    text = tokenizer.decode(tokens, skip_special_tokens=not ctc, **apart)
    if not return_timestamps:
        return {"text": text}
    kind = f"{return_timestamps}_offsets"
    offsets = tokenizer.decode(tokens, **{f"output_{kind}": True})[kind]
    seconds = step / rate
    return {
        "text": text,
        "chunks": [
            {
                "text": each[return_timestamps],
                "timestamp": (each["start_offset"] * seconds, each["end_offset"] * seconds),
            }
            for each in offsets
        ],
    }


def generate_audio(
    model: Any,
    tokenizer: Any,
    text: str,
    processor: Any = None,
    generate_kwargs: dict[str, Any] | None = None,
    forward_params: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Generate sound: text to tokens, tokens to a waveform, in one pass (VITS) or step by step (MusicGen, Bark)."""
    import torch

    inputs = (processor or tokenizer)(text=[text], return_tensors="pt").to(model.device)
    with torch.no_grad():
        if model.can_generate():
            waves = model.generate(**inputs, **(forward_params or {}), **(generate_kwargs or {}))
        else:
            waves = model(**inputs, **(forward_params or {}))
    audio = waves if isinstance(waves, torch.Tensor) else waves[0]
    rate = getattr(model.config, "sampling_rate", None) or model.generation_config.sample_rate
    return {"audio": audio.float().cpu().numpy().squeeze(), "sampling_rate": rate}
