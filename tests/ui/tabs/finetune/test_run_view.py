"""The page draws again only what changed, and gives away only the files of a run."""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hfdemo.api import App
from hfdemo.api.finetuning import delete_run
from hfdemo.errors import RunError
from hfdemo.finetuning.events import StepLogged
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.runs.run import Run, Status
from hfdemo.settings import Settings
from hfdemo.ui.line_chart import ChartView
from hfdemo.ui.tabs.finetune import run_actions, run_view
from tests.ui.samples import EVIL, elements, escaped, text_of
from tests.ui.tabs.finetune.reports import a_run

METRICS = ["accuracy", "f1"]


@pytest.fixture
def app(settings: Settings) -> App:
    return App.create(settings)


def shown(
    app: App,
    run: Run,
    before: Mapping[str, Any],
    chosen: list[str] | None = None,
    epoch: float | None = None,
) -> dict[str, Any]:
    """The updates of the parts that are drawn again, and the marks under "marks"."""
    picked: dict[str, Any] = {}
    for name, value in (("metrics", chosen), ("epoch", epoch)):
        picked = picked if value is None else run_view.remember_pick(name, value, run.id, picked)
    parts = run_view.parts_of_run(app, run, picked, before)
    outputs = {name: [name] * len(make()) for name, (_, make) in parts.items()}
    *updates, marks = run_view.update_changed_parts(parts, before, outputs)
    places = [name for name, components in outputs.items() for _ in components]
    drawn: dict[str, Any] = {"marks": before if marks == gr.skip() else marks}
    for name, update in zip(places, updates, strict=True):
        if name not in before or drawn["marks"][name] != before[name]:
            drawn.setdefault(name, []).append(update)
        else:
            assert update == gr.skip()
    return drawn


def lines(charts: list[Any]) -> list[str]:
    """The names of the lines of the chart of metrics."""
    _, drawn = charts
    (metrics,) = re.findall("data-name='metrics'.*?</figure>", drawn["value"], re.DOTALL)
    return [text_of(each) for each in re.findall("<span title='[^']*'>(.*?)</span>", metrics)]


def test_of_a_model_that_was_not_evaluated_no_row_is_said_to_be_right(app: App) -> None:
    run = a_run(app.settings)
    assert run_view.parts_of_run(app, run, {}, {})["errors"][1]()[0]["visible"]
    report = {**run.report(), "metrics": {}, "baseline": {}}
    (run.folder / "report.json").write_text(json.dumps(report))
    (run.folder / "errors.csv").unlink()
    fold, matrix, rows = run_view.parts_of_run(app, run, {}, {})["errors"][1]()
    assert (fold["visible"], matrix, rows) == (False, "", "")


def test_what_did_not_change_is_left_alone(app: App) -> None:
    run = a_run(app.settings)
    first = shown(app, run, {})
    assert set(first) > {"state", "charts", "more_charts", "report", "run"}
    assert set(shown(app, run, first["marks"])) == {"marks"}


def test_a_further_step_redraws_progress_and_curves_but_neither_result_nor_notes_nor_metrics(
    app: App,
) -> None:
    run = a_run(app.settings)
    log = run.folder / "events.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))  # it has not finished yet
    marks = shown(app, run, {})["marks"]
    with log.open("a") as file:
        file.write(json.dumps(StepLogged(41, 60.0).to_json()) + "\n")
    assert set(shown(app, run, marks)) == {"state", "charts", "more_charts", "marks"}


@pytest.mark.parametrize("kind", KINDS)
def test_another_run_brings_the_metrics_of_its_kind(kind: str, app: App) -> None:
    _, dropdown = shown(app, a_run(app.settings, kind), {})["metrics"]
    assert dropdown["value"]
    offered = dict(dropdown["choices"])
    assert set(dropdown["value"]) <= set(offered.values())
    assert "loss" not in offered.values()
    assert (f"f1 of “{EVIL}”" in offered) == (kind == "single_label")


def test_chosen_metrics_are_drawn_and_stay_chosen(app: App) -> None:
    run = a_run(app.settings)
    marks = shown(app, run, {})["marks"]
    again = shown(app, run, marks, ["f1_weighted"])
    assert set(again) == {"charts", "marks"}
    assert lines(again["charts"]) == ["f1_weighted"]
    assert set(shown(app, run, again["marks"], ["f1_weighted"])) == {"marks"}
    other = a_run(app.settings, name="20260102-120000-y")
    assert run_view.remember_pick("epoch", 1, other.id, {"run": run.id, "metrics": ["f1"]}) == {
        "run": other.id,
        "epoch": 1,
    }


