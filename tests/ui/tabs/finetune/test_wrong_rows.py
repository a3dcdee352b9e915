"""The rows that are wrong: each of a label has a button that asks why, and asks of a row that is there."""

import pytest

from hfdemo.errors import RunError
from hfdemo.finetuning.kinds import KINDS
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import wrong_rows
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
