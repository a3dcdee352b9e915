"""The TrainingArguments of a run: what it decides itself, what fills in the gaps, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from hfdemo.devices import Device, available_cores
from hfdemo.errors import DemoError
from hfdemo.heavy import import_libraries

Method = Literal["full", "lora", "frozen"]
METHODS: tuple[Method, ...] = ("full", "lora", "frozen")

# Good on both example data sets and on SST-2 with the embedded model; benchmarks/defaults.py measures them again.
LEARNING_RATE: Mapping[Method, float] = MappingProxyType({"full": 1e-4, "lora": 1e-3, "frozen": 5e-3})
COMMON: Mapping[str, Any] = {
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 64,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "seed": 42,
}
SHORTEST_TRAINING_STEPS = 180
CHARTED_POINTS = 100
# The name under which the best checkpoint is told from the others: reporting.selection makes it.
SELECTION = "selection"

# What `training` may not set, and who decides it instead.
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(
        ("output_dir", "resume_from_checkpoint", "do_train", "do_eval", "do_predict", "run_name"), "the run folder"
    ),
    **dict.fromkeys(
        (
            *("push_to_hub", "hub_token", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
            *("hub_private_repo", "project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
        ),
        "nothing leaves this machine: download the run and upload what you like",
    ),
    **dict.fromkeys(
        (
            *("prediction_loss_only", "batch_eval_metrics", "include_for_metrics", "label_names"),
            *("eval_do_concat_batches", "eval_use_gather_object"),
        ),
        "the metrics need every prediction",
    ),
    **dict.fromkeys(("disable_tqdm", "logging_strategy", "log_on_each_node"), "the event log"),
    "logging_nan_inf_filter": "a loss that is no number has to be seen",
    "remove_unused_columns": "the recipe of the task",
    "local_rank": "the launcher (see processes)",
    "enable_jit_checkpoint": "stopping a run keeps a checkpoint already",
    # The last rows of a held-out split would be dropped, too, and not be in the report.
    "dataloader_drop_last": "it would drop rows of the held-out splits, too",
}

_LOWEST: Mapping[str, float] = {
    "num_train_epochs": 0.01,
    "max_steps": -1,
    "learning_rate": 1e-12,
    **dict.fromkeys(("weight_decay", "warmup_steps", "max_grad_norm", "label_smoothing_factor", "seed"), 0.0),
    **dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
            *("save_total_limit", "eval_accumulation_steps"),
        ),
        1,
    ),
    **dict.fromkeys(("logging_steps", "eval_steps", "save_steps"), 1e-9),
}
_BELOW_ONE = ("label_smoothing_factor", "adam_beta1", "adam_beta2")
_WHOLE = frozenset(
    (
        *("max_steps", "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
        *("seed", "data_seed", "dataloader_num_workers", "save_total_limit", "eval_accumulation_steps"),
    )
)
_PACKAGES = ("tensorboard", "trackio")


@dataclass(frozen=True)
class Knob:
    """A field of TrainingArguments as a form shows it: its own help text, and who decides it where a run may not."""

    name: str
    type: str
    default: Any
    help: str
    reserved: str = ""


def knobs() -> tuple[Knob, ...]:
    """Every field of TrainingArguments in its own order; imports transformers."""
    import_libraries()
    from transformers import TrainingArguments

    def default(spec: dataclasses.Field[Any]) -> Any:
        made: Any = spec.default
        factory: Any = spec.default_factory
        made = factory() if made is dataclasses.MISSING else made
        return getattr(made, "value", made)

    return tuple(
        Knob(
            spec.name,
            _type_name(spec.type),
            default(spec),
            " ".join(str(spec.metadata.get("help", "")).split()),
            RESERVED.get(spec.name, ""),
        )
        for spec in dataclasses.fields(TrainingArguments)
    )


def _type_name(kind: Any) -> str:
    names = [getattr(part, "__name__", str(part)) for part in typing.get_args(kind) or (kind,)]
    return " or ".join(name.replace("NoneType", "null") for name in names)


def with_defaults(
    training: Mapping[str, Any], learning_rate: float, train_rows: int, processes: int = 1
) -> dict[str, Any]:
    """`training` with every value written out that decides the result.

    Small data sets get more epochs: 3, or as many as make SHORTEST_TRAINING_STEPS optimizer steps, at most 20.
    """
    filled = {**COMMON, "learning_rate": learning_rate, **training}
    if "num_train_epochs" not in filled and filled.get("max_steps", -1) <= 0:
        epoch = max(1, -(-train_rows // rows_per_step(filled, processes)))
        filled["num_train_epochs"] = min(20, max(3, -(-SHORTEST_TRAINING_STEPS // epoch)))
    return filled


def rows_per_step(training: Mapping[str, Any], processes: int = 1) -> int:
    """Rows that one optimizer step is computed from."""
    return int(training["per_device_train_batch_size"] * (training.get("gradient_accumulation_steps") or 1) * processes)


def steps(training: Mapping[str, Any], train_rows: int, processes: int = 1) -> int:
    """Optimizer steps that a training with its defaults filled in will take, as the Trainer counts them."""
    if training.get("max_steps", -1) > 0:
        return int(training["max_steps"])
    batches = math.ceil(math.ceil(train_rows / training["per_device_train_batch_size"]) / processes)
    updates = max(1, math.ceil(batches / (training.get("gradient_accumulation_steps") or 1)))
    return math.ceil(updates * training["num_train_epochs"])


def threads(processes: int) -> int:
    """How many threads each process of a training computes on, set on purpose: launchers would set 1."""
    return max(1, available_cores() // processes)


def evaluates(training: Mapping[str, Any]) -> bool:
    """Whether there are evaluations while it trains."""
    return training.get("eval_strategy", "epoch") != "no"


def of_run(training: Mapping[str, Any]) -> dict[str, Any]:
    """What a run gives to TrainingArguments for `training` with its defaults, but for its folder and its device: it
    evaluates before the first step and after every epoch, and keeps the best checkpoint and the newest two."""
    watched = evaluates(training)
    rhythm = training.get("eval_strategy", "epoch") if watched else "epoch"
    steps = {"save_steps": training.get("eval_steps") or 1 / CHARTED_POINTS} if rhythm == "steps" else {}
    values = {
        "eval_strategy": "epoch",
        "save_strategy": rhythm,
        **steps,
        "save_total_limit": 2,
        "load_best_model_at_end": watched,
        "eval_on_start": watched,
        "logging_steps": 1 / CHARTED_POINTS,
        "logging_first_step": True,
        "report_to": "none",
        **training,
        # NaN must be seen, not shown as 0.0.
        "logging_nan_inf_filter": False,
    }
    # The metric that was asked for goes into the selection.
    best = {"metric_for_best_model": SELECTION, "greater_is_better": True}
    named = {name: value for name, value in values.items() if name not in best}
    return named | best if watched else named


def check(training: Mapping[str, Any], device: Device) -> None:
    """Check names and values of `training` before anything starts.

    A TrainingArguments is not built for this: building one reseeds every random generator of the process and resets
    Accelerate's state, which a server can't have.

    Raises:
        DemoError: a field that is unknown or reserved, a value that transformers would refuse, or two values that
            contradict each other.
    """
    import_libraries()
    from transformers import TrainingArguments
    from transformers.trainer_utils import IntervalStrategy, SaveStrategy, SchedulerType
    from transformers.training_args import OptimizerNames

    known = {spec.name: spec for spec in dataclasses.fields(TrainingArguments)}
    unknown = sorted(set(training) - set(known))
    if unknown:
        raise DemoError(
            f"TrainingArguments has no {', '.join(unknown)} in this version of transformers. "
            "Its documentation lists the fields; take the wrong one out."
        )
    check_reserved(training)
    for name, value in training.items():
        _check_number(name, value, known[name].default)
    choices = {
        "lr_scheduler_type": SchedulerType,
        "optim": OptimizerNames,
        "eval_strategy": IntervalStrategy,
        "save_strategy": SaveStrategy,
    }
    for name, kind in choices.items():
        values = [member.value for member in kind]
        if training.get(name, values[0]) not in values:
            raise DemoError(f"{name} is {training[name]!r}, but must be one of {', '.join(values)}.")
    _check_device(training, device)
    _check_together(training)
    _check_packages(training)


def check_reserved(training: Mapping[str, Any]) -> None:
    """Raises DemoError where `training` sets what it may not, with the reason."""
    for name in sorted(set(training) & set(RESERVED)):
        raise DemoError(f"training may not set {name}. What decides it: {RESERVED[name]}. Leave it out.")


def _check_device(training: Mapping[str, Any], device: Device) -> None:
    kind = "cpu" if training.get("use_cpu") else device.kind
    if kind == "cpu":
        for name in ("fp16", "fp16_full_eval", "tf32"):
            if training.get(name):
                raise DemoError(f"{name} needs a GPU, and this run has none. Leave it out: a CPU is best at float32.")
    if training.get("fp16") and kind == "mps":
        raise DemoError("fp16 training needs a CUDA or XPU device. Leave it out, or use bf16.")


def _check_together(training: Mapping[str, Any]) -> None:
    """Raises DemoError for settings of which each is right and both together are not."""
    if training.get("fp16") and training.get("bf16"):
        raise DemoError("fp16 and bf16 are both set, and a training has one precision. Leave one out.")
    for what in ("eval", "save"):
        strategy = training.get(f"{what}_strategy", "epoch")
        if training.get(f"{what}_steps") is not None and strategy != "steps":
            raise DemoError(
                f'{what}_steps is set, but {what}_strategy is "{strategy}", so it would do nothing. '
                f'Set {what}_strategy to "steps", or leave {what}_steps out.'
            )
    if not evaluates(training):
        for name in ("load_best_model_at_end", "eval_on_start"):
            if training.get(name):
                raise DemoError(f'{name} needs evaluations, but eval_strategy is "no". Leave one of them out.')
        if training.get("save_strategy") == "best":
            raise DemoError('save_strategy "best" needs evaluations, but eval_strategy is "no". Leave one out.')
    elif training.get("load_best_model_at_end", True) and training.get("save_strategy") == "no":
        raise DemoError(
            'The best checkpoint can\'t be kept with save_strategy "no". Leave it out, or set load_best_model_at_end '
            "to false."
        )
    if training.get("greater_is_better") is not None and not training.get("metric_for_best_model"):
        raise DemoError("greater_is_better is set without metric_for_best_model. Name the metric, or leave it out.")
    if training.get("deepspeed") and training.get("fsdp"):
        raise DemoError("deepspeed and fsdp are both set, and a model is sharded by one of them. Leave one out.")


def _check_packages(training: Mapping[str, Any]) -> None:
    asked = training.get("report_to") or "none"
    for name in [asked] if isinstance(asked, str) else asked:
        if name != "none" and name not in _PACKAGES:
            raise DemoError(f"report_to is {name!r}. A run can report to: {', '.join(_PACKAGES)}; or leave it out.")
        if name != "none" and importlib.util.find_spec(name) is None:
            raise DemoError(f"report_to {name!r} needs the package {name}. Install it (pip install {name}) first.")
    if training.get("deepspeed") and importlib.util.find_spec("deepspeed") is None:
        raise DemoError("deepspeed needs the package deepspeed. Install it (pip install deepspeed), or leave it out.")


def _check_number(name: str, value: Any, default: Any) -> None:
    """A field whose default is a switch or a number takes nothing else; some numbers have a lowest value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise DemoError(f"{name} is {value!r}, but must be true or false.")
    if isinstance(default, int | float) and not isinstance(default, bool) and not is_number:
        raise DemoError(f"{name} is {value!r}, but must be a number.")
    if name in _WHOLE and value != default and (not is_number or value % 1 != 0):
        raise DemoError(f"{name} is {value!r}, but must be a whole number.")
    if is_number and not math.isfinite(value):
        raise DemoError(f"{name} is {value!r}, but must be a finite number.")
    if is_number and name in _LOWEST and value < _LOWEST[name]:
        raise DemoError(f"{name} is {value!r}, but must be at least {_LOWEST[name]:g}.")
    if is_number and name in _BELOW_ONE and value >= 1:
        raise DemoError(f"{name} is {value!r}, but must be below 1.")
