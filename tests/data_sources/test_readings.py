"""Files as people have them are read as they mean them, in whichever way they are kept."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.data_sources import read_corpus
from hfdemo.data_sources.formats import read_file
from hfdemo.errors import DataError
from hfdemo.settings import Settings
from hfdemo.tables import ReadOptions
from tests.finetuning.dataset.test_preparing import write

READINGS = Path(__file__).parent / "readings"
ROWS = [{"text": f"so {word} a film, number {n}", "label": label} for n, (word, label) in enumerate(
    [("good", "pos"), ("bad", "neg")] * 4
)]  # fmt: skip
EXPECTED = {"text": [row["text"] for row in ROWS], "label": [row["label"] for row in ROWS]}


@pytest.mark.parametrize(
    ("name", "rows", "columns", "said"),
    [
        ("windows_1251.csv", 48, {"label": {"плохо", "хорошо"}}, "Windows-1251 (likely)"),
        ("gbk.csv", 48, {"label": {"坏", "好"}}, "GB18030 (likely)"),
        ("shift_jis.csv", 48, {"label": {"悪い", "良い"}}, "CP932 (likely)"),
        ("no_header.csv", 48, {"column 1": {"1", "2", "3", "4"}}, "no header"),
        ("sms_no_header.tsv", 48, {"column 1": {"ham", "spam"}}, "no header"),
        ("fasttext.txt", 48, {"label": {"neg", "pos"}}, "fastText: a label and a text a line"),
        ("tabs_in_a_txt.txt", 48, {"Quality": {"0", "1"}}, "tabs between the cells"),
        ("columns.json", 24, {"label": {"neg", "pos"}}, "JSON by columns"),
        ("splits.json", 36, {"label": {"neg", "pos"}, "split": {"train", "test"}}, "JSON by splits"),
        ("unclosed_quote.csv", 99, {"label": {"neg", "pos"}}, "101 lines = 1 header + 99 rows + 1 refused + 0 blank"),
    ],
)
def test_what_people_have_is_read_as_they_mean_it(
    name: str, rows: int, columns: dict[str, set[str]], said: str
) -> None:
    sheet = read_file(READINGS / name)
    assert len(sheet.table) == rows
    assert {column: set(sheet.table[column]) for column in columns} == columns
    assert said in sheet.reading
    assert all(row.lines for row in sheet.refused)


def test_a_first_line_like_the_others_is_a_row_and_the_other_reading_is_one_click(settings: Settings) -> None:
    corpus = read_corpus("", settings, READINGS / "sms_no_header.tsv")
    (doubt,) = corpus.doubts
    assert (doubt.code, doubt.change, corpus.header) == ("header", {"header": True}, False)
    other = read_corpus("", settings, READINGS / "sms_no_header.tsv", options=ReadOptions(header=True))
    assert (len(other.tables[""]), other.doubts) == (47, ())


JSON_FORMS: dict[str, Any] = {
    "array": ROWS,
    "data": {"version": "1.1", "data": ROWS},
    "rows": {"rows": ROWS, "total": 8},
    "any one key": {"about": "films", "reviews": ROWS},
    "columns of cells by number": {
        name: {str(n): cell for n, cell in enumerate(cells)} for name, cells in EXPECTED.items()
    },
    "columns of lists": EXPECTED,
    "rows by number": {str(n): row for n, row in enumerate(ROWS)},
    "pandas' split": {"columns": ["text", "label"], "index": [*range(8)], "data": [[*row.values()] for row in ROWS]},
    "pandas' table": json.loads(pd.DataFrame(ROWS).to_json(orient="table", index=False)),
    "arrays under a header": [["text", "label"], *([*row.values()] for row in ROWS)],
    "the Hub's rows": {"features": [], "rows": [{"row_idx": n, "row": row} for n, row in enumerate(ROWS)]},
}


@pytest.mark.parametrize("form", JSON_FORMS)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json_is_read_however_a_table_is_laid_out_in_it(
    tmp_path: Path, form: str, indent: int | None, suffix: str
) -> None:
    sheet = read_file(write(tmp_path, json.dumps(JSON_FORMS[form], indent=indent), f"data.{suffix}"))
    if suffix == "jsonl" and indent is None and form in ("any one key", "columns of lists"):
        assert len(sheet.table) == 1, "a line may be a row with lists in it"
        return
    assert {name: sheet.table[name].tolist() for name in ("text", "label")} == EXPECTED
    assert not sheet.refused


@pytest.mark.parametrize("orient", ["columns", "index", "split", "records", "table", "values"])
def test_json_that_pandas_wrote_is_read_as_pandas_meant_it(tmp_path: Path, orient: str) -> None:
    table = pd.DataFrame(ROWS)
    sheet = read_file(write(tmp_path, table.to_json(orient=orient), "data.json"))
    assert sheet.table.to_numpy().tolist() == table.to_numpy().tolist()
    assert list(sheet.table.columns) == (["column 1", "column 2"] if orient == "values" else ["text", "label"])


def test_rows_under_ids_keep_them_and_objects_one_after_the_other_are_rows(tmp_path: Path) -> None:
    by_id = {f"review-{n}": row for n, row in enumerate(ROWS)}
    sheet = read_file(write(tmp_path, json.dumps(by_id), "ids.json"))
    assert sheet.table["id"].tolist() == list(by_id)
    apart = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    for name in ("pretty.json", "pretty.jsonl"):
        assert read_file(write(tmp_path, apart, name)).table.to_dict("list") == EXPECTED
    arrays = "\n".join(json.dumps([*row.values()]) for row in [{"text": "text", "label": "label"}, *ROWS])
    assert read_file(write(tmp_path, arrays, "arrays.jsonl")).table.to_dict("list") == EXPECTED


def test_questions_on_paragraphs_are_a_row_each(tmp_path: Path) -> None:
    qas = [
        {"id": "q1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}], "is_impossible": False},
        {"id": "q2", "question": "When?", "answers": [], "is_impossible": True},
    ]
    squad = {"version": "v2.0", "data": [{"title": "Ada", "paragraphs": [{"context": "Ada wrote.", "qas": qas}]}]}
    table = read_file(write(tmp_path, json.dumps(squad), "squad.json")).table
    assert table["question"].tolist() == ["Who?", "When?"]
    assert table["context"].tolist() == ["Ada wrote."] * 2
    assert table["answer"].tolist() == ["Ada", ""]


@pytest.mark.parametrize(
    ("line", "texts", "labels"),
    [
        ("__label__{label} {text}", EXPECTED["text"], EXPECTED["label"]),
        ("__label__{label} , {text}", EXPECTED["text"], EXPECTED["label"]),
        ("__label__{label}\t{text}", EXPECTED["text"], EXPECTED["label"]),
        (
            "__label__{label} __label__film {text}",
            EXPECTED["text"],
            [f'["{label}", "film"]' for label in EXPECTED["label"]],
        ),
    ],
)
@pytest.mark.parametrize("name", ["train.txt", "train.ft", "train.csv", "data.train"])
def test_fasttext_has_its_labels_before_each_text(
    tmp_path: Path, line: str, texts: list[str], labels: list[str], name: str
) -> None:
    content = "".join(line.format(**row) + "\n" for row in ROWS)
    assert read_file(write(tmp_path, content, name)).table.to_dict("list") == {"text": texts, "label": labels}


@pytest.mark.parametrize("delimiter", ["\t", "|", ";"])
def test_a_table_under_txt_is_a_table_and_prose_is_not(tmp_path: Path, delimiter: str) -> None:
    content = "".join(
        f"{row['text']}{delimiter}{row['label']}\n" for row in [{"text": "text", "label": "label"}, *ROWS]
    )
    assert read_file(write(tmp_path, content, "data.txt")).table.to_dict("list") == EXPECTED
    prose = f"One; two.\nThree | four; five.\n\tindented{delimiter}\nSix, seven.\n"
    assert list(read_file(write(tmp_path, prose, "prose.txt")).table.columns) == ["text"]


def test_a_sentence_and_its_label_behind_an_at_sign_are_two_columns(tmp_path: Path) -> None:
    content = "".join(f"Sales rose, it said .@{('positive', 'neutral')[n % 2]}\n" for n in range(12))
    table = read_file(write(tmp_path, content, "Sentences_50Agree.txt")).table
    assert set(table["column 2"]) == {"positive", "neutral"}


@pytest.mark.parametrize("name", ["words.tsv", "words.txt", "words.csv", "words.data"])
@pytest.mark.parametrize("header", ["", "word\ttag\n"])
@pytest.mark.parametrize("tags", [("B-PER", "O"), ("PER", "O")])
def test_words_and_tags_are_sentences_under_any_ending(
    tmp_path: Path, name: str, header: str, tags: tuple[str, str]
) -> None:
    sentence = f"Ada\t{tags[0]}\nwrote\tO\nprograms\tO\n"
    table = read_file(write(tmp_path, header + "\n".join([sentence] * 5), name)).table
    assert table["tokens"].tolist() == ['["Ada", "wrote", "programs"]'] * 5
    assert table["tags"][0] == json.dumps([*tags, "O"])


def make_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_is_its_first_sheet_with_rows_and_the_others_are_named(tmp_path: Path) -> None:
    rows: list[list[object]] = [["text", "stars", "seen"], ["Good, but long.", 5, True], [], ["Bad", 1.5, None]]
    sheet = read_file(make_workbook(tmp_path / "a.xlsx", {"Cover": [], "Data": rows, "Notes": [["n"]]}))
    assert sheet.table.to_dict("list") == {
        "text": ["Good, but long.", "Bad"],
        "stars": ["5", "1.5"],
        "seen": ["True", ""],
    }
    assert sheet.reading == "Excel, the sheet “Data”"
    assert sheet.notes == ("Only the sheet “Data” was read. Others of the workbook: “Cover”, “Notes”.",)
    named_csv = make_workbook(tmp_path / "b.xlsx", {"Data": rows}).rename(tmp_path / "b.csv")
    assert len(read_file(named_csv).table) == 2


def test_a_workbook_without_a_header_has_rows_alone(tmp_path: Path) -> None:
    rows: list[list[object]] = [[n % 2, f"a text of some length, number {n}"] for n in range(8)]
    sheet = read_file(make_workbook(tmp_path / "a.xlsx", {"Data": rows}))
    assert (len(sheet.table), [doubt.change for doubt in sheet.doubts]) == (8, [{"header": True}])


def test_a_workbook_that_is_none_or_too_large_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read as an Excel workbook"):
        read_file(write(tmp_path, b"PK\x03\x04no", "a.xlsx"))
    with pytest.raises(DataError, match=r"Save it as \.xlsx, or as CSV"):
        read_file(write(tmp_path, b"\xd0\xcf\x11\xe0", "a.xls"))
    large = make_workbook(tmp_path / "b.xlsx", {"Data": [["word " * 50] * 3] * 200})
    with pytest.raises(DataError, match="unpacks to more than"):
        read_file(large, ReadOptions(most_bytes=10_000))


CSV = "text,label\n" + "".join(f'"{row["text"]}",{row["label"]}\n' for row in ROWS)


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reviews.csv.gz", gzip.compress(CSV.encode())),
        ("reviews.csv.bz2", bz2.compress(CSV.encode())),
        ("reviews.csv.xz", lzma.compress(CSV.encode())),
        ("reviews.zip", zipped({"data/reviews.csv": CSV, "README.md": "#", "__MACOSX/._reviews.csv": "x"})),
        ("reviews.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode())),
        ("gzip_called.csv", gzip.compress(CSV.encode())),
    ],
    ids=["gz", "bz2", "xz", "zip", "gz of JSON lines", "gz that is called CSV"],  # archives hold the time of day
)
def test_a_compressed_file_is_the_one_in_it(tmp_path: Path, settings: Settings, name: str, content: bytes) -> None:
    path = write(tmp_path, content, name)
    assert read_corpus("", settings, path).tables[""].to_dict("list") == EXPECTED


def test_a_zip_of_train_and_test_is_read_by_splits_and_of_other_files_is_refused(
    tmp_path: Path, settings: Settings
) -> None:
    kaggle = zipped({"train.csv": CSV, "test.csv": "text\nSo so.\n", "sample_submission.csv": "id,label\n1,pos\n"})
    corpus = read_corpus("", settings, write(tmp_path, kaggle, "kaggle.zip"))
    assert {split: len(table) for split, table in corpus.tables.items()} == {"train": 8, "test": 1}
    assert corpus.notes == ("Files that are named after no split were left out: sample_submission.csv.",)
    with pytest.raises(DataError, match=r"holds 2 files \(a\.csv, b\.csv\)"):
        read_corpus("", settings, write(tmp_path, zipped({"a.csv": CSV, "b.csv": CSV}), "two.zip"))


def test_what_unpacks_to_too_much_or_to_nothing_gets_a_sentence(tmp_path: Path) -> None:
    bomb = b"text,label\n" + b"a,b\n" * 1_000_000
    for name, content in (("a.csv.gz", gzip.compress(bomb)), ("a.zip", zipped({"a.csv": bomb.decode()}))):
        with pytest.raises(DataError, match="unpacks to more than"):
            read_file(write(tmp_path, content, name), ReadOptions(most_bytes=100_000))
    for name, content in (("a.csv.gz", b"\x1f\x8bno"), ("b.zip", b"PK\x03\x04no"), ("c.xz", b"no")):
        with pytest.raises(DataError, match="can't be unpacked"):
            read_file(write(tmp_path, content, name))
    with pytest.raises(DataError, match="compressed itself"):
        read_file(write(tmp_path, gzip.compress(gzip.compress(CSV.encode())), "a.csv.gz.gz"))


def test_labels_may_stand_behind_texts_and_commas_between_them_in_a_text_file(tmp_path: Path) -> None:
    behind = "".join(f"{row['text']} __label__{row['label']}\n" for row in ROWS)
    assert read_file(write(tmp_path, behind, "a.txt")).table.to_dict("list") == EXPECTED
    commas = "".join(f'"{row["text"]}",{row["label"]}\n' for row in ROWS)
    assert read_file(write(tmp_path, commas, "b.txt")).table["column 2"].tolist() == EXPECTED["label"]


def test_json_may_have_texts_by_label_or_labels_by_text(tmp_path: Path) -> None:
    by_label = {"pos": ["good", "fine"], "neg": ["bad"]}
    table = read_file(write(tmp_path, json.dumps(by_label), "a.json")).table
    assert table.to_dict("list") == {"text": ["good", "fine", "bad"], "label": ["pos", "pos", "neg"]}
    by_text = {row["text"]: row["label"] for row in ROWS}
    assert read_file(write(tmp_path, json.dumps(by_text), "b.json")).table.to_dict("list") == EXPECTED
