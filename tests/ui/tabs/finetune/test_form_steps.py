"""Every field of TrainingArguments can be looked up."""

import gradio as gr

from hfdemo.finetuning.arguments import RESERVED, Knob, knobs
from hfdemo.finetuning.kinds import KINDS
from hfdemo.ui.tabs.finetune import form_steps as step
from hfdemo.ui.tabs.finetune import form_values
from tests.ui.samples import EVIL, elements, escaped, text_of


def test_the_table_has_every_field_with_its_help_or_who_decides_it() -> None:
    drawn = step.render_arguments(knobs())
    assert len(elements(drawn, "dt")) == len(knobs())
    assert "Total number of training epochs to perform." in drawn
    assert f"Not here: {RESERVED['output_dir']}." in text_of(drawn)


def test_the_table_is_searched_by_name_and_by_help() -> None:
    assert 0 < len(elements(step.render_arguments(knobs(), "WARM"), "dt")) < 5
    assert "num_train_epochs" in step.render_arguments(knobs(), "training epochs")
    assert escaped(step.render_arguments(knobs(), EVIL))
    assert step.render_arguments(knobs(), None) == step.render_arguments(knobs(), "  ")


def test_a_help_text_is_drawn_as_text() -> None:
    assert escaped(step.render_arguments([Knob(EVIL, EVIL, EVIL, EVIL), Knob("b", "int", 1, "", EVIL)]))


def test_fields_of_the_form_carry_the_librarys_own_help() -> None:
    names = [name for name in form_values.TRAINING if name != "best_metric"]
    infos = [update["info"] for update in step.update_help(knobs(), names)]
    assert "The initial learning rate for the optimizer." in infos
    assert all(infos)
    assert not any(" * " in info for info in infos)


def test_the_best_checkpoint_can_be_picked_by_a_metric_that_the_kind_has() -> None:
    for kind in KINDS.values():
        assert kind.evaluator.offered[0] == kind.evaluator.selection
        assert {*kind.evaluator.names, "loss"} == set(kind.evaluator.offered)


def test_the_step_has_a_field_for_every_value_of_the_form() -> None:
    with gr.Blocks():
        fields = step.build_training_step(["embedded:minilm"], {"epochs": 3, "rate": 1e-4}).fields
    from_data = {"file", "dataset", "dataset_config", "kind", "text", "pair", "label", "split", "found", "positive"}
    from_data |= {"train_split", "validation_split", "test_split", "validation_share", "test_share", "labels", "fixes"}
    from_data |= {"layout", "encoding", "header"}
    assert set(fields) | from_data == set(form_values.DEFAULTS)
    assert not set(fields) & from_data


def test_no_number_of_the_step_is_refused_by_a_toast_that_names_no_field() -> None:
    with gr.Blocks():
        fields = step.build_training_step(["embedded:minilm"], {"epochs": 3, "rate": 1e-4}).fields
    numbers = {name: field for name, field in fields.items() if isinstance(field, gr.Number)}
    assert [name for name, field in numbers.items() if (field.minimum, field.maximum) != (None, None)] == []
    assert {name: numbers[name].label for name in form_values.LABELS} == dict(form_values.LABELS)
