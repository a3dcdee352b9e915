"""Text files whose lines say what they are: questions with two labels before them, and Markdown tables."""

import csv
from pathlib import Path

import pytest

from hfdemo.data_sources.formats import read_file
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect

QUESTIONS = [
    f"{coarse}:{fine} {words} number {n} ?"
    for n in range(10)
    for coarse, fine, words in (
        ("DESC", "manner", "How did serfdom develop in"),
        ("ENTY", "cremat", "What films featured the character"),
        ("NUM", "date", "When was Ozzy born in"),
    )
]


@pytest.mark.parametrize("name", ["train_5500.label", "trec.txt", "trec.csv"])
def test_labels_before_questions_are_read_as_trec_has_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes("\n".join([*QUESTIONS, "HUM:ind Who was Beyoncé ?"]).encode("latin-1"))
    sheet = read_file(path)
    assert "a label, a finer one and a text a line" in sheet.reading
    assert sheet.table.iloc[0].to_dict() == {
        "text": "How did serfdom develop in number 0 ?",
        "label": "DESC",
        "fine_label": "DESC:manner",
    }
    assert sheet.table.iloc[-1]["text"] == "Who was Beyoncé ?"
    found = inspect({"": sheet.table}).suggested
    assert found is not None
    assert (found.text_column, found.label_column) == ("text", "label")


@pytest.mark.parametrize("lines", [["Re:view of it", "Note:this is a text", "ps:so is this"] * 4, ["AB:c one"] * 3])
def test_words_with_colons_are_no_labels(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    assert list(read_file(path).table.columns) == ["text"]


TABLE = """| text | label |
|:-----|------:|
| so good \\| really | pos |
|  bad  | neg |
| fine | pos |
"""


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.csv"])
@pytest.mark.parametrize("outer", [True, False])
def test_a_markdown_table_is_a_table(tmp_path: Path, name: str, outer: bool) -> None:
    path = tmp_path / name
    path.write_text(TABLE if outer else "\n".join(line.strip("|") for line in TABLE.splitlines()))
    sheet = read_file(path)
    assert sheet.table.to_dict("list") == {"text": ["so good | really", "bad", "fine"], "label": ["pos", "neg", "pos"]}
    assert "a Markdown table, 5 lines = 2 header + 3 rows + 0 refused + 0 blank" in sheet.reading


def test_what_stands_around_a_markdown_table_is_no_row_and_is_not_lost_untold(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"# Reviews\n\n{TABLE}\nCounted by hand.\n")
    sheet = read_file(path)
    assert list(sheet.table["label"]) == ["pos", "neg", "pos"]
    assert sheet.lines is not None
    assert sheet.lines.total == 9
    assert [row.lines for row in sheet.refused] == ["line 9"]


@pytest.mark.parametrize("name", ["answers.csv", "answers.txt"])
@pytest.mark.parametrize("tables", [1, 12])
def test_a_markdown_table_in_a_cell_is_part_of_its_text(tmp_path: Path, name: str, tables: int) -> None:
    path = tmp_path / name
    cell = "Here it is:\n| a | b |\n|---|---|\n| 1 | 2 |"
    with path.open("w", newline="") as file:
        texts = [cell if row < tables else f"row {row}" for row in range(12)]
        csv.writer(file).writerows([["text", "label"], *zip(texts, ["pos", "neg"] * 6, strict=True)])
    sheet = read_file(path)
    assert list(sheet.table["text"]) == texts
    assert list(sheet.table["label"]) == ["pos", "neg"] * 6
    assert not sheet.refused


def test_where_no_column_has_a_name_the_one_of_the_fewest_classes_is_the_label(tmp_path: Path) -> None:
    path = tmp_path / "tweets.csv"
    words = ["what", "a", "day", "it", "was", "on", "the", "way", "to", "work", "and", "back"]
    rows = [
        f'"{(0, 4)[n % 2]}","{1467810369 + n}","Mon Apr 06 22:{n % 60:02d}:45 PDT 2009","NO_QUERY","user{n % 20}",'
        f'"@you {" ".join(words[n % 5 : n % 5 + 5])} {n}"'
        for n in range(80)
    ]
    path.write_text("\n".join(rows))
    found = inspect({"": read_file(path).table}, None, RunConfig("tweets")).suggested
    assert found is not None
    assert (found.text_column, found.label_column) == ("column 6", "column 1")
