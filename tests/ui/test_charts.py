"""Charts are pure functions of events."""

from hfdemo.finetuning.events import Evaluated, Finished, Started, StepLogged
from hfdemo.ui.charts import loss_table, metrics_table

SCORES = {"loss": 0.5, "accuracy": 0.8, "f1": 0.7}
EVENTS = [
    Started(0, 0.0, total_steps=4),
    StepLogged(1, 1.0, epoch=0.5, loss=1.0),
    StepLogged(2, 2.0, epoch=1.0, loss=0.6),
    Evaluated(2, 3.0, 1.0, "validation", SCORES),
    Evaluated(2, 4.0, 1.0, "validation", {**SCORES, "accuracy": 0.9}),  # the best epoch again, for the report
    Evaluated(2, 4.0, 1.0, "test", SCORES),
    Finished(2, 5.0),
]


def test_the_loss_chart_has_training_and_validation() -> None:
    rows = loss_table(EVENTS).to_dict("split")["data"]
    assert rows == [[1, 1.0, "train"], [2, 0.6, "train"], [2, 0.5, "validation"]]


def test_the_metrics_chart_has_one_point_per_epoch_and_metric_and_no_test_scores() -> None:
    assert metrics_table(EVENTS).to_dict("split")["data"] == [[1.0, 0.8, "accuracy"], [1.0, 0.7, "f1"]]


def test_no_events_make_empty_charts_with_their_columns() -> None:
    assert list(loss_table([]).columns) == ["step", "loss", "split"]
    assert metrics_table([]).empty
