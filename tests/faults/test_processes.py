"""Training processes as they really are: ended from outside, waiting for each other, several of them for one run."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Failed, Finished, Resumed, Started, Stopped, valid
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.processes import find_processes, is_alive
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.runs.stop_and_resume import ensure_stopped
from hfdemo.settings import Settings
from tests import forked
from tests.conftest import ROOT, wait_until

SAVED_OFTEN = {"num_train_epochs": 10_000, "eval_strategy": "steps", "eval_steps": 4, "logging_steps": 2}


@pytest.fixture
def store(settings: Settings, forked_runs: None) -> Iterator[RunStore]:
    """Whatever a test says, no process of its runs outlives it."""
    store = RunStore(settings)
    yield store
    for run in store.list():
        for process in run.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


def started(store: RunStore, colours: Path, tiny: Path, **config: Any) -> Run:
    config = {"training": SAVED_OFTEN, **config}
    return store.start(store.create(RunConfig("colours", model=str(tiny), **config), colours))


def of_kind(kind: type[Any], run: Run) -> list[Any]:
    return [event for event in run.events() if isinstance(event, kind)]


@pytest.mark.slow
def test_a_terminated_training_says_so_and_goes_on_later_from_the_last_checkpoint_that_is_whole(
    store: RunStore, colours: Path, tiny: Path
) -> None:
    """As when the machine is shut down; and then the newest checkpoint turns out to be damaged."""
    run = started(store, colours, tiny)
    wait_until(lambda: len(list(run.checkpoints.glob("checkpoint-*/manifest.json"))) > 1, 240, "two checkpoints")
    process = run.process()
    assert process is not None
    os.kill(process["pid"], signal.SIGTERM)
    wait_until(lambda: not is_alive(process), 10, "the end")
    assert isinstance(run.events()[-1], Stopped)
    assert run.events()[-1].kept  # type: ignore[attr-defined]
    assert run.status().state == "stopped"
    assert run.status().resumable

    newest, before = sorted(int(path.name.split("-")[1]) for path in run.checkpoints.glob("checkpoint-*"))[::-1][:2]
    weights = run.checkpoints / f"checkpoint-{newest}" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    again = store.resume(run.id)
    wait_until(lambda: of_kind(Resumed, again), 240, "it to go on")
    resumed = of_kind(Resumed, again)[0]
    assert resumed.step == before
    assert f"step {newest} is damaged (model.safetensors was changed)" in resumed.notes[0]
    wait_until(lambda: again.status().step > newest, 240, "new ground")
    assert len(of_kind(Started, again)) == 1
    steps = [event.step for event in valid(again.events()) if isinstance(event, Evaluated)]
    assert steps == sorted(set(steps)), "one history"
    store.stop(run.id, keep=False)
    wait_until(lambda: not again.processes(), 10, "the end")


@pytest.mark.slow
def test_one_that_heard_and_is_keeping_its_model_is_left_to_work_but_not_to_hang(
    store: RunStore, colours: Path, tiny: Path
) -> None:
    run = started(store, colours, tiny)
    wait_until(lambda: run.status().step > 0, 240, "the first step")
    process = run.process()
    assert process is not None
    child = psutil.Process(process["pid"])
    child.suspend()
    (run.folder / "stop").write_text(json.dumps({"keep": True, "time": time.time() - 60}))
    told = json.loads((run.folder / "process.json").read_text())
    (run.folder / "process.json").write_text(json.dumps({**told, "stopping": True}))  # heard before it froze
    before = time.monotonic()
    stopping = threading.Thread(target=ensure_stopped, args=(run, 1.0))
    stopping.start()
    while stopping.is_alive():  # it is continued, and hangs all the same
        with contextlib.suppress(psutil.NoSuchProcess):
            child.suspend()
        time.sleep(0.01)
    assert 1.0 < time.monotonic() - before < 10.0
    assert not run.processes()
    assert run.status().state == "stopped"


WAITER = """
import sys, time
from pathlib import Path
from hfdemo.finetuning.runs.child_process import ProcessFile, device_lock
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings
run, home = Run(Path(sys.argv[1])), Path(sys.argv[2])
process_file = ProcessFile(run.folder)
with process_file.beating(), device_lock(run, Settings(home=home), "cpu", process_file) as free:
    with (home / "order.txt").open("a") as order:
        order.write(f"{run.id} {free}\\n")
    while not (run.folder / "done").exists():
        time.sleep(0.02)
