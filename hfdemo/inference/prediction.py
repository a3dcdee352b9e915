"""What a prediction is: the pipeline's answer, what went on inside it, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.inference.tracing import TokenProbability
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.tasks import Explanation, Field, PipelineCall

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class PredictionJob:
    """One call on its way to the model; `notes` say what was not read of its files."""

    call: PipelineCall
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stages:
    """What went on inside the pipeline.

    `tokens` and `token_ids` are the text that the model read, empty where it reads none; `special` marks [CLS] and the
    like, `sequences` says which of two texts each came from (0, 1 or None), `tokenizer_call` is the call that made
    them. `inputs` and `outputs` are (name, shape) of the tensors that went into and came out of the first forward pass.
    """

    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    special: tuple[bool, ...]
    sequences: tuple[int | None, ...]
    inputs: Shapes
    outputs: Shapes
    explanation: Explanation | None
    tokenizer_call: str = "tokenizer(text)"


@dataclass(frozen=True)
class LoadOptions:
    """How the model was loaded, as far as code that loads it again must know."""

    auto_class: str
    processors: tuple[str, ...]
    dtype: str
    attention: str | None
    sampling_rate: int | None
    context: int | None


@dataclass(frozen=True, eq=False)  # an answer is itself: its tensors can't be compared or hashed
class Prediction:
    """A pipeline's answer.

    `result` is the pipeline's own return value and `output` the same as plain JSON values. `inputs` are the decoded
    inputs, `call` the arguments of the pipeline. `seconds` has load (0.0 when the model was already here), preprocess,
    forward, postprocess and run, their sum; `tokens` is how many were generated and `token_probabilities` the
    distribution that each was taken from. `seed` is what the random generator was set to, None where nothing was drawn
    from it. `warnings` are sentences about what the output does not show: text cut off, weights that are random.
    `together` is how many calls shared the forward pass, `allowed` the parameters that this model can take.
    """

    task: str
    ref: ModelRef
    device: str
    result: Any
    seconds: Mapping[str, float]
    stages: Stages
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    call: PipelineCall
    card: Mapping[str, Any]
    setup: LoadOptions
    warnings: tuple[str, ...]
    tokens: int = 0
    token_probabilities: tuple[TokenProbability, ...] = ()
    seed: int | None = None
    stopped: bool = False
    together: int = 1
    allowed: tuple[Field, ...] = ()

    @property
    def model(self) -> str:
        """The model's reference as text."""
        return str(self.ref)

    @property
    def output(self) -> Any:
        """`result` as plain JSON values, images and audio as data URLs."""
        return to_json(self.result)

    def to_json(self, folder: Path | None = None) -> dict[str, Any]:
        """Return what the task's endpoint answers; images, audio and large arrays become files in `folder`."""
        return {
            "task": self.task,
            "model": self.model,
            "device": self.device,
            "output": to_json(self.result, folder),
            "seconds": {"load": self.seconds["load"], "run": self.seconds["run"]},
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class LoadProgress:
    """How far the files of a model are: `what` is going on, and bytes."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class PartialPrediction:
    """What there is while a model generates: the pipeline's `result` so far, new text, latest tokens' probabilities."""

    result: Any
    text: str
    token_probabilities: tuple[TokenProbability, ...] = ()

    def to_json(self, folder: Path | None = None) -> dict[str, Any]:
        """Return what a streaming endpoint sends before the last item."""
        return {"output": to_json(self.result, folder), "text": self.text}
