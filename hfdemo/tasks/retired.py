"""The rows whose pipeline transformers 5 dropped: the Auto classes are still there, and `by_hand` drives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.tasks.auto_classes.vision import enlarge_image
from hfdemo.tasks.explanations import explain_reconstruction
from hfdemo.tasks.field import EXAMPLE_MEDIA, Field
from hfdemo.tasks.question_answering import QUESTION_ANSWERING, VISUAL_QUESTION_ANSWERING
from hfdemo.tasks.sequence_to_sequence import SUMMARIZATION, TEXT_TO_TEXT, TRANSLATION
from hfdemo.tasks.task import Call, Task


def _call_enlarging(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    return Call((inputs["image"],), {})


IMAGE_TO_IMAGE = Task(
    name="image-to-image",
    title="Image to image",
    group="Through Auto classes",
    summary=(
        "Makes an image larger and fills in the detail (Swin2SR). On a CPU begin with a small one: time grows with "
        "the pixels. `AutoModelForImageToImage.from_pretrained(...)(**image_processor(image)).reconstruction`"
    ),
    inputs=(Field("image", "image", "Image", "the picture to enlarge, best below 300 × 300 pixels", maximum=500_000),),
    parameters=(),
    output="image",
    call=_call_enlarging,
    by_hand=enlarge_image,
    classes=("AutoModelForImageToImage",),
    processors=("image_processor",),
    default_model="caidas/swin2SR-classical-sr-x2-64",
    examples=({"image": EXAMPLE_MEDIA / "desk.png"},),
    explain=explain_reconstruction,
    retired=True,
)

TASKS = (QUESTION_ANSWERING, SUMMARIZATION, TRANSLATION, TEXT_TO_TEXT, VISUAL_QUESTION_ANSWERING, IMAGE_TO_IMAGE)
