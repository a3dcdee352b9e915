"""How a file is read: what the fields ask for, and what is said of a reading."""

from pathlib import Path

import pytest

from hfdemo.inference import read_rows
from hfdemo.settings import Settings
from hfdemo.tables import ReadOptions, check_encoding
from hfdemo.ui.read_options import ENCODINGS, HEADERS, header_choice, parse_read_options, render_reading
from hfdemo.ui.tabs.run.prediction_view import render_file_reading

READINGS = Path(__file__).parents[1] / "data_sources" / "readings"


@pytest.mark.parametrize(
    ("encoding", "header", "asked"),
    [
        ("", "", ReadOptions()),
        (None, None, ReadOptions()),
        (" koi8-r ", "names", ReadOptions("koi8-r", True)),
        ("utf-8", "row", ReadOptions("utf-8", False)),
    ],
)
def test_the_fields_are_options_of_reading(encoding: str | None, header: str | None, asked: ReadOptions) -> None:
    assert parse_read_options(encoding, header) == asked


def test_every_choice_can_be_read_by_and_is_found_again() -> None:
    for _, name in ENCODINGS:
        check_encoding(name)
    assert [header_choice(value) for value in HEADERS.values()] == list(HEADERS)


def test_a_reading_names_some_of_many_columns_and_what_is_to_be_known() -> None:
    made = render_reading(1200, [f"c{n}" for n in range(14)], "CSV, `,`", ["<b>odd</b>"])
    assert "<b>1,200</b>" in made
    assert "c11 and 2 more" in made
    assert "&lt;b&gt;odd&lt;/b&gt;" in made
    assert "read as" not in render_reading(1, ["text"], "", [])


def test_a_file_to_be_predicted_says_how_it_was_read_and_can_be_read_otherwise(settings: Settings) -> None:
    path = READINGS / "windows_1251.csv"
    assert "Windows-1251 (likely)" in render_file_reading(read_rows(path, settings))
    assert "koi8-r, as asked for" in render_file_reading(read_rows(path, settings, ReadOptions("koi8-r")))
    said = render_file_reading(read_rows(READINGS / "sms_no_header.tsv", settings))
    assert "looks like the others" in said
    assert "<b>48</b>" in said
