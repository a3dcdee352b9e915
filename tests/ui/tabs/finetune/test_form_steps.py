"""The form has a field for every value, each in its step, and no number of it is refused by a toast."""

import dataclasses
from pathlib import Path

import gradio as gr

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune.form_steps import build_data_steps, build_training_steps
from hfdemo.ui.tabs.finetune.form_table import FORM, list_paths
from hfdemo.ui.tabs.finetune.steps import build_steps
from tests.ui.tabs.finetune.forms import lay_out_training, look, open_file, rows_of, write


def test_every_number_of_training_says_to_a_beginner_what_it_does() -> None:
    fields = lay_out_training().fields
    hints = {name: fields[name].info for name in list_paths("training") if name != "best_metric"}
    assert len(hints) == 8
    assert all(hint and hint[0].isupper() and hint.endswith(".") for hint in hints.values()), "sentences"
    assert max(map(len, hints.values())) < 100, "a few lines of a narrow field"


def test_the_best_checkpoint_can_be_picked_by_a_metric_that_the_kind_has() -> None:
    for kind in KINDS.values():
        assert kind.evaluator.offered[0] == kind.evaluator.selection
        assert {*kind.evaluator.names, "loss"} == set(kind.evaluator.offered)


def test_each_field_of_the_table_is_laid_out_in_its_step(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "rows.csv", rows_of()), settings)
    with gr.Blocks():
        panels = build_steps()
        data = build_data_steps(panels, look(form, named), named, public=False).fields
        training = build_training_steps(panels, ["embedded:minilm"], named).fields
    assert {**data, **training}.keys() == FORM.keys()
    assert not data.keys() & training.keys()
    for name, field in {**data, **training}.items():
        if isinstance(field, gr.State):  # which stands nowhere
            continue
        around = field.parent
        while around.elem_id is None:
            around = around.parent
        assert around.elem_id == f"step-{FORM[name].step}", name


def test_a_value_of_a_config_has_one_field() -> None:
    paths = [row.path for row in FORM.values() if row.path]
    assert len(paths) == len(set(paths))
    with_fields = set(list_paths("").values()) | {"task", "problem_type", "splits", "lora", "training"}
    assert with_fields == {each.name for each in dataclasses.fields(RunConfig)}


def test_no_number_of_the_step_is_refused_by_a_toast_that_names_no_field() -> None:
    fields = lay_out_training().fields
    numbers = {name: field for name, field in fields.items() if isinstance(field, gr.Number)}
    assert [name for name, field in numbers.items() if (field.minimum, field.maximum) != (None, None)] == []
    assert {"epochs", "rate", "lora_r", "max_length", "processes"} < numbers.keys()
