"""Each fix removes the rows that its sentence names, and no others."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DataError
from hfdemo.finetuning.dataset.columns import Columns, read_rows
from hfdemo.finetuning.dataset.fixes import FIXES, apply_fixes
from hfdemo.finetuning.kinds import KINDS, Kind
from hfdemo.tables import RefusedRow

ROWS = (("a", "x"), ("", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("c", "x"), ("d", "z"), ("e", ""), ("f", "y"))
VALIDATION = (("c", "y"), ("g", "x"))


def read(kind: Kind = KINDS["single_label"], **splits: Any) -> dict[str, pd.DataFrame]:
    tables = {name: pd.DataFrame(rows, columns=["text", "label"], dtype=str) for name, rows in splits.items()}
    return read_rows(tables, Columns("text", "label"), kind)


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("drop_refused_rows", set()),
        ("keep_blank_labels", set()),
        ("read_none_as_missing", set()),
        ("keep_missing_labels", set()),
        ("drop_unlabelled_rows", {8}),
        ("drop_blank_rows", {2}),
        ("merge_spellings", set()),
        ("keep_spellings", set()),
        ("read_decimal_commas", set()),
        ("drop_unreadable_labels", set()),
        ("drop_duplicates", {3}),
        ("drop_contradictions", {4, 5}),
        ("drop_leaks", {6}),
        ("drop_held_out_twice", set()),
        ("drop_rare_labels", {7}),
        ("drop_unknown_labels", set()),
    ],
)
def test_a_fix_removes_the_rows_it_names(name: str, removed: set[int]) -> None:
    splits = read(train=ROWS, validation=VALIDATION)
    refused = [RefusedRow("train", 99, "it is broken")]
    fixed, notes = apply_fixes([name], splits, KINDS["single_label"], refused, usual=False)
    assert set(splits["train"].index + 1) - set(fixed["train"].index + 1) == removed
    assert fixed["validation"].equals(splits["validation"])
    count = len(removed) + (name == "drop_refused_rows")
    did = "removed" if name.startswith("drop") else "mended"
    assert notes == [f"{name} {did} {count} {'row' if count == 1 else 'rows'}"]


def test_rows_of_texts_alone_are_mended_like_others() -> None:
    texts = pd.DataFrame({"text": ["a", "b", "a", ""]}, dtype=str)
    parts = read_rows({"train": texts}, Columns("text", None), KINDS["language"])
    fixed, notes = apply_fixes(["drop_duplicates", "drop_blank_rows"], parts, KINDS["language"])
    assert list(fixed["train"]["text"]) == ["a", "b"]
    assert notes == ["drop_blank_rows removed 1 row", "drop_duplicates removed 1 row"]


def test_every_fix_is_tried_here_and_says_what_it_does() -> None:
    tried = {mark.args[1][i][0] for mark in test_a_fix_removes_the_rows_it_names.pytestmark for i in range(len(FIXES))}  # type: ignore[attr-defined]
    assert tried == set(FIXES)
    assert all(fix.does.endswith(".") for fix in FIXES.values())


@pytest.mark.parametrize(
    ("kind", "rows", "reasons"),
    [
        (
            KINDS["regression"],
            [("a", "1"), ("b", "good"), ("c", "nan")],
            {2: "'good' is not a number"},
        ),
        (KINDS["multi_label"], [("a", '["x"]'), ("b", "[1")], {2: "'[1' is no list that can be read"}),
        (
            KINDS["tokens"],
            [('["a"]', '["O"]'), ('["a"]', '["O", "O"]'), ("a", '["O"]'), ("[]", "[]"), ('["a"]', '[""]')],
            {2: "1 words have 2 tags", 3: "in 'text', 'a' is no list", 4: "no word", 5: "a tag has no name"},
        ),
    ],
)
def test_what_cannot_be_read_is_known_by_its_reason_and_can_be_removed(
    kind: Kind, rows: list[tuple[str, str]], reasons: dict[int, str]
) -> None:
    splits = read(kind, train=rows)
    found = {int(index) + 1: reason for index, reason in splits["train"]["unreadable"].items() if reason}
    assert list(found) == list(reasons)
    assert all(reasons[row] in found[row] for row in reasons)
    fixed, _ = apply_fixes(["drop_unreadable_labels"], splits, kind)
    assert list(fixed["train"].index) == [0], "nan is no label, and left out, too"


def test_a_blank_cell_among_cells_of_several_labels_can_say_none() -> None:
    splits = read(KINDS["multi_label"], train=[("a", "x|y"), ("b", ""), ("", ""), ("c", "x"), ("d", "y|x"), ("e", "y")])
    fixed, notes = apply_fixes(["keep_blank_labels"], splits, KINDS["multi_label"])
    assert fixed["train"]["label"].tolist()[:3] == ['["x", "y"]', "[]", ""]
    assert fixed["train"]["blank"].tolist()[:3] == ["", "", "text"]
    assert notes == ["keep_blank_labels mended 1 row"]
    assert splits["train"]["label"][1] == "", "nothing is changed in place"


@pytest.mark.parametrize(
    ("kind", "labels", "merged"),
    [
        (
            KINDS["single_label"],
            ["Yes", "yes", "Yes", " no", "No  way", "no way", "No way.", "no"],
            "Yes|Yes|Yes|no|no way|no way|no way|no",
        ),
        (KINDS["multi_label"], ["A|b", "a", "b|A", "B", "", "A|a"], '["A", "b"]|["A"]|["A", "b"]|["b"]||["A"]'),
    ],
)
def test_labels_that_differ_in_how_they_are_written_become_the_most_frequent_of_them(
    kind: Kind, labels: list[str], merged: str
) -> None:
    splits = read(kind, train=[(f"text {number}", label) for number, label in enumerate(labels)])
    fixed, _ = apply_fixes(["merge_spellings"], splits, kind)
    assert fixed["train"]["label"].tolist() == merged.split("|")


def test_a_nul_that_parquet_can_hold_is_unreadable() -> None:
    part = read(train=[("a\0b", "x"), ("c", "y")])["train"]
    assert part["unreadable"].tolist() == ["in 'text', it holds a NUL, which is no character of a text", ""]


def test_a_chat_among_chats_that_is_none_is_unreadable_and_plain_texts_stay_as_they_are() -> None:
    chat = '[{"role": "user", "content": "hi"}]'
    table = pd.DataFrame({"text": [chat] * 12 + ["hi"]}, dtype=str)
    part = read_rows({"train": table}, Columns("text", None), KINDS["language"])["train"]
    assert part["unreadable"].iloc[-1] == "in 'text', 'hi' is no list"
    plain = pd.DataFrame({"text": ["  two\n", "three"]}, dtype=str)
    assert read_rows({"train": plain}, Columns("text", None), KINDS["language"])["train"]["text"].tolist() == [
        "  two\n",
        "three",
    ]


def test_an_unknown_fix_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        DataError, match=r"no fix 'drop_all'. There are: drop_refused_rows, keep_blank_labels, drop_blank"
    ):
        apply_fixes(["drop_all"], read(train=ROWS), KINDS["single_label"])


CELLS = st.tuples(st.sampled_from(["", " ", "a", "b", "c", "d"]), st.sampled_from(["", "x", "y", "z"]))


@pytest.mark.slow
@given(
    train=st.lists(CELLS, min_size=1, max_size=12),
    validation=st.lists(CELLS, min_size=1, max_size=5),
    names=st.lists(st.sampled_from(list(FIXES)), unique=True),
)
def test_whatever_the_fixes_remove_is_in_their_notes_and_twice_removes_no_more(
    train: list[tuple[str, str]], validation: list[tuple[str, str]], names: list[str]
) -> None:
    splits = read(train=train, validation=validation)
    fixed, notes = apply_fixes(names, splits, KINDS["single_label"])
    unasked = {note.split()[0] for note in notes} - {*names}
    assert unasked <= {name for name, fix in FIXES.items() if fix.usual}
    assert [note.split()[0] for note in notes] == [name for name in FIXES if name in names or name in unasked]
    removed = sum(int(note.split()[2]) for note in notes)
    assert sum(map(len, fixed.values())) + removed == len(train) + len(validation)
    for name in set(names) - {"drop_rare_labels"}:
        again, _ = apply_fixes([name], fixed, KINDS["single_label"])
        assert all(again[split].equals(fixed[split]) for split in fixed)


def test_a_text_that_stands_in_two_splits_or_nearly_is_removed_from_the_one_that_learns_of_it() -> None:
    splits = read(
        train=[("It works.", "x"), ("It is new.", "y")],
        validation=[("it  WORKS", "x"), ("Is it new?", "y")],
        test=[("It works!", "x")],
    )
    fixed, notes = apply_fixes(["drop_leaks", "drop_held_out_twice"], splits, KINDS["single_label"])
    assert {split: list(part.index + 1) for split, part in fixed.items()} == {
        "train": [2],
        "validation": [2],
        "test": [1],
    }
    assert notes == ["drop_leaks removed 1 row", "drop_held_out_twice removed 1 row"]
