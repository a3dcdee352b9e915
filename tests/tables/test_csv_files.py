"""A CSV file is read so that no cell of it changes, and what can't be read gets a sentence."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DataError
from hfdemo.tables import RefusedRow, format_cell, format_row_numbers, read_csv, read_table, write_csv
from tests.finetuning.dataset.test_preparing import write


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        ("text,label\n", "no rows"),
        ("just a line\nand another\n", "not a CSV file with columns"),
        (b"PK\x03\x04zipped", "not a CSV file: it holds binary"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a CSV file: it holds binary"),
        ("text,label\na,b\nc\n", r"row 2 \(line 3\): 1 cell where the header has 2"),
        ("text,text\na,b\n", "more than once"),
        ("text,label\na\nb,c,d\n", "no row that fits its header"),
        (b"PAR1\x15\x04", "not a CSV file: it holds binary"),
        (b"\xff\xfea", "begins as UTF-16"),
    ],
)
def test_a_file_that_is_no_table_gets_a_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_table(write(tmp_path, content))


def test_cells_are_kept_as_they_stand_in_the_file(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'text,label\nNA,007\n"null, and ""more""",1.0\n"two\nlines",\n'))
    assert table.to_dict("list") == {"text": ["NA", 'null, and "more"', "two\nlines"], "label": ["007", "1.0", ""]}


def test_only_line_ends_end_a_line(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, '\n\ntext,label\none\u2028two\x0cthree,a\n"x\ry",b\n'))
    assert table["text"].tolist() == ["one\u2028two\x0cthree", "x\ry"]


def test_a_quote_that_is_never_closed_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="quote"):
        read_table(write(tmp_path, 'text,label\n"' + "word " * 40_000))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text;label\nköstlich;gut\n", "köstlich"),
        ("text\tlabel\nköstlich\tgut\n", "köstlich"),
        ("﻿text,label\nköstlich,gut\n", "köstlich"),
        ("text,label\nköstlich,gut\n".encode("latin-1"), "köstlich"),
        ("text\tlabel\nköstlich\tgut\n".encode("utf-16"), "köstlich"),
        (b"text,label\na\x81b,gut\n", "a\x81b"),
        ('text;"a, b, c"\nköstlich;gut\n', "köstlich"),
    ],
    ids=["semicolon", "tab", "byte order mark", "latin-1", "utf-16", "no byte is lost", "commas in quotes"],
)
def test_delimiter_and_encoding_are_found_out(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert read_table(write(tmp_path, content))["text"].tolist() == [expected]


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        ("text;label\na;b\n", "UTF-8, `;` between the cells, 2 lines = 1 header + 1 row + 0 refused + 0 blank"),
        (
            "text\tlabel\nä\tb\n".encode("latin-1"),
            "Windows-1252 (a guess), tabs between the cells, 2 lines = 1 header + 1 row + 0 refused + 0 blank",
        ),
        ("text\n\na\n", "UTF-8, one column, 3 lines = 1 header + 1 row + 0 refused + 1 blank"),
    ],
)
def test_how_a_file_was_read_is_said(tmp_path: Path, content: str | bytes, reading: str) -> None:
    assert read_csv(write(tmp_path, content), lone_column=True).reading == reading


def test_a_file_called_tsv_is_parted_by_its_tabs(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "text, long, longer\tlabel\na\tb\n", "data.tsv"))
    assert list(table.columns) == ["text, long, longer", "label"]


def test_rows_that_do_not_fit_are_told_apart_by_their_number_and_the_others_keep_theirs(tmp_path: Path) -> None:
    sheet = read_csv(write(tmp_path, "text,label\na,b\nc\n\nd,e,f\ng,h\n"))
    assert sheet.table["text"].to_dict() == {0: "a", 3: "g"}
    advice = ": put texts that hold the delimiter or a line break in quotes"
    assert sheet.refused == (
        RefusedRow("", 2, f"1 cell where the header has 2{advice}", 3, 3),
        RefusedRow("", 3, f"3 cells where the header has 2{advice}", 5, 5),
    )


def test_a_byte_that_is_no_character_costs_its_row_and_no_other(tmp_path: Path) -> None:
    content = "text,label\nköstlich,gut\n".encode() + b"caf\xe9,gut\n" + "größer,b\n".encode()
    sheet = read_csv(write(tmp_path, content))
    assert sheet.reading.startswith("UTF-8")
    assert sheet.table["text"].to_dict() == {0: "köstlich", 2: "größer"}
    assert sheet.refused == (RefusedRow("", 2, "it holds the byte 0xE9, which is no character in UTF-8", 3, 3),)
    with pytest.raises(DataError, match=r"first line of .* can't be read: it holds the byte 0xE9"):
        read_csv(write(tmp_path, "tëxt,ö".encode() + b"\xe9\na,b\n"))


