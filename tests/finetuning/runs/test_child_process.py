"""What a training process writes while it works: a log and events that stay small however long it goes on."""

import subprocess
import sys
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from hfdemo.finetuning.events import Evaluated, Finished, Resumed, Saved, Started, StepLogged, Thinned, append, valid
from hfdemo.finetuning.runs.child_process import Log
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import run_charts
from tests.clock import quiet_time
from tests.conftest import ROOT
from tests.finetuning.runs.test_store import STARTED, a_run

MOST = 4 * 1024**2
PRINTED = 200_000 * 1025 + 8
PRINTS = """
import sys
import time
from pathlib import Path
from hfdemo.finetuning.runs.child_process import bounded_log

path, most = Path(sys.argv[1]), int(sys.argv[2])
with bounded_log(path, most):
    for number in range(200_000):
        print(f"{number:07d}", 1016 * "x")
        if number % 10_000 == 9_999:  # how often it is looked at depends on what else the machine does
            sys.stdout.flush()
            while path.stat().st_size > 2 * most:
                time.sleep(0.01)
    print("the end")
"""


@pytest.mark.slow
def test_a_process_that_prints_200_megabytes_leaves_the_beginning_and_the_end_of_it(tmp_path: Path) -> None:
    path, largest = tmp_path / "log.txt", 0
    with path.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", PRINTS, str(tmp_path), str(MOST)], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    while child.poll() is None:
        largest = max(largest, path.stat().st_size)
        time.sleep(0.005)
    assert child.returncode == 0, path.read_text()[-2000:]
    lines = path.read_text().splitlines()
    assert path.stat().st_size <= MOST
    assert largest < 40 * 1024**2, "it grows between two looks alone"
    assert [line[:7] for line in lines[:3]] == ["0000000", "0000001", "0000002"]
    assert [line[:7] for line in lines[-3:]] == ["0199998", "0199999", "the end"]
    (said,) = (line for line in lines if line.startswith("==="))
    assert said.endswith(f" bytes were left out here: HFDEMO_LOG_BYTES is {MOST:,} ===")
    kept = sum(len(line) + 1 for line in lines) - len(said) - 2
    assert 0.98 < (int(said.split()[1].replace(",", "")) + kept) / PRINTED <= 1, (
        "what is printed at that moment is lost"
    )


def test_events_have_a_size_and_are_spread_over_all_steps(settings: Settings) -> None:
    run, most, steps = a_run(settings), 60_000, 4_000
    log = Log(run, most)
    log.write(Started(0, 0.0, total_steps=steps))
    for step in range(1, steps + 1):
        log.write(StepLogged(step, float(step), loss=1 / step, learning_rate=1e-4))
        if step % 400 == 0:
            log.write(Evaluated(step, float(step), step / 400, "validation", {"loss": 0.5}))
            log.write(Saved(step, float(step), f"checkpoints/checkpoint-{step}"))
    log.write(Finished(steps, 9999.0))
    events = run.events()
    assert (run.folder / "events.jsonl").stat().st_size < most + 1_000
    assert isinstance(events[-1], Finished)
    assert [event.step for event in events if isinstance(event, Evaluated)] == list(range(400, steps + 1, 400))
    assert sum(isinstance(event, Saved) for event in events) == 10
    logged = [event.step for event in events if isinstance(event, StepLogged)]
    assert logged[:50] == list(range(1, 51)), "a run that ends early has them all"
    assert logged[-1] == steps
    assert max(after - before for before, after in pairwise(logged)) < 100
    (thinned,) = (event for event in events if isinstance(event, Thinned))
    assert thinned.most_bytes == most
    assert f"From step {thinned.step:,} on the curves have fewer points" in run_charts.render_progress(
        run.id, run.status(events), events, "CPU"
    )


def test_a_run_that_goes_on_says_anew_that_events_are_left_out(settings: Settings) -> None:
    run = a_run(settings)
    log = Log(run, 3_000)
    log.write(Started(0, 0.0, total_steps=1_000))
    for step in range(1, 30):
        log.write(StepLogged(step, float(step)))
    assert log.step == 29, "though it was left out"
    append(run.folder / "events.jsonl", Resumed(2, 50.0))
    log = Log(run, 3_000)
    assert (log.step, log.total_steps) == (2, 1_000)
    for step in range(3, 9):
        log.write(StepLogged(step, 60.0 + step))
    assert sum(isinstance(event, Thinned) for event in valid(run.events())) == 1


@pytest.mark.slow
def test_the_page_reads_of_a_million_events_as_many_as_it_needs(settings: Settings) -> None:
    run = a_run(settings, STARTED)
    path = run.folder / "events.jsonl"
    line = (
        '{"event": "step_logged", "step": 0000000, "time": 109.0, "epoch": 0.5, "loss": 0.7, "learning_rate": 1e-4}\n'
    )
    with path.open("a") as file:
        for start in range(1, 1_000_001, 10_000):
            file.writelines(line.replace("0000000", f"{step}") for step in range(start, start + 10_000))
    append(path, Finished(1_000_000, 120.0))
    assert path.stat().st_size > 100 * 1024**2
    tracemalloc.start()
    begun = quiet_time()
    events = run.events()
    status = run.status(events)
    assert (status.state, status.step) == ("finished", 1_000_000)
    assert "1,000,000" in run_charts.render_progress(run.id, status, events, "CPU")
    assert len(run_charts.make_loss_chart(events).series[0].points) <= run_charts.MOST_POINTS + 2
    seconds, peak = quiet_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 * 1024**2
    assert seconds < 12  # with every allocation traced
    assert [event.step for event in run.events(after=500_000, limit=2)] == [500_000, 500_001]
