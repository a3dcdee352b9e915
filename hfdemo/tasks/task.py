"""The shape of a row: all that the page, the endpoint and the shown code know of a task, and what some rows require."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal, get_args

from hfdemo.errors import DemoError
from hfdemo.tasks.field import Field

OutputKind = Literal[
    "labels",
    "spans",
    "answers",
    "candidates",
    "boxes",
    "masks",
    "image",
    "keypoints",
    "transcript",
    "audio",
    "cells",
    "text",
    "chat",
    "vectors",
    "json",
]
Group = Literal["Text", "Image and video", "Audio", "Table and document", "Several kinds"]  # of input
GROUPS: tuple[Group, ...] = get_args(Group)  # in the order of the page
Values = Mapping[str, Any]
MOST_CHARACTERS = 10_000
PROCESSORS = ("tokenizer", "image_processor", "feature_extractor", "processor")


@dataclass(frozen=True)
class PipelineCall:
    """The arguments of one pipeline call: `pipe(*args, **kwargs)`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def drop_unset_parameters(parameters: Values, *names: str) -> dict[str, Any]:
    """Return the parameters that were set, of `names` or of all; what is None or False the pipeline decides."""
    asked = names or tuple(parameters)
    return {name: parameters[name] for name in asked if parameters[name] is not None and parameters[name] is not False}


@dataclass(frozen=True)
class Explanation:
    """How numbers became the answer: a sentence (`...` is code) and a table, whose floats are drawn as numbers."""

    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class Target:
    """One logit of a row: its `index` in the row's logits, and what it stands for in words."""

    index: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Requirement:
    """Something that must be on the machine before a task can run.

    `missing()` says whether it is absent; `when(config, inputs)` whether this call needs it at all, with the model's
    config and the checked inputs; `install` is the line that brings it.
    """

    name: str
    why: str
    install: str
    missing: Callable[[], bool]
    when: Callable[[Any, Mapping[str, Any]], bool] = lambda config, inputs: True

    def __str__(self) -> str:
        return f"{self.why} needs {self.name}, which is not installed here. Install it with: {self.install}"


@dataclass(frozen=True)
class TextPair:
    """Two texts that the tokenizer joins in one row, the first one read first.

    `names` are inputs, or for the second what the pipeline makes of them: `second(inputs, parameters)` is its text.
    `tokenizer_call` is the tokenizer's call where it is not `tokenizer(first, second)`. `in_windows` says that a second
    text that is too long is read in several windows.
    """

    names: tuple[str, str]
    second: Callable[[Values, Values], str] | None = None
    tokenizer_call: str = ""
    in_windows: bool = False

    def is_read(self, inputs: Values) -> bool:
        """Say whether both texts are there; a second one that is an input may be left out."""
        return all(inputs.get(name, "") is not None for name in self.names)

    def texts(self, inputs: Values, parameters: Values) -> tuple[Any, Any]:
        """Return both texts, None for a second one that is not known before the call."""
        first, second = self.names
        return inputs[first], self.second(inputs, parameters) if self.second else inputs.get(second)

    def __str__(self) -> str:
        return self.tokenizer_call or f"tokenizer({', '.join(self.names)})"