def test_where_most_bytes_are_no_utf_8_it_is_windows_1252(tmp_path: Path) -> None:
    sheet = read_csv(write(tmp_path, "text,label\nÃ¼ber,a\nGröße,b\nÄpfel,c\nÖl,d\n".encode("cp1252")))
    assert sheet.reading.startswith("Windows-1252")
    assert sheet.table["text"].tolist() == ["Ã¼ber", "Größe", "Äpfel", "Öl"]


def test_the_line_that_names_the_delimiter_for_excel_is_no_header(tmp_path: Path) -> None:
    sheet = read_csv(write(tmp_path, "sep=;\r\ntext;label\r\nhi, you;a, b\r\n"))
    assert sheet.table.to_dict("list") == {"text": ["hi, you"], "label": ["a, b"]}


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    assert list(read_table(write(tmp_path, ",text\n0,a\n")).columns) == ["column 1", "text"]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_every_cell_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *rows])
    table = read_table(write(tmp_path_factory.mktemp("cells"), file.getvalue()))
    assert list(table.itertuples(index=False, name=None)) == rows


@given(rows=st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=12))
def test_no_row_vanishes(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    content = "text,label\nx,y\n" + "".join(",".join(row) + "\n" for row in rows)
    sheet = read_csv(write(tmp_path_factory.mktemp("rows"), content))
    numbers = [index + 1 for index in sheet.table.index] + [row.row for row in sheet.refused]
    assert sorted(numbers) == list(range(1, len(rows) + 2))


def test_values_become_cells() -> None:
    values: tuple[Any, ...] = ("007", None, 1.5, True, ["ä", 1, None], {"a": []})
    assert [format_cell(value) for value in values] == ["007", "", "1.5", "True", '["ä", 1, null]', '{"a": []}']


def test_row_numbers_are_said_in_words() -> None:
    assert [format_row_numbers(rows) for rows in ([3], [3, 1200], [1, 2, 3, 4, 5, 6, 7])] == [
        "row 3", "rows 3 and 1200", "rows 1, 2, 3, 4, 5 and 2 more"
    ]  # fmt: skip


def test_a_lone_column_is_allowed_where_it_is_asked_for_and_its_commas_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "review\nGood, but long.\nBad\n")
    assert read_table(path, lone_column=True)["review"].tolist() == ["Good, but long.", "Bad"]
    with pytest.raises(DataError, match="not a CSV file with columns"):
        read_table(path)


def test_a_quote_that_begins_a_text_swallows_no_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 'text\tlabel\n"He said\t0\nno way\t1\n"quoted" x\t1\n', "quotes.tsv")
    assert read_table(path)["text"].tolist() == ['"He said', "no way", '"quoted" x']


def test_what_parts_cells_is_told_by_where_quotes_are_closed(tmp_path: Path) -> None:
    path = write(tmp_path, '"text","a;label"\n"no; never; again","0"\n"x;","1"\n')
    assert list(read_table(path).columns) == ["text", "a;label"]


def test_a_text_may_be_very_long(tmp_path: Path) -> None:
    assert len(read_table(write(tmp_path, f"text,label\n{'a' * 200_000},b\n"))["text"][0]) == 200_000


def test_nan_is_an_empty_cell_and_no_label() -> None:
    assert format_cell(float("nan")) == ""


# What parts cells and rows, what quotes them, and what a file of another kind begins with; then what is no text.
TEXTUAL = '\r\n",;|\t\x1c\x85\u2028\ufeff=é %P'
HOSTILE = st.text(st.sampled_from(TEXTUAL + "\0\ud800\udcff"), max_size=8)


@given(
    st.lists(st.text(st.sampled_from(TEXTUAL), max_size=8), min_size=4, max_size=4),
    st.integers(1, 4),
    st.lists(st.lists(HOSTILE, min_size=4, max_size=4), min_size=1, max_size=9),
)
def test_a_written_table_has_as_many_rows_in_every_reader_and_the_same_cells(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], width: int, rows: list[list[str]]
) -> None:
    columns = [f"{number}{name}x" for number, name in enumerate(names)][:width]
    table = pd.DataFrame([row[:width] for row in rows], columns=columns, dtype=object)
    path = tmp_path_factory.mktemp("written") / "table.csv"
    write_csv(table, path)
    expected = [[re.sub("[\0\ud800-\udfff]", "\ufffd", cell) for cell in row[:width]] for row in rows]
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [columns, *expected]
    assert pd.read_csv(path, dtype=str, keep_default_na=False).to_numpy().tolist() == expected
    if width > 1:
        assert read_table(path).to_numpy().tolist() == expected


def test_two_usual_names_make_a_header_though_its_other_cells_stand_in_every_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label,a,b,c,d\n" + "".join(f"some words {n},{n % 2},a,b,c,d\n" for n in range(20)))
    assert list(read_csv(path).table.columns) == ["text", "label", "a", "b", "c", "d"]
