"""Files of every format become tables of texts; what doesn't fit is refused with its row and its reason."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.data_sources.formats import read_file
from hfdemo.errors import DataError
from hfdemo.tables import format_cell
from tests.finetuning.dataset.test_preparing import write

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VALUE = st.one_of(
    TEXT, st.none(), st.booleans(), st.integers(), st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT)
)
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0\t\r\n"), min_size=1, max_size=8).filter(
    lambda word: not word.startswith(("#", "-DOCSTART-", "\ufeff"))
)


def test_json_is_an_array_of_objects_also_under_the_key_data(tmp_path: Path) -> None:
    rows = [{"text": "NA", "n": 7, "tags": ["a", None]}, {"n": None, "text": "007", "deep": {"k": 1.5}}]
    expected = {"text": ["NA", "007"], "n": ["7", ""], "tags": ['["a", null]', ""], "deep": ["", '{"k": 1.5}']}
    for content in (rows, {"version": 1, "data": rows}):
        sheet = read_file(write(tmp_path, json.dumps(content), "data.json"))
        assert sheet.table.to_dict("list") == expected
        assert sheet.reading == "UTF-8, a JSON array of objects"
    lines = "\n\n".join(json.dumps(row) for row in rows)
    for name in ("data.jsonl", "data.ndjson", "data.json"):
        assert read_file(write(tmp_path, lines, name)).table.to_dict("list") == expected


@given(rows=st.lists(st.fixed_dictionaries({"text": TEXT, "value": VALUE}), min_size=1, max_size=6))
def test_every_json_value_comes_out_as_its_cell(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for path in (write(folder, json.dumps(rows), "data.json"), write(folder, lines, "data.jsonl")):
        table = read_file(path).table
        assert table["text"].tolist() == [row["text"] for row in rows]
        assert table["value"].tolist() == [format_cell(row["value"]) for row in rows]


def test_lines_that_are_no_objects_are_refused_and_the_others_keep_their_number(tmp_path: Path) -> None:
    lines = [
        '{"text": "a"}',
        "{broken",
        "[1]",
        "3",
        '{"text": "\\ud800"}',
        '{"text": "b", "text": "c"}',
        '{"text": "d"}',
    ]
    sheet = read_file(write(tmp_path, "\n".join(lines), "data.jsonl"))
    assert sheet.table["text"].to_dict() == {0: "a", 6: "d"}
    said = {row.row: row.reason for row in sheet.refused}
    assert list(said) == [2, 3, 4, 5, 6]
    assert "not JSON" in said[2]
    assert said[3] == "it is an array, not an object"
    assert said[4] == "it is a number, not an object"
    assert "half of a character" in said[5]
    assert "the key 'text' twice" in said[6]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '{"text": "a"}', "holds an object. Rows are an array"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", "[]", "no rows that can be read"),
        ("a.jsonl", "[1]\n", "row 1: it is an array, not an object"),
        ("a.json", "", "is empty"),
        ("a.parquet", "no parquet", "can't be read as Parquet"),
        ("a.conll", "lonely\nwords\n", "has one column"),
        ("a.conll", "-DOCSTART- O\n\n", "no sentence"),
        ("a.txt", b"\0\1", "is not a text file: it holds binary"),
        ("a.csv", "hello world\n", "not a CSV file with columns"),
    ],
)
def test_a_file_of_another_format_than_its_name_says_gets_a_sentence(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_file(write(tmp_path, content, name))


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet", "conll", "txt", "csv"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match=rf"no file 'gone\.{suffix}'"):
        read_file(tmp_path / f"gone.{suffix}")


def test_conll_has_words_and_tags_in_its_first_and_last_columns(tmp_path: Path) -> None:
    content = (
        "-DOCSTART- -X- O\n\n# id = 1\nEU NNP B-ORG\nrejects VBZ O\n\n\n# NN O\nbroken\nPeter NNP B-PER\n\n"
        "\xa0 SP O\n. . O \n"
    )
    sheet = read_file(write(tmp_path, content, "data.conll"))
    assert sheet.table.to_dict("index") == {
        0: {"tokens": '["EU", "rejects"]', "tags": '["B-ORG", "O"]'},
        2: {"tokens": '["\xa0", "."]', "tags": '["O", "O"]'},
    }
    assert [(row.row, row.reason, row.lines) for row in sheet.refused] == [
        (2, "line 9 has 1 instead of 3 columns", "lines 8 to 10")
    ]
    assert sheet.reading == "UTF-8, CoNLL: word and tag from columns 1 and 3 of 3"


@given(sentences=st.lists(st.lists(st.tuples(WORD, st.sampled_from(["O", "B-X"])), min_size=1), min_size=1, max_size=5))
def test_every_word_and_tag_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]
) -> None:
    content = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    table = read_file(write(tmp_path_factory.mktemp("conll"), content, "data.bio")).table
    read = [list(zip(json.loads(w), json.loads(t), strict=True)) for w, t in table.itertuples(index=False)]
    assert read == sentences


def test_words_and_tags_in_a_text_file_are_what_they_are(tmp_path: Path) -> None:
    """As CoNLL-2003 comes: train.txt, with a part of speech and a chunk between word and tag."""
    content = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n"
    sheet = read_file(write(tmp_path, content, "train.txt"))
    assert sheet.table["tags"].tolist() == ['["B-ORG", "O"]', '["B-PER"]']
    assert sheet.reading == "UTF-8, CoNLL: word and tag from columns 1 and 4 of 4"
    for plain in ("This is O\nso is O\n", "Ann B-PER\nLee went home\n", "B-PER\nO\n"):
        assert list(read_file(write(tmp_path, plain, "train.txt")).table.columns) == ["text"]


def test_conll_u_has_the_word_and_its_part_of_speech(tmp_path: Path) -> None:
    content = (
        "# text = vámonos\n1-2\tvámonos" + "\t_" * 8 + "\n1\tvamos\tir\tVERB" + "\t_" * 6 + "\n2\tnos\tyo\tPRON"
        + "\t_" * 6 + "\n2.1\tgone\t_\tNOUN" + "\t_" * 6 + "\n\n1\tSí\tsí\tINTJ" + "\t_" * 6 + "\n"
    )  # fmt: skip
    sheet = read_file(write(tmp_path, content, "es.conllu"))
    assert sheet.table.to_dict("list") == {
        "tokens": ['["vamos", "nos"]', '["Sí"]'],
        "tags": ['["VERB", "PRON"]', '["INTJ"]'],
    }
    assert sheet.reading == "UTF-8, CoNLL: word and tag from columns 2 and 4 of 10"
    with pytest.raises(DataError, match=r"has 3 columns, but a CoNLL file has .* in columns 2 and 4"):
        read_file(write(tmp_path, "1\ta\tNOUN\n", "short.conllu"))


def test_a_flaw_of_a_text_costs_its_row_in_every_format(tmp_path: Path) -> None:
    bad, reason = b"caf\xe9", "it holds the byte 0xE9, which is no character in UTF-8"
    files = {
        "a.txt": "köstlich\n".encode() + bad + "\nüber\n".encode(),
        "a.jsonl": '{"t": "köstlich"}\n{"t": "'.encode() + bad + '"}\n{"t": "über"}\n'.encode(),
        "a.conll": "köstlich O\n\n".encode() + bad + " O\n\nüber O\n".encode(),
    }
    for name, content in files.items():
        sheet = read_file(write(tmp_path, content, name))
        assert list(sheet.table.index) == [0, 2], name
        assert [(row.row, row.reason) for row in sheet.refused] == [(2, reason)]
    sheet = read_file(write(tmp_path, '{"t": "a\\u0000"}\n{"t": "b"}\n', "nul.jsonl"))
    assert [(row.row, row.reason) for row in sheet.refused] == [(1, "it holds a NUL, which is no character of a text")]


def test_a_text_file_is_a_text_a_line(tmp_path: Path) -> None:
    sheet = read_file(write(tmp_path, " one, two\n\nthree;\x0cfour\r\n", "data.txt"))
    assert sheet.table.to_dict("list") == {"text": [" one, two", "three;\x0cfour"]}
    assert sheet.reading == "UTF-8, one text a line, 3 lines = 2 rows + 0 refused + 1 blank"


def test_a_csv_of_one_column_is_read_too(tmp_path: Path) -> None:
    assert read_file(write(tmp_path, "review\nGood, but long.\n")).table["review"].tolist() == ["Good, but long."]


def test_parquet_keeps_whole_numbers_lists_and_names_of_classes(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, List

    rows: dict[str, list[Any]] = {"text": ["NA", None], "n": [7, None], "label": [1, 0], "tags": [[0, 1], []]}
    classes = ClassLabel(names=["no", "yes"])
    made = Dataset.from_dict(rows).cast_column("label", classes).cast_column("tags", List(classes))
    made.to_parquet(str(tmp_path / "data.parquet"))
    assert read_file(tmp_path / "data.parquet").table.to_dict("list") == {
        "text": ["NA", ""], "n": ["7", ""], "label": ["yes", "no"], "tags": ['["no", "yes"]', "[]"]
    }  # fmt: skip
    pd.DataFrame({"text": ["a"], "raw": [b"1"]}).to_parquet(tmp_path / "raw.parquet")
    sheet = read_file(tmp_path / "raw.parquet")
    assert list(sheet.table.columns) == ["text"]
    assert sheet.reading == "Parquet; columns of media were left out: raw"
