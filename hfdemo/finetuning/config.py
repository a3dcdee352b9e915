"""RunConfig: everything that decides how a run goes, checked, and the same in a form, a file and an API call."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hfdemo.devices import find_device
from hfdemo.errors import DemoError
from hfdemo.heavy import import_libraries
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.padding import TRAINABLE

Method = Literal["full", "lora", "frozen"]
METHODS: tuple[Method, ...] = ("full", "lora", "frozen")
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": "all-linear"}

# Good on both example data sets and on SST-2 with the embedded model; benchmarks/defaults.py measures them again.
TRAINING: Mapping[Method, Mapping[str, Any]] = {
    "full": {"learning_rate": 1e-4},
    "lora": {"learning_rate": 1e-3},
    "frozen": {"learning_rate": 5e-3},
}
COMMON_TRAINING: Mapping[str, Any] = {
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 64,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "seed": 42,
}
SHORTEST_TRAINING_STEPS = 180

# Set by the trainer itself, because the run folder depends on them.
RESERVED = frozenset(
    (
        *("output_dir", "run_name", "report_to", "do_train", "do_eval", "do_predict", "resume_from_checkpoint"),
        *("push_to_hub", "hub_token", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
        *("project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id", "disable_tqdm"),
        *("logging_nan_inf_filter", "remove_unused_columns", "local_rank", "deepspeed", "fsdp", "fsdp_config"),
        *("eval_strategy", "save_strategy", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"),
        # The last rows of a held-out split would be dropped, too, and not be in the report.
        *("use_cpu", "save_total_limit", "dataloader_drop_last"),
    )
)


@dataclass(frozen=True)
class RunConfig:
    """How a run goes. Only `dataset` has no default; a column that is None is suggested from the data, one that is
    "" is not used.

    `splits` maps train, validation and test to the names found in `split_column`, or, where there is no such column,
    validation to the fraction of the rows that is held out. `training` holds any field of TrainingArguments
    under its own name.
    """

    dataset: str
    model: str = "embedded:minilm"
    task: str = "text-classification"
    splits: Mapping[str, Any] = field(default_factory=dict)
    split_column: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    labels: tuple[str, ...] | None = None
    positive_label: str | None = None
    max_length: int | None = None
    padding: str = "longest_in_batch"
    method: Method = "full"
    lora: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises DemoError for anything that can be seen to be wrong without the data."""
        for spec in dataclasses.fields(self):
            _check_type(spec.name, getattr(self, spec.name))
        ModelRef.parse(self.model).check_is_model()
        _check_choice("method", self.method, METHODS)
        _check_choice("padding", self.padding, TRAINABLE)
        if self.padding == "max_length" and self.max_length is None:
            raise DemoError('padding "max_length" needs a max_length. Set one, or pick "longest_in_batch".')
        if self.max_length is not None and self.max_length < 3:
            raise DemoError(f"max_length is {self.max_length}, which leaves no room for words. Use 3 or more.")
        if self.labels is not None and not all(isinstance(label, str) for label in self.labels):
            raise DemoError(f"labels must be texts, as they stand in the file, but are {list(self.labels)!r}.")
        if self.method == "lora" and ModelRef.parse(self.model).source == "untrained":
            raise DemoError("LoRA changes a trained model a little; an untrained one needs method full. Pick that one.")
        if self.lora and self.method != "lora":
            raise DemoError(f'lora is set, but method is "{self.method}". Set method to "lora", or leave lora out.')
        reserved = sorted(RESERVED & set(self.training))
        if reserved:
            raise DemoError(f"training may not set {', '.join(reserved)}: the run folder depends on it. Leave it out.")

    @classmethod
    def from_json(cls, values: Any) -> RunConfig:
        """A config from plain JSON values.

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
        if isinstance(given.get("labels"), list):
            given["labels"] = tuple(given["labels"])
        return cls(**given)

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """The config in the JSON file at `path`.

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
        return {**values, "labels": list(self.labels) if self.labels is not None else None}

    def with_training_defaults(self, train_rows: int) -> RunConfig:
        """The same config with every training value that decides the result written out.

        Small data sets get more epochs: 3, or as many as make SHORTEST_TRAINING_STEPS optimizer steps, at most 20.
        """
        training = {**COMMON_TRAINING, **TRAINING[self.method], **self.training}
        if "num_train_epochs" not in training and "max_steps" not in training:
            batch = training["per_device_train_batch_size"] * training.get("gradient_accumulation_steps", 1)
            steps_per_epoch = max(1, -(-train_rows // batch))
            training["num_train_epochs"] = min(20, max(3, -(-SHORTEST_TRAINING_STEPS // steps_per_epoch)))
        lora = {**LORA, **self.lora} if self.method == "lora" else {}
        return dataclasses.replace(self, training=training, lora=lora)

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
        """Optimizer steps that a config with its training defaults filled in will take."""
        if self.training.get("max_steps", -1) > 0:
            return int(self.training["max_steps"])
        batch = self.training["per_device_train_batch_size"] * self.training.get("gradient_accumulation_steps", 1)
        return math.ceil(math.ceil(train_rows / batch) * self.training["num_train_epochs"])

    def check_training(self) -> None:
        """Check names and values of `training` before anything starts.

        A TrainingArguments is not built for this: building one reseeds every random generator of the process and
        resets Accelerate's state, which a server can't have.

        Raises:
            DemoError: an unknown field, or a value that transformers would refuse.
        """
        import_libraries()
        from transformers import TrainingArguments
        from transformers.trainer_utils import SchedulerType
        from transformers.training_args import OptimizerNames

        known = {spec.name: spec for spec in dataclasses.fields(TrainingArguments)}
        unknown = sorted(set(self.training) - set(known))
        if unknown:
            raise DemoError(
                f"TrainingArguments has no {', '.join(unknown)} in this version of transformers. "
                "Its documentation lists the fields; take the wrong one out."
            )
        if self.method == "lora":
            self._check_lora()
        for name, value in self.training.items():
            _check_number(name, value, known[name].default)
        for name, kind in (("lr_scheduler_type", SchedulerType), ("optim", OptimizerNames)):
            choices = [member.value for member in kind]
            if self.training.get(name, choices[0]) not in choices:
                raise DemoError(f"{name} is {self.training[name]!r}, but must be one of {', '.join(choices)}.")
        if self.training.get("fp16") and find_device().kind == "cpu":
            raise DemoError("fp16 needs a GPU, and there is none here. Leave it out: on a CPU float32 is the fastest.")

    def _check_lora(self) -> None:
        from peft import LoraConfig

        unknown = sorted(set(self.lora) - {spec.name for spec in dataclasses.fields(LoraConfig)})
        if unknown:
            raise DemoError(f"LoraConfig has no {', '.join(unknown)}. Common fields: r, lora_alpha, target_modules.")


_LOWEST: Mapping[str, float] = {
    "num_train_epochs": 0.01,
    "max_steps": -1,
    "learning_rate": 1e-12,
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "weight_decay": 0.0,
    "seed": 0,
}

_WHOLE = frozenset(
    (
        *("max_steps", "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
        *("seed", "data_seed", "dataloader_num_workers"),
    )
)

_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("dataset", "model", "task", "padding", "method"), (str, "a text")),
    **dict.fromkeys(
        ("split_column", "text_column", "text_pair_column", "label_column", "positive_label"),
        ((str, type(None)), "a text or null"),
    ),
    **dict.fromkeys(("splits", "lora", "training"), (Mapping, "an object")),
    "labels": ((tuple, type(None)), "a list of texts or null"),
    "max_length": ((int, type(None)), "a whole number or null"),
}


def _check_number(name: str, value: Any, default: Any) -> None:
    """A field whose default is a switch or a number takes nothing else; some numbers have a lowest value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise DemoError(f"{name} is {value!r}, but must be true or false.")
    if isinstance(default, int | float) and not isinstance(default, bool) and not is_number:
        raise DemoError(f"{name} is {value!r}, but must be a number.")
    if name in _WHOLE and value != default and (not is_number or value % 1 != 0):
        raise DemoError(f"{name} is {value!r}, but must be a whole number.")
    if is_number and name in _LOWEST and value < _LOWEST[name]:
        raise DemoError(f"{name} is {value!r}, but must be at least {_LOWEST[name]:g}.")


def _check_type(name: str, value: Any) -> None:
    kind, words = _TYPES[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DemoError(f"{name} must be {words}, but is {value!r}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DemoError(f"{name} must be one of {', '.join(choices)}, but is {value!r}.")
