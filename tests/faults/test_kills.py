"""Runs that never lie: whatever is killed, frozen or stopped, and whenever, the state is right within ten seconds."""

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Failed, Finished, Saved, Started, StepLogged, valid
from hfdemo.finetuning.runs import ACTIVE, Run, RunStore
from hfdemo.settings import Settings
from tests import forked
from tests.clock import cpu_until_gone
from tests.conftest import ROOT, wait_until

# A server's part in this: it begins the run, and is there until it is killed.
SERVER = """
import json, sys, time
from pathlib import Path
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
store = RunStore(Settings(home=Path(sys.argv[1])))
store.start(store.create(RunConfig.from_json(json.loads(sys.argv[2]))))
time.sleep(600)
"""
# About 30 steps, evaluated and saved every fourth.
OFTEN = {"num_train_epochs": 8, "eval_strategy": "steps", "eval_steps": 4, "logging_steps": 1}
RIGHT_SECONDS = 10.0

Sign = Callable[[Run], object]


def has(kind: type[Any], number: int = 1) -> Sign:
    return lambda run: sum(isinstance(event, kind) for event in run.events()) >= number


def is_at_last_step(run: Run) -> bool:
    status = run.status()
    return 0 < status.total_steps == status.step


MOMENTS: dict[str, Sign] = {
    "start": lambda run: True,
    "loading": lambda run: "pid" in (run.process() or {}),
    "before the first step": has(Started),
    "first step": has(StepLogged),
    "save": lambda run: any((run.checkpoints / ".partial").glob("*/*")),
    "saved": has(Saved),
    "evaluation": has(Evaluated, 2),
    "last prediction": is_at_last_step,
}


@dataclass
class Fault:
    """What is done to a run, when, and what comes of it."""

    what: str
    moment: str
    delay: float
    processes: int = 1
    state: str = ""
    seconds: float = 0.0
    seen: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        what = f"{self.what}, {self.processes} processes" if self.processes > 1 else self.what
        return f"{what} at {self.moment} + {self.delay:.2f} s: {self.state} after {self.seconds:.1f} s"


def end(processes: Sequence[Any], number: int = signal.SIGKILL) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def living(run: Run) -> list[Any]:
    """The processes that train: not the launcher, which computes nothing."""
    launcher = ((run.process() or {}).get("launcher") or {}).get("pid")
    return [each for each in run.processes() if each.pid != launcher]


class Stage:
    """One home with one server and one run, to which something is done."""

    def __init__(self, home: Path, config: dict[str, Any]) -> None:
        self.home, self.settings = home, Settings(home=home)
        home.mkdir(parents=True)
        arguments = ["-c", SERVER, str(home), json.dumps(config)]
        with (home / "server.log").open("wb") as log:
            self.server = forked.Forked(
                arguments, cwd=ROOT, forking=True, start_new_session=True, stdout=log, stderr=log
            )

    def find_run(self) -> Run:
        wait_until(lambda: RunStore(self.settings).list() or self.server.poll() is not None, 240, "the run")
        assert self.server.poll() is None, (self.home / "server.log").read_text()
        return RunStore(self.settings).list()[0]

    def do(self, fault: Fault) -> Run:
        """Wait for the moment of `fault`, and do it."""
        run = self.find_run()
        deadline = time.monotonic() + 240
        while not MOMENTS[fault.moment](run) and not run.has_ended():
            assert time.monotonic() < deadline, f"{fault.moment} never came: {run.status()}"
            time.sleep(0.002)
        time.sleep(fault.delay)
        process = run.process() or {}
        known = {"child": process, "launcher": process.get("launcher") or {}}
        if fault.what in known:
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.kill(known[fault.what]["pid"], signal.SIGKILL)
        elif fault.what == "rank":
            others = [each for each in living(run) if each.pid != process.get("pid")]
            end(others[-1:])
        elif fault.what in ("server", "everything"):
            self.server.send_signal(signal.SIGKILL)
            self.server.wait()
            end(run.processes() if fault.what == "everything" else [])
        else:
            raise AssertionError(fault.what)
        return run


def is_right(run: Run, state: str, error: str | None, fault: Fault) -> bool:
    """Return whether `state` is what the processes and the files of `run` say, whoever reads them."""
    events = valid(run.events())
    if any(isinstance(event, Finished) for event in events):
        return state == "finished" and run.has_model
    if run.processes():
        # A training can do without its server, and without the launcher of its processes.
        return state in ACTIVE and fault.what in ("server", "launcher")
    explained = bool(events) and isinstance(events[-1], Failed)
    return state in ("failed", "lost") and (explained or "killed, most likely out of memory" in str(error))


