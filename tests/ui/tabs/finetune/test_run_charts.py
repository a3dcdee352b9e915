"""Charts are pure functions of events."""

import re
from dataclasses import replace

import pytest

from hfdemo.finetuning.events import (
    PHASES,
    Evaluated,
    Event,
    Finished,
    Probed,
    Resumed,
    Started,
    StepLogged,
    Stopped,
)
from hfdemo.finetuning.runs import Status
from hfdemo.ui.line_chart import LineChart
from hfdemo.ui.tabs.finetune import run_charts
from tests.ui.samples import EVIL, escaped, text_of

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


def values(chart: LineChart) -> dict[str, list[tuple[float, float]]]:
    """Step and value of each point, by the name of its line."""
    return {each.name: [(point.step, point.value) for point in each.points] for each in chart.series}


def test_the_loss_chart_has_training_and_validation() -> None:
    assert values(run_charts.make_loss_chart(EVENTS)) == {"train": [(1, 1.0), (2, 0.6)], "validation": [(2, 0.5)]}
    assert [each.is_measured for each in run_charts.make_loss_chart(EVENTS).series] == [False, True]


def test_the_loss_before_training_is_where_the_validation_curve_begins() -> None:
    before = Evaluated(0, 0.5, 0.0, "validation", {"loss": 1.1})
    assert values(run_charts.make_loss_chart([before, *EVENTS]))["validation"] == [(0, 1.1), (2, 0.5)]


def test_the_metrics_chart_has_the_chosen_metrics_once_per_epoch_and_no_test_scores() -> None:
    titles = {"f1": "f1 of “spam”", "accuracy": "accuracy"}
    drawn = values(run_charts.make_metrics_chart(EVENTS, titles))
    assert drawn == {"f1 of “spam”": [(2, 0.7)], "accuracy": [(2, 0.8)]}
    assert run_charts.list_metric_names(EVENTS) == ["accuracy", "f1"]


def test_what_a_step_logs_has_a_chart_that_leaves_out_what_is_not_known() -> None:
    logged = StepLogged(3, 3.0, memory_bytes=3 * 2**30)
    charts = {chart.name: list(values(chart).values()) for chart in run_charts.make_logged_charts([*EVENTS, logged])}
    assert charts["learning_rate"] == [[(1, 0.2), (2, 0.1), (3, 0.0)]]
    assert charts["grad_norm"] == [[(1, 3.0)]]
    assert charts["memory_bytes"] == [[(3, 3.0)]]
    assert charts["waste"] == []


def test_what_came_after_the_checkpoint_that_a_run_was_resumed_from_is_no_part_of_its_curves() -> None:
    resumed = [*EVENTS[:-1], Resumed(1, 600.0), StepLogged(2, 601.5, epoch=1.0, loss=0.1)]
    chart = run_charts.make_loss_chart(resumed)
    assert values(chart) == {"train": [(1, 1.0), (2, 0.1)]}
    assert [point.seconds for point in chart.series[0].points] == [1.0, 2.5], "nor is the time in which it lay still"


def test_a_long_run_is_drawn_with_fewer_points_and_its_last_one() -> None:
    chart = run_charts.make_loss_chart([StepLogged(step, float(step), loss=1.0) for step in range(1, 5001)])
    steps = [point.step for point in chart.series[0].points]
    assert 100 <= len(steps) <= run_charts.MOST_POINTS
    assert steps[-1] == 5000
    assert steps == sorted(steps)
    longer = run_charts.make_loss_chart([StepLogged(step, float(step), loss=1.0) for step in range(1, 6001)])
    assert set(steps[:-1]) <= {point.step for point in longer.series[0].points}, "or a line would jump with each step"


def test_several_runs_lie_over_each_other() -> None:
    chart = run_charts.make_overlay_chart({"A": EVENTS, "B": EVENTS[:4], "C": EVENTS[:2]}, "f1", "f1 on validation")
    assert values(chart) == {"A": [(2, 0.7)], "B": [(2, 0.7)]}


def test_the_best_evaluation_is_one_of_several_after_training_began() -> None:
    scores = [0.9, 0.5, 0.8, 0.8]
    judged = [Evaluated(step, step, step / 2, "validation", {"f1": score}) for step, score in enumerate(scores)]
    for greater, step in ((True, 2), (False, 1)):
        best = run_charts.find_best(judged, "f1", greater)
        assert best is not None
        assert best.step == step, "of equal ones the first, as the Trainer has it"
    assert run_charts.find_best(judged[:2], "f1", True) is None


def test_the_axis_goes_from_0_to_1_only_where_every_metric_does() -> None:
    assert run_charts.find_axis_limits(["f1", "accuracy"]) == (0.0, 1.0)
    assert run_charts.find_axis_limits(["f1", "perplexity"]) is None
    assert run_charts.find_axis_limits([]) is None


def test_no_events_make_charts_without_lines() -> None:
    charts = [run_charts.make_loss_chart([]), run_charts.make_metrics_chart([], {"f1": "f1"})]
    charts += [run_charts.make_overlay_chart({}, "f1", "f1"), *run_charts.make_logged_charts([])]
    assert not any(chart.has_line for chart in charts)


GB = 1024**3
STARTED = Started(0, 0.0, total_steps=20, device="CPU, 2 cores", trainable_parameters=1200, parameters=5000)


