"""What is copied can be read back, whatever stands in it."""

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hfdemo.ui.tabs.tokens.copy_fold import format_records

CELL = st.one_of(st.none(), st.integers(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
RECORDS = st.lists(st.fixed_dictionaries({"token": CELL, "id": CELL}), min_size=1, max_size=8)


@given(RECORDS)
def test_json_and_csv_read_back_as_the_same_rows(records: list[dict[str, Any]]) -> None:
    assert json.loads(format_records(records, "JSON")) == records
    read = list(csv.DictReader(io.StringIO(format_records(records, "CSV"), newline="")))
    assert read == [{key: "" if value is None else str(value) for key, value in row.items()} for row in records]


@given(RECORDS)
def test_a_markdown_table_has_a_line_a_row_and_as_many_cells_as_columns(records: list[dict[str, Any]]) -> None:
    lines = format_records(records, "Markdown").rstrip("\n").split("\n")
    assert len(lines) == len(records) + 2
    unescaped = [line.replace("\\\\", "").replace("\\|", "") for line in lines]
    assert {line.count("|") for line in unescaped} == {3}


def test_a_token_cannot_end_its_cell() -> None:
    assert format_records([{"token": "a|b\nc\\"}], "Markdown") == "| token |\n| --- |\n| a\\|b c\\\\ |\n"
