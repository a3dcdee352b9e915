"""One renderer per kind of output, by name: HTML, from what the pipeline returned and what it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hfdemo.inference import SPEECH_RATE, Prediction
from hfdemo.ui.html import notes
from hfdemo.ui.renderers.audio import render_audio, render_transcript
from hfdemo.ui.renderers.embeddings import render_json, render_vectors
from hfdemo.ui.renderers.generated_text import render_chat, render_text
from hfdemo.ui.renderers.image import render_boxes, render_image, render_keypoints, render_masks
from hfdemo.ui.renderers.labels import (
    render_answers,
    render_candidates,
    render_labels,
    render_spans,
    render_table_answers,
)

RENDERERS: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "labels": render_labels,
    "spans": render_spans,
    "answers": render_answers,
    "candidates": render_candidates,
    "boxes": render_boxes,
    "masks": render_masks,
    "image": render_image,
    "keypoints": render_keypoints,
    "transcript": render_transcript,
    "audio": render_audio,
    "cells": render_table_answers,
    "text": render_text,
    "chat": render_chat,
    "vectors": render_vectors,
    "json": render_json,
}


def render_prediction(kind: str, prediction: Prediction) -> str:
    """Draw a prediction's answer as its kind of output, below the sentences about it."""
    stopped = ["Stopped: this is what there was by then."] if prediction.stopped else []
    inputs = {**prediction.inputs, "sampling_rate": prediction.setup.sampling_rate or SPEECH_RATE}
    return notes([*stopped, *prediction.warnings]) + RENDERERS[kind](prediction.result, inputs)
