"""The TrainingArguments of a run: what it decides itself, and what fills in the gaps."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from hfdemo.devices import available_cores
from hfdemo.errors import DemoError
from hfdemo.lazy_imports import import_libraries

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
# The name under which the best checkpoint is told from the others: SelectionCallback in training/trainer.py makes it.
SELECTION = "selection"

# Fields that count something.
WHOLE = frozenset(
    (
        *("max_steps", "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
        *("seed", "data_seed", "dataloader_num_workers", "save_total_limit", "eval_accumulation_steps"),
        *("torch_empty_cache_steps", "dataloader_prefetch_factor"),
    )
)

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


@dataclass(frozen=True)
class Knob:
    """A field of TrainingArguments as a form shows it: its own help text, and who decides it where a run may not."""

    name: str
    type: str
    default: Any
    help: str
    reserved: str = ""


def knobs() -> tuple[Knob, ...]:
    """List every field of TrainingArguments in its own order; imports transformers."""
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


def whole(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return `training` with every number that counts something as an int: JSON of a browser may say 42.0."""
    return {
        name: int(value) if name in WHOLE and isinstance(value, float) and value.is_integer() else value
        for name, value in training.items()
    }


def with_defaults(
    training: Mapping[str, Any], learning_rate: float, train_rows: int, processes: int = 1
) -> dict[str, Any]:
    """Return `training` with every value written out that decides the result.

    Small data sets get more epochs: 3, or as many as make SHORTEST_TRAINING_STEPS optimizer steps, at most 20.
    """
    filled = {**COMMON, "learning_rate": learning_rate, **training}
    if "num_train_epochs" not in filled and filled.get("max_steps", -1) <= 0:
        epoch = max(1, -(-train_rows // rows_per_step(filled, processes)))
        filled["num_train_epochs"] = min(20, max(3, -(-SHORTEST_TRAINING_STEPS // epoch)))
    return filled


def rows_per_step(training: Mapping[str, Any], processes: int = 1) -> int:
    """Return how many rows one optimizer step is computed from."""
    return int(training["per_device_train_batch_size"] * (training.get("gradient_accumulation_steps") or 1) * processes)


def steps(training: Mapping[str, Any], train_rows: int, processes: int = 1) -> int:
    """Return how many optimizer steps a training with its defaults filled in will take, as the Trainer counts them."""
    if training.get("max_steps", -1) > 0:
        return int(training["max_steps"])
    return math.ceil(_steps_per_epoch(training, train_rows, processes) * training["num_train_epochs"])


def _steps_per_epoch(training: Mapping[str, Any], train_rows: int, processes: int) -> int:
    batches = math.ceil(math.ceil(train_rows / training["per_device_train_batch_size"]) / processes)
    return max(1, math.ceil(batches / (training.get("gradient_accumulation_steps") or 1)))


def count_evaluations(training: Mapping[str, Any], total_steps: int, train_rows: int, processes: int = 1) -> int:
    """Count the evaluations of the validation split in a run: before the first step, while it trains, and at the end.

    `training` has its defaults filled in.
    """
    if not evaluates(training):
        return 1
    values = of_run(training)
    per_epoch = _steps_per_epoch(training, train_rows, processes)
    parts = _count_parts(
        values["eval_strategy"], values.get("eval_steps") or values["logging_steps"], total_steps, per_epoch
    )
    return int(bool(values["eval_on_start"])) + parts + 1


def count_saves(training: Mapping[str, Any], total_steps: int, train_rows: int, processes: int = 1) -> int:
    """Count the checkpoints that a run saves, at most; `training` has its defaults filled in."""
    values = of_run(training)
    strategy = values["save_strategy"]
    if strategy == "best":  # whenever an evaluation is better than those before
        return count_evaluations(training, total_steps, train_rows, processes)
    per_epoch = _steps_per_epoch(training, train_rows, processes)
    return 0 if strategy == "no" else _count_parts(strategy, values.get("save_steps") or 500, total_steps, per_epoch)


def _count_parts(strategy: str, every: float, total_steps: int, per_epoch: int) -> int:
    """Count the epochs, or the parts of `every` steps, in all steps; the last one counts, though it be shorter."""
    if strategy != "steps":
        return math.ceil(total_steps / per_epoch)
    return math.ceil(total_steps / (every if every >= 1 else max(1, math.ceil(every * total_steps))))


def threads(processes: int) -> int:
    """Return how many threads each process of a training computes on: launchers would set 1."""
    return max(1, available_cores() // processes)


def evaluates(training: Mapping[str, Any]) -> bool:
    """Return whether there are evaluations while it trains."""
    return training.get("eval_strategy", "epoch") != "no"


def of_run(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run gives to TrainingArguments for `training` with its defaults, but for its folder and its device.

    It evaluates before the first step and after every epoch, and keeps the best checkpoint and the newest two.
    """
    watched = evaluates(training)
    rhythm = training.get("eval_strategy", "epoch") if watched else "epoch"
    logged = training.get("logging_steps") or 1 / CHARTED_POINTS  # which is eval_steps where that is left out
    steps = {"save_steps": training.get("eval_steps") or logged} if rhythm == "steps" else {}
    # It lowers the rate when the metric of the best checkpoint no longer rises.
    plateau = training.get("lr_scheduler_type") == "reduce_lr_on_plateau"
    mode = {"lr_scheduler_kwargs": {"mode": "max", **(training.get("lr_scheduler_kwargs") or {})}} if plateau else {}
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
        **mode,
        # NaN must be seen, not shown as 0.0.
        "logging_nan_inf_filter": False,
    }
    # The metric that was asked for goes into the selection.
    best = {"metric_for_best_model": SELECTION, "greater_is_better": True}
    named = {name: value for name, value in values.items() if name not in best}
    return named | best if watched else named


def check_reserved(training: Mapping[str, Any]) -> None:
    """Refuse what `training` may not set, with the reason."""
    for name in sorted(set(training) & set(RESERVED)):
        raise DemoError(f"training may not set {name}. What decides it: {RESERVED[name]}. Leave it out.")
