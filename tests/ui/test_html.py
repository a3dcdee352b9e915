"""Whatever a person, a file or a model supplied is text on the page, never markup."""

import re

import pytest

from hfdemo.ui import html
from tests.ui.samples import EVIL, escaped


@pytest.mark.parametrize(
    "drawn",
    [
        html.label_bars([{"label": EVIL, "score": 0.5}]),
        html.notes([EVIL]),
        html.empty(EVIL),
        html.about(f"`{EVIL}` {EVIL}"),
        html.header(EVIL),
        html.titled(EVIL, ""),
        html.facts([(EVIL, EVIL)]),
        html.table([EVIL], [[EVIL]]),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


def test_bars_are_as_long_as_their_scores_and_logits_are_shown_as_numbers() -> None:
    drawn = html.label_bars([{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}])
    assert re.findall(r"width:([\d.]+)%", drawn) == ["75.00", "25.00"]
    assert "75.0%" in drawn
    logits = html.label_bars([{"label": "a", "score": 5.0}, {"label": "b", "score": -2.5}])
    assert re.findall(r"width:([\d.]+)%;margin-left:([\d.]+)%", logits) == [("50.00", "50.00"), ("25.00", "25.00")]
    assert "-2.500" in logits