"""


@pytest.mark.slow
def test_the_device_is_given_in_the_order_of_asking_and_to_one_at_a_time(store: RunStore, settings: Settings) -> None:
    children = {}
    order = settings.home / "order.txt"
    for name in ("first", "never", "second", "third"):
        folder = settings.runs / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
        children[name] = forked.Forked(["-c", WAITER, str(folder), str(settings.home)], cwd=ROOT)
        if name == "first":
            wait_until(order.exists, 240, "the first")
        else:
            wait_until(lambda name=name: store.get(name).status().state == "queued", 240, name)  # type: ignore[misc]
    assert [run.id for run in store.queue()] == ["never", "second", "third"]
    assert [store.get(name).status().ahead for name in ("never", "second", "third")] == [0, 1, 2]
    store.get("never").stop()
    (settings.runs / "never" / "done").touch()
    wait_until(lambda: store.get("second").status().ahead == 0, 10, "second to move up")
    time.sleep(1.0)
    assert order.read_text() == "first True\nnever False\n"
    for name in ("first", "second", "third"):
        (settings.runs / name / "done").touch()
        children[name].wait(20)
    assert order.read_text().split("\n") == ["first True", "never False", "second True", "third True", ""]
    assert {child.wait(10) for child in children.values()} == {0}


@pytest.mark.slow
def test_two_processes_train_one_run_and_only_the_first_writes(
    store: RunStore, settings: Settings, colours: Path, tiny: Path
) -> None:
    run = started(store, colours, tiny, processes=2, training={"num_train_epochs": 2})
    wait_until(lambda: not run.status().active, 240, "the end")
    assert run.status().state == "finished", run.log_tail(4000)
    assert len(of_kind(Started, run)) == len(of_kind(Finished, run)) == 1
    wait_until(lambda: not run.processes(), 20, "its processes to go")
    assert (run.folder / "model" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stop", "stop and keep", "launcher killed", "other killed"])
def test_of_several_processes_none_stays_behind(
    store: RunStore, settings: Settings, colours: Path, tiny: Path, how: str
) -> None:
    run = started(store, colours, tiny, processes=2)
    wait_until(lambda: run.status().step > 0 or not run.status().active, 240, "the first step")
    process = run.process()
    assert process is not None
    assert run.status().state == "running", run.log_tail(4000)
    all_of_them = run.processes()
    assert len(all_of_them) >= 3  # torchrun and both that it started, which have groups of their own
    if how == "launcher killed":
        os.kill(process["launcher"]["pid"], signal.SIGKILL)
        time.sleep(0.5)
    if how == "other killed":
        others = {each.pid for each in psutil.Process(process["launcher"]["pid"]).children()} - {process["pid"]}
        os.kill(others.pop(), signal.SIGKILL)
        wait_until(lambda: run.status().state == "failed", 240, "the failure")
        assert isinstance(run.events()[-1], Failed)
    else:
        asked = time.monotonic()
        store.stop(run.id, keep=how == "stop and keep")
        wait_until(lambda: run.status().state == "stopped", 10, "the stop")
        assert time.monotonic() - asked < 10
        assert run.has_model is (how == "stop and keep")
    wait_until(lambda: not any(each.is_running() and each.status() != "zombie" for each in all_of_them), 10, "the end")
    assert find_processes(run.folder, run.known_processes()) == []


@pytest.mark.slow
def test_the_command_line_begins_a_new_run_with_as_many_processes_as_torchrun_started(
    settings: Settings, colours: Path, tiny: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"dataset": str(colours), "model": str(tiny), "training": {"max_steps": 2}}))
    environment = {**os.environ, "HFDEMO_HOME": str(settings.home)}
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "hfdemo.finetuning"]
    done = subprocess.run([sys.executable, *several, str(config)], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-20_000:]
    (run,) = RunStore(settings).list()
    assert run.config.processes == 2
    assert run.status().state == "finished"
    alone = forked.run(["-m", "hfdemo.finetuning", str(run.folder)], cwd=ROOT, env=environment)
    assert alone.returncode == 1
    assert "--nproc_per_node 2 -m hfdemo.finetuning" in alone.stderr
