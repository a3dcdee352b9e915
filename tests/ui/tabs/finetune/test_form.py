"""The form says the config that it stands for, and takes one back whole."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import form_table, form_values
from hfdemo.ui.tabs.finetune.form import find_suggested
from hfdemo.ui.tabs.finetune.form_data import summarise_data
from hfdemo.ui.tabs.finetune.form_table import DEFAULTS
from tests.ui.tabs.finetune.forms import look, open_file, rows_of, write

BASE: dict[str, Any] = {**DEFAULTS, "dataset": "tickets", "text": "text", "label": ["label"], "rate": 1e-4}


@pytest.mark.parametrize(
    "config",
    [
        RunConfig("tickets", text_column="text", label_column="label", text_pair_column="", split_column=""),
        RunConfig(
            "nyu-mll/glue",
            dataset_config="sst2",
            problem_type="single_label_classification",
            text_column="sentence",
            text_pair_column="",
            split_column="",
            label_column="label",
            labels=("no", "yes"),
            positive_label="yes",
            fixes=("drop_duplicates", "drop_leaks"),
            splits={"validation": 0.1, "test": 0.3},
            max_length=64,
            padding="max_length",
            method="lora",
            lora={"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": ["query", "value"], "bias": "all"},
            class_weights={"no": 1, "yes": 2.5},
            early_stopping_patience=2,
            metrics=("matthews_correlation",),
            processes=2,
            training={
                "num_train_epochs": 2,
                "per_device_train_batch_size": 8,
                "learning_rate": 3e-5,
                "gradient_accumulation_steps": 4,
                "warmup_steps": 10,
                "weight_decay": 0.1,
                "seed": 7,
                "label_smoothing_factor": 0.1,
                "metric_for_best_model": "accuracy",
                "max_grad_norm": 0.5,
                "bf16": True,
            },
        ),
        RunConfig(
            "data", task="token-classification", text_column="words", label_column="tags", splits={"train": "dev"},
            text_pair_column="", split_column="part", class_weights="balanced",
        ),
        RunConfig(
            "data", problem_type="multi_label_classification", text_column="text", label_column=("rude", "loud"),
            text_pair_column="", split_column="", fixes=("drop_unlabelled_rows",),
        ),
        RunConfig("data", task="text-generation", text_column="chat", method="frozen", text_pair_column="",
                  label_column="", split_column=""),
    ],
)  # fmt: skip
def test_a_config_comes_out_of_the_form_as_it_went_in(config: RunConfig) -> None:
    values = form_values.values_from_config(config)
    own = {"epochs": "num_train_epochs", "batch": "per_device_train_batch_size", "rate": "learning_rate"}
    out = form_values.config_from_values(values).to_json()
    # What the form always says, and what the data says where the config leaves it open.
    for name in own.values():
        if name not in config.training:
            out["training"].pop(name, None)
    expected = config.to_json()
    if config.task == "text-classification":
        expected["problem_type"] = config.problem_type or "single_label_classification"
    assert out == expected


def test_every_field_of_a_config_has_its_place_in_the_form() -> None:
    spoken = {spec for spec in RunConfig("x").to_json() if spec not in ("task", "problem_type")}
    changed = RunConfig(
        "d", "m/m", "text-classification", "regression", "c", "as_it_stands", "cp1251", False, {"test": 0.5}, "s",
        "t", "p", "l", ("a",), None, ("f",), 9, "max_length", "lora", {"r": 2},
        "balanced", 3, ("m",), 2, "a.yaml", {"seed": 1},
    )  # fmt: skip
    values, usual = form_values.values_from_config(changed), form_values.values_from_config(RunConfig("other"))
    assert sum(values[name] != usual[name] for name in values) >= len(spoken)


def test_a_data_set_that_can_be_looked_at_needs_no_finished_form() -> None:
    values = {**BASE, "more": "{", "model": "::", "max_length": 1, "class_weights": "{", "method": "lora"}
    assert form_values.data_config_from_values(values).text_column == "text"
    with pytest.raises(DemoError, match="not JSON"):
        form_values.config_from_values({**values, "class_weights": form_table.EQUAL})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_can_not_be_leaves_the_data_to_be_looked_at(seed: int, tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    assert look(form, {**named, "seed": seed}).train_rows == 13


def test_a_config_says_only_what_is_decided() -> None:
    written = form_values.write_config(form_values.config_from_values(BASE))
    assert '"dataset": "tickets"' in written
    assert '"model": "embedded:minilm"' in written
    assert "null" not in written
    assert "seed" not in written
    assert "fixes" not in written


def test_the_command_starts_as_many_processes_as_are_asked_for() -> None:
    one = form_values.write_commands(RunConfig("x")).splitlines()
    assert one[1] == "python -m hfdemo.finetuning config.json"
    two = form_values.write_commands(RunConfig("x", processes=2)).splitlines()
    assert two[1] == "python -m torch.distributed.run --standalone --nproc_per_node 2 -m hfdemo.finetuning config.json"
    assert "--nnodes 2 --nproc_per_node 2" in two[4]
    assert "--rdzv_endpoint" in two[5]


def test_the_command_for_uploaded_data_says_that_its_path_has_to_be_put_into_the_config() -> None:
    plain = form_values.write_commands(RunConfig("messy"))
    told = form_values.write_commands(RunConfig("messy"), uploaded=True)
    assert told.splitlines()[0].startswith("# the data was uploaded")
    assert '"dataset" of config.json' in told
    assert told.endswith(plain)
    assert "uploaded" not in plain


@pytest.mark.parametrize(
    "dataset", ["", "tickets", "owner/name", "/data/a.csv", "./a", "../a", "~", "run:20260101-120000-x"]
)
def test_only_a_bare_name_may_be_that_of_an_uploaded_file(dataset: str) -> None:
    assert form_values.explain_missing_data(dataset) == ""
    assert "upload it again, or put its path" in form_values.explain_missing_data("messy")
    assert "path" not in form_values.explain_missing_data("messy", public=True), "which a shared server takes none of"


def test_what_a_config_says_counts_as_typed_but_for_the_usual_rate_of_its_method() -> None:
    assert find_suggested(RunConfig("x")) == {"epochs": DEFAULTS["epochs"], "rate": None}
    assert find_suggested(RunConfig("x", training={"num_train_epochs": 3, "learning_rate": 2e-5})) == {}
    assert find_suggested(RunConfig("x", training={"num_train_epochs": 3, "learning_rate": 1e-4})) == {"rate": 1e-4}
    assert find_suggested(RunConfig("x", method="lora", training={"learning_rate": 1e-4})) == {
        "epochs": DEFAULTS["epochs"]
    }


def test_epochs_and_rate_follow_the_method_the_kind_and_the_rows() -> None:
    assert form_values.suggest_epochs_and_rate("full", "single_label", 588) == {"epochs": 5, "rate": 1e-4}
    assert form_values.suggest_epochs_and_rate("lora", "single_label", 588)["rate"] == 1e-3
    assert form_values.suggest_epochs_and_rate("full", "language", 588)["rate"] == 5e-5
    assert form_values.suggest_epochs_and_rate("full", "single_label", 100_000)["epochs"] == 3
    assert form_values.suggest_epochs_and_rate("full", "single_label", 588, batch=4)["epochs"] == 3
    assert form_values.suggest_epochs_and_rate(
        "full", "single_label", 588, batch=0
    ) == form_values.suggest_epochs_and_rate("full", "single_label", 588)


def test_a_module_name_is_the_end_of_a_path_and_a_pattern_stays_a_pattern() -> None:
    def modules(text: str) -> Any:
        return form_values.config_from_values({**BASE, "method": "lora", "lora_modules": text}).lora["target_modules"]

    assert modules("all-linear") == modules("") == "all-linear"
    assert modules("query") == ["query"]
    assert modules("query, value") == ["query", "value"]
    assert modules(r".*\.(query|value)") == r".*\.(query|value)"


def test_other_data_forgets_the_fixes_and_labels_of_the_last(tmp_path: Path, settings: Settings) -> None:
    path = write(tmp_path / "good.csv", rows_of())
    _, named = open_file(path, settings, fixes=("drop_duplicates",), labels=("x", "y"), positive="x", found=("train",))
    assert (named["fixes"], named["labels"], named["positive"], named["found"]) == ((), None, None, ())
    assert (named["text"], named["label"]) == ("note", ["mood"])


def test_what_the_page_keeps_of_the_data_can_be_hashed(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    known = summarise_data(look(form, named))
    assert hash(known)
    assert known.train_rows == 13
    assert known.labels == ("down", "up")


def test_a_column_that_is_not_there_is_said_and_not_trained_on(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    examined = look(form, {**named, "text": "gone"})
    assert "has no column 'gone'" in examined.refusal
