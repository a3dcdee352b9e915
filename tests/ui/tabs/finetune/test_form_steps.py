"""The form has a field for every value, each in its step, and no number of it is refused by a toast."""

import gradio as gr

from hfdemo.finetuning.kinds import KINDS
from hfdemo.ui.tabs.finetune import form_values
from hfdemo.ui.tabs.finetune.start_bar import find_step
from tests.ui.tabs.finetune.forms import lay_out_training


def test_every_number_of_training_says_to_a_beginner_what_it_does() -> None:
    fields = lay_out_training().fields
    assert set(form_values.HINTS) == set(form_values.TRAINING) - {"best_metric"}
    assert {name: fields[name].info for name in form_values.HINTS} == dict(form_values.HINTS)
    assert max(map(len, form_values.HINTS.values())) < 100, "a few lines of a narrow field"


def test_the_best_checkpoint_can_be_picked_by_a_metric_that_the_kind_has() -> None:
    for kind in KINDS.values():
        assert kind.evaluator.offered[0] == kind.evaluator.selection
        assert {*kind.evaluator.names, "loss"} == set(kind.evaluator.offered)


def test_the_step_has_a_field_for_every_value_of_the_form() -> None:
    fields = lay_out_training().fields
    from_data = {"file", "dataset", "dataset_config", "kind", "text", "pair", "label", "split", "found", "positive"}
    from_data |= {"train_split", "validation_split", "test_split", "validation_share", "test_share", "labels", "fixes"}
    from_data |= {"layout", "encoding", "header"}
    assert set(fields) | from_data == set(form_values.DEFAULTS)
    assert not set(fields) & from_data


def test_no_number_of_the_step_is_refused_by_a_toast_that_names_no_field() -> None:
    fields = lay_out_training().fields
    numbers = {name: field for name, field in fields.items() if isinstance(field, gr.Number)}
    assert [name for name, field in numbers.items() if (field.minimum, field.maximum) != (None, None)] == []
    assert {name: numbers[name].label for name in form_values.LABELS} == dict(form_values.LABELS)


def test_a_field_is_looked_for_in_the_step_that_it_stands_in() -> None:
    for name, field in lay_out_training().fields.items():
        around = field.parent
        while around.elem_id is None:
            around = around.parent
        assert around.elem_id == f"step-{find_step(name)}", name
