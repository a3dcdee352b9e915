"""One drawing per kind of output: HTML, from what the pipeline returned and what it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hfdemo.inference import SPEECH_RATE, Prediction
from hfdemo.ui.html import notes
from hfdemo.ui.renderers.audio import audio, transcript
from hfdemo.ui.renderers.embeddings import json, vectors
from hfdemo.ui.renderers.generated_text import chat, text
from hfdemo.ui.renderers.image import boxes, image, keypoints, masks
from hfdemo.ui.renderers.labels import answers, candidates, cells, labels, spans

DRAWINGS: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "labels": labels,
    "spans": spans,
    "answers": answers,
    "candidates": candidates,
    "boxes": boxes,
    "masks": masks,
    "image": image,
    "keypoints": keypoints,
    "transcript": transcript,
    "audio": audio,
    "cells": cells,
    "text": text,
    "chat": chat,
    "vectors": vectors,
    "json": json,
}


def drawn(kind: str, prediction: Prediction) -> str:
    """A prediction's answer as its kind of output is drawn, below the sentences about it."""
    stopped = ["Stopped: this is what there was by then."] if prediction.stopped else []
    inputs = {**prediction.inputs, "sampling_rate": prediction.setup.sampling_rate or SPEECH_RATE}
    return notes([*stopped, *prediction.warnings]) + DRAWINGS[kind](prediction.result, inputs)