def check_fault(home: Path, tiny: Path, colours: Path, fault: Fault) -> None:
    """Do `fault` to a new run; its state has to be right ten seconds later, and to stay so."""
    config = {"dataset": str(colours), "model": str(tiny), "training": OFTEN, "processes": fault.processes}
    stage = Stage(home, config)
    try:
        run = stage.do(fault)
        done, store = time.monotonic(), RunStore(stage.settings)
        store.adopt()
        while True:
            status = store.get(run.id).status()
            if is_right(run, status.state, status.error, fault):
                break
            assert time.monotonic() - done < RIGHT_SECONDS, f"{fault}: {status} {run.log_tail(2000)}"
            time.sleep(0.05)
        fault.state, fault.seconds = status.state, time.monotonic() - done
        if status.active:  # and it is at work indeed
            step = status.step
            wait_until(lambda: run.status().step > step or not run.status().active, 120, f"{fault}: progress")
        if run.processes():
            with contextlib.suppress(RunError):  # it has ended this moment
                store.stop(run.id, keep=False)
            wait_until(lambda: not run.processes(), 15, f"{fault}: the end")
        after = store.get(run.id).status()
        assert not after.active, f"{fault}: {after}"
        if fault.what in ("child", "rank") and after.state != "finished":
            assert "killed, most likely out of memory. Use a smaller batch" in str(after.error), f"{fault}: {after}"
        assert after.state != "finished" or (run.has_model and (run.folder / "report.json").is_file())
    finally:
        with contextlib.suppress(ProcessLookupError):
            stage.server.kill()
        end(RunStore(stage.settings).get(run.id).processes() if RunStore(stage.settings).list() else [])


def check_stop(store: RunStore, run: Run, moment: str, delay: float, keep: bool) -> tuple[str, float]:
    """Stop `run` at a moment; it has to be stopped (or finished, if it was about to) within ten seconds, and nothing
    but on its way there before. Returns its last state and the seconds."""
    while not MOMENTS[moment](run) and not run.has_ended():
        time.sleep(0.002)
    time.sleep(delay)
    asked, seen = time.monotonic(), set()
    with contextlib.suppress(RunError):  # it has ended this moment
        store.stop(run.id, keep=keep)
    while (status := store.get(run.id).status()).active:
        seen.add(status.state)
        assert time.monotonic() - asked < RIGHT_SECONDS, f"{moment} + {delay:.2f} s: {status}"
        time.sleep(0.01)
    assert status.state in ("stopped", "finished"), f"{moment} + {delay:.2f} s: {seen}, then {status}"
    took = time.monotonic() - asked
    wait_until(lambda: not run.processes(), 10, "the end of its processes")
    assert store.get(run.id).status().state == status.state
    return status.state, took


def draw_stops(seed: int, count: int) -> list[tuple[str, float, bool, int]]:
    """Draw when runs are stopped (a moment and seconds after it), whether to keep them, and how many processes."""
    chance = random.Random(seed)
    return [
        (moment, chance.choice((0.0, chance.random())), chance.random() < 0.5, 2 if chance.random() < 0.2 else 1)
        for number in range(count)
        for moment in [[*MOMENTS][number % len(MOMENTS)]]
    ]


