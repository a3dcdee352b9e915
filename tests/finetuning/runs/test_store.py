"""A run is a folder: its state is read from there, whoever reads it."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.arguments import count_evaluations
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Failed, Finished, Probed, Resumed, Started, StepLogged, Stopped
from hfdemo.finetuning.preflight import RunData
from hfdemo.finetuning.preflight.limits import check_work, estimate_run_bytes
from hfdemo.finetuning.runs import Run, RunStore, Status
from hfdemo.finetuning.runs.stop_and_resume import duplicate, reopen
from hfdemo.finetuning.training.checkpoints import partial_folder, seal
from hfdemo.ownership import OWNER_FILE, claim_folder, measure_use, reserve_bytes
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import Zoo

STARTED = Started(0, 100.0, total_steps=10)
FIRST = StepLogged(1, 108.0, epoch=0.2, loss=0.9)
HALF = StepLogged(5, 110.0, epoch=1.0, loss=0.5)


def a_run(
    settings: Settings,
    *events: Event,
    process: dict[str, object] | None = None,
    name: str = "20260101-000000-x",
    checkpoints: Sequence[int] = (),
) -> Run:
    folder = settings.runs / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
    (folder / "events.jsonl").write_text("".join(json.dumps(event.to_json()) + "\n" for event in events))
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    for step in checkpoints:
        half = partial_folder(folder / "checkpoints") / f"checkpoint-{step}"
        half.mkdir(parents=True)
        (half / "model.safetensors").write_text("weights")
        seal(half, folder / "checkpoints" / half.name)
    return RunStore(settings).get(folder.name)


def this_process(**more: object) -> dict[str, object]:
    return {"pid": os.getpid(), "created": psutil.Process().create_time(), "heartbeat": time.time(), **more}


GONE: dict[str, object] = {"pid": 2**22 - 1, "created": 1.0}


def test_a_running_run_knows_its_steps_and_the_time_left(settings: Settings) -> None:
    status = a_run(settings, STARTED, FIRST, HALF, process=this_process()).status()
    assert (status.state, status.step, status.total_steps, status.epoch) == ("running", 5, 10, 1.0)
    assert status.eta_seconds == pytest.approx(2.5)  # half a second a step; the eight of the first don't count


def test_before_there_is_a_pace_the_time_left_is_what_the_trial_steps_foretold(settings: Settings) -> None:
    probed = Probed(0, time.time() - 10, 2.0, 100.0)
    late = Probed(0, time.time() - 200, 2.0, 100.0)
    told: list[tuple[list[Event], float]] = [([probed], 90.0), ([late], 0.0), ([probed, FIRST, HALF], 2.5)]
    for number, (events, left) in enumerate(told):
        status = a_run(settings, STARTED, *events, process=this_process(), name=f"20260101-00000{number}-x").status()
        assert status.eta_seconds == pytest.approx(left, abs=5 if len(events) == 1 else 1e-6)


def test_a_run_at_work_says_what_it_is_at_and_for_how_long(settings: Settings) -> None:
    names = map("20260101-00000{}-x".format, range(9))

    def at_work(*events: Event, **process: object) -> Status:
        return a_run(settings, *events, process=this_process(**process), name=next(names)).status()

    assert at_work().phase == "loading"
    assert at_work(waiting=time.time(), phase="loading").phase == "waiting"
    evaluating = at_work(STARTED, phase="evaluating")
    assert evaluating.phase == "evaluating"
    assert evaluating.elapsed_seconds == pytest.approx(time.time() - psutil.Process().create_time(), abs=5)
    assert at_work(STARTED).phase == "", "of an older version"
    ended = at_work(STARTED, Finished(10, 120.0), phase="saving")
    assert (ended.phase, ended.elapsed_seconds) == ("", None)


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


def test_a_stopped_run_has_the_metrics_of_the_model_that_it_kept_and_none_of_another(settings: Settings) -> None:
    before = Evaluated(0, 101.0, 0.0, "validation", {"accuracy": 0.5})
    notes = ("Not evaluated.",)
    found = {
        name: a_run(settings, STARTED, before, HALF, stopped, name=f"20260101-000000-{name}").status().metrics
        for name, stopped in (
            ("new", Stopped(5, 120.0, kept=True, notes=notes)),
            ("scored", Stopped(5, 120.0, kept=True, metrics={"accuracy": 0.9}, notes=notes)),
            ("killed", Stopped(5, 120.0, kept=True)),
            ("dropped", Stopped(5, 120.0, notes=notes)),
        )
    }
    kept = {"accuracy": 0.5}
    assert found == {"new": {}, "scored": {"accuracy": 0.9}, "killed": kept, "dropped": kept}


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
    run = a_run(settings, process=this_process(waiting=time.time()))
    assert run.status().state == "queued"
    (run.folder / "process.json").write_text(json.dumps(this_process(waiting=None)))
    assert run.status().state == "starting"


def test_stopping_is_asked_for_by_a_file_and_only_while_it_works(settings: Settings) -> None:
    run = a_run(settings, STARTED, HALF, process=this_process())
    run.stop(keep=False)
    assert json.loads((run.folder / "stop").read_text())["keep"] is False
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
        RunConfig("tickets", task="image-classification"),
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


def test_a_run_that_would_take_more_of_the_disk_than_there_may_be_is_refused(settings: Settings, colours: Path) -> None:
    public = Settings(
        home=settings.home, public=True, runs_at_work=9, visitor_bytes=2 * 1024**3, home_bytes=3 * 1024**3
    )
    anna, bob, carla = (RunStore(public).of_owner(name) for name in ("anna", "bob", "carla"))
    run = anna.create(RunConfig("colours"), colours)  # it has written nothing yet, and will
    said = rf"about 1,1\d\d MB .* you have made here takes 1,1\d\d MB, .* 2,048 MB\. .* {run.id} \(1,1\d\d MB\)"
    with pytest.raises(RunError, match=said):
        anna.create(RunConfig("colours"), colours)
    checked = anna.preflight(run.config, RunData(split_rows=(("train", 9), ("validation", 3)), labels=("a", "b")))
    assert [finding.code for finding in checked.findings] == ["disk_space"], "the line before Start says it, too"
    bob.create(RunConfig("colours"), colours)
    with pytest.raises(RunError, match=r"what everybody has made here takes 2,\d+ MB, .* Come back later\.$"):
        carla.create(RunConfig("colours"), colours)
    assert not list((public.runs / ".new").iterdir())
    small = RunStore(Settings(home=settings.home, public=True, home_bytes=1024**3))
    with pytest.raises(RunError, match=r"may take 1,024 MB\. Make it smaller"):
        small.create(RunConfig("colours"), colours)
    (run.folder / "process.json").write_text(json.dumps(GONE))  # what ended takes what it has written
    carla.create(RunConfig("colours"), colours)
    for step in (3, 6):
        (run.folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
        (run.folder / "checkpoints" / f"checkpoint-{step}" / "weights").write_bytes(bytes(1024**2))
    assert measure_use(anna.settings).largest[0][1] >= 2 * 1024**2


def test_of_visitors_that_begin_at_once_only_as_many_do_as_the_disk_may_hold(settings: Settings, colours: Path) -> None:
    public = Settings(home=settings.home, public=True, runs_at_work=9, home_bytes=3 * 1024**3)
    stores = [RunStore(public).of_owner(name) for name in ("anna", "bob", "carla", "dora")]
    together = Barrier(4)

    def create(store: RunStore) -> str:
        together.wait()
        with contextlib.suppress(RunError):
            return store.create(RunConfig("colours"), colours).id
        return ""

    with ThreadPoolExecutor(4) as pool:
        begun = list(filter(None, pool.map(create, stores)))
    assert len(begun) == 2
    assert {run.id for run in RunStore(public).list()} == {*begun}


def test_a_run_goes_on_only_where_what_it_will_take_fits(settings: Settings) -> None:
    public = Settings(home=settings.home, public=True, visitor_bytes=10 * 1024**2)
    run = a_run(settings, STARTED, FIRST, Stopped(1, 120.0, kept=True), process=GONE, checkpoints=[1])
    claim_folder(run.folder, public.of_owner("anna"))
    store = RunStore(public).of_owner("anna")
    reserve_bytes(run.folder, 11 * 1024**2)
    with pytest.raises(RunError, match=r"The rest of this run needs about 11 MB of the disk; .* it may take 10 MB"):
        store.resume(run.id)
    assert store.get(run.id).status().state == "stopped"


@pytest.mark.parametrize(
    ("training", "checkpoints"),
    [
        ({"num_train_epochs": 2}, 4),
        ({"num_train_epochs": 3, "save_total_limit": None}, 5),
        ({"max_steps": 700, "eval_strategy": "steps", "eval_steps": 7, "save_total_limit": None}, 102),
        ({"max_steps": 700, "eval_strategy": "no", "save_strategy": "steps", "save_total_limit": None}, 4),
        ({"max_steps": 700, "eval_strategy": "no", "save_strategy": "no"}, 0),
    ],
)
def test_every_checkpoint_that_stays_is_counted(training: dict[str, Any], checkpoints: int) -> None:
    config = RunConfig("d", training=training).with_training_defaults(100)
    assert estimate_run_bytes(config, 0, 100, 100) == 100 + 300 * checkpoints


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
    (run.folder / "model" / "model.safetensors").write_text("weights")
    run.set_notes("Mine.")
    model = {f"{run.id}/model/config.json", f"{run.id}/model/model.safetensors", f"{run.id}/config.json"}
    with zipfile.ZipFile(run.archive(tmp_path)) as archive:
        run.archive(tmp_path)  # again: who reads the one before goes on reading it
        assert set(archive.namelist()) == model | {f"{run.id}/notes.txt"}
        assert archive.testzip() is None
    assert len(list(tmp_path.rglob("*.zip"))) == 1, "however often it is asked for"


def test_the_queue_is_in_the_order_of_coming_and_everybody_sees_how_many_are_before(settings: Settings) -> None:
    now = time.time()
    for name, since in (("c", now - 1), ("a", now - 2), ("b", now - 3)):
        a_run(settings, process=this_process(waiting=since, device="cuda"), name=name)
    a_run(settings, STARTED, process=this_process(waiting=None, device="cuda"), name="at-work")
    a_run(settings, process=this_process(waiting=now - 9, device="cpu"), name="elsewhere")
    a_run(settings, process={**GONE, "waiting": now - 9, "device": "cuda", "heartbeat": now}, name="gone")
    a_run(settings, process=this_process(waiting=now - 9, device="cuda", heartbeat=now - 60), name="frozen")
    store = RunStore(settings)
    assert [run.id for run in store.queue()] == ["elsewhere", "b", "a", "c"]
    assert [store.get(name).status().ahead for name in "bac"] == [0, 1, 2]
    assert store.get("elsewhere").status().ahead == 0
    assert store.get("at-work").status().ahead == 0
    assert [store.get(name).status().behind for name in ("b", "c", "at-work", "elsewhere")] == ["at-work"] * 2 + [
        ""
    ] * 2
    (settings.runs / "at-work" / OWNER_FILE).write_text("visitor-another")
    assert store.get("b").status().behind == "", "whose run it is stays with them"


@pytest.mark.parametrize("last", [Stopped(5, 120.0), Failed(5, 120.0, "Why."), None])
def test_a_run_that_ended_early_goes_on_under_its_id_as_if_it_had_not_ended(
    settings: Settings, last: Event | None
) -> None:
    run = a_run(settings, STARTED, FIRST, HALF, *filter(None, [last]), process=GONE, checkpoints=[1])
    run_status = run.status()
    assert run_status.state == {Stopped: "stopped", Failed: "failed", type(None): "lost"}[type(last)]
    assert run_status.resumable
    (run.folder / "stop").write_text("{}")
    reopen(run)
    assert not (run.folder / "stop").exists()
    assert run.status().state == "starting"
    process = run.folder / "process.json"
    process.write_text(json.dumps(this_process(waiting=time.time())))
    assert run.status().state == "queued"
    process.write_text(json.dumps(this_process()))
    now = time.time()
    more = [Resumed(1, now, notes=("passed over",)), StepLogged(2, now + 1, epoch=0.4), StepLogged(4, now + 3)]
    with (run.folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event.to_json()) + "\n" for event in more)
    status = run.status()
    assert (status.state, status.step, status.total_steps) == ("running", 4, 10), "step 5 never was"
    assert status.eta_seconds == pytest.approx(6.0), "the time in which it was not running is no pace"


def test_what_can_not_be_resumed_is_said_with_what_can_be_done_instead(settings: Settings) -> None:
    store = RunStore(settings)
    a_run(settings, STARTED, Finished(10, 120.0), name="finished", checkpoints=[10])
    a_run(settings, STARTED, process=this_process(), name="running", checkpoints=[1])
    a_run(settings, STARTED, Failed(0, 120.0, "Why."), name="early")
    (a_run(settings, STARTED, Failed(7, 120.0), name="cut", checkpoints=[5]).folder / "checkpoints").joinpath(
        "checkpoint-5", "model.safetensors"
    ).write_text("w")
    for name, said in (
        ("finished", "more epochs"),
        ("running", "is running"),
        ("early", "before its first.*Duplicate"),
        ("cut", "step 5 is damaged.*Duplicate"),
    ):
        with pytest.raises(RunError, match=said):
            store.resume(name)
        assert not store.get(name).status().resumable
    assert store.get("early").status().state == "failed", "a refusal changes nothing"


def test_a_second_request_can_only_be_stricter_and_counts_from_when_it_was_made(settings: Settings) -> None:
    run = a_run(settings, STARTED, process=this_process())
    run.stop(keep=True)
    first = run.stop_request()
    run.stop(keep=True)
    assert run.stop_request() == first
    run.stop(keep=False)
    second = run.stop_request()
    assert first is not None
    assert second is not None
    assert (first.keep, second.keep) == (True, False)
    assert second.time > first.time
    run.stop(keep=True)
    assert run.stop_request() == second


def test_a_stopped_run_tells_whether_something_was_kept(settings: Settings) -> None:
    assert not a_run(settings, STARTED, name="nothing").has_kept()
    assert a_run(settings, STARTED, name="checkpoint", checkpoints=[3]).has_kept()
    run = a_run(settings, STARTED, name="model")
    (run.folder / "model").mkdir()
    (run.folder / "model" / "config.json").write_text("{}")
    assert not run.has_kept(), "a model without weights is none"
    (run.folder / "model" / "model.safetensors").write_text("weights")
    assert run.has_kept()


def test_notes_are_kept_and_bounded(settings: Settings) -> None:
    run = a_run(settings, STARTED)
    assert run.notes == ""
    run.set_notes("Größer lernt besser.\n")
    assert run.notes == "Größer lernt besser.\n"
    with pytest.raises(RunError, match="5,000 characters, and 4,000 are kept"):
        run.set_notes("x" * 5_000)


def test_a_copy_has_the_rows_of_the_run_in_the_same_splits(settings: Settings) -> None:
    store = RunStore(settings)
    config = RunConfig("paraphrases", fixes=("drop_duplicates",), training={"seed": 7, "num_train_epochs": 2})
    run = store.create(config)
    changed = store.duplicate(run.id, {"method": "lora", "training": {"learning_rate": 1e-3, "seed": None}})
    assert (changed.dataset, changed.text_pair_column, changed.fixes) == (f"run:{run.id}", "text_pair", ())
    assert changed.training["num_train_epochs"] == 2
    assert changed.training["learning_rate"] == 1e-3
    assert "seed" not in changed.training
    copy = store.create(changed)
    for split in ("train", "validation"):
        assert (copy.folder / "data" / f"{split}.csv").read_bytes() == (
            run.folder / "data" / f"{split}.csv"
        ).read_bytes()
    assert (copy.config.labels, copy.config.positive_label) == (run.config.labels, run.config.positive_label)
    assert store.duplicate(copy.id, {"method": "full"}).lora == {}
    with pytest.raises(DemoError, match="no nope"):
        store.duplicate(run.id, {"nope": 1})


def test_more_epochs_need_a_model_to_go_on_from(settings: Settings) -> None:
    run = a_run(settings, STARTED, Failed(3, 120.0, "Why."))
    with pytest.raises(RunError, match="no model to go on from: it is failed"):
        RunStore(settings).more_epochs(run.id, 2)


def test_a_misspelt_metric_is_refused_before_there_is_a_run(settings: Settings) -> None:
    with pytest.raises(DemoError, match="is 'acuracy', but the metrics are loss, accuracy, f1"):
        RunStore(settings).create(RunConfig("tickets", training={"metric_for_best_model": "acuracy"}))
    assert not settings.runs.exists()


def test_an_encoder_that_is_to_write_is_refused_before_there_is_a_run(
    settings: Settings, tmp_path: Path, zoo: Zoo
) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"line {number}" for number in range(20)))
    config = RunConfig(str(path), task="text-generation", model="embedded:minilm")
    with pytest.raises(DemoError, match="embedded:minilm reads a text in both directions"):
        RunStore(settings).create(config)
    assert not settings.runs.exists()
    RunStore(settings).create(dataclasses.replace(config, model=str(zoo("text-generation"))))


def test_a_run_that_would_fill_the_disk_is_refused_before_it_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(settings.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=200 * 1024**2))
    with pytest.raises(RunError, match=r"This run needs about 1,\d\d\d MB .* 200 MB are free"):
        RunStore(settings).create(RunConfig("tickets"))
    assert not settings.runs.exists()
    RunStore(settings).create(RunConfig("tickets", method="lora"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"processes": 2}, "a run has one"),
        ({"training": {"accelerator_config": "/etc/hostname"}}, "may not set accelerator_config"),
        ({"training": {"dataloader_num_workers": 500}}, "may not set dataloader_num_workers"),
        ({"training": {"max_steps": 2000, "gradient_accumulation_steps": 100}}, "would compute 74,000 rows"),
        ({"training": {"max_steps": 2000, "eval_strategy": "steps", "eval_steps": 0.0001}}, None),
        ({"training": {"max_steps": 800, "eval_strategy": "steps", "eval_steps": 0.5}}, None),
    ],
)
def test_a_shared_server_takes_no_settings_that_reach_beyond_the_run_and_bounds_what_is_computed(
    settings: Settings, colours: Path, more: dict[str, Any], said: str | None
) -> None:
    store = RunStore(Settings(home=settings.home, public=True))
    if said is None:
        store.create(RunConfig("colours", **more), colours)
        return
    with pytest.raises(RunError, match=said):
        store.create(RunConfig("colours", **more), colours)


def test_evaluations_are_bounded_too() -> None:
    often = RunConfig("d", training={"max_steps": 2000, "eval_strategy": "steps", "eval_steps": 1})
    config = often.with_training_defaults(100)
    assert count_evaluations(config.training, 2000, 100) == 2002
    with pytest.raises(RunError, match="would evaluate 200,200 rows"):
        check_work(config, 16, 100, Settings(public=True))


def test_on_a_shared_server_a_run_of_anybody_is_gone_a_day_later(settings: Settings, colours: Path) -> None:
    store = RunStore(Settings(home=settings.home, public=True)).of_owner("somebody")
    run = a_run(settings, STARTED, Finished(10, 120.0))
    store.create(RunConfig("colours"), colours)
    assert run.folder.exists()
    yesterday = time.time() - 25 * 3600
    os.utime(run.folder, (yesterday, yesterday))
    store.create(RunConfig("colours"), colours)
    assert not run.folder.exists()


def test_a_run_without_its_base_model_or_a_disk_for_its_checkpoints_is_not_resumed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(settings, STARTED, HALF, Stopped(5, 120.0, kept=True), checkpoints=[5])
    config = RunConfig("tickets", model=str(tmp_path / "gone"))
    (run.folder / "config.json").write_text(json.dumps(config.to_json()))
    with pytest.raises(DemoError, match="There is no folder"):
        RunStore(settings).resume(run.id)
    (run.folder / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1))
    with pytest.raises(RunError, match="next checkpoint needs about"):
        RunStore(settings).resume(run.id)
    assert run.status().state == "stopped", "a refusal changes nothing"


def test_of_two_that_resume_at_once_one_does(settings: Settings) -> None:
    run = a_run(settings, STARTED, HALF, Stopped(5, 120.0, kept=True), checkpoints=[5])
    together = Barrier(2)

    def resume() -> str:
        together.wait()
        try:
            reopen(Run(run.folder))
        except RunError as error:
            return str(error)
        return "resumed"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(each.result() for each in [pool.submit(resume), pool.submit(resume)])
    assert found[1] == "resumed"
    assert "is starting, so there is nothing to resume" in found[0]


def test_a_duplicate_with_another_kind_of_labels_takes_them_from_the_data(settings: Settings) -> None:
    run = a_run(settings, STARTED, Finished(10, 120.0))
    values = {**run.config.to_json(), "labels": ["0", "1"], "positive_label": "1", "class_weights": "balanced"}
    (run.folder / "config.json").write_text(json.dumps({**values, "problem_type": "single_label_classification"}))
    found = duplicate(run, {"problem_type": "regression"})
    assert (found.labels, found.positive_label, found.class_weights) == (None, None, None)
    with pytest.raises(RunError, match="changes must be an object"):
        duplicate(run, ["x"])  # type: ignore[arg-type]
