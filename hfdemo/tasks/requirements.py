"""What some tasks need on the machine beside the app's own packages, how to find out and how to get it."""

import shutil
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from hfdemo.tasks.task import Requirement


def _torchvision_is_missing() -> bool:
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError, OSError):  # a build for another torch is found, but fails while it loads
        return True
    return False


def _torchvision_install() -> str:
    # torchvision 0.15 came with torch 2.0, and both have counted on in step.
    torch = version("torch").split(".")
    wanted = f'"torchvision==0.{int(torch[1]) + 15}.*"'
    return f"pip install {wanted} (the one for torch {torch[0]}.{torch[1]}; some builds of torch have none)"


def _tesseract_is_missing() -> bool:
    return shutil.which("tesseract") is None or find_spec("pytesseract") is None


def _needs_ocr(config: Any, inputs: Mapping[str, Any]) -> bool:
    """Say whether words must be read first: the LayoutLM family needs them and their places, Donut reads the pixels."""
    return config.model_type != "vision-encoder-decoder" and not inputs.get("word_boxes")


def _accepts_pictures(config: Any, inputs: Mapping[str, Any]) -> bool:
    """Say whether a model of this config takes images or videos, sent or not: its pipeline asks at the start."""
    from transformers import AutoModelForMultimodalLM

    model_class = AutoModelForMultimodalLM._model_mapping.get(type(config), None)
    return any(kind in getattr(model_class, "input_modalities", ()) for kind in ("image", "video"))


TORCHVISION = Requirement(
    name="torchvision",
    why="Choosing between overlapping masks",
    install=_torchvision_install(),
    missing=_torchvision_is_missing,
)

TORCHVISION_FOR_PICTURES = Requirement(
    name="torchvision",
    why="any-to-any with a model that takes images or videos",
    install=_torchvision_install(),
    missing=_torchvision_is_missing,
    when=_accepts_pictures,
)

TESSERACT = Requirement(
    name="Tesseract with pytesseract",
    why="Reading a document that comes without word boxes",
    install="apt install tesseract-ocr && pip install pytesseract",
    missing=_tesseract_is_missing,
    when=_needs_ocr,
)

AV = Requirement(
    name="av",
    why="Reading the frames of a video",
    install="pip install av",
    missing=lambda: find_spec("av") is None,
)
