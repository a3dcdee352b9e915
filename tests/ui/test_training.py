"""A run tells how far it is and how fast it goes, and labels and errors are text."""

import pytest

from hfdemo.finetuning.events import Event, Probed, Resumed, Started, StepLogged
from hfdemo.finetuning.runs import Status
from hfdemo.ui import training
from tests.ui.samples import EVIL, escaped, text_of

GB = 1024**3
STARTED = Started(0, 0.0, total_steps=20, device="CPU, 2 cores", trainable_parameters=1200, parameters=5000)


@pytest.mark.parametrize(
    "drawn",
    [
        training.progress(EVIL, Status("failed"), [], "CPU"),
        training.progress("run", Status("failed", error=EVIL), [], "CPU"),
        training.progress("run", Status("starting"), [], EVIL),
        training.progress("run", Status("running"), [Started(0, 0.0, notes=(EVIL,))], "CPU"),
        training.progress("run", Status("running"), [Resumed(0, 0.0, notes=(EVIL,))], "CPU"),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


def progress(status: Status, *events: Event) -> str:
    return text_of(training.progress("run-1", status, events, "a GPU"))


def test_progress_tells_the_share_and_the_time_left() -> None:
    status = Status("running", 5, 20, 1.5, eta_seconds=75)
    assert "width:25.0%" in training.progress("run-1", status, [STARTED], "CPU")
    assert "step 5 of 20 · epoch 1.5 · about 1 min 15 s left" in progress(status, STARTED)


def test_the_device_is_the_runs_own_once_it_has_begun() -> None:
    assert "a GPU" in progress(Status("starting"))
    told = progress(Status("running"), STARTED)
    assert "CPU, 2 cores" in told
    assert "1,200 of 5,000 parameters" in told
    assert "a GPU" not in told


@pytest.mark.parametrize(("ahead", "words"), [(0, "it is next"), (1, "1 waits before it"), (2, "2 wait before it")])
def test_a_queued_run_names_the_one_at_work_and_how_many_wait_before_it(ahead: int, words: str) -> None:
    told = progress(Status("queued", ahead=ahead))
    assert f"waiting for the device: 1 run is at work and {words}" in told


def test_a_run_that_is_to_end_after_this_step_has_no_time_left() -> None:
    told = progress(Status("stopping", 5, 20, 1.5, eta_seconds=52), STARTED)
    assert "step 5 of 20 · epoch 1.5 · ending after this step" in told
    assert "left" not in told


def test_the_probe_says_how_long_it_will_take_and_what_memory_it_needs() -> None:
    probed = Probed(0, 0.0, 0.5, 120.0, int(1.2 * GB), 20 * GB)
    assert "about 2 min 00 s, peak 1.2 GB of 20.0 GB" in progress(Status("running"), STARTED, probed)
    unknown = progress(Status("running"), STARTED, Probed(0, 0.0, 0.5, 120.0))
    assert "about 2 min 00 s" in unknown
    assert "peak" not in unknown


def test_speed_padding_and_memory_are_those_of_the_last_steps_and_left_out_where_unknown() -> None:
    fast = StepLogged(2, 2.0, samples_per_second=131.4, tokens_per_second=4123.0, waste=0.125, memory_bytes=2 * GB)
    told = progress(Status("running"), StepLogged(1, 1.0, samples_per_second=7.0), fast)
    for part in ("rows a second 131", "tokens a second 4,123", "padding 12% of the slots", "memory 2.0 GB"):
        assert part in told
    assert "second" not in progress(Status("running"), StepLogged(1, 1.0))


def test_a_resumed_run_says_from_where_and_what_was_passed_over() -> None:
    told = progress(Status("running"), STARTED, StepLogged(9, 1.0), Resumed(5, 2.0, notes=("One was damaged.",)))
    assert "Resumed from the checkpoint of step 5. One was damaged." in told


@pytest.mark.parametrize(("seconds", "words"), [(4, "4 s"), (75, "1 min 15 s"), (7260, "2 h 01 min")])
def test_a_duration_is_said_in_the_units_that_fit(seconds: float, words: str) -> None:
    assert training.duration(seconds) == words
