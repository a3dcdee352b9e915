"""A CSV file is read so that no cell of it changes, and what can't be read gets a sentence."""

from pathlib import Path

import pytest

from hfdemo.errors import DataError
from hfdemo.tables import read_table
from tests.finetuning.test_dataset import write


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        ("text,label\n", "no rows"),
        ("just a line\nand another\n", "not a CSV file with columns"),
        (b"PK\x03\x04zipped", "not a CSV file: it holds binary"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a CSV file: it holds binary"),
        ("text,label\na,b\nc\n", "row 2: 1 cells where the header has 2"),
        ("text,text\na,b\n", "more than once"),
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
    ],
    ids=["semicolon", "tab", "byte order mark", "latin-1"],
)
def test_delimiter_and_encoding_are_found_out(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert read_table(write(tmp_path, content))["text"].tolist() == [expected]


def test_a_lone_column_is_allowed_where_it_is_asked_for_and_its_commas_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "review\nGood, but long.\nBad\n")
    assert read_table(path, lone_column=True)["review"].tolist() == ["Good, but long.", "Bad"]
    with pytest.raises(DataError, match="not a CSV file with columns"):
        read_table(path)
