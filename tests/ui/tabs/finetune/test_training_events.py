"""Every field of TrainingArguments can be looked up, and what was typed is not suggested over."""

from typing import Any

from hfdemo.finetuning.arguments import RESERVED, Knob, knobs
from hfdemo.ui.tabs.finetune.training_events import drop_suggestion, refit_suggested, render_arguments
from tests.ui.samples import EVIL, elements, escaped, text_of


def test_the_table_has_every_field_with_its_help_or_who_decides_it() -> None:
    drawn = render_arguments(knobs())
    assert len(elements(drawn, "dt")) == len(knobs())
    assert "Total number of training epochs to perform." in drawn
    assert f"Not here: {RESERVED['output_dir']}." in text_of(drawn)


def test_the_table_is_searched_by_name_and_by_help() -> None:
    assert 0 < len(elements(render_arguments(knobs(), "WARM"), "dt")) < 5
    assert "num_train_epochs" in render_arguments(knobs(), "training epochs")
    assert escaped(render_arguments(knobs(), EVIL))
    assert render_arguments(knobs(), None) == render_arguments(knobs(), "  ")


def test_a_help_text_is_drawn_as_text() -> None:
    assert escaped(render_arguments([Knob(EVIL, EVIL, EVIL, EVIL), Knob("b", "int", 1, "", EVIL)]))


def test_what_was_typed_stays_and_what_was_given_follows() -> None:
    given: dict[str, Any] = {"epochs": 3, "rate": 1e-4}
    fitting: dict[str, Any] = {"epochs": 5, "rate": 1e-3}
    assert refit_suggested(fitting, given, {"epochs": 3, "rate": 1e-4}) == fitting
    # The very number that was given: typed all the same.
    assert refit_suggested(fitting, drop_suggestion("epochs", given), {"epochs": 3, "rate": 1e-4}) == {"rate": 1e-3}
    assert refit_suggested(fitting, given, {"epochs": 3, "rate": 0.5}) == {"epochs": 5}
    assert refit_suggested(fitting, {}, {"epochs": 0, "rate": 0.5}) == {}
    assert refit_suggested(fitting, {}, {"epochs": None, "rate": 0.5}) == {"epochs": 5}, "emptied: given again"
