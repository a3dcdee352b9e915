"""A search: each trial is a run like any other, on the same rows."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import selection_metric
from hfdemo.finetuning.events import Evaluated, Failed, Finished, append
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.finetuning.runs.search import Search, SearchStore, Space, Trial
from hfdemo.finetuning.runs.search_trials import TrialRunner
from hfdemo.settings import Settings
from tests.conftest import wait_until


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_search_tries_its_own_values_first_and_tells_the_best(settings: Settings, colours: Path, tiny: Path) -> None:
    runs = RunStore(settings)
    config = RunConfig("colours", model=str(tiny), training={"num_train_epochs": 1, "learning_rate": 1e-6})
    space = {"learning_rate": [1e-4, 1e-2], "batch_sizes": [4, 8], "epochs": [2, 6]}
    search = SearchStore(settings, runs).start(config, space, 3, colours)
    wait_until(lambda: search.state()[0] not in ("running", "stopping"), 240, "the search")
    assert search.state() == ("finished", None), (search.folder / "log.txt").read_text()[-2000:]

    found = Search(search.folder).to_json()
    trials = found["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert trials[0]["parameters"]["learning_rate"] == 1e-6
    assert {trial["state"] for trial in trials} <= {"finished", "pruned"}
    for trial in trials[1:]:
        assert 1e-4 <= trial["parameters"]["learning_rate"] <= 1e-2
        assert trial["parameters"]["per_device_train_batch_size"] in (4, 8)
        assert 2 <= trial["parameters"]["num_train_epochs"] <= 6
    best = found["best"]
    assert best["value"] == max(trial["value"] for trial in trials if trial["state"] == "finished")
    kept = [runs.get(trial["run"]) for trial in trials]
    assert runs.get(best["run"]).report()["metrics"]["validation"]["f1"] == best["value"]
    assert len({(run.folder / "data" / "validation.csv").read_text() for run in kept}) == 1, "the same rows for all"


@pytest.mark.slow
def test_a_search_that_is_stopped_as_it_begins_is_stopped(settings: Settings, colours: Path, tiny: Path) -> None:
    """By an interpreter that is started for it, as all are but in tests."""
    runs = RunStore(settings)
    search = SearchStore(settings, runs).start(RunConfig("colours", model=str(tiny)), {}, 3, colours)
    search.stop()
    wait_until(lambda: search.state()[0] not in ("running", "stopping"), 240, "the end of the search")
    assert search.state() == ("stopped", None), (search.folder / "log.txt").read_text()[-2000:]
    assert {trial.state for trial in search.trials()} <= {"stopped"}
    assert not any(run.processes() for run in runs.list())


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_search_that_is_stopped_in_its_first_trial_is_stopped_and_so_is_the_trial(
    settings: Settings, colours: Path, tiny: Path
) -> None:
    runs = RunStore(settings)
    config = RunConfig("colours", model=str(tiny), training={"num_train_epochs": 10_000})
    search = SearchStore(settings, runs).start(config, {}, 3, colours)
    wait_until(lambda: search.trials() and runs.get(search.trials()[0].run).status().step > 0, 120, "the first step")
    search.stop()
    wait_until(lambda: search.state()[0] not in ("running", "stopping"), 240, "the end of the search")
    assert search.state() == ("stopped", None), (search.folder / "log.txt").read_text()[-2000:]
    (trial,) = search.trials()
    assert trial.state == "stopped"
    run = runs.get(trial.run)
    assert run.status().state == "stopped"
    assert not run.processes()


def test_a_trial_that_ended_before_the_search_was_stopped_counts_with_its_value(settings: Settings) -> None:
    folder, run = settings.home / "search", Run(settings.runs / "20260101-000000-x")
    folder.mkdir(parents=True)
    run.folder.mkdir(parents=True)
    events = [Evaluated(5, 1.0, 1.0, "validation", {"f1": 0.5}), Finished(5, 2.0, metrics={"f1": 0.5})]
    for event in events:
        append(run.folder / "events.jsonl", event)
    runner = TrialRunner.__new__(TrialRunner)
    runner.search, runner.metric, runner.sign = Search(folder), "f1", 1
    runner.search.stop_asked = lambda: True  # type: ignore[method-assign]
    assert runner._follow(run, 0, {}) == 0.5
    assert [(trial.state, trial.value) for trial in runner.search.trials()] == [("finished", 0.5)]


def test_a_search_that_was_killed_is_lost_and_its_trials_are_as_their_runs_have_ended(settings: Settings) -> None:
    folder, ended = settings.home / "searches" / "x", {"done": Finished(5, 2.0), "broken": Failed(5, 2.0, "Why.")}
    folder.mkdir(parents=True)
    (folder / "search.json").write_text(json.dumps({"metric": "f1"}))
    (folder / "process.json").write_text(json.dumps({"pid": 2**22 - 1, "created": 1.0}))
    lines = [Trial(number, run, {}, "running") for number, run in enumerate([*ended, "deleted"])]
    (folder / "trials.jsonl").write_text("".join(json.dumps(dataclasses.asdict(each)) + "\n" for each in lines))
    for name, last in ended.items():
        run = settings.runs / name
        run.mkdir(parents=True)
        (run / "config.json").write_text(json.dumps(RunConfig("tickets").to_json()))
        append(run / "events.jsonl", Evaluated(5, 1.0, 1.0, "validation", {"f1": 0.5}))
        append(run / "events.jsonl", last)
    search = Search(folder)
    assert search.state()[0] == "lost"
    found = [(trial.state, trial.value) for trial in search.trials()]
    assert found == [("finished", 0.5), ("failed", None), ("stopped", None)]


def test_a_trial_whose_values_are_refused_has_failed_and_the_search_goes_on(
    settings: Settings, colours: Path, tiny: Path
) -> None:
    from optuna import TrialPruned
    from optuna.trial import FixedTrial

    first = RunStore(settings).create(RunConfig("colours", model=str(tiny)), colours)
    space = {"learning_rate": [1e-4, 1e-2], "batch_sizes": [1], "epochs": [1, 10**6]}
    described = {"data": first.id, "space": space, "trials": 2, "metric": "f1", "greater_is_better": True, "seed": 1}
    (settings.home / "search.json").write_text(json.dumps(described))
    search = Search(settings.home)
    with pytest.raises(TrialPruned):
        TrialRunner(search, settings)._try_values(FixedTrial({"learning_rate": 1e-3, "batch_size": 1, "epochs": 10**6}))
    (trial,) = search.trials()
    assert (trial.state, trial.run, trial.parameters["num_train_epochs"]) == ("failed", "", 10**6)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"rate": 1}, "no rate"),
        ({"learning_rate": [1e-3, 1e-4]}, "lowest, highest"),
        ({"batch_sizes": []}, "at least one"),
        ({"epochs": [0, 3]}, "fewest, most"),
        ({"epochs": "many"}, "lists of numbers"),
    ],
)
def test_a_space_that_holds_nothing_is_refused(space: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        Space.from_json(space, RunConfig("tickets"))


def test_what_is_left_out_lies_around_the_values_of_the_form() -> None:
    space = Space.from_json({}, RunConfig("tickets", training={"learning_rate": 2e-4}))
    assert space.learning_rate == (4e-5, 1e-3)
    assert space.holds({"learning_rate": 2e-4, "per_device_train_batch_size": 16, "num_train_epochs": 3})
    assert not space.holds({"learning_rate": 2e-4, "per_device_train_batch_size": 16, "num_train_epochs": 2.5})


@pytest.mark.parametrize("trials", [0, 51, True, "8"])
def test_the_number_of_trials_is_bounded_and_a_shared_server_has_none(settings: Settings, trials: Any) -> None:
    with pytest.raises(RunError, match="1 to 50 trials"):
        SearchStore(settings, RunStore(settings)).start(RunConfig("tickets"), None, trials)
    public = Settings(home=settings.home, public=True)
    with pytest.raises(RunError, match="shared server"):
        SearchStore(public, RunStore(public)).start(RunConfig("tickets"), None, 2)
    with pytest.raises(RunError, match="no search"):
        SearchStore(settings, RunStore(settings)).get("../runs")


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({}, ("f1", True)),
        ({"metric_for_best_model": "eval_loss"}, ("loss", False)),
        ({"metric_for_best_model": "accuracy"}, ("accuracy", True)),
        ({"metric_for_best_model": "accuracy", "greater_is_better": False}, ("accuracy", False)),
    ],
)
def test_what_is_searched_for_is_what_the_best_checkpoint_has(
    training: dict[str, Any], expected: tuple[str, bool]
) -> None:
    assert selection_metric(RunConfig("d", training=training), KINDS["single_label"].evaluator) == expected


@pytest.mark.parametrize("space", [[1], {"epochs": [1.9, 3.9]}, {"batch_sizes": "88"}])
def test_a_space_of_other_things_than_lists_of_numbers_is_refused(space: Any) -> None:
    with pytest.raises(DemoError, match="must be"):
        Space.from_json(space, RunConfig("d"))
