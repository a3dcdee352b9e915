"""One drawing per kind of output: HTML, from what the pipeline returned and what it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hfdemo.inference import SPEECH_RATE, Prediction
from hfdemo.ui.html import notes
from hfdemo.ui.pictures import boxes, image, keypoints, masks
from hfdemo.ui.sounds import audio, transcript
from hfdemo.ui.texts import answers, candidates, cells, labels, spans
from hfdemo.ui.values import json, vectors
from hfdemo.ui.writing import chat, text

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