@pytest.mark.parametrize(
    "drawn",
    [
        run_charts.render_progress(EVIL, Status("failed"), [], "CPU"),
        run_charts.render_progress("run", Status("running", error=EVIL), [], "CPU"),
        run_charts.render_progress("run", Status("starting"), [], EVIL),
        run_charts.render_progress("run", Status("running"), [Started(0, 0.0, notes=(EVIL,))], "CPU"),
        run_charts.render_progress("run", Status("running"), [Resumed(0, 0.0, notes=(EVIL,))], "CPU"),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


def progress(status: Status, *events: Event) -> str:
    return text_of(run_charts.render_progress("run-1", status, events, "a GPU"))


def test_progress_tells_the_share_and_the_time_left() -> None:
    status = Status("running", 5, 20, 1.5, eta_seconds=75)
    assert "width:25.0%" in run_charts.render_progress("run-1", status, [STARTED], "CPU")
    assert "step 5 of 20 · epoch 1.5 · about 1 min 15 s left" in progress(status, STARTED)
    since = replace(status, elapsed_seconds=65)
    assert "epoch 1.5 · 1 min 05 s so far · about 1 min 15 s left" in progress(since, STARTED)


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_is_named_and_the_present_one_is_marked(phase: str) -> None:
    drawn = run_charts.render_progress("run-1", Status("running", phase=phase), [STARTED], "CPU")
    assert re.findall("<li aria-current=step>([^<]*)</li>", drawn) == [phase]
    assert re.findall("<li[^>]*>([^<]*)</li>", drawn)[: len(PHASES)] == list(PHASES)
    assert "hf-phases" not in run_charts.render_progress("run-1", Status("finished"), [STARTED], "CPU")


def test_the_device_is_the_runs_own_once_it_has_begun() -> None:
    assert "a GPU" in progress(Status("starting"))
    told = progress(Status("running"), STARTED)
    assert "CPU, 2 cores" in told
    assert "trainable parameters 1,200 of 5,000" in told
    assert "a GPU" not in told


@pytest.mark.parametrize(("ahead", "words"), [(0, "it is next"), (1, "1 waits before it"), (2, "2 wait before it")])
def test_a_queued_run_names_the_one_at_work_and_how_many_wait_before_it(ahead: int, words: str) -> None:
    told = progress(Status("queued", ahead=ahead))
    assert f"waiting for the device: 1 run is at work and {words}" in told
    assert f"waiting for the device: hers is at work and {words}" in progress(
        Status("queued", ahead=ahead, behind="hers")
    )


def test_a_run_that_is_to_end_has_no_time_left() -> None:
    told = progress(Status("stopping", 5, 20, 1.5, eta_seconds=52), STARTED)
    assert "step 5 of 20 · epoch 1.5 · ending at the next batch" in told
    assert "left" not in told


def test_the_probe_says_what_memory_it_needs_and_afterwards_how_long_it_was_to_take() -> None:
    probed = Probed(0, 0.0, 0.5, 120.0, int(1.2 * GB), 20 * GB)
    assert "about 2 min 00 speak memory 1.2 GB of 20.0 GB" in progress(Status("stopped"), STARTED, probed)
    at_work = progress(Status("running", eta_seconds=90), STARTED, probed)
    assert "peak memory 1.2 GB of 20.0 GB" in at_work
    assert "about 1 min 30 s left" in at_work
    assert "2 min 00 s" not in at_work, "one estimate"
    assert "estimate" not in progress(Status("running"), STARTED, Probed(0, 0.0, 0.5, 120.0))


def test_speed_padding_and_memory_are_those_of_the_last_steps_and_left_out_where_unknown() -> None:
    fast = StepLogged(2, 2.0, samples_per_second=131.4, tokens_per_second=4123.0, waste=0.125, memory_bytes=2 * GB)
    told = progress(Status("running"), StepLogged(1, 1.0, samples_per_second=7.0), fast)
    for part in ("rows a second 131", "tokens a second 4,123", "padding 12% of the positions", "memory 2.0 GB"):
        assert part in told
    assert "second" not in progress(Status("running"), StepLogged(1, 1.0))


def test_a_resumed_run_says_from_where_and_what_was_passed_over() -> None:
    told = progress(Status("running"), STARTED, StepLogged(9, 1.0), Resumed(5, 2.0, notes=("One was damaged.",)))
    assert "Resumed from the checkpoint of step 5. One was damaged." in told


def test_a_stopped_run_says_what_was_kept_and_what_was_left_out() -> None:
    told = progress(Status("stopped"), STARTED, Stopped(9, 1.0, kept=True, notes=("Not <evaluated>.", "No test.")))
    assert "Not <evaluated>." in told, "text, not markup"
    assert "No test." in told


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "under 1 s"), (4, "4 s"), (75, "1 min 15 s"), (7260, "2 h 01 min")]
)
def test_a_duration_is_said_in_the_units_that_fit(seconds: float, words: str) -> None:
    assert run_charts.format_duration(seconds) == words


def test_what_was_foretold_is_compared_with_what_it_took_unless_it_was_resumed() -> None:
    probed, finished = Probed(0, 1000.0, 0.5, 100.0), Finished(8, 1130.0, seconds=140.0)
    drawn = progress(Status("finished"), STARTED, probed, finished)
    assert "about 1 min 40 s (it took 2 min 10 s)" in drawn
    resumed = progress(Status("finished"), STARTED, probed, Resumed(4, 1100.0), finished)
    assert "it took" not in resumed


def test_how_a_finished_run_went_is_folded_and_what_it_was_told_of_stays() -> None:
    done = Status("finished", step=20, total_steps=20, epoch=5.0)
    drawn = run_charts.render_progress(
        "a run", done, [STARTED, Resumed(10, 0.0, ("A note.",))], "CPU", "<p>The result.</p>"
    )
    before, _, fold = drawn.partition("<details")
    assert "The result." in before
    assert "progressbar" not in drawn
    assert "How it went: step 20 of 20 · epoch 5.0" in fold
    inside, _, after = fold.partition("</details>")
    assert "trainable parameters" in inside
    assert "Resumed from the checkpoint of step 10. A note." in after
