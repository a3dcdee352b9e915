"""A run tells how far it is, and labels and errors are text."""

import pytest

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.runs import Status
from hfdemo.ui import training
from tests.ui.samples import EVIL, escaped


@pytest.mark.parametrize(
    "drawn",
    [
        training.progress("run", Status("failed", error=EVIL), EVIL),
        training.data_summary(1, {EVIL: 1}, {EVIL: 1}, [Problem(1, EVIL, EVIL, EVIL)]),
        training.confusion({"labels": [EVIL], "confusion_matrix": {"validation": [[1]]}}),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


def test_progress_tells_the_share_and_the_time_left() -> None:
    drawn = training.progress("run-1", Status("running", 5, 20, 1.5, eta_seconds=75), "CPU, 2 cores")
    assert "width:25.0%" in drawn
    assert "step 5 of 20 · epoch 1.5 · about 1 min 15 s left" in drawn
    assert "CPU, 2 cores" in drawn
