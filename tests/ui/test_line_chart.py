"""A line chart says what its axes are, tells its lines apart without colour, and is text where people wrote it."""

import json
import re
from dataclasses import replace

import pytest

from hfdemo.ui.line_chart import ChartView, LineChart, Point, Series, describe_chart, draw_charts, smooth
from tests.ui.samples import EVIL, elements, escaped, text_of

TRAIN = Series("train", [Point(step, step / 2, 30.0 * step, 2.0 / step) for step in range(1, 9)])
MEASURED = Series("validation", [Point(2, 1, 65.0, 0.9), Point(4, 2, 130.0, 0.4), Point(8, 4, 250.0, 0.5)], True)
CHART = LineChart("loss", "Loss", "Loss", [TRAIN, MEASURED], best=MEASURED.points[1])


def lines(drawn: str, kind: str = "hf-series") -> list[list[tuple[float, float]]]:
    """The places of the points of each line in the picture."""
    found = [each["points"] or "" for each in elements(drawn, "polyline") if each["class"] == kind]
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in each.split())] for each in found]


def names_of_axes(drawn: str) -> list[str]:
    return [name for name in re.findall("<text class='hf-across'[^>]*>([^<]*)</text>", drawn) if name[0].isalpha()]


@pytest.mark.parametrize(("x", "name"), [("step", "Step"), ("epoch", "Epoch"), ("seconds", "Time (min)")])
def test_both_axes_are_named_and_a_time_has_its_unit(x: str, name: str) -> None:
    assert names_of_axes(draw_charts("run", [CHART], ChartView(x))) == [name, "Loss"]


def test_only_what_is_measured_now_and_then_has_markers_and_each_line_a_look_of_its_own() -> None:
    drawn = draw_charts("run", [CHART], ChartView())
    first, second = (
        re.findall(f"<g class='hf-look-{look}'>(.*?)</g>", drawn.partition("<ul")[0])[0] for look in (0, 1)
    )
    assert (first.count("hf-marker"), second.count("hf-marker")) == (0, 3)
    assert [each["class"] for each in elements(drawn, "li")] == ["hf-look-0", "hf-look-1"]


def test_all_charts_of_a_group_have_the_same_axis_across() -> None:
    late = LineChart("late", "Late", "Value", [Series("late", TRAIN.points[4:])])
    figures = re.findall("<figure.*?</figure>", draw_charts("run", [CHART, late], ChartView()), re.DOTALL)
    (train, _), (second,) = (lines(figure) for figure in figures)
    assert [x for x, _ in train[4:]] == [x for x, _ in second]


def test_what_has_no_line_is_not_drawn() -> None:
    alone = LineChart("grad_norm", "Gradient norm", "Norm", [Series("grad_norm", TRAIN.points[:1])])
    assert draw_charts("run", [alone], ChartView()) == ""
    assert len(elements(draw_charts("run", [alone, CHART], ChartView()), "figure")) == 1


def test_smoothing_leaves_the_raw_line_behind_and_what_is_measured_as_it_is() -> None:
    assert smooth([4.0, 4.0, 4.0], 0.9) == pytest.approx([4.0] * 3), "it does not begin at 0"
    assert smooth([0.0, 1.0], 0.5) == pytest.approx([0.0, 2 / 3])
    plain, drawn = (draw_charts("run", [CHART], ChartView(smoothing=weight)) for weight in (0, 0.8))
    assert lines(plain, "hf-raw") == []
    (raw,) = lines(drawn, "hf-raw")
    smoothed, measured = lines(drawn)
    assert [x for x, _ in raw] == [x for x, _ in smoothed]
    assert raw != smoothed
    assert measured == lines(plain)[1]


def test_a_logarithmic_scale_leaves_out_what_it_has_no_place_for_and_scores_from_0_to_1_as_they_are() -> None:
    zero = replace(TRAIN, points=[*TRAIN.points, Point(9, 4.5, 270.0, 0.0)])
    log = ChartView(log=True)
    assert [len(line) for line in lines(draw_charts("run", [replace(CHART, series=[zero])], log))] == [8]
    scores = replace(CHART, limits=(0.0, 1.0))
    assert lines(draw_charts("run", [scores], log)) == lines(draw_charts("run", [scores], ChartView()))
    nothing = replace(CHART, series=[Series("zero", [Point(step, 0, 0, 0.0) for step in (1, 2)])])
    assert len(lines(draw_charts("run", [nothing], log))[0]) == 2, "all of it is 0: the scale stays as it is"


def test_a_part_of_the_axis_is_seen_alone_and_the_way_back_is_there() -> None:
    drawn = draw_charts("run", [CHART], ChartView(zoom=(2.0, 4.0)))
    (train, _) = lines(drawn)
    (svg,) = (each for each in elements(drawn, "svg") if "data-plot" in each)
    left, right, *_ = map(float, (svg["data-plot"] or "").split())
    assert (train[1][0], train[3][0]) == (left, right)
    assert "data-unzoom" in drawn
    assert "data-unzoom" not in draw_charts("run", [CHART], ChartView())


def test_numbers_that_are_none_leave_a_gap_in_no_chart() -> None:
    broken = replace(TRAIN, points=[*TRAIN.points, Point(9, 4.5, 270.0, float("nan"))])
    assert [len(line) for line in lines(draw_charts("run", [replace(CHART, series=[broken])], ChartView()))] == [8]


def test_the_browser_gets_every_point_for_its_files() -> None:
    (figure,) = elements(draw_charts("run", [CHART], ChartView(smoothing=0.5)), "figure")
    train, measured = json.loads(figure["data-series"] or "")
    assert train["value"] == pytest.approx([point.value for point in TRAIN.points], rel=1e-5)
    assert len(train["smoothed"]) == len(train["step"]) == 8
    assert (measured["step"], measured["seconds"]) == ([2, 4, 8], [65, 130, 250])
    assert "smoothed" not in measured


def test_a_chart_is_told_in_sentences_and_marks_what_was_best() -> None:
    assert describe_chart(CHART, "step") == (
        "Loss by step. train: 2 at the beginning, 0.25 at the end, between 0.25 and 2. "
        "validation: 0.9 at the beginning, 0.5 at the end, between 0.4 and 0.9. Best: epoch 2, step 4. "
        "The arrow keys read single points."
    )
    assert "best: epoch 2" in text_of(draw_charts("run", [CHART], ChartView()))


def test_what_people_wrote_is_text() -> None:
    chart = LineChart("metrics", EVIL, EVIL, [replace(MEASURED, name=EVIL)])
    assert escaped(draw_charts(EVIL, [chart], ChartView()))
