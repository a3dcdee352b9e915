"""A stop is obeyed: by the training if it can, by force if it can't, and within ten seconds."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

# What a child does that is asked to stop.
OBEDIENT = "while not stop.exists(): time.sleep(0.05)"
DEAF = "while True: time.sleep(0.05)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(0.05)"
PARENT = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n" + STUBBORN
PRELUDE = "import pathlib, signal, subprocess, sys, time\nstop = pathlib.Path(sys.argv[1]) / 'stop'\n"
CHILDREN = {"obedient": OBEDIENT, "deaf": DEAF, "stubborn": STUBBORN, "parent": PARENT, "frozen": STUBBORN}
HEARD = "heard and has no step to keep"
ADOPTED = "asked by a server that is gone"


@contextlib.contextmanager
def cleared(settings: Settings) -> Iterator[Settings]:
    """Whatever a test says, no process of its runs outlives it."""
    try:
        yield settings
    finally:
        for path in settings.runs.glob("*/process.json"):
            with contextlib.suppress(OSError, KeyError, TypeError):
                os.killpg(json.loads(path.read_text())["pid"], signal.SIGKILL)


@pytest.fixture
def home(settings: Settings) -> Iterator[Settings]:
    with cleared(settings) as home:
        yield home


def child_that(does: str, settings: Settings, name: str = "x") -> tuple[Run, subprocess.Popen[bytes]]:
    folder = settings.runs / f"20260101-000000-{name}"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
    child = subprocess.Popen([sys.executable, "-c", PRELUDE + does, str(folder)], start_new_session=True)
    (folder / "process.json").write_text(json.dumps(process_identity(child.pid)))
    return Run(folder, child), child


def count_processes() -> Counter[int]:
    """Count the living processes of each group."""
    found: Counter[int] = Counter()
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if each.status() != psutil.STATUS_ZOMBIE:
                found[os.getpgid(each.pid)] += 1
    return found


@dataclass
class Asked:
    """A child that was asked to stop, and the seconds from then until it was seen that it and its run had ended."""

    run: Run
    group: int
    begun: float
    gone: float | None = None
    said: float | None = None

    def look(self, store: RunStore, processes: Counter[int]) -> bool:
        if self.gone is None and not processes[self.group]:
            self.gone = time.monotonic() - self.begun
        if self.gone is not None and self.said is None and store.get(self.run.id).status().state == "stopped":
            self.said = time.monotonic() - self.begun
        return self.said is not None


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[tuple[str, bool], Asked]]:
    """Children that do all there is to do, asked to stop at the same time: what they take is mostly waiting."""
    with cleared(Settings(home=tmp_path_factory.mktemp("stops"))) as home:
        wanted = [(name, keep) for name in CHILDREN for keep in (False, True)] + [(HEARD, True), (ADOPTED, False)]
        does = {**CHILDREN, HEARD: DEAF, ADOPTED: STUBBORN}
        children = {each: child_that(does[each[0]], home, str(number)) for number, each in enumerate(wanted)}
        sizes = {child.pid: 2 if name == "parent" else 1 for (name, _), (_, child) in children.items()}
        wait_until(lambda: sizes.items() <= count_processes().items(), 60, "the children")
        store, found = RunStore(home), {}
        for (name, keep), (run, child) in children.items():
            if name == "frozen":
                child.send_signal(signal.SIGSTOP)
            store._children[run.id] = child
            found[name, keep] = Asked(run, child.pid, time.monotonic())
            if name == ADOPTED:
                run.stop(keep)  # the server that was asked ends here
                RunStore(home).adopt()
                continue
            if name == HEARD:
                told = {**process_identity(child.pid), "stopping": True}
                (run.folder / "process.json").write_text(json.dumps(told))
            store.stop(run.id, keep)
        deadline = time.monotonic() + 30
        waiting = [*found.values()]
        while waiting and time.monotonic() < deadline:
            living = count_processes()
            waiting = [each for each in waiting if not each.look(store, living)]
            time.sleep(0.1)
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("name", CHILDREN)
def test_whatever_it_does_it_is_gone_within_ten_seconds_and_the_run_says_so(
    asked: Mapping[tuple[str, bool], Asked], name: str, keep: bool
) -> None:
    found = asked[name, keep]
    assert found.gone is not None, "every process of the run"
    assert found.said is not None
    assert found.said < 10
    wait_until(found.run.events, 10, "its last word")  # that it was stopped can be told before it is written
    last = found.run.events()[-1]
    assert isinstance(last, Stopped)
    assert not last.kept


@pytest.mark.slow
def test_one_that_heard_but_has_no_step_to_keep_is_not_waited_for(asked: Mapping[tuple[str, bool], Asked]) -> None:
    """It may be loading a large model, and nothing can break that off."""
    found = asked[HEARD, True]
    assert found.said is not None
    assert found.said < 10


@pytest.mark.slow
def test_a_stop_that_a_server_did_not_live_to_see_is_enforced_by_the_next(
    asked: Mapping[tuple[str, bool], Asked],
) -> None:
    found = asked[ADOPTED, False]
    assert found.said is not None
    assert found.said < 10


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
        wait_until(lambda: Run(run.folder).status().state == "stopped", 10, "all that is done about a stop")
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
    wait_until(lambda: not count_processes()[process["pid"]], 10, "the end of its processes")
    assert time.monotonic() - asked < 10
    assert again.status().state == "stopped"
