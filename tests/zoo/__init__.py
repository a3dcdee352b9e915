"""Tiny models of real architectures, one for every task: random weights, complete folders, made without a network."""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch

from tests.zoo.multimodal import clip, donut, llava, owlvit, qwen2_audio, vilt
from tests.zoo.parts import labels
from tests.zoo.sound import audio_classification, clap, vits, wav2vec2_ctc, whisper
from tests.zoo.text import bart, bert, layoutlm, llama, nllb, t5, table_question_answering, token_classification
from tests.zoo.vision import (
    glpn,
    image_feature_extraction,
    mask2former,
    sam,
    segformer,
    superglue,
    swin2sr,
    videomae,
    vit,
    yolos,
)

MAKERS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "text-classification": partial(
            bert, "BertForSequenceClassification", **labels("negative", "neutral", "positive")
        ),
        "token-classification": token_classification,
        "zero-shot-classification": partial(
            bert, "BertForSequenceClassification", **labels("contradiction", "neutral", "entailment")
        ),
        "feature-extraction": partial(bert, "BertModel"),
        "fill-mask": partial(bert, "BertForMaskedLM"),
        "question-answering": partial(bert, "BertForQuestionAnswering"),
        "table-question-answering": table_question_answering,
        "text-generation": llama,
        "decision": llama,
        "summarization": bart,
        "text2text-generation": t5,
        "translation": nllb,
        "audio-classification": audio_classification,
        "automatic-speech-recognition": whisper,
        "automatic-speech-recognition/ctc": wav2vec2_ctc,
        "text-to-audio": vits,
        "image-classification": vit,
        "image-feature-extraction": image_feature_extraction,
        "image-segmentation": segformer,
        "image-segmentation/panoptic": mask2former,
        "object-detection": yolos,
        "depth-estimation": glpn,
        "mask-generation": sam,
        "keypoint-matching": superglue,
        "image-to-image": swin2sr,
        "video-classification": videomae,
        "document-question-answering": layoutlm,
        "document-question-answering/donut": donut,
        "visual-question-answering": vilt,
        "zero-shot-audio-classification": clap,
        "zero-shot-image-classification": clip,
        "zero-shot-object-detection": owlvit,
        "image-text-to-text": llava,
        "any-to-any": qwen2_audio,
    }
)


def make(task: str, folder: Path) -> Path:
    """Build the model for `task`, a key of `MAKERS`, into `folder` and return it; the same weights every time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on tensors this small, more of them only wait for one another
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            MAKERS[task](folder)
    finally:
        torch.set_num_threads(threads)
    return folder


def make_writer(folder: Path) -> str:
    """Build a model that writes for minutes into `folder`, and return its reference."""
    make("text-generation", folder)
    for name, changes in (
        ("config.json", {"num_hidden_layers": 48, "max_position_embeddings": 8192, "eos_token_id": None}),
        ("tokenizer_config.json", {"model_max_length": 8192}),
    ):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return f"untrained:{folder}"


def copy_without_template(model: Path, folder: Path) -> Path:
    """Copy a model of chats into `folder` without its chat template, and return the copy."""
    copy = Path(shutil.copytree(model, folder))
    (copy / "chat_template.jinja").unlink()
    return copy
