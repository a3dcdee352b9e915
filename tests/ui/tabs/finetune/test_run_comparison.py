"""All runs stand in one table, the best on its data is marked, and several can be laid side by side."""

import itertools
import json
import time
from dataclasses import replace

import psutil

from hfdemo.finetuning.events import Evaluated, Event, Started, StepLogged, Stopped
from hfdemo.finetuning.runs.comparison import compare
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import run_comparison
from tests.ui.samples import EVIL, Tags, elements, escaped, text_of
from tests.ui.tabs.finetune.reports import a_run

FIRST, SECOND, THIRD = "20260101-120000-x", "20260102-120000-x", "20260103-120000-y"


def test_a_line_has_the_metric_that_picks_the_best_beside_the_baseline(settings: Settings) -> None:
    run = a_run(settings)
    (line,) = run_comparison.list_run_rows([run])
    assert (line.state, line.metric, line.kind) == ("finished", f"f1 of “{EVIL}”", "single_label")
    assert line.value == run.report()["metrics"]["validation"]["f1"]
    assert line.baseline == run.report()["baseline"]["validation"]["metrics"]["f1"]
    told = text_of(run_comparison.render_runs([line]))
    assert f"{line.value:.3f}f1" in told
    assert "01 Jan, 12:00" in told


def test_the_best_of_those_on_the_very_same_data_is_marked(settings: Settings) -> None:
    worse, better = a_run(settings, name=FIRST, noise=4.0), a_run(settings, name=SECOND, noise=0.5)
    alone = a_run(settings, "regression", name=THIRD)
    found = {line.run: line.best for line in run_comparison.list_run_rows([worse, better, alone])}
    assert found == {FIRST: False, SECOND: True, THIRD: False}


def test_where_lower_is_better_the_lowest_is_the_best(settings: Settings) -> None:
    runs = [a_run(settings, "language", name=name) for name in (FIRST, SECOND)]
    report = runs[0].report()
    report["metrics"]["validation"]["loss"] -= 0.5
    (runs[0].folder / "report.json").write_text(json.dumps(report))
    assert [line.best for line in run_comparison.list_run_rows(runs)] == [True, False]


def test_a_run_without_a_report_is_listed_and_one_that_is_gone_is_passed_over(settings: Settings) -> None:
    run = a_run(settings)
    (run.folder / "report.json").unlink()
    gone = Run(settings.runs / "gone")
    (line,) = run_comparison.list_run_rows([gone, run])
    assert (line.run, line.data, line.baseline) == (run.id, "", None)
    assert line.value == run.status().metrics["f1"]


def test_what_people_wrote_is_text(settings: Settings) -> None:
    run = a_run(settings, dataset=EVIL)
    run.set_notes(EVIL)
    drawn = run_comparison.render_runs(run_comparison.list_run_rows([run]), run.id)
    Tags(drawn)
    assert escaped(drawn)
    (box,) = elements(drawn, "input")
    assert box["value"] == run.id
    assert "hf-open" in drawn


def test_side_by_side_shows_scores_and_only_the_settings_that_differ(settings: Settings) -> None:
    runs = [a_run(settings, name=FIRST, dataset=EVIL), a_run(settings, name=SECOND, training={"learning_rate": 0.5})]
    letters = run_comparison.assign_letters([FIRST, SECOND])
    drawn = run_comparison.render_side_by_side(letters, compare(runs))
    Tags(drawn)
    assert escaped(drawn)
    told = text_of(drawn)
    assert f"A{FIRST}B{SECOND}" in told
    assert "training.learning_rate-0.5" in told
    assert "method" not in told
    for split in ("validation", "test"):
        value = runs[0].report()["metrics"][split]["accuracy"]
        assert f"{split} accuracy{value:.4g}{value:.4g}" in told


def test_equal_configs_are_said_to_be(settings: Settings) -> None:
    runs = [a_run(settings, name=name) for name in (FIRST, SECOND)]
    told = text_of(run_comparison.render_side_by_side(run_comparison.assign_letters([FIRST, SECOND]), compare(runs)))
    assert "the configs are the same" in told


def test_another_runs_rows_are_named_by_what_they_were_and_since_when(settings: Settings) -> None:
    (line,) = run_comparison.list_run_rows([a_run(settings, dataset=f"run:{FIRST}")])
    assert run_comparison.format_data_name(line) == "x, the rows of 01 Jan 2026, 12:00:00"
    assert run_comparison.format_data_name(replace(line, dataset="run:mine")) == "the rows of mine"
    assert run_comparison.format_data_name(replace(line, dataset="tickets")) == "tickets"


def test_the_table_is_drawn_again_when_a_run_waits_begins_is_judged_is_to_stop_goes_on_or_is_lost(
    settings: Settings,
) -> None:
    run = a_run(settings, name=FIRST)
    for name in ("report.json", "events.jsonl"):
        (run.folder / name).unlink()
    mine = psutil.Process()
    alive = {"pid": mine.pid, "created": mine.create_time(), "heartbeat": time.time()}
    states, marks = [], []

    def came_to_another_state() -> None:
        states.append(run.status().state)
        marks.append(run_comparison.describe_listing([run]))

    def say(*events: Event) -> None:
        with (run.folder / "events.jsonl").open("a") as file:
            file.write("".join(json.dumps(event.to_json()) + "\n" for event in events))

    for process in (alive, {**alive, "waiting": time.time()}, alive):
        (run.folder / "process.json").write_text(json.dumps(process))
        came_to_another_state()
    say(Started(0, 1.0, 40))
    came_to_another_state()
    say(Evaluated(0, 2.0, 0.0, "validation", {"f1": 0.5}))
    came_to_another_state()
    (run.folder / "stop").write_text("{}")
    came_to_another_state()
    (run.folder / "process.json").write_text(json.dumps({**alive, "created": 1.0}))
    came_to_another_state()
    say(Stopped(0, 3.0))
    (run.folder / "stop").unlink()
    came_to_another_state()
    (run.folder / "resume").write_text(json.dumps({"time": time.time()}))
    (run.folder / "process.json").write_text(json.dumps(alive))
    came_to_another_state()
    ways = "starting queued starting running running stopping stopped stopped starting"
    assert states == ways.split()
    # Back from the queue it is what it was before.
    assert len(set(marks)) == len(marks) - 1
    assert all(before != after for before, after in itertools.pairwise(marks))


def test_a_run_that_goes_on_is_watched_more_closely(settings: Settings) -> None:
    ended, going = a_run(settings, name="ended"), a_run(settings, name="going")
    assert not run_comparison.has_active(run_comparison.describe_listing([ended, going]))
    (going.folder / "events.jsonl").write_text("")
    assert run_comparison.has_active(run_comparison.describe_listing([ended, going]))
    assert not run_comparison.has_active(run_comparison.describe_listing([]))


def test_the_table_is_drawn_again_when_a_run_ends_or_gets_a_note_but_not_at_every_step(settings: Settings) -> None:
    run = a_run(settings)
    events = (run.folder / "events.jsonl").read_text().splitlines(keepends=True)
    (run.folder / "events.jsonl").write_text("".join(events[:-1]))
    going = run_comparison.describe_listing([run])
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(StepLogged(41, 60.0).to_json()) + "\n")
    assert run_comparison.describe_listing([run]) == going
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(events[-1])
    ended = run_comparison.describe_listing([run])
    assert ended != going
    run.set_notes("better")
    assert run_comparison.describe_listing([run]) != ended
    assert run_comparison.describe_listing([]) != ended
