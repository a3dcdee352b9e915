"""The tasks that read several kinds of input together: pictures, sound and video with text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.multimodal import classify_image_zero_shot, generate_from_any, generate_text_from_image
from hfdemo.tasks.auto_classes.vision import detect_objects_zero_shot
from hfdemo.tasks.explanations import explain_asked_boxes, explain_first_token, explain_ranking
from hfdemo.tasks.field import (
    EXAMPLE_MEDIA,
    IMAGE,
    Field,
    check_hypothesis_template,
    fraction,
    hypothesis_template,
    parameter,
    whole_number,
)
from hfdemo.tasks.task import TORCHVISION_FOR_PICTURES, Explanation, PipelineCall, Task, drop_unset_parameters

LABELS = Field("candidate_labels", "labels", "Candidate labels", "labels of your own")
RAW_PROMPT = parameter("raw_prompt", "flag", "send the text as it is, for models that have no chat template", False)
MODE = parameter(
    "generation_mode", "choice", "what the answer is made of; left out: text", choices=("text", "image", "audio")
)
GENERATION = (
    whole_number("max_new_tokens", "tokens to generate at most; left out: the checkpoint's own, or 256", maximum=4096),
    parameter("do_sample", "flag", "draw each token at random instead of taking the likeliest", False),
    replace(fraction("temperature", "with do_sample: lower is safer, higher is wilder"), minimum=0.01, maximum=5),
    fraction("top_p", "with do_sample: draw from the likeliest tokens that add up to this"),
    whole_number("num_beams", "answers that are followed side by side; 1: no beam search", maximum=16),
)

# --- Labels of one's own --------------------------------------------------------------------------------------------


def _explain_zero_shot(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    logits = outputs["logits_per_image"][0].float()
    siglip = "siglip" in loaded.model.config.model_type
    sentences = loaded.tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=True)
    text = f"`logits_per_image` says how near the picture lies to each of {len(sentences)} sentences; "
    if siglip:
        text += "`sigmoid(logit)` scores each sentence on its own."
        return explain_ranking(text, ("sentence", "logit", "sigmoid"), sentences, logits, logits.sigmoid())
    text += "`softmax(logits)` shares 1 out between the labels you gave."
    return explain_ranking(text, ("sentence", "logit", "softmax"), sentences, logits, logits.softmax(-1))


# --- Answers in words -----------------------------------------------------------------------------------------------


def _generation_kwargs(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what `generate` gets. All in one place: the pipeline refuses a max_new_tokens that it meets twice."""
    given = drop_unset_parameters(parameters, "max_new_tokens", "temperature", "top_p", "num_beams")
    return {"do_sample": parameters["do_sample"], **given}


