"""From a file to checked splits, with a sentence for everything that is wrong with the file."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.corpora import EXAMPLES, read_tables
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Mapped, inspect, prepare, suggest
from hfdemo.settings import Settings
from hfdemo.tables import read_table


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
        ("text,label", [("long words here", "a"), ("more", "b"), ("x", "a")], Mapped("text", "label")),
        (
            "id,review,stars",
            [("1", "good food", "5"), ("2", "bad food", "1"), ("3", "ok", "5")],
            Mapped("review", "stars"),
        ),
        (
            "sentence1,sentence2,label,split",
            [("a b", "c d", "0", "train"), ("e f", "g h", "1", "dev"), ("i", "j", "1", "train")],
            Mapped("sentence1", "label", "sentence2", "split"),
        ),
    ],
)  # fmt: skip
def test_columns_are_suggested_by_name_then_by_content(
    header: str, rows: list[tuple[str, ...]], expected: Mapped
) -> None:
    assert suggest(pd.DataFrame(rows, columns=header.split(","))) == expected


def test_problems_are_found_with_their_row(tmp_path: Path) -> None:
    found = inspect({"": read_table(write(tmp_path, "text,label\na b c,x\n,y\na b c,x\nd e f,y\ng,z\n"))})
    said = {(problem.row, problem.problem) for problem in found.problems}
    assert said == {
        (2, "The cell is blank."),
        (0, "1 rows repeat an earlier text."),
        (0, "Label 'z' has one row only."),
    }
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
        (ROWS, {"splits": {"test": 0.2}}, "validation alone"),
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
