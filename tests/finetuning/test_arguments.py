"""TrainingArguments: every field can be reached or says why not; what can't be is refused before anything starts."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device
from hfdemo.errors import DemoError
from hfdemo.finetuning.argument_checks import check
from hfdemo.finetuning.arguments import (
    RESERVED,
    SELECTION,
    count_evaluations,
    count_saves,
    knobs,
    of_run,
    rows_per_step,
    steps,
    with_defaults,
)
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.training.trainer import SelectionCallback

CPU, GPU = Device("cpu", "CPU"), Device("cuda", "a GPU")


def test_every_field_has_its_own_help_and_is_settable_or_says_what_decides_it() -> None:
    from transformers import TrainingArguments

    found = {knob.name: knob for knob in knobs()}
    assert list(found) == [spec.name for spec in dataclasses.fields(TrainingArguments)]
    assert all(knob.help for knob in found.values())
    assert found["learning_rate"].default == 5e-5
    assert found["learning_rate"].type == "float"
    assert found["lr_scheduler_type"].default == "linear"
    assert {name for name, knob in found.items() if knob.reserved} == set(RESERVED) & set(found)
    for name in set(found) - set(RESERVED):
        # What counts steps needs its strategy, and the strategies go together.
        if found[name].default is not None and name not in ("save_steps", "eval_steps", "save_strategy"):
            check({name: found[name].default}, GPU)


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"hub_token": "x"}, "may not set hub_token. What decides it: nothing leaves this machine"),
        ({"fp16": True, "bf16": True}, "fp16 and bf16 are both set"),
        ({"eval_steps": 5}, 'eval_steps is set, but eval_strategy is "epoch"'),
        ({"save_steps": 5}, 'save_steps is set, but save_strategy is "epoch"'),
        ({"eval_strategy": "sometimes"}, "must be one of no, steps, epoch"),
        ({"eval_strategy": "no", "load_best_model_at_end": True}, "load_best_model_at_end needs evaluations"),
        ({"eval_strategy": "no", "save_strategy": "best"}, "needs evaluations"),
        ({"save_strategy": "no"}, "best checkpoint can't be kept"),
        ({"greater_is_better": True}, "without metric_for_best_model"),
        ({"report_to": "wandb"}, "A run can report to: tensorboard, trackio"),
        ({"report_to": ["trackio"]}, "needs the package trackio"),
        ({"deepspeed": "x.json"}, "needs the package deepspeed"),
        ({"deepspeed": "x.json", "fsdp": "full_shard"}, "both set"),
        ({"label_smoothing_factor": 1.0}, "must be below 1"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"gradient_accumulation_steps": 0}, "at least 1"),
        ({"seed": 2**32}, "at most 4294967295"),
        ({"eval_strategy": "steps", "eval_steps": "abc"}, "must be a number"),
        ({"eval_strategy": "steps", "eval_steps": 1.5}, "Use a whole number, or one below 1"),
        ({"logging_steps": 1.5}, "Use a whole number, or one below 1"),
        ({"save_strategy": "steps"}, 'eval_strategy is "epoch" and save_strategy "steps"'),
        (
            {"eval_strategy": "steps", "eval_steps": 10, "save_strategy": "steps", "save_steps": 15},
            "Make save_steps a multiple of eval_steps",
        ),
        ({"eval_strategy": "steps", "eval_steps": 0.1, "save_strategy": "steps", "save_steps": 15}, "a multiple"),
        ({"dataloader_prefetch_factor": 2}, "needs dataloader_num_workers"),
        ({"dataloader_num_workers": -1}, "at least 0"),
        ({"torch_empty_cache_steps": 0}, "at least 1"),
        ({"optim": "adamw_bnb_8bit"}, "can't be made: .*bitsandbytes"),
        ({"lr_scheduler_kwargs": {"nope": 1}}, "scheduler linear can't be made .*nope"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "num_decay_steps"),
        ({"train_sampling_strategy": "backwards"}, "must be one of random"),
        ({"debug": "x"}, "must be one of"),
        ({"neftune_noise_alpha": "x"}, "must be a number"),
    ],
)
def test_what_transformers_would_refuse_or_ignore_is_refused_first(training: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        check(training, GPU)


@pytest.mark.parametrize(
    "training",
    [
        {"eval_strategy": "steps", "eval_steps": 10},
        {"eval_strategy": "steps", "logging_steps": 10},
        {"eval_strategy": "steps"},
        {"eval_strategy": "steps", "eval_steps": 0.05, "save_strategy": "steps", "save_steps": 0.15},
        {"eval_strategy": "no"},
        {"load_best_model_at_end": False, "save_strategy": "no"},
        {"save_strategy": "best"},
        {"lr_scheduler_type": "reduce_lr_on_plateau"},
        {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 2}},
        {"optim": "adafactor"},
    ],
    ids=str,
)
def test_what_is_accepted_makes_training_arguments(training: dict[str, Any], tmp_path: Path) -> None:
    from transformers import TrainingArguments

    check(training, CPU)
    TrainingArguments(output_dir=str(tmp_path), use_cpu=True, **of_run(with_defaults(training, 1e-4, 100)))


def test_a_plateau_is_one_of_a_metric_that_is_to_rise() -> None:
    assert of_run({"lr_scheduler_type": "reduce_lr_on_plateau"})["lr_scheduler_kwargs"] == {"mode": "max"}
    own = {"lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {"patience": 0, "mode": "min"}}
    assert of_run(own)["lr_scheduler_kwargs"] == {"patience": 0, "mode": "min"}
    assert "lr_scheduler_kwargs" not in of_run({})


def test_what_counts_something_is_a_whole_number_whatever_a_browser_sent() -> None:
    found = RunConfig.from_json({"dataset": "d", "training": {"seed": 42.0, "warmup_steps": 0.5}}).training
    assert (type(found["seed"]), found["warmup_steps"]) == (int, 0.5)


@pytest.mark.parametrize("name", ["fp16", "fp16_full_eval", "tf32"])
def test_precision_is_checked_against_the_device(name: str) -> None:
    check({name: True}, GPU)
    for training, device in (({name: True}, CPU), ({name: True, "use_cpu": True}, GPU)):
        with pytest.raises(DemoError, match=f"{name} needs a GPU"):
            check(training, device)


def test_small_data_gets_more_epochs_and_a_given_number_of_steps_none() -> None:
    assert with_defaults({}, 1e-4, 10_000)["num_train_epochs"] == 3
    assert with_defaults({}, 1e-4, 160)["num_train_epochs"] == 18
    assert with_defaults({}, 1e-4, 16)["num_train_epochs"] == 20
    assert "num_train_epochs" not in with_defaults({"max_steps": 7}, 1e-4, 160)
    assert with_defaults({"max_steps": -1}, 1e-4, 10_000)["num_train_epochs"] == 3


@pytest.mark.parametrize(
    ("training", "processes", "rows", "expected"),
    [
        ({"per_device_train_batch_size": 8, "num_train_epochs": 2}, 1, 17, 6),
        ({"per_device_train_batch_size": 8, "num_train_epochs": 2, "gradient_accumulation_steps": 2}, 1, 17, 4),
        ({"per_device_train_batch_size": 8, "num_train_epochs": 2}, 2, 17, 4),
        ({"per_device_train_batch_size": 8, "max_steps": 5}, 1, 17, 5),
    ],
)
def test_steps_are_counted_as_the_trainer_counts_them(
    training: dict[str, Any], processes: int, rows: int, expected: int
) -> None:
    assert steps(training, rows, processes) == expected


def test_a_run_evaluates_saves_and_keeps_the_best_unless_told_otherwise() -> None:
    usual = of_run({})
    assert (usual["eval_strategy"], usual["save_strategy"], usual["eval_on_start"]) == ("epoch", "epoch", True)
    assert usual["metric_for_best_model"] == "selection"
    assert of_run({"metric_for_best_model": "accuracy"})["metric_for_best_model"] == "selection"
    assert of_run({"eval_strategy": "steps", "eval_steps": 5})["save_steps"] == 5
    silent = of_run({"eval_strategy": "no"})
    assert not silent["load_best_model_at_end"]
    assert "metric_for_best_model" not in silent
    assert rows_per_step({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 3}, 2) == 24


@pytest.mark.parametrize(
    ("training", "total", "expected"),
    [
        ({}, 6, 1 + 2 + 1),
        ({"max_steps": 7}, 7, 1 + 3 + 1),
        ({"eval_on_start": False}, 6, 2 + 1),
        ({"eval_strategy": "no"}, 6, 1),
        ({"eval_strategy": "steps", "eval_steps": 2}, 7, 1 + 4 + 1),
        ({"eval_strategy": "steps", "eval_steps": 0.5}, 6, 1 + 2 + 1),
        ({"eval_strategy": "steps"}, 6, 1 + 6 + 1),  # as often as is logged: every hundredth, which is each step here
    ],
)
def test_evaluations_are_counted_as_the_trainer_does_them(training: dict[str, Any], total: int, expected: int) -> None:
    filled = with_defaults({"num_train_epochs": 2, **training}, 1e-4, 48)
    assert count_evaluations(filled, total, 48) == expected


@pytest.mark.parametrize(
    ("training", "total", "expected"),
    [
        ({}, 6, 2),
        ({"save_strategy": "no"}, 6, 0),
        ({"save_strategy": "steps", "save_steps": 4}, 6, 2),
        ({"save_strategy": "best"}, 6, 1 + 2 + 1),
        ({"eval_strategy": "steps", "eval_steps": 2}, 7, 4),
    ],
)
def test_checkpoints_are_counted_as_the_trainer_saves_them(training: dict[str, Any], total: int, expected: int) -> None:
    filled = with_defaults({"num_train_epochs": 2, **training}, 1e-4, 48)
    assert count_saves(filled, total, 48) == expected


def test_the_best_checkpoint_is_told_by_the_number_that_the_trainer_adds() -> None:
    metrics = {"eval_f1": 0.5, "eval_loss": 1.0}
    SelectionCallback("f1", True).on_evaluate(None, None, None, metrics)
    assert set(metrics) == {"eval_f1", "eval_loss", f"eval_{SELECTION}"}
