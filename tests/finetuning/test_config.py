"""RunConfig: checked when it is made, the same in a form, a file and a call."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.tokenization.padding import trainable_names


def test_only_a_data_set_is_required_and_json_brings_it_back_unchanged() -> None:
    config = RunConfig.from_json({"dataset": "tickets"})
    assert config.model == "embedded:minilm"
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_null_means_the_default_so_that_a_form_may_send_every_key() -> None:
    assert RunConfig.from_json({"dataset": "tickets", "model": None, "labels": None}) == RunConfig("tickets")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "JSON object"),
        ({}, "needs a dataset"),
        ({"dataset": "tickets", "epochs": 3}, "no epochs"),
        ({"dataset": "tickets", "model": "a/b/c"}, "not a model reference"),
        ({"dataset": "tickets", "method": "magic"}, "full, lora, frozen"),
        ({"dataset": "tickets", "padding": "none"}, "longest_in_batch"),
        ({"dataset": "tickets", "padding": "max_length"}, "needs a max_length"),
        ({"dataset": "tickets", "max_length": 1}, "no room"),
        ({"dataset": "tickets", "max_length": True}, "whole number"),
        ({"dataset": "tickets", "lora": {"r": 4}}, "method"),
        ({"dataset": "tickets", "labels": [0, 1]}, "labels must be texts"),
        ({"dataset": "tickets", "method": "lora", "model": "untrained:embedded:minilm"}, "untrained"),
        ({"dataset": "tickets", "text_column": 3}, "a text or null"),
        ({"dataset": "tickets", "training": {"output_dir": "/"}}, "may not set output_dir"),
        ({"dataset": "tickets", "training": {"dataloader_drop_last": True}}, "may not set dataloader_drop_last"),
    ],
)
def test_what_cannot_be_is_refused_when_the_config_is_made(values: Any, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        RunConfig.from_json(values)


def test_an_old_folder_with_a_huge_max_length_opens_but_no_new_run_begins_with_it() -> None:
    config = RunConfig.from_json({"dataset": "tickets", "max_length": 10**9})
    with pytest.raises(DemoError, match="at most 1,000,000 tokens"):
        config.check_training()


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"learningrate": 1}, "no learningrate"),
        ({"evaluation_strategy": "epoch"}, "no evaluation_strategy"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"per_device_train_batch_size": 0}, "at least 1"),
        ({"num_train_epochs": -1}, "num_train_epochs"),
        ({"lr_scheduler_type": "zigzag"}, "zigzag"),
        ({"seed": 1.5}, "whole number"),
        ({"data_seed": "many"}, "data_seed is 'many', but must be a whole number"),
        ({"bf16": "yes"}, "true or false"),
    ],
)
def test_a_training_value_that_transformers_would_refuse_is_refused_before_anything_starts(
    training: dict[str, Any], said: str
) -> None:
    with pytest.raises(DemoError, match=said):
        RunConfig("tickets", training=training).check_training()


@pytest.mark.parametrize("padding", trainable_names())
def test_every_strategy_that_pads_can_be_trained_with(padding: str) -> None:
    assert RunConfig("tickets", padding=padding, max_length=64).padding == padding


@pytest.mark.parametrize(("given", "seed"), [({}, 42), ({"seed": 7}, 7), ({"seed": 7, "data_seed": 0}, 0)])
def test_data_seed_is_the_seed_unless_it_is_given(given: dict[str, int], seed: int) -> None:
    assert RunConfig("tickets", training=given).with_training_defaults(100).data_seed == seed


def test_a_lora_key_that_is_code_is_refused() -> None:
    with pytest.raises(DemoError, match="LoraConfig has no"):
        RunConfig("tickets", method="lora", lora={"r=8)); import os #": 1}).check_training()


def test_a_switch_of_lora_is_true_or_false() -> None:
    with pytest.raises(DemoError, match="lora's use_rslora is 'yes', but must be true or false"):
        RunConfig("tickets", method="lora", lora={"use_rslora": "yes"}).check_training()
    RunConfig("tickets", method="lora", lora={"use_rslora": True, "init_lora_weights": "gaussian"}).check_training()


def test_small_data_gets_more_epochs_and_what_is_given_wins() -> None:
    def epochs(rows: int, **training: Any) -> Any:
        return RunConfig("x", training=training).with_training_defaults(rows).training.get("num_train_epochs")

    assert epochs(7000) == 3
    assert epochs(588) == 5  # 37 steps an epoch
    assert epochs(10) == 20
    assert epochs(10, num_train_epochs=1) == 1
    assert epochs(10, max_steps=5) is None


@pytest.mark.parametrize(("content", "said"), [(None, "no config file"), ("{", "not JSON"), ("[]", "JSON object")])
def test_a_config_file_that_cannot_be_read_gets_a_sentence(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DemoError, match=said):
        RunConfig.read(path)