def test_what_was_picked_for_another_run_does_not_count(app: App) -> None:
    """In a closed fold the page keeps what it had: metrics of a regression, sent for a run of classes."""
    run, other = a_run(app.settings), a_run(app.settings, "regression", name="20260102-120000-y")
    picked = run_view.remember_pick("metrics", ["pearson"], other.id, {})
    assert lines(run_view.parts_of_run(app, run, picked, {})["charts"][1]()) == ["accuracy", f"f1 of “{EVIL}”"]
    unknown = run_view.remember_pick("metrics", ["pearson", "f1", EVIL], run.id, {})
    assert lines(run_view.parts_of_run(app, run, unknown, {})["charts"][1]()) == [f"f1 of “{EVIL}”"]


def test_charts_are_drawn_again_for_another_look_at_them_and_further_ones_only_in_sight(app: App) -> None:
    run = a_run(app.settings)
    parts = [
        run_view.parts_of_run(app, run, {}, {}, curves=curves, view=view)
        for curves, view in ((True, ChartView()), (True, ChartView("epoch")), (False, ChartView("epoch")))
    ]
    marks = [(each["charts"][0], each["more_charts"][0]) for each in parts]
    assert marks[0] != marks[1]
    assert marks[1][0] == marks[2][0]
    (drawn,), (hidden,) = (each["more_charts"][1]() for each in parts[1:])
    assert len(elements(drawn["value"], "figure")) == 2, "the learning rate and the norm are all that is known"
    assert (hidden["value"], hidden["visible"]) == ("", False)


def test_a_fold_of_epochs_stays_as_a_person_left_it(app: App) -> None:
    run = a_run(app.settings)
    first = shown(app, run, {})
    assert first["epochs"][0]["open"] is False
    assert "open" not in shown(app, run, first["marks"], epoch=1)["epochs"][0]


