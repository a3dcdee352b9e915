"""How much a run may take: of the disk, and of a server that many people share.

There no setting is a path or a program, and the work is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hfdemo.errors import RunError
from hfdemo.finetuning.arguments import count_evaluations, of_run, rows_per_step
from hfdemo.finetuning.config import RunConfig
from hfdemo.models.adapter_limits import PATTERN_FIELDS, is_plain

STEPS = 2_000
RUNS = 3
# Rows that are computed, in training and in all evaluations: 2,000 steps of the usual 16 rows, and twice that.
TRAINED_ROWS = 32_000
EVALUATED_ROWS = 64_000
# A visitor's run is there for the day.
KEPT_SECONDS = 24 * 3600

# What decides what is learned. The other fields of TrainingArguments name files, start processes, or talk to others.
_FIELDS = frozenset(
    (
        *("num_train_epochs", "max_steps", "learning_rate", "weight_decay", "warmup_steps", "seed", "data_seed"),
        *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
        *("lr_scheduler_type", "lr_scheduler_kwargs", "optim", "adam_beta1", "adam_beta2", "adam_epsilon"),
        *("max_grad_norm", "label_smoothing_factor", "neftune_noise_alpha", "train_sampling_strategy"),
        *("eval_strategy", "eval_steps", "eval_on_start", "save_strategy", "save_steps", "save_total_limit"),
        *("load_best_model_at_end", "metric_for_best_model", "greater_is_better", "logging_steps"),
        *("logging_first_step", "bf16", "fp16", "gradient_checkpointing"),
    )
)


# Fields of LoraConfig that say how large the adapter is and where it goes. The others read data, load packages, or work
# for as long as a number says.
_LORA_FIELDS = frozenset(
    (
        *("r", "lora_alpha", "lora_dropout", "bias", "use_rslora", "use_dora", "init_lora_weights", "fan_in_fan_out"),
        *("target_modules", "exclude_modules", "modules_to_save", "rank_pattern", "alpha_pattern"),
        *("layers_to_transform", "layers_pattern"),
    )
)
_LORA_STARTS = (True, False, "gaussian")
_OWN_MACHINE = "Run the app on your own machine for that."
# What a checkpoint takes, in sizes of the model: AdamW keeps two numbers for each weight that is trained.
_CHECKPOINT: Mapping[str, float] = MappingProxyType({"full": 3.0, "frozen": 1.1, "lora": 0.1})


def check_shared_fields(config: RunConfig) -> None:
    """Refuse training values that are not a visitor's to set, before anything reads what they name.

    Raises:
        RunError: there is one.
    """
    other = sorted(set(config.training) - _FIELDS)
    if other:
        raise RunError(f"training may not set {', '.join(other)} on this shared server. Leave it out. {_OWN_MACHINE}")
    _check_shared_lora(config.lora)


def _check_shared_lora(lora: Mapping[str, Any]) -> None:
    other = sorted(set(lora) - _LORA_FIELDS)
    if other:
        raise RunError(f"lora may not set {', '.join(other)} on this shared server. Leave it out. {_OWN_MACHINE}")
    if lora.get("init_lora_weights", True) not in _LORA_STARTS:
        raise RunError(
            f"lora's init_lora_weights is {lora['init_lora_weights']!r:.80}, and on this shared server it is true, "
            f'false or "gaussian". {_OWN_MACHINE}'
        )
    for field in sorted(set(PATTERN_FIELDS) & set(lora)):
        names = [lora[field]] if isinstance(lora[field], str) else list(lora[field] or ())
        for name in names:
            if not is_plain(name):
                raise RunError(
                    f"lora's {field} holds {name!r:.80}, and on this shared server it takes names of layers, such as "
                    f'["query", "value"], or "all-linear". {_OWN_MACHINE}'
                )


def check_shared(config: RunConfig, train_rows: int, held_out_rows: int) -> None:
    """Refuse what a shared server does not do for a visitor; `config` has its training defaults filled in.

    Raises:
        RunError: a setting that is not offered there, or too much work.
    """
    own = _OWN_MACHINE
    check_shared_fields(config)
    if config.processes > 1:
        raise RunError(f"processes is {config.processes}, but on this shared server a run has one. {own}")
    steps = config.steps(train_rows)
    if steps > STEPS:
        raise RunError(
            f"This run would take {steps:,} steps; on this shared server a run has at most {STEPS:,}. Use fewer epochs "
            f"or a larger batch. {own}"
        )
    trained = steps * min(rows_per_step(config.training), train_rows)
    if trained > TRAINED_ROWS:
        raise RunError(
            f"This run would compute {trained:,} rows; on this shared server a run has at most {TRAINED_ROWS:,}. Use "
            f"fewer epochs or fewer rows. {own}"
        )
    evaluated = count_evaluations(config.training, steps, train_rows) * held_out_rows
    if evaluated > EVALUATED_ROWS:
        raise RunError(
            f"This run would evaluate {evaluated:,} rows in all its evaluations; on this shared server at most "
            f"{EVALUATED_ROWS:,} are. Evaluate less often, or hold fewer rows out. {own}"
        )


def check_active(runs: int) -> None:
    """Refuse a further run where so many are at work or waiting already.

    Raises:
        RunError: they are as many as there may be.
    """
    if runs >= RUNS:
        raise RunError(f"{runs} runs are at work or waiting on this shared server. Come back when one has ended.")


def estimate_run_bytes(config: RunConfig, characters: int, model_bytes: int) -> int:
    """Estimate the most that a run takes at a time: its data as text and as ids, its checkpoints and its model.

    `config` has its defaults filled in, and its data so many `characters`.
    """
    return 4 * characters + round(model_bytes * (1 + _CHECKPOINT[config.method] * _count_checkpoints(config)))


def _count_checkpoints(config: RunConfig) -> int:
    """Count those that are there at most: the newest, the best, and the one that is being written."""
    values = of_run(config.training)
    if values["save_strategy"] == "no":
        return 0
    newest = values["save_total_limit"]
    return 2 + (math.ceil(values.get("num_train_epochs") or 1) if newest is None else int(newest))