def _chat_messages(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Build one message: what there is to see and hear, then the text."""
    given = [(kind, inputs.get(kind)) for kind in ("image", "video", "audio", "text")]
    content = [{"type": kind, kind: value} for kind, value in given if value is not None]
    return [{"role": "user", "content": content}]


def _call_with_image(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    kwargs = {"return_full_text": False, "generate_kwargs": _generation_kwargs(parameters)}
    if parameters["raw_prompt"]:
        return PipelineCall((inputs["image"],), {"text": inputs["text"], **kwargs})
    return PipelineCall((), {"text": _chat_messages(inputs), **kwargs})


def _stream_text(inputs: Mapping[str, Any], parameters: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
    asked = inputs["text"] if parameters["raw_prompt"] else _chat_messages(inputs)
    return [{"input_text": asked, "generated_text": text}]


def _has_template(loaded: Any) -> bool:
    return getattr(loaded.processors["processor"], "chat_template", None) is not None


def _narrow_chat(loaded: Any) -> Mapping[str, Field | str]:
    return {} if _has_template(loaded) else {"raw_prompt": replace(RAW_PROMPT, default=True)}


def _call_with_any(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    mode = parameters["generation_mode"]
    kwargs: dict[str, Any] = {"generate_kwargs": _generation_kwargs(parameters)}
    if mode is not None:
        kwargs["generation_mode"] = mode
    if mode in (None, "text"):
        kwargs["return_full_text"] = False
    if not parameters["raw_prompt"]:
        return PipelineCall((), {"text": _chat_messages(inputs), **kwargs})
    media = {"images": inputs["image"], "videos": inputs["video"], "audio": inputs["audio"]}
    return PipelineCall(
        (inputs["text"],), {**{name: value for name, value in media.items() if value is not None}, **kwargs}
    )


def _check_modalities(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse a picture that the model can't see: a processor would drop it without a word."""
    known = set(getattr(loaded.model, "input_modalities", ()))
    for kind in ("image", "audio", "video"):
        if inputs[kind] is not None and kind not in known:
            raise DemoError(f"{loaded.ref} takes no {kind}, but one was sent. It takes: {', '.join(sorted(known))}.")
    return dict(inputs)


def _narrow_modalities(loaded: Any) -> Mapping[str, Field | str]:
    able = tuple(mode for mode in MODE.choices if mode in loaded.model.output_modalities)
    return {"generation_mode": replace(MODE, choices=able), **_narrow_chat(loaded)}


TASKS = (
    Task(
        name="zero-shot-image-classification",
        title="Zero-shot image classification",
        group="Image and video",
        subtitle="Sorts a picture by labels that you make up",
        summary=(
            "Puts a picture into labels that you make up: each becomes a sentence, and the nearest one wins. "
            '`pipeline("zero-shot-image-classification", model=...)(image, candidate_labels=[...])`'
        ),
        inputs=(IMAGE, LABELS),
        parameters=(hypothesis_template("This is a photo of {}."),),
        output="labels",
        auto_class_form=classify_image_zero_shot,
        validate=partial(check_hypothesis_template, "This is a photo of {}."),
        classes=("AutoModelForZeroShotImageClassification",),
        processors=("tokenizer", "image_processor"),
        default_model="openai/clip-vit-base-patch32",
        untrained_model="untrained:embedded:tiny-clip",
        examples=(
            {
                "image": EXAMPLE_MEDIA / "desk.png",
                "candidate_labels": ["a cat on a desk", "a dog on a sofa", "a receipt"],
            },
        ),
        explain=_explain_zero_shot,
    ),
    Task(
        name="zero-shot-object-detection",
        title="Zero-shot object detection",
        group="Image and video",
        subtitle="Draws boxes around what you name in a picture",
        summary=(
            "Finds what you name and draws boxes around it, one forward pass for each label. "
            '`pipeline("zero-shot-object-detection", model=...)(image, candidate_labels=[...])`'
        ),
        inputs=(IMAGE, LABELS),
        parameters=(
            fraction("threshold", "the lowest score of a box that is returned; left out: 0.1"),
            whole_number("top_k", "boxes to return; left out: all"),
        ),
        output="boxes",
        auto_class_form=detect_objects_zero_shot,
        classes=("AutoModelForZeroShotObjectDetection",),
        processors=("tokenizer", "image_processor"),
        default_model="google/owlvit-base-patch32",
        untrained_model="untrained:embedded:tiny-owlvit",
        examples=({"image": EXAMPLE_MEDIA / "desk.png", "candidate_labels": ["a cat", "a mug", "a lamp"]},),
        explain=explain_asked_boxes,
    ),
    Task(
        name="image-text-to-text",
        title="Image-text-to-text",
        group="Several kinds",
        subtitle="Writes about a picture, or chats about it",
        summary=(
            "Writes about a picture: answers, descriptions, captions. Chat models get a message with the picture in "
            'it. `pipeline("image-text-to-text", model=...)(text=[{"role": "user", "content": [...]}])`'
        ),
        inputs=(
            IMAGE,
            Field("text", "text", "Text", "a question or an instruction; captioning models need none", default=""),
        ),
        parameters=(*GENERATION, RAW_PROMPT),
        output="text",
        auto_class_form=generate_text_from_image,
        pipeline_call=_call_with_image,
        classes=("AutoModelForImageTextToText",),
        processors=("processor",),
        default_model="HuggingFaceTB/SmolVLM-256M-Instruct",
        untrained_model="untrained:embedded:tiny-llava",
        examples=(
            {"image": EXAMPLE_MEDIA / "desk.png", "text": "What stands on the desk?", "max_new_tokens": 40},
            {"image": EXAMPLE_MEDIA / "receipt.png", "text": "What was bought?", "max_new_tokens": 40},
        ),
        explain=explain_first_token,
        partial_output=_stream_text,
        narrow_parameters=_narrow_chat,
    ),
    Task(
        name="any-to-any",
        title="Any-to-any",
        group="Several kinds",
        subtitle="Takes text with pictures, sound or video",
        summary=(
            "Takes text with pictures, sound or video, as far as the model can, and answers in text, some models in "
            'pictures or sound. `pipeline("any-to-any", model=...)(text=[{"role": "user", "content": [...]}])`'
        ),
        inputs=(
            Field("text", "text", "Text", "a question or an instruction"),
            replace(IMAGE, default=None),
            Field("audio", "audio", "Sound", "a WAV, MP3 or FLAC file", default=None),
            Field("video", "video", "Video", "an MP4, WebM or MOV file", default=None),
        ),
        parameters=(*GENERATION, MODE, RAW_PROMPT),
        output="text",
        auto_class_form=generate_from_any,
        pipeline_call=_call_with_any,
        classes=("AutoModelForMultimodalLM",),
        processors=("processor",),
        default_model="HuggingFaceTB/SmolVLM-256M-Instruct",
        untrained_model="untrained:embedded:tiny-qwen2-audio",
        examples=(
            {"text": "What stands on the desk?", "image": EXAMPLE_MEDIA / "desk.png", "max_new_tokens": 40},
            {
                "text": "What was bought, and for how much?",
                "image": EXAMPLE_MEDIA / "receipt.png",
                "max_new_tokens": 40,
            },
            {"text": "What is said?", "audio": EXAMPLE_MEDIA / "speech.wav", "max_new_tokens": 40},
        ),
        untrained_example=2,
        explain=explain_first_token,
        partial_output=_stream_text,
        narrow_parameters=_narrow_modalities,
        adapt_inputs=_check_modalities,
        requires=(TORCHVISION_FOR_PICTURES,),
    ),
)
