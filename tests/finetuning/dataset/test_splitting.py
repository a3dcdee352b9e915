"""What the data doesn't give is held out: seeded, stratified, nothing known beforehand, every label still trained."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, prepare
from hfdemo.finetuning.dataset.columns import Columns, suggest_columns
from hfdemo.finetuning.dataset.labels import list_labels
from hfdemo.finetuning.dataset.splitting import find_given_splits, find_rows_of_no_split, make_splits
from hfdemo.finetuning.kinds import KINDS, Kind
from hfdemo.tables import RefusedRow


def rows(labels: Sequence[str], texts: Sequence[str] | None = None) -> pd.DataFrame:
    named = texts or [f"text {i}" for i in range(len(labels))]
    return pd.DataFrame({"text": list(named), "label": list(labels)}, dtype=str)


def split(part: pd.DataFrame, kind: Kind = KINDS["single_label"], **config: Any) -> dict[str, pd.DataFrame]:
    return make_splits(RunConfig("x", **config), {"train": part}, kind)[0]


SETS = st.lists(st.sampled_from("abcdef"), max_size=3, unique=True).map(sorted).map(json.dumps)


@given(
    data=st.one_of(
        st.tuples(st.just(KINDS["single_label"]), st.lists(st.sampled_from("aaaabbc"), min_size=30, max_size=60)),
        st.tuples(st.just(KINDS["multi_label"]), st.lists(SETS, min_size=30, max_size=60)),
        st.tuples(st.just(KINDS["tokens"]), st.lists(SETS, min_size=30, max_size=60)),
        st.tuples(st.just(KINDS["regression"]), st.lists(st.floats(0, 9).map(str), min_size=30, max_size=60)),
    ),
    repeated=st.lists(st.integers(0, 20), min_size=60, max_size=60),
    seed=st.integers(0, 5),
)
def test_splits_keep_every_row_share_no_text_and_leave_every_label_in_train(
    data: tuple[Kind, list[str]], repeated: list[int], seed: int
) -> None:
    kind, labels = data
    part = rows(
        labels, [f"text {i if number > 3 or i > 19 else number}" for i, number in enumerate(repeated[: len(labels)])]
    )
    made = split(part, kind, splits={"validation": 0.2, "test": 0.1}, training={"seed": seed})
    assert sorted(index for each in made.values() for index in each.index) == list(part.index)
    texts = [set(each["text"]) for each in made.values()]
    assert sum(map(len, texts)) == len(set(part["text"]))
    trained = {label for row in list_labels(made["train"], kind) for label in row}
    assert trained == {label for row in list_labels(part, kind) for label in row}
    assert all(each.index.is_monotonic_increasing for each in made.values())


def test_fractions_count_all_rows_and_classes_keep_their_shares() -> None:
    made = split(rows(["a"] * 60 + ["b"] * 30 + ["c"] * 10), splits={"validation": 0.2, "test": 0.1})
    counts = {name: part["label"].value_counts().to_dict() for name, part in made.items()}
    assert counts == {
        "train": {"a": 42, "b": 21, "c": 7},
        "validation": {"a": 12, "b": 6, "c": 2},
        "test": {"a": 6, "b": 3, "c": 1},
    }


def test_numbers_are_held_out_from_all_over_their_range() -> None:
    made = split(rows([str(number) for number in range(100)]), KINDS["regression"])
    tenths = made["validation"]["label"].astype(int) // 10
    assert tenths.value_counts().to_dict() == dict.fromkeys(range(10), 2)


def test_more_labels_than_rows_held_out_can_be_split() -> None:
    made = split(rows([str(i // 3) for i in range(180)]))
    assert len(made["validation"]) == 36
    assert made["train"]["label"].nunique() == 60


def test_the_seed_decides_who_is_held_out() -> None:
    part = rows(["a", "b"] * 50)
    first, again, other = (split(part, training={"seed": seed})["validation"] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_what_was_held_out_is_said_and_so_is_a_fraction_that_is_not_needed() -> None:
    part = rows(["a", "b"] * 10)
    config = RunConfig("x", splits={"validation": 0.5, "test": 0.1})
    made, notes = make_splits(config, {"train": part, "validation": part}, KINDS["single_label"])
    assert made["validation"].equals(part)
    assert notes == [
        "The data has its own validation, so the fraction 0.5 is not used.",
        "2 of the 20 training rows were held out for test, stratified by label, with seed 42.",
    ]


@pytest.mark.parametrize(
    ("labels", "splits", "said"),
    [
        (["a", "b"] * 10, {"validation": 0.95}, "too few to hold out 19"),
        (["a", "b"] * 10, {"validation": 1.5}, "a fraction"),
        (["a", "b"] * 10, {"test": True}, "splits.test is True"),
        (["a", "b"] * 10, {"test": 0.001}, "too few to hold out 0"),
        (["a", "b"] * 2, {}, "too few"),
    ],
)
def test_shares_that_cannot_be_get_a_sentence(labels: list[str], splits: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        split(rows(labels), splits=splits)


def test_rows_that_are_all_the_same_are_too_few_however_many_they_are() -> None:
    with pytest.raises(DataError, match="20 rows with 1 labels, of which 1 are different, are too few"):
        split(rows(["a"] * 20, ["same"] * 20))


def test_tables_become_splits_by_their_names_or_by_those_in_the_config() -> None:
    tables = {name: rows([name] * 2) for name in ("training", "spring", "autumn", "dev")}
    mapped = Columns("text", "label")
    usual = find_given_splits(RunConfig("x"), tables, mapped)
    assert {name: part["label"][0] for name, part in usual.items()} == {"train": "training", "validation": "dev"}
    chosen = find_given_splits(RunConfig("x", splits={"train": "spring", "test": "autumn"}), tables, mapped)
    assert {name: part["label"][0] for name, part in chosen.items()} == {"train": "spring", "test": "autumn"}
    with pytest.raises(DataError, match=r"No split is train. The data has: spring. .*\"train\": \"spring\""):
        find_given_splits(RunConfig("x"), {"spring": tables["spring"]}, mapped)
    with pytest.raises(DataError, match="no split 'winter'"):
        find_given_splits(RunConfig("x", splits={"train": "winter"}), tables, mapped)
    with pytest.raises(DataError, match="splits has 'eval'"):
        find_given_splits(RunConfig("x", splits={"eval": 0.1}), tables, mapped)
    with pytest.raises(DataError, match=r"splits\.train is 'a', but the data is not split"):
        find_given_splits(RunConfig("x", splits={"train": "a"}), {"": tables["spring"]}, mapped)


def test_a_split_column_is_read_by_usual_names_or_by_those_in_the_config() -> None:
    table = rows(["a", "b", "c", "d"]).assign(part=["train", "train", "val", "test"])
    mapped = Columns("text", "label", None, "part")
    usual = find_given_splits(RunConfig("x"), {"": table}, mapped)
    assert {name: list(part.index) for name, part in usual.items()} == {"train": [0, 1], "validation": [2], "test": [3]}
    named = RunConfig("x", splits={"train": "test", "validation": "val", "test": "train"})
    chosen = find_given_splits(named, {"": table}, mapped)
    assert {name: list(part.index) for name, part in chosen.items()} == {
        "train": [3], "validation": [2], "test": [0, 1]
    }  # fmt: skip


def test_rows_whose_cell_names_no_split_are_refused_by_number() -> None:
    table = pd.DataFrame({"text": [f"text {i}" for i in range(12)], "label": ["a", "b"] * 6})
    table["split"] = ["train"] * 8 + [" ", "later", "test", "validation"]
    mapped = suggest_columns(table)
    assert mapped is not None
    assert mapped.split_column == "split"
    assert find_rows_of_no_split(RunConfig("d"), {"": table}, mapped) == (
        RefusedRow("", 9, "'split' is blank, and names no split"),
        RefusedRow("", 10, "'split' is 'later', which is no split"),
    )
    with pytest.raises(DataError, match=r"Row 9 can't be read: 'split' is blank.* \(and 1 more\)"):
        prepare(RunConfig("d"), {"": table})
    done = prepare(RunConfig("d", fixes=("drop_refused_rows",)), {"": table})
    assert {split: len(part) for split, part in done.splits.items()} == {"train": 8, "validation": 1, "test": 1}
    assert done.notes == ("drop_refused_rows removed 2 rows",)
    (problem,) = [each for each in inspect({"": table}).problems if each.code == "refused_rows"]
    assert (problem.row, problem.change) == (9, {"fixes": ["drop_refused_rows"]})
    with pytest.raises(DataError, match="marks no row as train: it holds 'x'"):
        find_given_splits(RunConfig("d"), {"": table.assign(split="x")}, mapped)


@pytest.mark.parametrize("seed", range(10))
def test_a_split_that_is_made_is_never_empty(seed: int) -> None:
    """With seed 7 the one row that is drawn first has a tag of its own, and stays in train."""
    made = split(rows([*['["O"]'] * 5, '["O", "B-X"]']), KINDS["tokens"], training={"seed": seed})
    assert [len(part) for part in made.values()] == [5, 1]
    with pytest.raises(DataError, match=r"6 rows are too few to hold out 1 of them .* every label among them"):
        split(rows([f'["tag {i}"]' for i in range(6)]), KINDS["tokens"], training={"seed": seed})


def test_a_split_column_counts_however_its_names_are_capitalised() -> None:
    """Rows of the test split would else be trained on."""
    table = pd.DataFrame({"text": [f"text {i}" for i in range(12)], "label": ["a", "b"] * 6})
    table["Split"] = ["Train", "TRAIN ", "Dev", "Test"] * 3
    mapped = suggest_columns(table)
    assert mapped is not None
    assert mapped.split_column == "Split"
    parts = find_given_splits(RunConfig("d"), {"": table}, mapped)
    assert {name: len(part) for name, part in parts.items()} == {"train": 6, "validation": 3, "test": 3}
