"""A stop is obeyed: by the training if it can, by force if it can't, and within ten seconds."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Resumed, Stopped, valid
from hfdemo.finetuning.runs import Run, RunStore, stop_and_resume
from hfdemo.finetuning.runs.child_process import ProcessFile
from hfdemo.finetuning.runs.processes import process_identity
from hfdemo.finetuning.stop_request import StopRequest
from hfdemo.settings import Settings
from tests.conftest import wait_until

# What a child does that is asked to stop; each begins by naming the processes that are to be gone.
OBEDIENT = "while not stop.exists(): time.sleep(0.05)"
DEAF = "while True: time.sleep(0.05)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(0.05)"
PARENT = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n" + STUBBORN
PRELUDE = "import pathlib, signal, subprocess, sys, time\nstop = pathlib.Path(sys.argv[1]) / 'stop'\n"


@pytest.fixture
def home(settings: Settings) -> Iterator[Settings]:
    """Whatever a test says, no process of its runs outlives it."""
    yield settings
    for path in settings.runs.glob("*/process.json"):
        with contextlib.suppress(OSError, KeyError, TypeError):
            os.killpg(json.loads(path.read_text())["pid"], signal.SIGKILL)


def child_that(does: str, settings: Settings) -> tuple[Run, subprocess.Popen[bytes]]:
    folder = settings.runs / "20260101-000000-x"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
    child = subprocess.Popen([sys.executable, "-c", PRELUDE + does, str(folder)], start_new_session=True)
    (folder / "process.json").write_text(json.dumps(process_identity(child.pid)))
    return Run(folder, child), child


def of_group(group: int) -> list[int]:
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(each.pid) == group and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.pid)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("does", [OBEDIENT, DEAF, STUBBORN, PARENT, "frozen"])
def test_whatever_it_does_it_is_gone_within_ten_seconds_and_the_run_says_so(
    home: Settings, does: str, keep: bool
) -> None:
    run, child = child_that(STUBBORN if does == "frozen" else does, home)
    wait_until(lambda: len(of_group(child.pid)) == (2 if does == PARENT else 1), 10, "the child")
    if does == "frozen":
        child.send_signal(signal.SIGSTOP)
    store = RunStore(home)
    store._children[run.id] = child
    asked = time.monotonic()
    store.stop(run.id, keep)
    wait_until(lambda: not of_group(child.pid), 10, "the end of every process of the run")
    wait_until(lambda: store.get(run.id).status().state == "stopped", 2, "its last word")
    assert time.monotonic() - asked < 10
    last = run.events()[-1]
    assert isinstance(last, Stopped)
    assert not last.kept


@pytest.mark.slow
def test_one_that_heard_but_has_no_step_to_keep_is_not_waited_for(home: Settings) -> None:
    """It may be loading a large model, and nothing can break that off."""
    run, child = child_that(DEAF, home)
    (run.folder / "process.json").write_text(json.dumps({**process_identity(child.pid), "stopping": True}))
    asked = time.monotonic()
    RunStore(home).stop(run.id, keep=True)
    wait_until(lambda: child.poll() is not None, 10, "the end")
    wait_until(lambda: run.status().state == "stopped", 10, "its last word")
    assert time.monotonic() - asked < 10


def test_one_that_heard_and_made_a_step_is_waited_for_though_no_event_tells_of_it_yet(settings: Settings) -> None:
    folder = settings.runs / "20260101-000000-x"
    folder.mkdir(parents=True)
    process_file, asked = ProcessFile(folder), StopRequest(keep=True, time=time.time() - 60)
    process_file.write(stopping=True)
    assert stop_and_resume._is_overdue(Run(folder), asked, silent=False)
    for step in (1, 2):
        process_file.note_step(step)
        assert not stop_and_resume._is_overdue(Run(folder), asked, silent=False)
    assert json.loads((folder / "process.json").read_text())["step"] == 1, "not written at each step"


@pytest.mark.slow
def test_a_stop_that_a_server_did_not_live_to_see_is_enforced_by_the_next(home: Settings) -> None:
    run, child = child_that(STUBBORN, home)
    wait_until(lambda: of_group(child.pid), 10, "the child")
    run.stop(keep=False)  # the server that was asked ends here
    RunStore(home).adopt()
    wait_until(lambda: child.poll() is not None, 10, "the end")
    wait_until(lambda: Run(run.folder).status().state == "stopped", 2, "its last word")


@pytest.mark.slow
def test_a_number_that_another_program_has_by_now_is_left_alone(home: Settings) -> None:
    """After a restart of the machine pid and group may be anybody's."""
    run, child = child_that(OBEDIENT, home)
    (run.folder / "stop").write_text(json.dumps({"keep": False, "time": time.time() - 3600}))
    child.wait()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        told = json.loads((run.folder / "process.json").read_text())
        old = {"pid": bystander.pid, "created": told["created"] - 7200}
        (run.folder / "process.json").write_text(json.dumps(old))
        RunStore(home).adopt()
        time.sleep(1.0)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_training_is_stopped_resumed_and_stopped_for_good_by_its_store(
    home: Settings, colours: Path, tiny: Path
) -> None:
    store = RunStore(home)
    config = RunConfig("colours", model=str(tiny), training={"num_train_epochs": 10_000, "logging_steps": 5})
    run = store.start(store.create(config, colours))
    wait_until(lambda: run.status().step > 10, 240, "the first steps")
    store.stop(run.id, keep=True)
    wait_until(lambda: run.status().state == "stopped", 60, "the stop")
    stopped = run.status()
    assert run.has_model
    assert stopped.resumable

    again = store.resume(run.id)
    wait_until(lambda: again.status().state == "running", 240, "it goes on")
    wait_until(lambda: again.status().step > stopped.step + 10, 240, "further steps")
    resumed = next(event for event in again.events() if isinstance(event, Resumed))
    assert resumed.step == stopped.step
    assert sum(isinstance(event, Stopped) for event in valid(again.events())) == 0
    process = again.process()
    assert process is not None
    asked = time.monotonic()
    store.stop(run.id, keep=False)
    wait_until(lambda: not of_group(process["pid"]), 10, "the end of its processes")
    assert time.monotonic() - asked < 10
    assert again.status().state == "stopped"