def test_the_newest_epoch_is_shown_until_an_older_one_is_chosen_and_another_run_begins_with_its_newest(
    app: App,
) -> None:
    run = a_run(app.settings)
    first = shown(app, run, {})
    fold, slider, drawn = first["epochs"]
    assert (fold["visible"], slider["minimum"], slider["maximum"], slider["value"]) == (True, 0, 2, 2)
    assert "validation after step 40" in drawn
    assert "Confusion matrix" in drawn
    older = shown(app, run, first["marks"], epoch=1)
    assert set(older) == {"epochs", "marks"}
    assert "validation after step 20" in older["epochs"][2]
    assert older["epochs"][2] != drawn
    assert set(shown(app, run, older["marks"], epoch=1)) == {"marks"}, "it stays chosen"
    other = a_run(app.settings, name="20260102-120000-y")
    assert shown(app, other, older["marks"], epoch=1)["epochs"][1]["value"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_has_something_to_show_of_an_epoch_and_only_text(kind: str, app: App) -> None:
    _, _, drawn = shown(app, a_run(app.settings, kind), {})["epochs"]
    assert drawn.count("<") > 10
    assert escaped(drawn) or not KINDS[kind].rows.has_classes


def test_what_a_run_says_is_text(app: App) -> None:
    drawn = shown(app, a_run(app.settings), {})
    assert escaped(drawn["state"][0])
    assert escaped(drawn["report"][0]["value"])
    assert all(map(escaped, drawn["errors"][1:]))


def test_of_a_run_that_is_seen_by_a_link_there_are_neither_rows_nor_the_log_nor_anything_to_do(app: App) -> None:
    run = a_run(app.settings)
    (run.folder / "log.txt").write_text("what it printed")
    run.set_notes("better")
    parts = run_view.parts_of_run(app, run, {}, {}, is_own=False)
    drawn = {name: make() for name, (_, make) in parts.items()}
    assert run_actions.LINKED in drawn["state"][0]
    assert [each["visible"] for each in drawn["charts"]] == [True, True]
    assert [update["visible"] for update in (*drawn["buttons"], *drawn["sharing"], *drawn["log"])] == [False] * 7
    (result,), (errors, matrix, wrong) = drawn["report"], drawn["errors"]
    assert (result["visible"], errors["visible"], matrix, wrong) == (True, False, "", "")
    ended, notes, own, address, script, _ = drawn["run"]
    assert (ended["visible"], own["visible"], address["visible"]) == (True, False, False)
    assert (notes["value"], notes["interactive"]) == ("better", False)
    assert script == run.script()
    assert "what it printed" not in str(drawn)
    log, words = (
        run_view.parts_of_run(app, run, {}, {})["log"][1](),
        run_view.parts_of_run(app, run, {}, {})["run"][1](),
    )
    assert log[0]["value"] == "what it printed"
    assert words[1]["interactive"]


def test_a_note_belongs_to_the_run_on_view_and_one_of_a_deleted_run_is_dropped(app: App) -> None:
    run = a_run(app.settings)
    run_view.save_note(app, "better", {"run": run.id})
    assert run.notes == "better"
    run_view.save_note(app, "lost", {"run": "gone"})
    run_view.save_note(app, "lost", {})
    assert [each.notes for each in app.runs.list()] == ["better"]


@pytest.mark.parametrize(
    ("status", "has_model", "there"),
    [
        (None, False, []),
        (Status("queued"), False, ["stop", "cancel"]),
        (Status("running"), False, ["stop", "cancel"]),
        (Status("finished"), True, ["use", "delete"]),
        (Status("stopped", resumable=True), True, ["use", "resume", "delete"]),
        (Status("failed", resumable=True), False, ["resume", "delete"]),
        (Status("failed"), False, ["delete"]),
    ],
)
def test_a_run_offers_what_can_be_done_with_it(status: Status | None, has_model: bool, there: list[str]) -> None:
    names = ("use", "stop", "cancel", "resume", "delete")
    updates = run_actions.update_run_buttons(status, has_model)
    assert [name for name, update in zip(names, updates, strict=True) if update["visible"]] == there


def test_a_stop_can_be_asked_for_once_but_still_be_turned_into_a_cancel() -> None:
    _, stop, cancel, *_ = run_actions.update_run_buttons(Status("stopping"), has_model=False)
    assert (stop["interactive"], cancel["visible"]) == (False, True)


def test_every_file_is_handed_out_under_the_name_of_its_run(app: App) -> None:
    run = a_run(app.settings)
    (run.folder / "answers.csv").write_text("row,text,predicted\n")  # which only a run with unlabelled test rows has
    for name in filter(None, run_actions.FILES.values()):
        path = Path(run_actions.copy_run_file(app, name, run.id))
        assert path.name == f"{run.id}-{name}"
        assert path.read_bytes() == (run.folder / name).read_bytes()
        assert path.resolve().is_relative_to(Path(gr.utils.get_upload_folder()).resolve())
    with zipfile.ZipFile(run_actions.copy_run_file(app, "", run.id)) as file:
        assert f"{run.id}/model/config.json" in file.namelist()


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("data/train.csv", "20260101-120000-x"),
        ("../../secret", "20260101-120000-x"),
        ("report.json", "../x"),
        ("report.json", None),
        ("report.json", EVIL),
    ],
)
def test_nothing_but_the_files_of_a_run_is_handed_out(name: str, run: str | None, app: App) -> None:
    a_run(app.settings)
    with pytest.raises(RunError):
        run_actions.copy_run_file(app, name, run)


@pytest.mark.parametrize("name", ["errors.csv", ""])
def test_a_shared_server_gives_nobody_the_files_of_another(tmp_path: Path, name: str) -> None:
    settings = Settings(home=tmp_path, public=True)
    run = a_run(settings)
    with pytest.raises(RunError, match=r"^There is no such run\.$"):
        run_actions.copy_run_file(App.create(settings), name, run.id)


def test_what_was_made_ready_an_hour_ago_is_cleared_away(app: App) -> None:
    run, other = a_run(app.settings), a_run(app.settings, name="20260101-120001-x")
    old = Path(run_actions.copy_run_file(app, "report.json", run.id))
    new = Path(run_actions.copy_run_file(app, "report.json", other.id))
    assert Path(run_actions.copy_run_file(app, "report.json", other.id)) == new, "however often it is asked for"
    os.utime(old.parent, (1.0, 1.0))
    run_actions.copy_run_file(app, "train.py", run.id)
    assert not old.exists()
    assert new.exists()
    delete_run(app, other.id)
    assert not new.exists(), "what was made ready of a run goes with it"
