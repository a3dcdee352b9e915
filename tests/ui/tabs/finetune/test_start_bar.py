"""The bar of Start says what is chosen, and what Start would do or refuse, with the way to the field it is about."""

import dataclasses
import inspect
import re
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning import preflight as preflight_module
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Columns
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.preflight import RunData
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import form_table, form_values, start_bar
from hfdemo.ui.tabs.finetune.form_table import DEFAULTS
from hfdemo.ui.tabs.finetune.start_bar import render_chosen, render_plan, render_ready_line
from hfdemo.ui.tabs.finetune.steps import STEPS
from tests.ui.samples import EVIL, elements, escaped, text_of

KNOWN = RunData(
    (("train", 100), ("validation", 25)), ("a", "b"), "b", "single_label_classification", Columns("text", "label")
)
STORE = RunStore(Settings())
BASE: dict[str, Any] = {**DEFAULTS, "dataset": "tickets", "text": "text", "label": ["label"], "rate": 1e-4}


def line(known: RunData | None = KNOWN, **values: Any) -> str:
    named = {**BASE, **values}
    if known is not None and not known.refusal:
        data = form_values.data_config_from_values(named)
        kind = KINDS[named["kind"]]
        columns = Columns("text", "label" if kind.rows.has_labels else None)
        known = dataclasses.replace(known, problem_type=data.problem_type, columns=columns)
        if not kind.rows.is_single_label:
            known = dataclasses.replace(known, positive_label=None)
    return render_ready_line(named, known, STORE.preflight)


def refusal(**values: Any) -> str:
    drawn = line(**values)
    assert start_bar.REFUSED in drawn
    return drawn


def test_a_model_that_would_see_what_it_is_to_predict_is_refused_before_start() -> None:
    chats = {"kind": "language", "label": [], "pair": form_table.NO_COLUMN}
    assert "reads a text in both directions" in refusal(**chats, model="embedded:minilm")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "owner/name"}, "owner/name is on the Hub, and the Hub can't be reached"),
        ({"model": "/no/such/folder"}, "There is no folder"),
        ({"model": "run:20260101-000000-none"}, "There is no run"),
        ({"metrics": "/no/such/metric.py"}, "There is no metric at"),
        ({"best_metric": "bleu"}, "metric_for_best_model is 'bleu'"),
        ({"method": "lora", "lora_modules": "nothing"}, "no layer that lora's target_modules call 'nothing'"),
        ({"more": '{"use_liger_kernel": true}'}, "pip install liger-kernel"),
        ({"epochs": 1e9}, "at most 1000000"),
    ],
)
def test_the_line_before_start_says_what_start_would_refuse(values: dict[str, Any], said: str) -> None:
    drawn = refusal(**values).replace("&#x27;", "'")
    assert said in drawn
    with pytest.raises(DemoError) as refused:
        STORE.create(form_values.config_from_values({**BASE, **values}))
    assert str(refused.value)[:60] in drawn


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"more": '{"epochs": 3}'}, "TrainingArguments has no epochs"),
        ({"more": '{"output_dir": "/"}'}, "training may not set output_dir"),
        ({"more": '{"fp16": true}'}, "fp16 needs a GPU"),
        ({"more": '{"eval_strategy": "no"}', "patience": 2}, "early_stopping_patience needs evaluations"),
        ({"more": "[]"}, "must be a JSON object"),
        ({"more": "{"}, "TrainingArguments is not JSON"),
        ({"padding": "max_length"}, "needs a max_length"),
        ({"max_length": 2}, "leaves no room for words"),
        ({"rate": 0}, "Learning rate is 0, but must be above 0."),
        ({"epochs": -1}, "Epochs is -1, but must be at least 0.01."),
        ({"batch": 0}, "Batch size is 0, but must be at least 1."),
        ({"accumulation": 0}, "Gradient accumulation is 0, but must be at least 1."),
        ({"warmup": -0.1}, "Warm-up is -0.1, but must be at least 0."),
        ({"weight_decay": -1}, "Weight decay is -1"),
        ({"seed": -1}, "Seed is -1"),
        ({"seed": 2**32}, "Seed is 4294967296, but must be at most 4294967295."),
        ({"smoothing": 1}, "Label smoothing is 1, but must be below 1."),
        ({"patience": -1}, "Early stopping patience is -1, but must be at least 0."),
        ({"processes": 0}, "Processes is 0, but must be at least 1."),
        ({"max_length": -1}, "max_length is -1"),
        ({"method": "lora", "lora_r": 0}, "lora's r is 0"),
        ({"method": "lora", "lora_dropout": 1}, "lora's lora_dropout is 1"),
        ({"kind": "regression", "class_weights": form_table.BALANCED}, "no classes to weigh"),
        ({"kind": "multi_label", "smoothing": 0.1}, "label_smoothing_factor does nothing"),
        ({"class_weights": '{"a": 1}'}, "wrong or missing: b"),
        ({"class_weights": "heavy"}, "is neither"),
        ({"method": "lora", "model": "untrained:embedded:minilm"}, "needs method full"),
        ({"method": "lora", "lora_more": '{"ranks": 1}'}, "LoraConfig has no ranks"),
        ({"model": EVIL}, "&lt;img"),
    ],
)
def test_what_contradicts_itself_is_said_before_start(values: dict[str, Any], said: str) -> None:
    assert said in refusal(**values).replace("&#x27;", "'")


