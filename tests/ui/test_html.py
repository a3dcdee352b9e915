"""Whatever a person, a file or a model supplied is text on the page, never markup."""

import re
from typing import Any

import pytest

from hfdemo.ui import html
from tests.ui.samples import EVIL, elements, escaped


@pytest.mark.parametrize(
    "drawn",
    [
        html.label_bars([{"label": EVIL, "score": 0.5}]),
        html.notes([EVIL]),
        html.placeholder(EVIL),
        html.about(f"`{EVIL}` {EVIL}"),
        html.page_header(EVIL, EVIL),
        html.with_title(EVIL, ""),
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


def test_a_table_escapes_all_but_what_is_markup_already() -> None:
    rows: list[Any] = [
        html.TableRow([EVIL, html.TableCell(EVIL, EVIL, EVIL, f"--x:{EVIL}")], {"data-n": EVIL}),
        [html.Html("<mark>a</mark>"), 5],
    ]
    drawn = html.table([EVIL, "n"], rows, numbers=[1], row_heads=True)
    assert escaped(drawn)
    assert "<mark>a</mark>" in drawn
    assert [cell.get("scope") for cell in elements(drawn, "th")] == ["col", "col", "row", "row"]
    assert [cell["class"] for cell in elements(drawn, "td")][1] == "hf-number"


def test_a_cell_over_several_columns_names_no_row() -> None:
    drawn = html.table((), [[html.TableCell("settings", columns=3)]], row_heads=True)
    assert elements(drawn, "th") == []
    assert elements(drawn, "td")[0]["colspan"] == "3"
