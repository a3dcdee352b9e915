"""What of a run's TrainingArguments is refused before anything starts."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import WHOLE, check_reserved, evaluates, of_run
from hfdemo.lazy_imports import import_libraries

# Steps, or below 1 the share of all steps.
_RHYTHMS = ("logging_steps", "eval_steps", "save_steps")
_LOWEST: Mapping[str, float] = {
    "num_train_epochs": 0.01,
    "max_steps": -1,
    "learning_rate": 1e-12,
    **dict.fromkeys(
        ("weight_decay", "warmup_steps", "max_grad_norm", "label_smoothing_factor", "seed", "data_seed"), 0.0
    ),
    **dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
            *("save_total_limit", "eval_accumulation_steps"),
        ),
        1,
    ),
    **dict.fromkeys(_RHYTHMS, 1e-9),
    "torch_empty_cache_steps": 1,
    "dataloader_num_workers": 0,
}
# Beyond these nothing is learned, memory runs out, or no machine ends: most likely a slip.
_HIGHEST: Mapping[str, float] = {
    "seed": 2**32 - 1,
    "data_seed": 2**32 - 1,
    "num_train_epochs": 1e6,
    "learning_rate": 100,
    "weight_decay": 100,
    "neftune_noise_alpha": 1_000,
    **dict.fromkeys(("max_steps", "warmup_steps", *_RHYTHMS), 1e9),
    **dict.fromkeys(
        ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"), 1_000_000
    ),
    **dict.fromkeys(("dataloader_num_workers", "dataloader_prefetch_factor"), 256),
    "save_total_limit": 1_000_000,
}
_BELOW_ONE = ("label_smoothing_factor", "adam_beta1", "adam_beta2")
_SAMPLING = ("random", "sequential", "group_by_length", "batch_rebalance")
_PACKAGES = ("tensorboard", "trackio")
# Fields that do nothing without a package: the module that is imported, and what pip calls it.
_FIELD_PACKAGES: Mapping[str, tuple[str, str]] = {
    "deepspeed": ("deepspeed", "deepspeed"),
    "use_liger_kernel": ("liger_kernel", "liger-kernel"),
}
_COMPILING = ("torch_compile", "torch_compile_backend", "torch_compile_mode")


def check(training: Mapping[str, Any], device: Device) -> None:
    """Check names and values of `training` before anything starts.

    They are built without what touches this process: to look up a device would reset Accelerate's state, which a
    server can't have, and the environment is left as it was.

    Raises:
        DemoError: a field that is unknown or reserved, a value that transformers would refuse, or two values that
            contradict each other.
    """
    import_libraries()
    from transformers import TrainingArguments
    from transformers.debug_utils import DebugOption
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
        "train_sampling_strategy": _SAMPLING,
        "debug": DebugOption,
    }
    for name, kind in choices.items():
        values = [getattr(member, "value", member) for member in kind]
        if training.get(name) and training[name] not in values:
            raise DemoError(f"{name} is {training[name]!r}, but must be one of {', '.join(values)}.")
    _check_device(training, device)
    _check_together(training)
    _check_rhythm(training)
    _check_packages(training)
    _rehearse(training)
    _build_arguments(training, device)


def _check_device(training: Mapping[str, Any], device: Device) -> None:
    kind = "cpu" if training.get("use_cpu") else device.kind
    if kind == "cpu":
        for name in ("fp16", "fp16_full_eval", "tf32"):
            if training.get(name):
                raise DemoError(f"{name} needs a GPU, and this run has none. Leave it out: a CPU is best at float32.")
    if training.get("fp16") and kind == "mps":
        raise DemoError("fp16 training needs a CUDA or XPU device. Leave it out, or use bf16.")


def _check_together(training: Mapping[str, Any]) -> None:
    """Refuse settings of which each is right and both together are not."""
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
    if training.get("dataloader_prefetch_factor") is not None and not training.get("dataloader_num_workers"):
        raise DemoError("dataloader_prefetch_factor needs dataloader_num_workers above 0. Set it, or leave this out.")
    if training.get("dataloader_persistent_workers") and not training.get("dataloader_num_workers"):
        raise DemoError(
            "dataloader_persistent_workers needs dataloader_num_workers above 0. Set it, or leave this out."
        )
    if training.get("greater_is_better") is not None and not training.get("metric_for_best_model"):
        raise DemoError("greater_is_better is set without metric_for_best_model. Name the metric, or leave it out.")
    if training.get("deepspeed") and training.get("fsdp"):
        raise DemoError("deepspeed and fsdp are both set, and a model is sharded by one of them. Leave one out.")


def _check_rhythm(training: Mapping[str, Any]) -> None:
    """Refuse a rhythm where a checkpoint would not stand at an evaluation, so that the best could not be kept."""
    values = of_run(training)
    for name in _RHYTHMS:
        if values.get(name) is not None and values[name] > 1 and values[name] % 1:
            raise DemoError(
                f"{name} is {values[name]!r}: it counts steps, or below 1 it is a share of all of them. Use a whole "
                "number, or one below 1."
            )
    if not values["load_best_model_at_end"] or values["save_strategy"] == "best":
        return
    judged, saved = values["eval_strategy"], values["save_strategy"]
    if judged != saved:
        raise DemoError(
            f'eval_strategy is "{judged}" and save_strategy "{saved}", so the best checkpoint could not be kept. Make '
            "them the same, or set load_best_model_at_end to false."
        )
    if judged == "steps":
        evaluation = values.get("eval_steps") or values["logging_steps"]
        times = values["save_steps"] / evaluation
        if (values["save_steps"] < 1) != (evaluation < 1) or abs(times - round(times)) > 1e-6 or times < 1:
            raise DemoError(
                f"save_steps is {values['save_steps']:g} and there is an evaluation every {evaluation:g}: of a "
                "checkpoint without one nobody knows whether it is the best. Make save_steps a multiple of eval_steps."
            )


def _rehearse(training: Mapping[str, Any]) -> None:
    """Make the optimizer and the scheduler of one weight, as the Trainer will of many.

    Raises:
        DemoError: a package is missing, or they don't take their settings.
    """
    import torch
    from transformers import Trainer, TrainingArguments, get_scheduler

    def default(spec: dataclasses.Field[Any]) -> Any:
        made: Any = spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default
        return getattr(made, "value", made)

    # Not a TrainingArguments: the library reads nothing but names of it.
    values = {spec.name: default(spec) for spec in dataclasses.fields(TrainingArguments)}
    arguments = SimpleNamespace(**{**values, **of_run({"learning_rate": 1e-4, **training})})
    weight = [torch.nn.Parameter(torch.zeros(1))]
    try:
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, None)
        optimizer = kind(weight, **options)
    except Exception as error:  # whatever a package raises
        if "model" in str(error):  # which is not there yet
            return
        raise DemoError(f"The optimizer {arguments.optim} can't be made: {' '.join(str(error).split())}") from error
    try:
        get_scheduler(
            arguments.lr_scheduler_type,
            optimizer=optimizer,
            num_warmup_steps=1,
            num_training_steps=2,
            scheduler_specific_kwargs=dict(arguments.lr_scheduler_kwargs or {}),
        )
    except Exception as error:  # its options are passed on as they are
        raise DemoError(
            f"The scheduler {arguments.lr_scheduler_type} can't be made with lr_scheduler_kwargs "
            f"{arguments.lr_scheduler_kwargs!r}: {' '.join(str(error).split())}"
        ) from error


def _compiles(training: Mapping[str, Any]) -> bool:
    return any(training.get(name) for name in _COMPILING)


def _build_arguments(training: Mapping[str, Any], device: Device) -> None:
    """Build the TrainingArguments of a run with all their own checks, but for what touches this process.

    Raises:
        DemoError: transformers refuses them.
    """
    import torch
    from transformers import TrainingArguments

    kind = "cpu" if training.get("use_cpu") else device.kind

    @dataclasses.dataclass(repr=False)
    class Unbound(TrainingArguments):
        """Arguments that look up no device: that would reset Accelerate's state."""

        device = torch.device(kind)

    # Those change switches of torch for the whole process, or start a package that has its own checks.
    left_out = {"deepspeed", "tf32", *_COMPILING}
    values = {name: value for name, value in of_run(training).items() if name not in left_out}
    try:
        with warnings.catch_warnings(), _restored_environment():
            warnings.simplefilter("ignore")
            Unbound(**{"output_dir": "unused", "use_cpu": kind == "cpu", **values})
    except Exception as error:  # whatever its parts raise
        raise DemoError(f"transformers refuses these TrainingArguments: {' '.join(str(error).split())}") from error


