"""Runs side by side: what differs, their curves in the history that counts, and the best where it can be told."""

import json
from typing import Any

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Resumed, Started, StepLogged
from hfdemo.finetuning.runs.comparison import best, compare, curves, differences, estimate_seconds
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings


def a_run(settings: Settings, name: str, f1: float, rows: str = "a", **config: Any) -> Run:
    folder = settings.runs / name
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "validation.csv").write_text(rows)
    (folder / "config.json").write_text(json.dumps(RunConfig("tickets", **config).to_json()))
    events: list[Event] = [
        Evaluated(0, 1.0, 0.0, "validation", {"f1": 0.1, "loss": 1.0}),
        StepLogged(1, 2.0, loss=0.9),
        Evaluated(5, 3.0, 1.0, "validation", {"f1": f1, "loss": 0.5}),
        Evaluated(5, 4.0, 1.0, "validation", {"f1": f1, "loss": 0.5}),
        Evaluated(5, 4.0, 1.0, "test", {"f1": 0.3}),
        Finished(5, 5.0),
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event.to_json()) + "\n" for event in events))
    return Run(folder)


def finish(run: Run, steps: int, seconds: float, *between: Event) -> Run:
    events = [Started(0, 1.0, total_steps=steps), *between, Finished(steps, 9.0, seconds=seconds)]
    (run.folder / "events.jsonl").write_text("".join(json.dumps(event.to_json()) + "\n" for event in events))
    return run


def test_a_training_takes_as_long_as_the_last_one_of_its_kind_on_the_same_data(settings: Settings) -> None:
    wide: dict[str, Any] = {"training": {"per_device_train_batch_size": 64}}
    runs = [
        finish(a_run(settings, "resumed", 0.5), 10, 1.0, Resumed(5, 3.0)),
        finish(a_run(settings, "wide", 0.5, **wide), 10, 40.0),
        finish(a_run(settings, "newest", 0.5), 10, 20.0),
        finish(a_run(settings, "older", 0.5), 10, 90.0),
    ]
    assert estimate_seconds(runs, RunConfig("tickets", training={"num_train_epochs": 9}), 45) == 90.0
    assert estimate_seconds(runs, RunConfig("tickets", **wide), 5) == 20.0
    assert estimate_seconds(runs, RunConfig("tickets", method="lora"), 5) is None
    assert estimate_seconds([a_run(settings, "going on", 0.5)], RunConfig("tickets"), 5) is None
    (runs[2].folder / "config.json").write_text("damaged")
    assert estimate_seconds(runs, RunConfig("tickets"), 10) == 90.0


def test_only_the_settings_that_differ_are_told_and_those_inside_training_by_name() -> None:
    configs = {
        "a": RunConfig("tickets", training={"seed": 1, "learning_rate": 1e-4}).to_json(),
        "b": RunConfig("tickets", method="lora", lora={"r": 4}, training={"seed": 1}).to_json(),
    }
    assert differences(configs) == {
        "method": {"a": "full", "b": "lora"},
        "training.learning_rate": {"a": 1e-4, "b": None},
        "lora.r": {"a": None, "b": 4},
    }
    assert differences({"a": configs["a"]}) == {}


def test_the_best_is_told_where_all_were_scored_on_the_same_rows(settings: Settings) -> None:
    runs = [a_run(settings, "one", 0.7), a_run(settings, "two", 0.9), a_run(settings, "three", 0.8)]
    found = compare(runs)
    assert (found["metric"], found["best"]) == ("f1", "two")
    assert found["runs"]["one"]["metrics"] == {"f1": 0.7, "loss": 0.5}
    assert compare([*runs, a_run(settings, "other-rows", 0.99, rows="b")])["best"] is None
    json.dumps(found, allow_nan=False)


def test_runs_that_learn_different_things_have_no_best(settings: Settings) -> None:
    other = a_run(settings, "two", 0.9, problem_type="regression")
    found = compare([a_run(settings, "one", 0.7), other])
    assert (found["metric"], found["best"]) == (None, None)


def test_where_less_is_better_the_least_is_the_best_and_what_is_no_number_is_not() -> None:
    described = {
        name: {"metrics": {"loss": loss}, "rows": "same"}
        for name, loss in (("a", 0.5), ("b", 0.2), ("c", float("nan")))
    }
    assert best(described, "loss", greater=False) == "b"
    assert best(described, "loss", greater=True) == "a"
    assert best(described, "f1", greater=True) is None


def test_a_curve_has_one_point_a_step_and_nothing_that_a_resumption_voided() -> None:
    events: list[Event] = [
        *(StepLogged(step, step, loss=1.0) for step in (1, 2, 3)),
        Evaluated(3, 3.0, 1.0, "validation", {"f1": 0.2}),
        Resumed(2, 9.0),
        StepLogged(3, 10.0, loss=0.5),
        Evaluated(3, 11.0, 1.0, "validation", {"f1": 0.4}),
        Evaluated(3, 12.0, 1.0, "validation", {"f1": 0.4}),
    ]
    assert curves(events) == {"train": [[1, 1.0], [2, 1.0], [3, 0.5]], "validation": {"f1": [[3, 0.4]]}}