def stop_one(home: Path, tiny: Path, colours: Path, moment: str, delay: float, keep: bool, processes: int) -> str:
    config = RunConfig(str(colours), model=str(tiny), training=OFTEN, processes=processes)
    store = RunStore(Settings(home=home))
    run = store.start(store.create(config))
    try:
        state, took = check_stop(store, run, moment, delay, keep)
        return f"{moment} + {delay:.2f} s, keep {keep}, {processes} processes: {state} after {took:.1f} s"
    finally:
        end(run.processes())


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
@pytest.mark.parametrize("moment", ["start", "loading", "save", "last prediction"])
def test_a_run_that_is_stopped_at_any_moment_is_stopped_and_never_failed(
    home: Path, tiny: Path, colours: Path, moment: str
) -> None:
    assert moment in stop_one(home, tiny, colours, moment, 0.0, moment == "save", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_suspended_process_is_said_and_goes_on_or_is_stopped(home: Path, tiny: Path, colours: Path) -> None:
    store = RunStore(Settings(home=home))
    run = store.start(store.create(RunConfig(str(colours), model=str(tiny), training={"num_train_epochs": 10_000})))
    wait_until(lambda: run.status().step > 0, 240, "the first step")
    child = psutil.Process(int((run.process() or {})["pid"]))
    child.suspend()
    wait_until(lambda: "suspended" in str(store.get(run.id).status().error), 10, "it to be said")
    child.resume()
    step = run.status().step
    wait_until(lambda: run.status().step > step, 60, "it to go on")
    assert run.status().error is None
    child.suspend()
    store.stop(run.id)
    wait_until(lambda: not store.get(run.id).status().active, 120, "the stop")
    assert store.get(run.id).status().state == "stopped"
    assert run.has_model, "it was continued to keep what it had learned"


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_crash_and_a_loss_that_is_no_number_are_failures_with_their_reason(
    home: Path, tiny: Path, colours: Path
) -> None:
    store = RunStore(Settings(home=home))
    run = store.create(RunConfig(str(colours), model=str(tiny), training={"num_train_epochs": 10_000}))
    crashing = store.start(run)
    wait_until(lambda: crashing.status().step > 0, 240, "the first step")
    child = psutil.Process(int((crashing.process() or {})["pid"]))
    child.send_signal(signal.SIGSEGV)
    cpu_until_gone(child, 120)  # it is nice to others, and so are its last words
    wait_until(lambda: not crashing.status().active, RIGHT_SECONDS, "the end")
    for reader, state in ((store, "failed"), (RunStore(store.settings), "lost")):
        status = reader.get(run.id).status()
        assert status.state == state
        assert str(status.error).startswith("The training process crashed: Fatal Python error: Segmentation fault.")

    run = store.create(RunConfig(str(colours), model=str(tiny)))
    values = json.loads((run.folder / "config.json").read_text())
    values["training"] |= {"learning_rate": 100.0, "weight_decay": 100.0, "max_grad_norm": 0.0, "max_steps": 30}
    (run.folder / "config.json").write_text(json.dumps(values))
    diverging = store.start(run)
    wait_until(lambda: not diverging.status().active, 240, "the end")
    assert diverging.status().state == "failed"
    assert "The loss is no longer a number" in str(diverging.status().error)
    assert not diverging.has_model


@pytest.mark.soak
@pytest.mark.usefixtures("forked_runs")
def test_twenty_four_stops_are_never_failures(tmp_path: Path, tiny: Path, colours: Path) -> None:
    for number, stop in enumerate(draw_stops(int(os.environ.get("SOAK_SEED", "2026")), 24)):
        said = stop_one(tmp_path / str(number), tiny, colours, *stop)
        assert said
        print(f"{number + 1:2} {said}", flush=True)


def draw_faults(seed: int, count: int) -> list[Fault]:
    """Draw so many faults; whatever the seed, each victim and each moment has its share."""
    chance = random.Random(seed)
    victims = ["child", "everything", "server", "child", "rank", "launcher", "everything", "child"]
    moments = list(MOMENTS)
    chance.shuffle(moments)
    faults = []
    for number in range(count):
        what = victims[number % len(victims)]
        moment = moments[number * 3 % len(moments)] if number < len(moments) else chance.choice(moments)
        several = what in ("rank", "launcher") or (what in ("child", "everything") and chance.random() < 0.25)
        if several and moment == "start":
            moment = "first step"  # before, there is neither
        faults.append(
            Fault(what, moment, chance.choice((0.0, chance.random(), 3 * chance.random())), 2 if several else 1)
        )
    return faults


SHORT = draw_faults(seed=12, count=6)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SHORT)), ids=lambda number: f"{SHORT[number].what}-{SHORT[number].moment}")
def test_whoever_is_killed_the_state_is_right_within_ten_seconds(
    home: Path, tiny: Path, colours: Path, number: int
) -> None:
    check_fault(home, tiny, colours, SHORT[number])


@pytest.mark.soak
def test_fifty_kills_leave_no_false_state(tmp_path: Path, tiny: Path, colours: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED", "2026"))
    faults = draw_faults(seed, 50)
    for number, fault in enumerate(faults):
        check_fault(tmp_path / str(number), tiny, colours, fault)
        print(f"{number + 1:2} {fault}", flush=True)
    states = Counter(fault.state for fault in faults)
    print(
        f"seed {seed}: {dict(states)}, right after at most {max(fault.seconds for fault in faults):.1f} s", flush=True
    )
