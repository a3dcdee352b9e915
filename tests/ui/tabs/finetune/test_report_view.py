"""Results stand beside what they have to beat, in every kind of answer, and what is not there is not drawn."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from hfdemo.finetuning.kinds import KINDS
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import report_figures, report_view
from tests.ui.samples import EVIL, SAFE, Tags, elements, escaped, text_of
from tests.ui.tabs.finetune.reports import a_run

DIAGRAMS = {"two_label_curves": 2, "calibration": 1, "points": 1, "residuals": 1}


def test_every_kind_names_renderers_that_the_page_has_and_no_renderer_is_without_a_kind() -> None:
    sections = {name for kind in KINDS.values() for name in kind.page.sections}
    assert sections == set(report_view.BLOCKS) | set(report_view.DIAGRAMS)
    assert {kind.page.example for kind in KINDS.values()} == set(report_view.EXAMPLES)
    assert set(DIAGRAMS) == set(report_view.DIAGRAMS), "say in DIAGRAMS above how many pictures a report has of it"


@pytest.fixture
def report(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Any]:
    return a_run(settings, getattr(request, "param", "single_label")).report()


@pytest.mark.parametrize("report", KINDS, indirect=True)
def test_every_kind_is_drawn_with_its_labels_as_text_and_all_elements_closed(report: dict[str, Any]) -> None:
    drawn = report_view.render_report(report)
    Tags(drawn)
    assert "<img" not in drawn
    kind = KINDS[report["kind"]]
    assert (SAFE in drawn) == kind.rows.has_classes
    assert len(elements(drawn, "svg")) == sum(DIAGRAMS.get(name, 0) for name in kind.page.sections) * 2  # both splits


@pytest.mark.parametrize("report", KINDS, indirect=True)
def test_every_metric_of_both_splits_has_a_box_and_validation_tells_what_it_was_before(report: dict[str, Any]) -> None:
    for split in ("validation", "test"):
        told = text_of(report_view.render_scores(report, split))
        for name, value in report["metrics"][split].items():
            assert report_view.format_metric_name(name, report) in told
            assert report_view.format_score(value) in told
    assert "before0.125" in text_of(report_view.render_scores(report, "validation"))
    assert "before" not in text_of(report_view.render_scores(report, "test"))


def test_the_baselines_answer_and_its_scores_stand_beside_the_models(report: dict[str, Any]) -> None:
    told = text_of(report_view.render_scores(report, "test"))
    assert "always 'no'" in told
    assert f"baseline{report_view.format_score(report['baseline']['test']['metrics']['accuracy'])}" in told


@pytest.mark.parametrize("report", ["language"], indirect=True)
def test_where_lower_is_better_a_higher_loss_is_no_success(report: dict[str, Any]) -> None:
    told = text_of(report_view.render_scores(report, "validation"))
    assert "lower is better" in told
    assert "baseline:" not in told  # without the text there is no answer: only "before" is there


def test_a_report_of_an_earlier_version_is_still_drawn(report: dict[str, Any]) -> None:
    old = {name: report[name] for name in ("labels", "positive_label", "metrics", "rows", "confusion_matrix")}
    old["baseline"] = {split: {"label": "no", "accuracy": 0.5} for split in report["metrics"]}
    old |= {"best_step": 3, "steps": 4}
    told = text_of(report_view.render_report(old))
    assert "always 'no'" in told
    assert "baseline0.500" in told


def test_a_split_with_one_class_says_why_there_is_no_roc_curve(report: dict[str, Any]) -> None:
    report["roc"]["test"] = None
    assert "only one of the two labels occurs" in text_of(report_view.render_details(report, "test"))


def test_the_first_row_goes_from_logits_to_the_label(report: dict[str, Any]) -> None:
    told = text_of(report_view.render_details(report, "test"))
    example = report["example"]["test"]
    assert "predictions.predictions.shape is (30, 2), predictions.label_ids.shape is (30,)" in told
    assert f"{example['logits'][0]:.4f}{example['softmax'][0]:.4f}" in told
    assert "np.argmax(logits, axis=-1) takes the index of the highest logit" in told


def test_of_many_labels_the_first_row_shows_the_likely_ones_and_the_answer(tmp_path: Path) -> None:
    labels = tuple(f"intent {index}" for index in range(40))
    run = a_run(Settings(home=tmp_path), noise=0.1, labels=labels, positive_label=None)
    told = text_of(report_view.render_details(run.report(), "test"))
    assert "The 28 other labels have lower logits." in told
    assert f"which is {run.report()['example']['test']['name']}" in told


@pytest.mark.parametrize("report", ["tokens"], indirect=True)
def test_entities_are_judged_by_type(report: dict[str, Any]) -> None:
    assert "Per entity type" in text_of(report_view.render_details(report, "test"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_rows_are_text(kind: str, settings: Settings) -> None:
    run = a_run(settings, kind)
    with (run.folder / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    drawn = report_view.render_wrong_rows(rows, more=True)
    assert rows
    assert escaped(drawn) or json.dumps(EVIL)[1:-1] in text_of(drawn)
    assert "<img" not in drawn
    assert "errors.csv has them all" in text_of(drawn)


def test_a_model_without_errors_says_so() -> None:
    assert "every validation row is right" in text_of(report_view.render_wrong_rows([], more=False))


def test_the_roc_curve_runs_through_its_points_and_marks_the_threshold_of_a_half() -> None:
    found = {
        "auc": 0.75,
        "false_positive_rate": [0.0, 0.0, 1.0],
        "true_positive_rate": [0.0, 0.5, 1.0],
        "threshold": [None, 0.6, 0.1],
    }
    drawn = report_figures.draw_roc(found, EVIL)
    assert escaped(drawn)
    assert "AUC 0.750" in drawn
    line = elements(drawn, "polyline")[1]["points"]
    assert line == " ".join(
        f"{report_figures.UNIT.x(x)},{report_figures.UNIT.y(y)}" for x, y in ((0, 0), (0, 0.5), (1, 1))
    )
    (dot,) = elements(drawn, "circle")
    assert (dot["cx"], dot["cy"]) == (report_figures.UNIT.x(0), report_figures.UNIT.y(0.5))


def test_empty_bins_are_left_out_of_the_calibration() -> None:
    full = {"from": 0.9, "to": 1.0, "rows": 5, "confidence": 0.95, "accuracy": 0.8}
    empty = {"from": 0.0, "to": 0.1, "rows": 0, "confidence": None, "accuracy": None}
    drawn = report_figures.draw_calibration({"expected_calibration_error": 0.15, "bins": [empty, full]})
    assert len(elements(drawn, "rect")) == 1
    assert "ECE 0.150" in drawn


def test_numbers_that_are_all_the_same_make_a_diagram_or_none_but_no_error() -> None:
    assert "circle" in report_figures.draw_scatter({"rows": 2, "label": [1.0, 1.0], "predicted": [1.0, 1.0]}, None)
    assert report_figures.draw_scatter({"rows": 1, "label": [1.0], "predicted": [None]}, None) == ""
    assert report_figures.draw_residuals({"edges": [0.0, 0.0], "counts": [4]}) == ""
