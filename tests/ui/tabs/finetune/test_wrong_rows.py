"""The rows that are wrong: each of a label has a button that asks why, and asks of a row that is there."""

from typing import Any

import pytest

from hfdemo.errors import RunError
from hfdemo.finetuning.kinds import KINDS
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import wrong_rows
from hfdemo.ui.tabs.finetune.report_view import read_wrong_rows
from tests.ui.samples import EVIL, Tags, elements, escaped, text_of
from tests.ui.tabs.finetune.reports import a_run


@pytest.mark.parametrize("kind", KINDS)
def test_why_is_asked_where_it_can_be_said(kind: str, settings: Settings) -> None:
    run = a_run(settings, kind)
    drawn = wrong_rows.render_list(run)
    assert ("data-why='0'" in drawn) is (kind == "single_label")


def test_a_row_is_found_by_its_place_in_the_list(settings: Settings) -> None:
    run = a_run(settings)
    assert wrong_rows.find_row(run, 0)["predicted"] in (run.config.labels or ())
    for place in (None, -1, 10**6, "0", True, 1.5):
        with pytest.raises(RunError, match="no such row any more"):
            wrong_rows.find_row(run, place)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_stands_above_the_rows_where_each_row_has_one_label(kind: str, settings: Settings) -> None:
    drawn = wrong_rows.render_matrix(a_run(settings, kind))
    assert ("data-truth" in drawn) is (kind == "single_label")
    assert bool(drawn) is (kind == "single_label")


def test_a_cell_shows_its_rows_which_keep_their_place_in_the_file(settings: Settings) -> None:
    run = a_run(settings, labels=("a", EVIL, "c"), positive_label=None, noise=4.0)
    every, counts = read_wrong_rows(run), run.report()["confusion_matrix"]["validation"]
    assert counts[1][2]
    drawn = wrong_rows.render_list(run, (1, 2))
    Tags(drawn)
    assert escaped(drawn)
    assert f"{counts[1][2]} of “{EVIL}” predicted as “c”" in text_of(drawn)
    places = [int(each["data-why"] or "") for each in elements(drawn, "button") if "data-why" in each]
    assert len(places) == counts[1][2]
    for place in places:
        assert wrong_rows.find_row(run, place) == every[place]
        assert (every[place]["label"], every[place]["predicted"]) == (EVIL, "c")


@pytest.mark.parametrize("cell", [(None, None), ("1", 2), (True, False), (0, 99), (-1, 0), ([], {})])
def test_what_is_no_cell_shows_all_rows(cell: tuple[Any, Any], settings: Settings) -> None:
    run = a_run(settings)
    assert wrong_rows.render_list(run, cell) == wrong_rows.render_list(run)
