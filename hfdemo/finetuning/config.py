"""RunConfig: everything that decides how a run goes, checked, and the same in a form, a file and an API call."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfdemo.devices import find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.argument_checks import check
from hfdemo.finetuning.arguments import (
    LEARNING_RATE,
    METHODS,
    Method,
    check_reserved,
    evaluates,
    steps,
    whole,
    with_defaults,
)
from hfdemo.finetuning.kinds import KINDS
from hfdemo.models.adapter_limits import MOST_NAMES, check_patterns
from hfdemo.models.reference import ModelRef
from hfdemo.tables import ReadOptions, check_encoding
from hfdemo.tokenization.padding import LONGEST_IN_BATCH, find_strategy, trainable_names

PROBLEM_TYPES = tuple(kind.problem_type for kind in KINDS.values() if kind.problem_type)
AS_IT_STANDS = "as_it_stands"  # the layout of rows that are what they look like
MOST_TOKENS = 1_000_000  # transformers takes more for "no limit"
_MOST_LORA = {"r": 8_192, "lora_alpha": 1_000_000}
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": "all-linear"}


@dataclass(frozen=True)
class RunConfig:
    """How a run goes. Only `dataset` has no default; a column that is None is suggested from the data, one that is
    "" is not used.

    `label_column` is one column, or a list of several, each of which says of one label whether a row has it.
    `problem_type` says what the labels of a text-classification are: single_label_classification,
    multi_label_classification or regression; None is suggested from them. `layout` says how rows of chats or tagged
    words are laid out, "as_it_stands" that they are not; None is found in them. `splits` maps train, validation and
    test to the names found in `split_column`, or, where there is no such column, validation and test to the fraction of
    the rows that is held out. `encoding` is that of the data's files and `header` whether their first line names the
    columns; None is found out. `fixes` are names of repairs, which the rows go through in the order of FIXES, after
    corrections of single rows such as "relabel:<key>:<label>": see dataset/corrections.py.
    `class_weights` are "balanced" or a weight per label. `metrics` are further evaluate modules, ids or paths, computed
    beside the task's own. `accelerate_config` is the path of an Accelerate config file that the `processes` are started
    with, which may share the model out between them. `training` holds any field of TrainingArguments under its own
    name.
    """

    dataset: str
    model: str = "embedded:minilm"
    task: str = "text-classification"
    problem_type: str | None = None
    dataset_config: str | None = None
    layout: str | None = None
    encoding: str | None = None
    header: bool | None = None
    splits: Mapping[str, Any] = field(default_factory=dict)
    split_column: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    positive_label: str | None = None
    fixes: tuple[str, ...] = ()
    max_length: int | None = None
    padding: str = LONGEST_IN_BATCH.name
    method: Method = "full"
    lora: Mapping[str, Any] = field(default_factory=dict)
    class_weights: str | Mapping[str, float] | None = None
    early_stopping_patience: int | None = None
    metrics: tuple[str, ...] = ()
    processes: int = 1
    accelerate_config: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse anything that can be seen to be wrong without the data."""
        for spec in dataclasses.fields(self):
            _check_type(spec.name, getattr(self, spec.name))
        self.model_ref.check_is_model()
        _check_choice("method", self.method, METHODS)
        _check_choice("padding", self.padding, trainable_names())
        find_strategy(self.padding).check_max_length(self.max_length)
        if self.max_length is not None and self.max_length < 3:
            raise DemoError(f"max_length is {self.max_length}, which leaves no room for words. Use 3 or more.")
        for name in ("labels", "fixes", "metrics", "label_column"):
            texts = getattr(self, name)
            if isinstance(texts, tuple) and not all(isinstance(text, str) for text in texts):
                raise DemoError(f"{name} must be texts, but are {list(texts)!r}.")
        if self.encoding is not None:
            check_encoding(self.encoding)
        if self.problem_type is not None:
            _check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        if isinstance(self.class_weights, str):
            _check_choice("class_weights", self.class_weights, ("balanced",))
        elif self.class_weights is not None:
            for label, weight in self.class_weights.items():
                if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight < math.inf:
                    raise DemoError(f"The class weight of {label!r} is {weight!r}, but must be a number above 0.")
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise DemoError("early_stopping_patience counts evaluations, so it is 1 or more. Leave it out for none.")
        if self.processes < 1:
            raise DemoError(f"processes is {self.processes}, but a run has at least 1.")
        if self.method == "lora" and self.model_ref.source == "untrained":
            raise DemoError("LoRA changes a trained model a little; an untrained one needs method full. Pick that one.")
        if self.lora and self.method != "lora":
            raise DemoError(f'lora is set, but method is "{self.method}". Set method to "lora", or leave lora out.')
        check_reserved(self.training)
        if self.early_stopping_patience and not evaluates(self.training):
            raise DemoError('early_stopping_patience needs evaluations, but eval_strategy is "no". Leave one out.')

    @classmethod
    def from_json(cls, values: Any) -> RunConfig:
        """Make a config from plain JSON values.

        Raises:
            DemoError: not an object, an unknown key, no data set, or a value that can't be.
        """
        if not isinstance(values, Mapping):
            raise DemoError(f"A config is a JSON object, but a {type(values).__name__} was sent.")
        known = [spec.name for spec in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise DemoError(f"A config has no {', '.join(unknown)}. It has: {', '.join(known)}.")
        if not values.get("dataset"):
            raise DemoError('A config needs a dataset: an example name ("tickets"), or a path on a local server.')
        # None means "use the default", so that forms and clients may send every key.
        given = {key: value for key, value in values.items() if value is not None}
        for name in ("labels", "fixes", "metrics", "label_column"):
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        if isinstance(columns := given.get("label_column"), tuple) and len(columns) < 2:
            given["label_column"] = columns[0] if columns else ""
        if isinstance(given.get("training"), Mapping):
            given["training"] = whole(given["training"])
        return cls(**given)

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Read the config in the JSON file at `path`.

        Raises:
            DemoError: the file is missing or is not JSON, or see `from_json`.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise DemoError(f"There is no config file {str(path)!r}. Give a path to a JSON file.") from error
        except ValueError as error:
            raise DemoError(f"{path.name} is not JSON: {error}. Mend it and try again.") from error

    def to_json(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def with_training_defaults(
        self, train_rows: int, learning_rates: Mapping[Method, float] = LEARNING_RATE
    ) -> RunConfig:
        """Return the same config with every training value that decides the result written out."""
        training = with_defaults(self.training, learning_rates[self.method], train_rows, self.processes)
        lora = {**LORA, **self.lora} if self.method == "lora" else {}
        return dataclasses.replace(self, training=training, lora=lora)

    @property
    def read_options(self) -> ReadOptions:
        """How the data's files are to be read."""
        return ReadOptions(self.encoding, self.header)

    @functools.cached_property
    def model_ref(self) -> ModelRef:
        """What `model` refers to."""
        return ModelRef.parse(self.model)

    @property
    def label_name(self) -> str:
        """The label columns in words, "" where none is named."""
        return ", ".join(list_columns(self.label_column))

    @property
    def data_seed(self) -> int:
        """What shuffles the training rows, once the training defaults are filled in."""
        own = self.training.get("data_seed")
        return int(self.training["seed"] if own is None else own)

    @property
    def names_sampler(self) -> bool:
        """Whether `training` names how the rows are ordered: it wins over the order of the padding plan."""
        return self.training.get("train_sampling_strategy") is not None

    def steps(self, train_rows: int) -> int:
        """Return how many optimizer steps a config with its training defaults filled in will take."""
        return steps(self.training, train_rows, self.processes)

    def check_training(self) -> None:
        """Check max_length, `training` and `lora` against the installed libraries, before anything starts.

        A folder of before may say what is refused here, so it can still be opened.

        Raises:
            DemoError: an unknown field, or a value that transformers or peft would refuse.
        """
        if self.max_length is not None and self.max_length > MOST_TOKENS:
            raise DemoError(f"max_length is {self.max_length:,}, but must be at most {MOST_TOKENS:,} tokens.")
        check(self.training, find_device())
        if self.method == "lora":
            self._check_lora()

    def _check_lora(self) -> None:
        from peft import LoraConfig

        unknown = sorted(set(self.lora) - {spec.name for spec in dataclasses.fields(LoraConfig)})
        if unknown:
            raise DemoError(f"LoraConfig has no {', '.join(unknown)}. Common fields: r, lora_alpha, target_modules.")
        decided = sorted(set(self.lora) & {"task_type", "peft_type", "inference_mode", "base_model_name_or_path"})
        if decided:
            raise DemoError(f"lora may not set {', '.join(decided)}: the task decides it. Leave it out.")
        switches = {spec.name for spec in dataclasses.fields(LoraConfig) if spec.type in (bool, "bool")}
        for name in sorted(switches & set(self.lora)):
            if not isinstance(self.lora[name], bool):
                raise DemoError(f"lora's {name} is {self.lora[name]!r}, but must be true or false.")
        check_patterns(self.lora, "lora's")
        _check_lora_numbers(self.lora)
        for name, lowest in (("r", 1), ("lora_alpha", 1), ("lora_dropout", 0)):
            value = self.lora.get(name, lowest)
            if isinstance(value, int | float) and value > _MOST_LORA.get(name, math.inf):
                raise DemoError(f"lora's {name} is {value!r}, but must be at most {_MOST_LORA[name]:,}.")
            whole = isinstance(value, int) if name == "r" else isinstance(value, int | float)
            if not whole or isinstance(value, bool) or value < lowest or (name == "lora_dropout" and value >= 1):
                upper = " and below 1" if name == "lora_dropout" else ""
                kind = "a whole number" if name == "r" else "a number"
                raise DemoError(f"lora's {name} is {value!r}, but must be {kind} of at least {lowest}{upper}.")


def list_columns(columns: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names in a choice of one column, of several, or of none."""
    return (columns,) if isinstance(columns, str) and columns else tuple(columns or ())


def _check_lora_numbers(lora: Mapping[str, Any]) -> None:
    """Refuse numbers per layer that `r` and `lora_alpha` could not be, and layers that no model has."""
    for option, name in (("rank_pattern", "r"), ("alpha_pattern", "lora_alpha")):
        for layer, value in (lora.get(option) or {}).items():
            number = isinstance(value, int if name == "r" else int | float) and not isinstance(value, bool)
            if not number or not 1 <= value <= _MOST_LORA[name]:
                raise DemoError(
                    f"lora's {option} is {value!r} for {layer!r}, but must be from 1 to {_MOST_LORA[name]:,}."
                )
    for option in ("layers_to_transform", "layer_replication"):
        layers = lora.get(option)
        given = [layers] if isinstance(layers, int) else layers or []
        if not isinstance(given, list | tuple) or len(given) > MOST_NAMES or not all(_is_layer(each) for each in given):
            raise DemoError(f"lora's {option} must be numbers of layers, such as [0, 1], but is {given!r:.80}.")


def _is_layer(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(_is_layer(each) for each in value)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_NAMES


_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("dataset", "model", "task", "padding", "method"), (str, "a text")),
    **dict.fromkeys(
        (
            *("split_column", "text_column", "text_pair_column", "positive_label"),
            *("problem_type", "dataset_config", "encoding", "layout", "accelerate_config"),
        ),
        ((str, type(None)), "a text or null"),
    ),
    **dict.fromkeys(("splits", "lora", "training"), (Mapping, "an object")),
    **dict.fromkeys(("fixes", "metrics"), (tuple, "a list of texts")),
    "label_column": ((str, tuple, type(None)), "a text, a list of texts, or null"),
    "labels": ((tuple, type(None)), "a list of texts or null"),
    "class_weights": ((str, Mapping, type(None)), '"balanced", an object of weights by label, or null'),
    **dict.fromkeys(("max_length", "early_stopping_patience"), ((int, type(None)), "a whole number or null")),
    "processes": (int, "a whole number"),
    "header": ((bool, type(None)), "true, false or null"),
}


def _check_type(name: str, value: Any) -> None:
    kind, words = _TYPES[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and name != "header"):
        raise DemoError(f"{name} must be {words}, but is {value!r}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DemoError(f"{name} must be one of {', '.join(choices)}, but is {value!r}.")
