"""How much a run may take: of the disk, of what all runs may be, and of a server's time.

On a server that many people share no setting is a path or a program, besides.
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
from hfdemo.ownership import DiskUse
from hfdemo.settings import Settings

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
# Of TrainingArguments, where a run leaves it out.
_SAVE_STEPS = 500
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


def check_shared(config: RunConfig) -> None:
    """Refuse what a shared server does not do for a visitor.

    Raises:
        RunError: a setting that is not offered there.
    """
    check_shared_fields(config)
    if config.processes > 1:
        raise RunError(f"processes is {config.processes}, but on this shared server a run has one. {_OWN_MACHINE}")


def check_work(config: RunConfig, train_rows: int, held_out_rows: int, settings: Settings) -> None:
    """Refuse more work than a run may be; `config` has its training defaults filled in.

    Raises:
        RunError: too many steps, or too many rows that are trained on or evaluated.
    """
    own = f" {_OWN_MACHINE}" if settings.public else ""
    steps, most = config.steps(train_rows), settings.run_steps
    if most and steps > most:
        raise RunError(
            f"This run would take {steps:,} steps; on this server a run has at most {most:,}. Use fewer epochs or a "
            f"larger batch, or lower max_steps.{own}"
        )
    trained, most = steps * min(rows_per_step(config.training, config.processes), train_rows), settings.run_trained_rows
    if most and trained > most:
        raise RunError(
            f"This run would compute {trained:,} rows; on this server a run has at most {most:,}. Use fewer epochs or "
            f"fewer rows.{own}"
        )
    evaluations = count_evaluations(config.training, steps, train_rows, config.processes)
    evaluated, most = evaluations * held_out_rows, settings.run_evaluated_rows
    if most and evaluated > most:
        raise RunError(
            f"This run would evaluate {evaluated:,} rows in all its evaluations; on this server at most {most:,} are. "
            f"Evaluate less often, or hold fewer rows out.{own}"
        )


def check_active(runs: int, settings: Settings) -> None:
    """Refuse a further run where so many are at work or waiting already.

    Raises:
        RunError: they are as many as there may be.
    """
    if settings.runs_at_work and runs >= settings.runs_at_work:
        raise RunError(f"{runs} runs are at work or waiting on this server. Come back when one has ended.")


def check_use(use: DiskUse, needed_bytes: int, what: str, settings: Settings) -> None:
    """Refuse `what` where it does not fit into what a visitor's things, or those of all, may take of the disk.

    Raises:
        RunError: it does not; the sentence says what to delete.
    """
    if refusal := use.find_refusal(needed_bytes, what, settings):
        raise RunError(refusal)


def estimate_run_bytes(config: RunConfig, characters: int, model_bytes: int, train_rows: int) -> int:
    """Estimate the most that a run takes at a time: its data as text and as ids, its checkpoints and its model.

    `config` has its defaults filled in, and its data so many `characters` and rows.
    """
    checkpoints = _count_checkpoints(config, train_rows)
    return 4 * characters + round(model_bytes * (1 + _CHECKPOINT[config.method] * checkpoints))


def _count_checkpoints(config: RunConfig, train_rows: int) -> int:
    """Count those that are there at most: the newest, the best, and the one that is being written."""
    values = of_run(config.training)
    if values["save_strategy"] == "no":
        return 0
    newest = values["save_total_limit"]
    if newest is not None:
        return 2 + int(newest)
    steps = config.steps(train_rows)
    if values["save_strategy"] != "steps":
        return 2 + math.ceil(values.get("num_train_epochs") or steps)
    every = values.get("save_steps") or _SAVE_STEPS
    return 2 + math.ceil(steps / (every if every >= 1 else max(1, math.ceil(every * steps))))