@contextlib.contextmanager
def _restored_environment() -> Iterator[None]:
    """Undo what the block changes in os.environ: the processes of all later runs would inherit it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


def _check_packages(training: Mapping[str, Any]) -> None:
    asked = training.get("report_to") or "none"
    for name in [asked] if isinstance(asked, str) else asked:
        if name != "none" and name not in _PACKAGES:
            raise DemoError(f"report_to is {name!r}. A run can report to: {', '.join(_PACKAGES)}; or leave it out.")
        if name != "none" and importlib.util.find_spec(name) is None:
            raise DemoError(f"report_to {name!r} needs the package {name}. Install it (pip install {name}) first.")
    for name, (module, package) in _FIELD_PACKAGES.items():
        if training.get(name) and importlib.util.find_spec(module) is None:
            raise DemoError(f"{name} needs the package {package}. Install it (pip install {package}), or leave it out.")
    if _compiles(training) and not (shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")):
        raise DemoError("torch_compile needs a C++ compiler (g++), and there is none. Install one, or leave it out.")


def _check_number(name: str, value: Any, default: Any) -> None:
    """Check that a field whose default is a switch or a number is one, and within its bounds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise DemoError(f"{name} is {value!r}, but must be true or false.")
    if isinstance(default, int | float) and not isinstance(default, bool) and not is_number:
        raise DemoError(f"{name} is {value!r}, but must be a number.")
    if name in (*_RHYTHMS, "neftune_noise_alpha") and value is not None and not is_number:
        raise DemoError(f"{name} is {value!r}, but must be a number.")
    if name in WHOLE and value != default and (not is_number or value % 1 != 0):
        raise DemoError(f"{name} is {value!r}, but must be a whole number.")
    if is_number:
        check_range(name, value)


def is_seed(value: float) -> bool:
    """Return whether random generators can begin with `value`."""
    return _LOWEST["seed"] <= value <= _HIGHEST["seed"]


def check_range(name: str, value: float, label: str = "") -> None:
    """Check that `value` is one that the field `name` can have; a sentence calls it by its `label`, if it has one.

    Raises:
        DemoError: it is too low, too high, or not finite.
    """
    said = f"{label or name} is {value!r}, but must be"
    if not math.isfinite(value):
        raise DemoError(f"{said} a finite number.")
    if name in _LOWEST and value < _LOWEST[name]:
        # Next to nothing stands for all that is above 0.
        raise DemoError(f"{said} above 0." if 0 < _LOWEST[name] < 1e-6 else f"{said} at least {_LOWEST[name]:g}.")
    if name in _HIGHEST and value > _HIGHEST[name]:
        raise DemoError(f"{said} at most {_HIGHEST[name]:.0f}.")
    if name in _BELOW_ONE and value >= 1:
        raise DemoError(f"{said} below 1.")
