"""A folder is a data set by the names of its files, or of the folders that its texts lie in."""

import json
from pathlib import Path

import pytest

from hfdemo.data_sources import read_corpus, read_tables
from hfdemo.data_sources.folders import read_folder
from hfdemo.errors import DataError
from hfdemo.settings import Settings
from hfdemo.tables import RefusedRow


def fill(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def rows_of(folder: Path) -> dict[str, dict[str, list[str]]]:
    return {split: sheet.table.to_dict("list") for split, sheet in read_folder(folder).sheets.items()}


def test_files_named_after_the_splits_may_be_of_any_format(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train.jsonl": '{"text": "a", "label": "x"}\n',
        "dev.csv": "text;label\nb;y\n",
        "test.conll": "word O\n",
        "README.md": "#",
        "testing.csv": "no,split\n1,2\n",
    }
    assert rows_of(fill(tmp_path, files)) == {
        "train": {"text": ["a"], "label": ["x"]},
        "validation": {"text": ["b"], "label": ["y"]},
        "test": {"tokens": ['["word"]'], "tags": ['["O"]']},
    }


def test_several_files_of_a_split_are_numbered_through(tmp_path: Path) -> None:
    fill(tmp_path, {"train-0.csv": "text,label\na,x\nb\n", "train-1.csv": "text,label\nc\nd,y\n"})
    sheet = read_folder(tmp_path).sheets["train"]
    assert sheet.table["text"].to_dict() == {0: "a", 3: "d"}
    assert [(row.row, row.reason[:22]) for row in sheet.refused] == [
        (2, "in train-0.csv: 1 cell"),
        (3, "in train-1.csv: 1 cell"),
    ]


def test_files_may_lie_in_folders_named_after_the_splits(tmp_path: Path) -> None:
    fill(tmp_path, {"train/0.csv": "text,label\na,x\n", "val/0.jsonl": json.dumps({"text": "b", "label": "y"})})
    assert list(rows_of(tmp_path)) == ["train", "validation"]


def test_texts_in_folders_are_labelled_by_them(tmp_path: Path) -> None:
    fill(tmp_path, {"pos/1.txt": "good\nfilm", "neg/2.txt": "bad", "neg/1.txt": b"\xe4rger", "about.txt": "loose"})
    found = read_folder(tmp_path)
    sheet = found.sheets[""]
    assert sheet.table.to_dict("list") == {"text": ["ärger", "bad", "good\nfilm"], "label": ["neg", "neg", "pos"]}
    assert sheet.reading == "one text a file, labelled by its folder"
    assert found.notes == ("Texts that stand beside the labels' folders were left out: about.txt.",)


def test_texts_in_folders_of_splits_are_split(tmp_path: Path) -> None:
    fill(tmp_path, {f"{split}/{label}/1.txt": split for split in ("train", "test") for label in ("a", "b")})
    assert rows_of(tmp_path) == {
        "train": {"text": ["train"] * 2, "label": ["a", "b"]},
        "test": {"text": ["test"] * 2, "label": ["a", "b"]},
    }


def test_a_flat_folder_of_texts_has_no_labels_and_a_file_that_is_no_text_is_refused(
    tmp_path: Path, settings: Settings
) -> None:
    fill(tmp_path, {"one.TXT": "a\nb", "two.txt": b"\0", "three.txt": "c"})
    corpus = read_corpus(str(tmp_path), settings)
    assert corpus.tables[""]["text"].to_dict() == {0: "a\nb", 1: "c"}
    assert [(row.row, "binary" in row.reason) for row in corpus.refused] == [(3, True)]
    assert corpus.notes[0].startswith("1 row can't be read. Row 3: two.txt: ")
    assert corpus.reading == "one text a file"


def test_a_folder_without_data_says_what_it_could_hold(tmp_path: Path) -> None:
    for files in ({"notes.md": "#"}, {"train/pos/a.md": "#"}):
        with pytest.raises(DataError, match=r"no train file and no texts.*train\.csv"):
            read_folder(fill(tmp_path, dict(files)))


def test_the_data_of_a_run_is_a_data_set_but_not_for_others(settings: Settings) -> None:
    data = settings.runs / "20250101-000000-words" / "data"
    fill(data, {"train.csv": '"text","label"\n"a","x"\n', "validation.csv": '"text","label"\n"b","y"\n'})
    tables = read_tables("run:20250101-000000-words", settings)
    assert {split: table["text"].tolist() for split, table in tables.items()} == {"train": ["a"], "validation": ["b"]}
    with pytest.raises(DataError, match=r"^There is no such run\.$"):
        read_tables("run:20250101-000000-words", settings.of_owner("somebody"))


@pytest.mark.parametrize("run", ["", "gone", "../secret", "a/../../secret", "/etc", ".", "a\nb", "a\0b"])
def test_a_run_is_never_a_way_out_of_the_folder_of_runs(settings: Settings, run: str) -> None:
    fill(settings.home / "secret" / "data", {"train.csv": "text,label\na,x\n"})
    settings.runs.mkdir(parents=True)
    with pytest.raises(DataError, match="There is no run"):
        read_tables(f"run:{run}", settings)


def test_a_refused_row_knows_its_split_and_is_an_error_where_only_tables_are_asked_for(
    tmp_path: Path, settings: Settings
) -> None:
    fill(tmp_path, {"train.csv": "text,label\na,x\nb\n"})
    (row,) = read_corpus(str(tmp_path), settings).refused
    assert (row.split, row.row) == ("train", 2)
    assert isinstance(row, RefusedRow)
    with pytest.raises(DataError, match="Train row 2: 1 cell"):
        read_tables(str(tmp_path), settings)


@pytest.mark.parametrize(
    "names",
    [
        ("data/train-00000-of-00002.csv", "data/train-00001-of-00002.csv", "data/test-00000-of-00001.csv"),
        ("train/0.csv", "train/1.csv", "test/0.csv"),
        ("imdb_train.csv", "imdb_train_2.csv", "imdb_test.csv"),
        ("Train.csv", "train2.csv", "TEST.csv"),
        ("default/train/0.csv", "default/train/1.csv", "default/test/0.csv"),
    ],
)
def test_folders_as_the_hub_and_others_lay_them_out(tmp_path: Path, names: tuple[str, str, str]) -> None:
    first, second, test = names
    fill(
        tmp_path, {first: "text,label\na,x\n", second: "text,label\nb,y\n", test: "text,label\nc,x\n", "README.md": "#"}
    )
    assert {split: rows["text"] for split, rows in rows_of(tmp_path).items()} == {"train": ["a", "b"], "test": ["c"]}


def test_kaggle_keeps_the_answers_of_its_test_file_and_a_file_to_be_filled_in(
    tmp_path: Path, settings: Settings
) -> None:
    rows = "".join(f"{n},so {('good', 'bad')[n % 2]} a film {n},{n % 2}\n" for n in range(20))
    tests = "".join(f"{n},so {('good', 'bad')[n % 2]} a film {n}\n" for n in range(20, 30))
    fill(
        tmp_path,
        {
            "train.csv": "id,text,target\n" + rows,
            "test.csv": "id,text\n" + tests,
            "sample_submission.csv": "id,target\n20,0\n",
        },
    )
    corpus = read_corpus(str(tmp_path), settings)
    assert {split: len(table) for split, table in corpus.tables.items()} == {"train": 20, "test": 10}
    assert corpus.notes == ("Files that are named after no split were left out: sample_submission.csv.",)


def test_a_folder_with_one_table_is_that_table(tmp_path: Path) -> None:
    fill(tmp_path, {"reviews.csv": "text,label\na,x\n", "README.md": "#"})
    assert rows_of(tmp_path) == {"": {"text": ["a"], "label": ["x"]}}