def test_data_that_can_not_be_trained_on_is_said_before_start() -> None:
    assert "too few rows" in line(RunData((("train", 3),), refusal="There are too few rows."))
    assert "no data yet" in line(None)


def test_the_line_before_start_counts_rows_and_steps() -> None:
    drawn = line(epochs=2, batch=16, processes=2)
    assert start_bar.REFUSED not in drawn
    assert "<b>100 rows</b>, 25 for validation" in drawn
    assert "<b>8 steps</b> in 2 processes" in drawn
    assert escaped(render_plan(RunConfig("x"), RunData((("train", 8), (EVIL, 2)))))


def test_the_box_wins_over_the_form_and_it_is_said() -> None:
    values = {**BASE, "more": '{"learning_rate": 0.5, "num_train_epochs": 3}'}
    assert form_values.config_from_values(values).training["learning_rate"] == 0.5
    assert "learning_rate: the box of TrainingArguments wins" in line(more=values["more"])


def test_a_number_that_the_box_sets_is_not_taken_from_its_field() -> None:
    values = {**BASE, "rate": 0, "more": '{"learning_rate": 0.5}'}
    assert form_values.config_from_values(values).training["learning_rate"] == 0.5
    assert "learning_rate is -1" in refusal(more='{"learning_rate": -1}')


@pytest.mark.parametrize(
    ("values", "step", "field"),
    [
        ({"epochs": 0}, "train", "epochs"),
        ({"seed": -1}, "train", "seed"),
        ({"class_weights": "heavy"}, "train", "class_weights"),
        ({"more": "[1]"}, "train", "more"),
        ({"processes": 0.5}, "train", "processes"),
        ({"metrics": "/no/such/metric.py"}, "train", "metrics"),
        ({"best_metric": "bleu"}, "train", "best_metric"),
        ({"model": "/no/such/folder"}, "model", "model"),
        ({"method": "lora", "lora_more": "{"}, "model", "lora_more"),
        ({"known": RunData(refusal="There are too few rows.")}, "check", ""),
        ({"known": None}, "data", "dataset"),
    ],
)
def test_a_refusal_leads_to_the_field_that_it_is_about(values: dict[str, Any], step: str, field: str) -> None:
    way = f"<div class='{start_bar.REFUSED}'>" + refusal(**values).split(f"<div class='{start_bar.REFUSED}'>")[1]
    wanted = {"data-field": field} if field else {}
    assert elements(way, "button") == [{"type": "button", "data-open-step": step, **wanted}]
    assert text_of(way).endswith(f"Go to {STEPS[step]}")


def test_every_reason_of_preflight_has_its_field() -> None:
    said = inspect.getsource(preflight_module)
    assert set(re.findall(r'\.refuse\("(\w+)"\)', said)) - {"data"} == set(start_bar.FIELDS)


def test_how_long_it_takes_is_said_where_a_run_has_told() -> None:
    assert "about" not in line()
    drawn = render_plan(RunConfig("x", training={"num_train_epochs": 1}), KNOWN, lambda config, steps: 10.0 * steps)
    assert text_of(drawn).endswith("7 steps · about 1 min 10 s")


def test_what_is_chosen_is_a_way_to_its_step() -> None:
    drawn = render_chosen({**BASE, "epochs": 1, "pair": "title"}, KNOWN).replace("</button>", "\n")
    assert text_of(drawn).splitlines() == [
        "tickets · 125 rows",
        "text + title → label · 2 labels",
        "embedded:minilm · all weights",
        "1 epoch · batch 16 · rate 0.0001",
    ]
    assert [step for step in STEPS if f"data-open-step='{step}'" in line()] == ["data", "check", "model", "train"]
    assert escaped(line(dataset=EVIL, text=EVIL, label=[EVIL]))
