"""A search tries what lies around the form's own learning rate, until somebody types a range."""

import gradio as gr
import pytest

from hfdemo.finetuning.arguments import LEARNING_RATE
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs.search import Space
from hfdemo.ui.finetuning import searching


@pytest.mark.parametrize(
    ("rate", "low", "high"), [(1e-4, 2e-5, 5e-4), (1e-3, 2e-4, 5e-3), (5e-3, 1e-3, 0.025), (1 / 3, 0.0667, 1.67)]
)
def test_the_range_is_a_fifth_of_the_forms_rate_to_five_times_as_much(rate: float, low: float, high: float) -> None:
    assert searching.around(rate) == (low, high)


def test_the_page_tries_the_same_range_as_a_call_that_names_none() -> None:
    for method, rate in LEARNING_RATE.items():
        space = Space.from_json(None, RunConfig("tickets", method=method))
        assert searching.around(rate) == pytest.approx(space.learning_rate)


def test_a_range_that_was_typed_stays_and_a_rate_that_is_none_moves_nothing() -> None:
    left_alone = (gr.skip(), gr.skip())
    assert searching.follow(5e-3, typed=False) == (1e-3, 0.025)
    assert searching.follow(5e-3, typed=True) == left_alone
    for rate in (None, 0, -1):
        assert searching.follow(rate, typed=False) == left_alone
