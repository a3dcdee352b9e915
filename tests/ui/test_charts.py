"""Charts are pure functions of events."""

import pytest

from hfdemo.finetuning.events import Evaluated, Event, Finished, Resumed, Started, StepLogged
from hfdemo.ui import charts

SCORES = {"loss": 0.5, "accuracy": 0.8, "f1": 0.7}
EVENTS: list[Event] = [
    Started(0, 0.0, total_steps=4),
    StepLogged(1, 1.0, epoch=0.5, loss=1.0, learning_rate=0.2, grad_norm=3.0),
    StepLogged(2, 2.0, epoch=1.0, loss=0.6, learning_rate=0.1),
    Evaluated(2, 3.0, 1.0, "validation", SCORES),
    Evaluated(2, 4.0, 1.0, "validation", {**SCORES, "accuracy": 0.9}),  # the best epoch again, for the report
    Evaluated(2, 4.0, 1.0, "test", SCORES),
    Finished(2, 5.0),
]


def rows(table: object) -> object:
    return table.to_dict("split")["data"]  # type: ignore[attr-defined]


def test_the_loss_chart_has_training_and_validation() -> None:
    assert rows(charts.loss_table(EVENTS)) == [[1, 1.0, "train"], [2, 0.6, "train"], [2, 0.5, "validation"]]


def test_the_loss_before_training_is_where_the_validation_curve_begins() -> None:
    before = Evaluated(0, 0.5, 0.0, "validation", {"loss": 1.1})
    assert [0, 1.1, "validation"] in rows(charts.loss_table([before, *EVENTS]))  # type: ignore[operator]


def test_the_metrics_chart_has_the_chosen_metrics_once_per_epoch_and_no_test_scores() -> None:
    assert rows(charts.metrics_table(EVENTS, ["f1", "accuracy"])) == [[1.0, 0.7, "f1"], [1.0, 0.8, "accuracy"]]
    assert charts.metric_names(EVENTS) == ["accuracy", "f1"]


def test_what_a_step_logs_has_a_chart_that_leaves_out_what_is_not_known() -> None:
    assert rows(charts.logged_table(EVENTS, "learning_rate")) == [[1, 0.2], [2, 0.1]]
    assert rows(charts.logged_table(EVENTS, "grad_norm")) == [[1, 3.0]]
    logged = StepLogged(1, 1.0, memory_bytes=3 * 2**30)
    assert rows(charts.logged_table([logged], "memory_bytes", 2**30)) == [[1, 3.0]]


def test_what_came_after_the_checkpoint_that_a_run_was_resumed_from_is_no_part_of_its_curves() -> None:
    resumed = [*EVENTS[:-1], Resumed(1, 6.0), StepLogged(2, 7.0, epoch=1.0, loss=0.1)]
    assert rows(charts.loss_table(resumed)) == [[1, 1.0, "train"], [2, 0.1, "train"]]


def test_a_long_run_is_drawn_with_fewer_points_and_its_last_one() -> None:
    table = charts.loss_table([StepLogged(step, float(step), loss=1.0) for step in range(1, 5001)])
    assert 100 <= len(table) <= charts.MOST_POINTS
    assert table["step"].iloc[-1] == 5000
    assert table["step"].is_monotonic_increasing


def test_several_runs_lie_over_each_other_by_epoch() -> None:
    assert rows(charts.overlay({"A": EVENTS, "B": EVENTS[:4]}, "f1")) == [[1.0, 0.7, "A"], [1.0, 0.7, "B"]]
    assert charts.palette(["A", "B"])["A"] != charts.palette(["A", "B"])["B"]


def test_the_axis_goes_from_0_to_1_only_where_every_metric_does() -> None:
    assert charts.limits(["f1", "accuracy"]) == [0.0, 1.0]
    assert charts.limits(["f1", "perplexity"]) is None
    assert charts.limits([]) is None


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (charts.loss_table([]), ["step", "loss", "split"]),
        (charts.metrics_table([], ["f1"]), ["epoch", "value", "metric"]),
        (charts.overlay({}, "f1"), ["epoch", "value", "run"]),
    ],
)
def test_no_events_make_empty_charts_with_their_columns(table: object, columns: list[str]) -> None:
    assert list(table.columns) == columns  # type: ignore[attr-defined]
    assert rows(table) == []
