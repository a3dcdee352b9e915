"""A picture, a sound or a video together with text in; labels or text out."""

from __future__ import annotations

from typing import Any


def classify_image_zero_shot(
    model: Any,
    tokenizer: Any,
    image_processor: Any,
    image: Any,
    candidate_labels: list[str],
    hypothesis_template: str | None = None,
) -> list[dict[str, Any]]:
    """Classify with any labels: a sentence for each label, and how near it lies to the picture."""
    import torch

    siglip = "siglip" in model.config.model_type  # trained with a sigmoid, and on texts of 64 tokens
    padding = {"padding": "max_length", "max_length": 64, "truncation": True} if siglip else {"padding": True}
    sentences = [(hypothesis_template or "This is a photo of {}.").format(label) for label in candidate_labels]
    texts = tokenizer(sentences, return_tensors="pt", **padding).to(model.device)
    pixels = image_processor(images=[image], return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        logits = model(**texts, **pixels).logits_per_image[0]

    scores = (logits.sigmoid() if siglip else logits.softmax(-1)).tolist()
    ranked = sorted(zip(scores, candidate_labels, strict=True), key=lambda pair: pair[0], reverse=True)
    return [{"score": score, "label": label} for score, label in ranked]


def generate_text_from_image(
    model: Any,
    processor: Any,
    image: Any,
    text: str = "",
    max_new_tokens: int | None = None,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    num_beams: int | None = None,
    raw_prompt: bool = False,
) -> list[dict[str, Any]]:
    """Answer about a picture: chat template, generate, decode, cut the question off."""
    import torch

    content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
    prompt: Any = text if raw_prompt else [{"role": "user", "content": content}]
    if raw_prompt:
        inputs = processor(images=image, text=text, return_tensors="pt")
    else:
        inputs = processor.apply_chat_template(
            prompt, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
    inputs = inputs.to(model.device, model.dtype)

    given = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "num_beams": num_beams}
    options = {name: value for name, value in given.items() if value is not None}
    if not {"max_new_tokens", "max_length"} & {*options, *model.generation_config.to_diff_dict()}:
        options["max_new_tokens"] = 256
    with torch.no_grad():
        generated = model.generate(**inputs, do_sample=do_sample, **options)

    [answer] = processor.post_process_image_text_to_text(generated)
    [asked] = processor.post_process_image_text_to_text(inputs["input_ids"])
    if 0 <= answer.find(asked) <= 2:  # some tokenizers put a space or a line break in front
        answer = answer[answer.find(asked) + len(asked) :]
    return [{"input_text": prompt, "generated_text": answer}]


def generate_from_any(
    model: Any,
    processor: Any,
    text: str,
    image: Any = None,
    audio: Any = None,
    video: str | None = None,
    max_new_tokens: int | None = None,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    num_beams: int | None = None,
    generation_mode: str | None = None,
    raw_prompt: bool = False,
) -> list[dict[str, Any]]:
    """Answer about anything: chat template, generate, decode, cut the question off."""
    import torch

    given = {"image": image, "video": video, "audio": audio, "text": text}
    content = [{"type": kind, kind: value} for kind, value in given.items() if value is not None]
    prompt: Any = text if raw_prompt else [{"role": "user", "content": content}]
    if raw_prompt:
        inputs = processor(text=text, images=image, videos=video, audio=audio, return_tensors="pt")
    else:
        inputs = processor.apply_chat_template(
            prompt, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
    inputs = inputs.to(model.device, model.dtype)

    numbers = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "num_beams": num_beams}
    options: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    if not {"max_new_tokens", "max_length"} & {*options, *model.generation_config.to_diff_dict()}:
        options["max_new_tokens"] = 256
    mode = generation_mode or "text"
    if mode != "text":
        options["generation_mode"] = mode
    with torch.no_grad():
        generated = model.generate(**inputs, do_sample=do_sample, **options)
        if mode == "image" and hasattr(model, "decode_image_tokens"):
            generated = model.decode_image_tokens(generated)

    answer = processor.post_process_multimodal_output(generated, generation_mode=mode)[0]
    if mode == "text":
        [asked] = processor.post_process_multimodal_output(inputs["input_ids"], generation_mode="text")
        if 0 <= answer.find(asked) <= 2:  # some tokenizers put a space or a line break in front
            answer = answer[answer.find(asked) + len(asked) :]
    return [{"input_text": prompt, f"generated_{mode}": answer}]
