"""A data set's lengths: every row is in one bar, and every number says what it is of."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hfdemo.tokenization.dataset_map import MapTiming
from hfdemo.tokenization.length_report import report_lengths
from hfdemo.ui.tabs.tokens import length_view
from tests.ui.samples import text_of

ROWS = [5] * 60 + [9] * 30 + [40] * 9 + [200]


@given(st.dictionaries(st.integers(2, 5000), st.integers(1, 1000), min_size=1, max_size=80))
def test_every_row_is_in_exactly_one_bin(counted: dict[int, int]) -> None:
    made = length_view.bin_lengths(sorted(counted.items()))
    assert len(made) <= length_view.BINS
    assert sum(each.rows for each in made) == sum(counted.values())
    assert made[0].low == min(counted)
    assert made[-1].high == max(counted)
    for each in made:
        assert each.rows == sum(rows for length, rows in counted.items() if each.low <= length <= each.high)


def test_the_histogram_marks_max_length_and_the_models_limit() -> None:
    made = length_view.render_histogram(report_lengths(ROWS, 8, max_length=64, limit=128))
    assert "max_length 64" in text_of(made)
    assert "model&#x27;s limit 128" in made
    assert len(re.findall("<i style='height", made)) == len(length_view.bin_lengths(report_lengths(ROWS, 8).lengths))
    assert "model&#x27;s limit" not in length_view.render_histogram(report_lengths(ROWS, 8, limit=512)), (
        "512 is off the chart"
    )


def test_the_report_says_what_to_take_and_marks_it_in_the_table() -> None:
    found = report_lengths(ROWS, 8, max_length=64, limit=128, size=(6, 384))
    made = length_view.render_report(found)
    assert found.recommended.padding in made
    assert text_of(made).count("recommended") == 1
    assert "over all 100 rows in batches of 8" in made
    assert "1.0%" in text_of(length_view.render_cuts(found)), "one row of a hundred is longer than 64"


def test_both_ways_of_map_are_compared_and_their_files_are_named() -> None:
    made = text_of(length_view.render_map_trial(MapTiming(1000, 0.5, 4.0, 0.01, (("cache-<b>.arrow", 20480),))))
    assert "8.00 times" in made
    assert "2,000 rows a second" in made
    assert "20 KiB" in made
    assert "<b>.arrow" in made, "a file name is text"
