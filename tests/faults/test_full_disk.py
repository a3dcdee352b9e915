"""A full disk, whenever it fills up: the run says so, is never taken for finished, and goes on when there is room."""

import contextlib
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Finished, Resumed
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.settings import Settings
from tests.conftest import wait_until
from tests.faults.test_kills import MOMENTS, OFTEN, end
from tests.finetuning.tiny_runs import STEPS_ALONE

# The tiny model takes 4 MB, a checkpoint of it 12, and two of them stay.
DISK_MEGABYTES = 56


@pytest.fixture
def disk(tmp_path: Path, forked_runs: None) -> Iterator[Path]:
    """A small disk of its own for a home. Whatever a test says, no process of its runs outlives it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "hfdemo-test", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        yield folder
    finally:
        for run in RunStore(Settings(home=folder / "home")).list():
            end(run.processes())
            wait_until(lambda run=run: not run.processes(), 10, "the end")  # type: ignore[misc]
        unmount = ["umount", str(folder)]
        wait_until(lambda: subprocess.run(unmount, capture_output=True).returncode == 0, 20, "the end of the disk")


def fill(disk: Path) -> Path:
    """Leave no byte free on `disk`; returns the file that takes it all."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1024**2, 4096, 64, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass
    return filler


def begin(store: RunStore, colours: Path, tiny: Path, **training: Any) -> Run:
    return store.start(store.create(RunConfig("colours", model=str(tiny), training={**OFTEN, **training}), colours))


def wait_for(moment: str, run: Run) -> None:
    deadline = time.monotonic() + 240
    while not MOMENTS[moment](run):
        assert time.monotonic() < deadline
        assert not run.has_ended(), f"{run.status()} {run.log_tail(2000)}"
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        *("start", "save", "saved"),
        *(pytest.param(each, marks=pytest.mark.soak) for each in ("loading", "before the first step", "first step")),
        pytest.param("evaluation", marks=pytest.mark.soak),
    ],
)
def test_a_run_says_that_the_disk_is_full_and_goes_on_when_there_is_room(
    disk: Path, colours: Path, tiny: Path, moment: str
) -> None:
    store = RunStore(Settings(home=disk / "home"))
    run = begin(store, colours, tiny, num_train_epochs=40)
    wait_for(moment, run)
    filler = fill(disk)
    wait_until(lambda: not run.status().active, 60, f"the end: {run.status()}")
    status = run.status()
    assert status.state == "failed", status
    assert "The disk is full" in str(status.error) or "MB on the disk" in str(status.error), status
    assert run.has_ended(), "it is said in the run's own events, so that every server reads the same"
    filler.unlink()
    assert RunStore(store.settings).get(run.id).status().error == status.error
    if status.resumable:
        again = store.resume(run.id)
        wait_until(lambda: any(isinstance(event, Resumed) for event in again.events()), 120, "it to go on")
        wait_until(lambda: again.status().step > status.step, 120, "new ground")
    else:
        assert moment != "saved"


@pytest.mark.slow
def test_a_file_that_may_not_grow_ends_the_save_and_what_was_saved_before_stays(
    settings: Settings, colours: Path, tiny: Path, forked_runs: None
) -> None:
    """As a quota does it: there is room on the disk, so it shows in the middle of a file that a library writes."""
    store = RunStore(settings)
    run = begin(store, colours, tiny)
    try:
        wait_for("saved", run)
        resource.prlimit(int((run.process() or {})["pid"]), resource.RLIMIT_FSIZE, (1024**2, 1024**2))
        wait_until(lambda: not run.status().active, 60, "the end")
        status = run.status()
        assert status.state == "failed"
        assert "a limit of it is reached" in str(status.error), status
        assert status.resumable
        assert not (run.checkpoints / ".partial").exists()
        assert not run.has_model
        assert store.resume(run.id)
        wait_until(lambda: not run.status().active, 120, "the end")
        assert isinstance(run.events()[-1], Finished)
    finally:
        end(run.processes())


@pytest.mark.slow
def test_a_stop_is_obeyed_though_no_file_can_say_it(disk: Path, colours: Path, tiny: Path) -> None:
    training = {**STEPS_ALONE, "num_train_epochs": 10_000, "logging_steps": 10_000}
    store = RunStore(Settings(home=disk / "home"))
    run = store.start(store.create(RunConfig("colours", model=str(tiny), training=training), colours))
    wait_until(lambda: (run.process() or {}).get("step"), 240, "the first step")
    fill(disk)
    store.stop(run.id)
    wait_until(lambda: not run.processes(), 10, "the end")
    assert run.status().state == "stopped"
    assert RunStore(store.settings).get(run.id).status().state == "stopped"
