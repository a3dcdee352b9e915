"""A result begins with a sentence and up to three scores, each beside what it has to beat."""

import re
from typing import Any

import pytest

from hfdemo.finetuning.kinds import KINDS
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import headline
from hfdemo.ui.tabs.finetune.report_view import format_metric_name, format_score
from tests.ui.samples import EVIL, Tags, text_of
from tests.ui.tabs.finetune.reports import a_run


@pytest.fixture
def report(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Any]:
    return a_run(settings, getattr(request, "param", "single_label")).report()


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("single_label", r"^Right for \d+ of \d+ unseen rows; the baseline \(always 'no'\) gets \d+\.$"),
        ("multi_label", r"^Right for \d+ of \d+ unseen rows; the baseline \(always .*\) gets \d+\.$"),
        ("regression", r"^spearmanr -?\d\.\d{3} on \d+ unseen rows; the baseline \(always .* of training\) gets .*\.$"),
        ("tokens", r"^f1 \d\.\d{3} on \d+ unseen rows; the baseline \(always '.*'\) gets \d\.\d{3}\.$"),
        ("language", r"^loss \d+\.\d{3} on \d+ unseen rows\.$"),
    ],
    indirect=["report"],
)
def test_a_result_begins_with_a_sentence_in_rows_where_rows_are_right_or_wrong(
    report: dict[str, Any], said: str
) -> None:
    assert re.search(said, text_of(headline.render_headline(report, "test")))
    assert headline.render_result(report).startswith(headline.render_headline(report, "test"))
    del report["metrics"]["test"]
    assert "held-out" in text_of(headline.render_result(report))
    del report["rows"]
    assert headline.render_headline(report, "validation") == "", "a report of an earlier version"
    report["metrics"] = {}
    assert headline.render_result(report) == "", "stopped before an evaluation"


def test_the_headline_counts_rows(report: dict[str, Any]) -> None:
    report["rows"]["test"], report["metrics"]["test"]["accuracy"] = 120, 109 / 120
    report["baseline"]["test"]["metrics"]["accuracy"] = 32 / 120
    told = text_of(headline.render_headline(report, "test"))
    assert told == "Right for 109 of 120 unseen rows; the baseline (always 'no') gets 32."


def test_a_model_no_better_than_the_baseline_is_said_to_be(report: dict[str, Any]) -> None:
    assert "no better than the baseline" not in text_of(headline.render_result(report))
    report["metrics"]["test"]["f1"] = report["baseline"]["test"]["metrics"]["f1"]
    assert f"By f1 of “{EVIL}” this is no better than the baseline (always 'no')" in text_of(
        headline.render_result(report)
    )


@pytest.mark.parametrize("report", KINDS, indirect=True)
def test_at_most_three_scores_of_every_kind_stand_beside_what_they_have_to_beat(report: dict[str, Any]) -> None:
    drawn = headline.render_key_figures(report, "validation")
    Tags(drawn)
    names = headline.list_key_metrics(report, "validation")
    assert 1 <= len(names) <= headline.KEY_FIGURES
    told = text_of(drawn)
    for name in names:
        assert f"{format_metric_name(name, report)}{format_score(report['metrics']['validation'][name])}" in told
    assert told.count("baseline 0.") + told.count("baseline -0.") + told.count("before 0.") >= 1


@pytest.mark.parametrize(
    ("name", "value", "other", "said"),
    [
        ("accuracy", 0.96, 0.17, "+0.790 better baseline 0.170"),
        ("accuracy", 0.1, 0.17, "−0.070 worse baseline 0.170"),
        ("accuracy", 0.5, 0.5, "±0.000 the same baseline 0.500"),
        ("loss", 0.5, 1.8, "−1.300 better baseline 1.800"),
    ],
)
def test_a_difference_is_said_in_words_too(
    report: dict[str, Any], name: str, value: float, other: float, said: str
) -> None:
    report["metrics"]["test"], report["baseline"]["test"]["metrics"] = {name: value}, {name: other}
    told = text_of(headline.render_key_figures(report, "test"))
    assert f"{name}{value:.3f}{said}" in told
    assert "always 'no'" in told