@dataclass(frozen=True)
class Task:
    """One thing that can be run.

    `group` is the kind of its input, `subtitle` says in a few words what it does to somebody who has never heard its
    title, and `summary` how, with the library's call.

    A parameter is declared once, in `parameters`. The call of the transformers pipeline of the same name follows from
    them: see `call`. `auto_class_form(model, <processors>, **inputs, **parameters)` does the same with the Auto classes
    alone and returns the same; its source is the second form of the copyable code. Where transformers has no pipeline
    (`has_pipeline`), it is what runs.

    `classes` are the Auto classes that can load its models, in order of preference; `processors` those that the
    pipeline uses beside the model ("?" at the end: where the checkpoint has it).

    `untrained_model` is an architecture with random weights by which a task whose default model is on the Hub can be
    seen at work without a network; `untrained_example` is the first of the examples that it can read.

    `pipeline_kwargs` are passed whatever was chosen. `validate(inputs, parameters)` refuses values that do not go
    together. A row whose pipeline is called in a way of its own has `pipeline_call(inputs, parameters)`. `pair` says
    which two texts the tokenizer joins, where the model reads a pair.

    `explain(loaded, inputs, outputs, parameters)` opens the last stage up, with the tensors that went into and came out
    of the first forward pass. `partial_output(inputs, parameters, text)` is the output while `text` is all that has
    been generated. `narrow_parameters(loaded)` names the parameters that this model can't take (name -> reason) or
    takes in a smaller range (name -> Field). `in_windows(parameters)` says that a long text is read in pieces, and
    nothing of it cut off; `truncates` that of a longer one than the model reads the rest is. `adapt_inputs(loaded,
    inputs)` writes inputs as this very model wants them. `fit_length(loaded, inputs, parameters)` returns the
    parameters with which input and answer fit into what the model reads, and a sentence where they are others.
    `warn(loaded, inputs, parameters)` yields what the answer does not show, and `scores_each(loaded, parameters)` says
    that every label has a score of its own, not the best alone. `find_target(loaded, logits, ids, target)` says which
    logit of the one row is to be explained, the largest where `target` is None. `is_batchable` says that several calls
    may share one forward pass, `maps_texts` that the texts of a file are worth a map of their vectors.
    """

    name: str
    title: str
    group: Group
    subtitle: str
    summary: str
    inputs: tuple[Field, ...]
    parameters: tuple[Field, ...]
    output: OutputKind
    auto_class_form: Callable[..., Any]
    classes: tuple[str, ...]
    processors: tuple[str, ...]
    default_model: str
    examples: tuple[Mapping[str, Any], ...]
    untrained_model: str | None = None
    untrained_example: int = 0
    pair: TextPair | None = None
    pipeline_kwargs: Values | None = None
    pipeline_call: Callable[[Values, Values], PipelineCall] | None = None
    validate: Callable[[Values, Values], None] | None = None
    explain: Callable[[Any, Values, Values, Values], Explanation | None] | None = None
    partial_output: Callable[[Values, Values, str], Any] | None = None
    narrow_parameters: Callable[[Any], Mapping[str, Field | str]] | None = None
    in_windows: Callable[[Values], bool] | None = None
    truncates: bool = False
    adapt_inputs: Callable[[Any, Values], dict[str, Any]] | None = None
    fit_length: Callable[[Any, Values, Values], tuple[Values, str | None]] | None = None
    warn: Callable[[Any, Values, Values], Iterator[str]] | None = None
    scores_each: Callable[[Any, Values], bool] | None = None
    find_target: Callable[[Any, Any, Sequence[int], str | None], Target] | None = None
    requires: tuple[Requirement, ...] = ()
    is_batchable: bool = False
    maps_texts: bool = False
    has_pipeline: bool = True

    def __reduce__(self) -> tuple[Callable[[str], Task], tuple[str]]:
        """Return how another process gets this row: by its name, for it has functions."""
        return import_module("hfdemo.tasks").find_task, (self.name,)

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.inputs + self.parameters

    @property
    def endpoint(self) -> str:
        """The name of the public endpoint and of the MCP tool."""
        return self.name.replace("-", "_")

    @property
    def answer_source(self) -> str:
        """What gives the answer, in words."""
        own = f"the Auto-class code of {self.auto_class_form.__name__}()"
        return "the transformers pipeline" if self.has_pipeline else own

    def list_missing(self) -> list[str]:
        """Say what this task needs and is not installed here, and how it gets there."""
        return [str(each) for each in self.requires if each.missing()]

    def call(self, inputs: Values, parameters: Values) -> PipelineCall:
        """Return the pipeline call for checked and decoded values: the first input, then by name what else was given.

        A parameter at the row's default is left out, for the pipeline to decide.

        Raises:
            DemoError: values don't go together.
        """
        if self.validate is not None:
            self.validate(inputs, parameters)
        if self.pipeline_call is not None:
            return self.pipeline_call(inputs, parameters)
        first, *others = (each.name for each in self.inputs)
        given = {name: inputs[name] for name in others if inputs[name] is not None}
        defaults = {each.name: each.default for each in self.parameters}
        chosen = {name: value for name, value in parameters.items() if value != defaults[name]}
        return PipelineCall((inputs[first],), {**(self.pipeline_kwargs or {}), **given, **chosen})

    def reads_pair(self, inputs: Values) -> bool:
        """Say whether the tokenizer joins two texts for these inputs."""
        return self.pair is not None and self.pair.is_read(inputs)

    def tokenizer_call(self, inputs: Values) -> str:
        """Return the tokenizer's call for these inputs as Python."""
        if self.pair is not None and self.pair.is_read(inputs):
            return str(self.pair)
        read = next((each for each in self.inputs if not each.is_media and inputs.get(each.name) is not None), None)
        if read is None:
            return "tokenizer(text)"
        return f"tokenizer.apply_chat_template({read.name})" if read.kind == "messages" else f"tokenizer({read.name})"

    def tokenized_texts(self, inputs: Values, parameters: Values) -> tuple[str, ...]:
        """Return the text that the tokenizer reads, or both of a pair; empty where they are not known before the call.

        What is read in windows is not among them: nothing of it is cut off.
        """
        if self.in_windows is not None and self.in_windows(parameters):
            return ()
        if self.pair is not None and self.pair.is_read(inputs):
            found: tuple[Any, ...] = () if self.pair.in_windows else self.pair.texts(inputs, parameters)
        else:
            found = tuple(inputs.get(each.name) for each in self.inputs if each.kind in ("text", "texts"))[:1]
        return found if all(isinstance(each, str) for each in found) else ()

    def check(self, values: Mapping[str, Any], max_characters: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split `values` into (inputs, parameters), every field checked and filled in.

        Raises:
            DemoError: a field is unknown, missing or wrong.
        """
        unknown = set(values) - {field.name for field in self.fields}
        if unknown:
            raise DemoError(
                f"{self.name} has no {', '.join(sorted(unknown))}. It takes: "
                f"{', '.join(field.name for field in self.fields)}."
            )

        def checked(fields: tuple[Field, ...]) -> dict[str, Any]:
            return {field.name: field.check(values.get(field.name), max_characters) for field in fields}

        return checked(self.inputs), checked(self.parameters)

    def parameters_for(self, loaded: Any) -> tuple[Field, ...]:
        """Return the parameters that the loaded model can take, in their range for it."""
        narrowed = self.narrow_parameters(loaded) if self.narrow_parameters else {}
        fields = (narrowed.get(field.name, field) for field in self.parameters)
        return tuple(field for field in fields if isinstance(field, Field))

    def fit_parameters(self, loaded: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return `parameters` for this very model: what was left at the row's default takes the model's own.

        Raises:
            DemoError: a parameter was set to something that the model can't do; the message says why.
        """
        fitted = dict(parameters)
        defaults = {field.name: field.default for field in self.parameters}
        for name, found in (self.narrow_parameters(loaded) if self.narrow_parameters else {}).items():
            left_out = parameters[name] == defaults[name]
            if isinstance(found, Field):
                fitted[name] = found.default if left_out else found.check(parameters[name], MOST_CHARACTERS)
            elif not left_out:
                raise DemoError(f"{name} can't be set for {loaded.ref}: {found}")
        return fitted


# --- What some tasks need on the machine beside the app's own packages. ---


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
