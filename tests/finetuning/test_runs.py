"""A run is a folder: its state is read from there, whoever reads it."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Failed, Finished, Started, StepLogged, Stopped
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.settings import Settings

STARTED = Started(0, 100.0, total_steps=10)
FIRST = StepLogged(1, 108.0, epoch=0.2, loss=0.9)
HALF = StepLogged(5, 110.0, epoch=1.0, loss=0.5)


def a_run(settings: Settings, *events: Event, process: dict[str, object] | None = None) -> Run:
    folder = settings.runs / "20260101-000000-x"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
    (folder / "events.jsonl").write_text("".join(json.dumps(event.to_json()) + "\n" for event in events))
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    return RunStore(settings).get(folder.name)


def this_process(**more: object) -> dict[str, object]:
    return {"pid": os.getpid(), "created": psutil.Process().create_time(), **more}


def test_a_running_run_knows_its_steps_and_the_time_left(settings: Settings) -> None:
    status = a_run(settings, STARTED, FIRST, HALF, process=this_process()).status()
    assert (status.state, status.step, status.total_steps, status.epoch) == ("running", 5, 10, 1.0)
    assert status.eta_seconds == pytest.approx(2.5)  # half a second a step; the eight of the first don't count


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (Finished(10, 120.0), "finished"),
        (Stopped(5, 120.0, kept=True), "stopped"),
        (Failed(5, 120.0, "Why."), "failed"),
    ],
)  # fmt: skip
def test_a_final_event_decides_whatever_the_process_does(settings: Settings, last: Event, state: str) -> None:
    status = a_run(settings, STARTED, HALF, last, process=this_process()).status()
    assert status.state == state
    assert status.eta_seconds is None
    assert status.error == ("Why." if state == "failed" else None)


def test_metrics_are_the_latest_on_the_validation_split(settings: Settings) -> None:
    scores = [Evaluated(5, 111.0, 1.0, split, {"accuracy": x}) for split, x in (("validation", 0.7), ("test", 0.6))]
    assert a_run(settings, STARTED, *scores, process=this_process()).status().metrics == {"accuracy": 0.7}


def test_a_process_that_is_gone_without_a_word_is_lost(settings: Settings) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert a_run(settings, STARTED, HALF, process={"pid": gone.pid, "created": 1.0}).status().state == "lost"


def test_a_pid_that_belongs_to_another_program_by_now_is_not_this_run(settings: Settings) -> None:
    stolen = {"pid": os.getpid(), "created": psutil.Process().create_time() - 3600}
    assert a_run(settings, STARTED, process=stolen).status().state == "lost"


def test_a_zombie_is_not_alive(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    created = psutil.Process(child.pid).create_time()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert a_run(settings, STARTED, process={"pid": child.pid, "created": created}).status().state == "lost"
    child.wait()


def test_waiting_for_the_device_and_loading_are_told_apart(settings: Settings) -> None:
    run = a_run(settings, process=this_process(waiting=True))
    assert run.status().state == "queued"
    (run.folder / "process.json").write_text(json.dumps(this_process(waiting=False)))
    assert run.status().state == "starting"


def test_stopping_is_asked_for_by_a_file_and_only_while_it_works(settings: Settings) -> None:
    run = a_run(settings, STARTED, HALF, process=this_process())
    run.stop(keep=False)
    assert json.loads((run.folder / "stop").read_text()) == {"keep": False}
    assert run.status().state == "stopping"
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(Stopped(6, 130.0).to_json()) + "\n")
    with pytest.raises(RunError, match="nothing to stop"):
        run.stop()


def test_events_can_be_read_from_any_point_while_the_next_is_being_written(settings: Settings) -> None:
    run = a_run(settings, STARTED, HALF, process=this_process())
    with (run.folder / "events.jsonl").open("a") as file:
        file.write('{"event": "step_lo')
    assert run.events() == [STARTED, HALF]
    assert run.events(after=1) == [HALF]
    assert run.events(limit=1) == [STARTED]
    assert run.events(after=7) == []


@pytest.mark.parametrize("run_id", ["never", "", "../../etc", "a/b", None, {"a": 1}])
def test_a_run_that_is_not_there_is_said_so(settings: Settings, run_id: Any) -> None:
    with pytest.raises(RunError, match="There is no run"):
        RunStore(settings).get(run_id)


def test_only_a_run_at_rest_can_be_deleted(settings: Settings) -> None:
    run = a_run(settings, STARTED, process=this_process())
    store = RunStore(settings)
    with pytest.raises(RunError, match="Stop it first"):
        store.delete(run.id)
    (run.folder / "process.json").write_text(json.dumps({"pid": 1, "created": 0.0}))
    store.delete(run.id)
    assert not run.folder.exists()
    assert store.list() == []


def test_a_new_run_has_everything_written_out(settings: Settings) -> None:
    run = RunStore(settings).create(RunConfig("paraphrases", training={"seed": 7}))
    config = run.config
    assert (config.text_column, config.text_pair_column, config.label_column) == ("sentence1", "sentence2", "label")
    assert config.labels == ("different", "paraphrase")
    assert config.positive_label == "paraphrase"
    assert config.training["seed"] == 7
    assert config.training["learning_rate"] > 0
    header = (run.folder / "data" / "train.csv").read_text().splitlines()[0]
    assert header == '"text","text_pair","label"'
    compile(run.script(), "train.py", "exec")


@pytest.mark.parametrize(
    "config",
    [
        RunConfig("tickets", label_column="nope"),
        RunConfig("tickets", task="text-generation"),
        RunConfig("tickets", training={"nope": 1}),
        RunConfig("no-such-example"),
        RunConfig("tickets", model="owner/name"),
        RunConfig("tickets", model="run:nope"),
    ],
)
def test_a_run_that_cannot_work_leaves_no_folder(settings: Settings, config: RunConfig) -> None:
    with pytest.raises(DemoError):
        RunStore(settings).create(config)
    assert not settings.runs.exists()


def test_a_shared_server_bounds_every_run(settings: Settings, colours: Path) -> None:
    store = RunStore(Settings(home=settings.home, public=True))
    with pytest.raises(RunError, match="at most 2,000"):
        store.create(RunConfig("colours", training={"num_train_epochs": 10_000}), colours)
    with pytest.raises(RunError, match="at most 2,000"):
        store.create(RunConfig("colours", training={"max_steps": 10_000}), colours)
    for _ in range(3):  # three that wait for their process to begin
        store.create(RunConfig("colours"), colours)
    with pytest.raises(RunError, match="3 runs are at work"):
        store.create(RunConfig("colours"), colours)


def test_a_run_that_ends_between_two_looks_is_finished_and_not_failed(settings: Settings) -> None:
    run = a_run(settings, STARTED, HALF, Finished(10, 120.0), process={"pid": os.getpid(), "created": 0.0})
    assert run.status([STARTED, HALF]).state == "finished"


def test_two_runs_in_one_second_get_two_folders(settings: Settings, colours: Path) -> None:
    store = RunStore(settings)
    ids = {store.create(RunConfig("colours"), colours).id for _ in range(3)}
    assert len(ids) == 3


def test_an_archive_holds_the_model_and_what_made_it(settings: Settings, tmp_path: Path) -> None:
    run = a_run(settings, STARTED, Finished(10, 120.0))
    with pytest.raises(RunError, match="no model"):
        run.archive(tmp_path)
    (run.folder / "model").mkdir()
    (run.folder / "model" / "config.json").write_text("{}")
    with zipfile.ZipFile(run.archive(tmp_path)) as archive:
        assert set(archive.namelist()) == {f"{run.id}/model/config.json", f"{run.id}/config.json"}
