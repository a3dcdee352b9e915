"""Inputs and parameters that rows of several families share."""

from __future__ import annotations

from hfdemo.tasks.field import Field
from hfdemo.tasks.pipeline_args import LARGEST


def count(name: str, help: str, minimum: int = 1, maximum: int = LARGEST) -> Field:
    """A whole number that the pipeline decides when it is left out."""
    return Field(name, "number", name, help, default=None, minimum=minimum, maximum=maximum)


def share(name: str, help: str) -> Field:
    """A parameter between 0 and 1 that the pipeline decides when it is left out."""
    return Field(name, "number", name, help, default=None, minimum=0, maximum=1, whole=False)


TEXT = Field("text", "text", "Text", "one text, in the language that the model was trained on")
QUESTION = Field("question", "text", "Question", "what you want to know")
IMAGE = Field("image", "image", "Picture", "a PNG, JPEG or WebP file")
AUDIO = Field("audio", "audio", "Audio", "a recording; it is made mono and resampled to what the model was trained on")
ALL_LABELS = count("top_k", "labels to return; left out: all")
FIVE_LABELS = count("top_k", "labels to return; left out: 5")
FUNCTION_TO_APPLY = Field(
    "function_to_apply",
    "choice",
    "function_to_apply",
    "what turns logits into scores; left out: what the model's config asks for",
    default=None,
    choices=("softmax", "sigmoid", "none"),
)


def hypothesis_template(help: str) -> Field:
    """The sentence that a label of one's own is put into."""
    return Field("hypothesis_template", "text", "hypothesis_template", help, default=None)
