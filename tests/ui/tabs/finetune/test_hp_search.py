"""The trials of a search as lines and as a table."""

import json
import re
from typing import Any

import gradio as gr
import pytest

from hfdemo.finetuning.arguments import LEARNING_RATE
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs.search import Space
from hfdemo.ui.tabs.finetune import hp_search

ATTACK = "<img src=x onerror=alert(1)>"


def trial(number: int, rate: float, value: float | None, state: str = "finished", run: str = "run") -> dict[str, Any]:
    parameters = {"learning_rate": rate, "per_device_train_batch_size": 8 * number + 8, "num_train_epochs": 2}
    return {"number": number, "run": run, "parameters": parameters, "state": state, "value": value}


def search(*trials: dict[str, Any], best: int | None = None, greater: bool = True) -> dict[str, Any]:
    found = next((each for each in trials if each["number"] == best), None)
    return {"metric": "f1", "greater_is_better": greater, "trials": list(trials), "best": found}


def lines(drawn: str) -> dict[str, list[tuple[float, float]]]:
    found = re.findall(r"<polyline class='([^']*)'[^>]*points='([^']*)'><title>trial (\d+)", drawn)
    return {
        number: [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]
        for _, points, number in found
    }


def test_each_trial_that_ended_is_a_line_and_learning_rates_stand_by_their_magnitude() -> None:
    drawn = hp_search.render_search(
        search(trial(0, 1e-5, 0.5), trial(1, 1e-4, 0.9), trial(2, 1e-3, 0.7, "pruned"), trial(3, 1e-3, None), best=1)
    )
    found = lines(drawn)
    assert set(found) == {"0", "1", "2"}
    lowest, middle, highest = (found[number][0][1] for number in "012")
    assert middle == (lowest + highest) / 2
    assert lowest > middle > highest, "larger values stand higher"
    assert found["1"][-1][1] < found["2"][-1][1] < found["0"][-1][1]
    assert len({points[2][1] for points in found.values()}) == 1, "all had two epochs: the middle of the axis"
    assert drawn.count("hf-best-trial") == 1
    assert drawn.index("trial 1:") > drawn.index("trial 2:") > drawn.index("trial 0:"), "the best is drawn last"


def test_one_trial_makes_a_table_and_no_picture() -> None:
    drawn = hp_search.render_search(search(trial(0, 1e-5, 0.5)))
    assert "<svg" not in drawn
    assert "the form's values" in drawn
    assert hp_search.render_search(search()) == ""


def test_nothing_that_a_person_named_becomes_markup() -> None:
    told = {**search(trial(0, 1e-5, 0.5, run=ATTACK), trial(1, 1e-4, 0.6), best=1), "metric": ATTACK}
    drawn = hp_search.render_search(told)
    assert "<img" not in drawn
    assert drawn.count("&lt;img") >= 2


@pytest.mark.parametrize(
    ("rate", "low", "high"), [(1e-4, 2e-5, 5e-4), (1e-3, 2e-4, 5e-3), (5e-3, 1e-3, 0.025), (1 / 3, 0.0667, 1.67)]
)
def test_the_range_is_a_fifth_of_the_forms_rate_to_five_times_as_much(rate: float, low: float, high: float) -> None:
    assert hp_search.suggest_rate_range(rate) == (low, high)


def test_the_page_tries_the_same_range_as_a_call_that_names_none() -> None:
    for method, rate in LEARNING_RATE.items():
        space = Space.from_json(None, RunConfig("tickets", method=method))
        assert hp_search.suggest_rate_range(rate) == pytest.approx(space.learning_rate)


def test_the_ranges_come_back_with_the_page() -> None:
    typed = {"low": 1e-5, "high": 1e-3, "sizes": "4, 8", "fewest": 2, "most": 6, "trials": 12}
    kept = json.dumps({"about": "", "values": typed})
    assert hp_search.recall_ranges(1e-4, kept) == [*typed.values(), True]
    low, high = hp_search.suggest_rate_range(1e-4) or (0, 0)
    suggested = json.dumps({"about": "", "values": {**typed, "low": low, "high": high}})
    assert hp_search.recall_ranges(1e-4, suggested)[-1] is False, "it still follows the learning rate"
    assert hp_search.recall_ranges(1e-4, None) == [gr.skip()] * 6 + [False]


def test_a_range_that_was_typed_stays_and_a_rate_that_is_none_moves_nothing() -> None:
    left_alone = (gr.skip(), gr.skip())
    assert hp_search.update_range(5e-3, typed=False) == (1e-3, 0.025)
    assert hp_search.update_range(5e-3, typed=True) == left_alone
    for rate in (None, 0, -1):
        assert hp_search.update_range(rate, typed=False) == left_alone
