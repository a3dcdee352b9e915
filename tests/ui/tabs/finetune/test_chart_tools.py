"""What a page sends of how charts are looked at is taken for what it may be, and for nothing else."""

from typing import Any

import gradio as gr
import pytest

from hfdemo.ui.line_chart import ChartView
from hfdemo.ui.tabs.finetune.chart_tools import change_view, render_tools
from tests.ui.samples import Tags, elements

VIEW = ChartView("epoch", 0.5, False, (1.0, 2.0))


def sent(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"x": "epoch", "smoothing": 0.25, "log": True}, ChartView("epoch", 0.25, True, (1.0, 2.0))),
        ({"x": "step", "smoothing": 0, "log": False}, ChartView("step", 0.0, False, None)),
        ({"zoom": [3, 4.5]}, ChartView("epoch", 0.5, False, (3.0, 4.5))),
        ({"zoom": None}, ChartView("epoch", 0.5, False, None)),
    ],
)
def test_a_choice_changes_the_view_and_another_axis_shows_all_of_itself(data: dict[str, Any], found: ChartView) -> None:
    assert change_view(sent(**data), VIEW) == found


@pytest.mark.parametrize(
    "data",
    [
        {"x": "<b>", "smoothing": 2},
        {"x": [], "log": "yes"},
        {"zoom": [2, 1]},
        {"zoom": [float("nan"), 1]},
        {"zoom": ["1", 2]},
        {"zoom": [True, 2]},
        {},
    ],
)
def test_what_is_no_choice_changes_nothing_but_the_part_in_sight(data: dict[str, Any]) -> None:
    assert change_view(sent(**data), VIEW) == ChartView("epoch", 0.5, False, None)


@pytest.mark.parametrize("smoothing", [99, -1, float("nan"), "0.3", None])
def test_smoothing_stays_within_its_ends(smoothing: Any) -> None:
    assert 0 <= change_view(sent(x="step", smoothing=smoothing, log=1), VIEW).smoothing <= 0.95
    assert change_view(sent(x="step", smoothing=smoothing, log=1), VIEW).log is False


def test_the_choices_stand_as_the_view_is() -> None:
    drawn = render_tools(ChartView("epoch", 0.5, True))
    Tags(drawn)
    assert [each["value"] for each in elements(drawn, "option") if "selected" in each] == ["epoch"]
    slider, box = elements(drawn, "input")
    assert (slider["value"], "checked" in box) == ("0.5", True)
