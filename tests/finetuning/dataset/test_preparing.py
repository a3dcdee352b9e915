"""From a file to checked splits, with a sentence for everything that is wrong with the file."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.data_sources import read_tables
from hfdemo.errors import DataError
from hfdemo.example_files import EXAMPLES
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Columns, inspect, prepare, read_data, suggest_columns
from hfdemo.settings import Settings
from hfdemo.tables import RefusedRow, read_table


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


ROWS = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))


def test_a_split_file_without_the_label_column_is_named(tmp_path: Path, settings: Settings) -> None:
    write(tmp_path, ROWS, "train.csv")
    write(tmp_path, "text,class\nx,a\n", "test.csv")
    with pytest.raises(DataError, match=r"test file has no column 'label'"):
        prepare(
            RunConfig(str(tmp_path), label_column="label", text_column="text"), read_tables(str(tmp_path), settings)
        )


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("text,label", [("long words here", "a"), ("more", "b"), ("x", "a")], Columns("text", "label")),
        (
            "id,review,stars",
            [("1", "good food", "5"), ("2", "bad food", "1"), ("3", "ok", "5")],
            Columns("review", "stars"),
        ),
        (
            "sentence1,sentence2,label,split",
            [("a b", "c d", "0", "train"), ("e f", "g h", "1", "dev"), ("i", "j", "1", "train")],
            Columns("sentence1", "label", "sentence2", "split"),
        ),
    ],
)  # fmt: skip
def test_columns_are_suggested_by_name_then_by_content(
    header: str, rows: list[tuple[str, ...]], expected: Columns
) -> None:
    assert suggest_columns(pd.DataFrame(rows, columns=header.split(","))) == expected


def test_problems_are_found_with_their_row(tmp_path: Path) -> None:
    found = inspect({"": read_table(write(tmp_path, "text,label\na b c,x\n,y\na b c,x\nd e f,y\ng,z\n"))})
    assert {(problem.row, problem.problem) for problem in found.problems if problem.code != "untrainable"} == {
        (2, "1 cell is blank: row 2."),
        (3, "1 row repeats an earlier row, text and label: row 3."),
        (5, "Label 'z' has one row only: row 5."),
    }
    assert found.problems[-1].problem.startswith("4 rows with 3 labels, of which 3 are different, are too few")
    assert found.labels == {"x": 2, "y": 2, "z": 1}


def prepared(tmp_path: Path, content: str, **config: Any) -> Any:
    return prepare(RunConfig("data", **config), {"": read_table(write(tmp_path, content))})


@pytest.mark.parametrize(
    ("content", "config", "said"),
    [
        (ROWS, {"text_column": "body"}, r"no column 'body'.*It has: text, label"),
        (ROWS, {"label_column": "text"}, "for two things"),
        ("text,label\n" + "hi,same\n" * 9, {"label_column": "label", "text_column": "text"}, "nothing to learn"),
        ("text,note\n" + "".join(f"t{i},n{i}\n" for i in range(9)), {}, "No column looks like a label"),
        (
            "text,note\n" + "".join(f"t{i},n{i}\n" for i in range(9)),
            {"text_column": "text", "label_column": "note"},
            "looks like text",
        ),
        (ROWS + " ,a\n", {}, "Row 21 has nothing in the column 'text'"),
        (ROWS, {"labels": ("a", "c")}, "'b', which is not among"),
        (ROWS, {"positive_label": "z"}, "is not a label"),
        (ROWS, {"splits": {"validation": 7}}, "a fraction"),
        (ROWS, {"splits": {"validation": 0.97}}, "too few"),
        (ROWS, {"fixes": ("mend",)}, "no fix 'mend'"),
        (ROWS + " ,a\n", {"fixes": ("drop_duplicates",)}, "add the fix drop_blank_rows"),
        (ROWS, {"problem_type": "regression"}, r"'a' is not a number \(and 19 more\).*drop_unreadable_labels"),
        (ROWS, {"problem_type": "regression", "fixes": ("drop_unreadable_labels",)}, "No training rows are left"),
        (ROWS, {"task": "text-generation", "label_column": "label"}, "Leave label_column out"),
        (ROWS, {"task": "token-classification"}, "lists of words"),
        ("text,label\na,x\nb,y\nc,x\n", {"label_column": "label", "text_column": "text"}, "3 training rows"),
        ("text,label,part\na,x,train\nb,y,later\n", {"split_column": "part"}, "'later', which is no split"),
    ],
)
def test_data_that_cannot_be_trained_on_gets_a_sentence(
    tmp_path: Path, content: str, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        prepared(tmp_path, content, **config)


def test_a_fifth_is_held_out_stratified_and_seeded(tmp_path: Path) -> None:
    first, again = prepared(tmp_path, ROWS), prepared(tmp_path, ROWS)
    other = prepared(tmp_path, ROWS, training={"seed": 7})
    validation = first.splits["validation"]
    assert len(validation) == 4
    assert validation["label"].value_counts().to_dict() == {"a": 2, "b": 2}
    assert set(validation["text"]).isdisjoint(first.splits["train"]["text"])
    assert len(validation) + len(first.splits["train"]) == 20
    assert validation.equals(again.splits["validation"])
    assert not validation.equals(other.splits["validation"])


def test_a_label_with_one_row_stays_in_training(tmp_path: Path) -> None:
    found = prepared(tmp_path, ROWS + "rare,c\n")
    assert "c" in set(found.splits["train"]["label"])
    assert "c" not in set(found.splits["validation"]["label"])


@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("negative", "positive"), "positive"), (("no", "yes"), "yes"), (("0", "1"), "1"), (("a", "b"), "b"),
     (("a", "b", "c"), None)],
)  # fmt: skip
def test_the_positive_class_is_guessed_by_its_name_and_never_for_three(
    tmp_path: Path, labels: tuple[str, ...], positive: str | None
) -> None:
    rows = "text,label\n" + "".join(f"text {i},{labels[i % len(labels)]}\n" for i in range(30))
    assert prepared(tmp_path, rows).positive_label == positive


def test_a_column_left_empty_on_purpose_is_not_suggested_again(tmp_path: Path) -> None:
    rows = "sentence1,sentence2,label\n" + "".join(f"a{i},b{i},{'xy'[i % 2]}\n" for i in range(20))
    assert prepared(tmp_path, rows).mapped.text_pair_column == "sentence2"
    assert prepared(tmp_path, rows, text_pair_column="").mapped.text_pair_column is None


def test_a_folder_of_split_files_is_a_data_set(tmp_path: Path, settings: Settings) -> None:
    for name in ("train.csv", "dev.csv", "test.csv"):
        write(tmp_path, ROWS, name)
    found = prepare(RunConfig(str(tmp_path)), read_tables(str(tmp_path), settings))
    assert {name: len(part) for name, part in found.splits.items()} == {"train": 20, "validation": 20, "test": 20}


@pytest.mark.parametrize(
    ("name", "rows", "labels", "texts"),
    [("tickets", 600, 6, ["text"]), ("paraphrases", 300, 2, ["sentence1", "sentence2"])],
)
def test_the_examples_are_large_enough_distinct_balanced_and_split(
    settings: Settings, name: str, rows: int, labels: int, texts: list[str]
) -> None:
    table = read_tables(name, settings)[""]
    assert len(table) >= rows
    assert table["label"].nunique() == labels
    assert table["label"].value_counts(normalize=True).max() < 1.3 / labels
    words = table[texts].agg(" | ".join, axis=1).str.lower().str.replace(r"\W+", " ", regex=True)
    assert not words.duplicated().any()
    assert set(table["split"]) == {"train", "validation"}
    assert 0.15 < (table["split"] == "validation").mean() < 0.25
    assert (EXAMPLES / f"{name}.md").is_file()
    assert not inspect({"": table}).problems


def test_the_tickets_are_no_templates(settings: Settings) -> None:
    words = read_tables("tickets", settings)[""]["text"].str.lower().str.findall(r"\w+")
    openings = words.str[:4].str.join(" ")
    assert openings.value_counts().max() == 1
    assert words.str.len().quantile(0.95) > 3 * words.str.len().quantile(0.05)


def test_half_of_what_is_no_paraphrase_is_hard_and_hard_means_nearly_the_same_words(settings: Settings) -> None:
    table = read_tables("paraphrases", settings)[""]
    kinds = table[table["label"] == "different"]["kind"].value_counts(normalize=True)
    assert kinds["hard"] > 0.4

    def overlap(row: Any) -> float:
        first, second = (set(row[column].lower().split()) for column in ("sentence1", "sentence2"))
        return len(first & second) / len(first | second)

    by_kind = table.assign(overlap=table.apply(overlap, axis=1)).groupby("kind")["overlap"].mean()
    assert by_kind["hard"] > by_kind["reworded"] + 0.3


def test_each_kind_of_answers_has_its_cells(tmp_path: Path, settings: Settings) -> None:
    def of(config: dict[str, Any], rows: list[dict[str, Any]]) -> Any:
        path = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "data.jsonl")
        given = RunConfig(str(path), **config)
        corpus = read_data(given, settings)
        return prepare(given, corpus.tables, corpus.refused)

    several = of({"labels": ("b", "a", "c")}, [{"text": f"t{i}", "label": ["a", "b"][: i % 3]} for i in range(20)])
    assert (several.kind.name, several.problem_type, several.labels) == (
        "multi_label", "multi_label_classification", ("b", "a", "c")
    )  # fmt: skip
    assert set(several.splits["train"]["label"]) == {"[]", '["a"]', '["b", "a"]'}
    numbers = of({}, [{"sentence1": f"a{i}", "sentence2": f"b{i}", "score": i / 8} for i in range(20)])
    assert (numbers.kind.name, numbers.problem_type, numbers.labels) == ("regression", "regression", ())
    assert list(numbers.splits["train"].columns) == ["text", "text_pair", "label"]
    assert set(numbers.splits["train"]["label"]) < {str(i / 8) for i in range(20)}
    words = of(
        {"task": "token-classification"},
        [{"tokens": ["In", f"P{i}"], "ner_tags": ["O", "B-X" if i % 2 else "B-A"]} for i in range(20)],
    )
    assert (words.kind.name, words.problem_type, words.labels) == ("tokens", None, ("O", "B-A", "B-X"))
    assert words.splits["train"].iloc[0].to_dict() == {"text": '["In", "P0"]', "label": '["O", "B-A"]'}
    chats = of(
        {"task": "text-generation"},
        [{"id": i, "messages": [{"role": "user", "content": f"hä {i}?", "n": i}]} for i in range(20)],
    )
    assert (chats.kind.name, chats.labels, list(chats.splits["train"].columns)) == ("language", (), ["text"])
    assert chats.splits["train"]["text"][0] == '[{"role": "user", "content": "hä 0?"}]'


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": f"t {i}", "label": "ab"[i % 2]} for i in range(20)],
        [{"text": f"t {i}", "label": ["a", "b"][: i % 3]} for i in range(20)],
        [{"sentence1": f"a{i}", "sentence2": f"b{i}", "score": i / 8} for i in range(30)],
        [{"tokens": ["In", f"P{i}"], "tags": ["O", "B-X"]} for i in range(20)],
        [{"text": f"line {i}"} for i in range(20)],
        [{"messages": [{"role": "user", "content": f"hi {i}"}]} for i in range(20)],
    ],
)
def test_the_data_of_a_run_prepares_to_itself(settings: Settings, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = write(tmp_path, json.dumps(rows), "data.json")
    tables = read_tables(str(path), settings)
    config = RunConfig(str(path), task=str(inspect(tables).task))
    first = prepare(config, tables)
    data = settings.runs / "one" / "data"
    data.mkdir(parents=True)
    for split, part in first.splits.items():
        part.to_csv(data / f"{split}.csv", index=False)
    again = prepare(RunConfig("run:one", task=config.task), read_tables("run:one", settings))
    assert (again.kind, again.labels) == (first.kind, first.labels)
    for split, part in first.splits.items():
        assert again.splits[split].to_dict("list") == part.to_dict("list")


def test_rows_are_removed_only_by_fixes_and_every_removal_is_noted(tmp_path: Path) -> None:
    content = ROWS + ",a\ntext 0,a\ntext 1,a\nrare,z\n"
    fixes = ("drop_rare_labels", "drop_duplicates", "drop_blank_rows", "drop_contradictions", "drop_refused_rows")
    table = {"": read_table(write(tmp_path, content))}
    found = prepare(RunConfig("x", fixes=fixes), table, [RefusedRow("", 30, "it is broken")])
    assert found.notes == (
        "drop_refused_rows removed 1 row",
        "drop_blank_rows removed 1 row",
        "drop_duplicates removed 1 row",
        "drop_contradictions removed 2 rows",
        "drop_rare_labels removed 1 row",
        "4 of the 19 training rows were held out for validation, stratified by label, with seed 42.",
    )
    assert sum(map(len, found.splits.values())) == 24 - 5
    with pytest.raises(DataError, match=r"Row 30 can't be read: it is broken\. .*add the fix drop_refused_rows"):
        prepare(RunConfig("x"), {"": read_table(write(tmp_path, ROWS))}, [RefusedRow("", 30, "it is broken")])


@pytest.mark.parametrize("test", ["text,label\nx,\ny,\n", "text,label\nx,NaN\ny,-1\n", "text\nx\ny\n"])
def test_a_test_split_without_labels_is_kept_to_be_answered(tmp_path: Path, settings: Settings, test: str) -> None:
    write(tmp_path, ROWS, "train.csv")
    write(tmp_path, test, "test.csv")
    found = prepare(RunConfig("x"), read_tables(str(tmp_path), settings))
    assert found.splits["test"].to_dict("list") == {"text": ["x", "y"], "label": ["", ""]}
    assert found.labels == ("a", "b")
    assert "The test split has no label: its rows are answered in answers.csv, without a score." in found.notes


def test_of_a_validation_split_rows_without_a_label_are_left_out_and_it_is_made_where_none_has_one(
    tmp_path: Path, settings: Settings
) -> None:
    write(tmp_path, ROWS, "train.csv")
    write(tmp_path, "text,label\nx,\ny,null\n", "dev.csv")
    found = prepare(RunConfig("x"), read_tables(str(tmp_path), settings))
    assert {split: len(part) for split, part in found.splits.items()} == {"train": 16, "validation": 4}
    assert "The validation split has no rows left, so there is none." in found.notes
    assert found.usual_fixes == ("drop_unlabelled_rows",)
