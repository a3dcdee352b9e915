"""The doctor finds what is wrong with data, says where, and names the change of the config that mends it."""

import dataclasses
import json
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfdemo.errors import DataError
from hfdemo.finetuning.config import PROBLEM_TYPES, RunConfig
from hfdemo.finetuning.dataset import Columns, Inspection, inspect, prepare
from hfdemo.finetuning.dataset.findings import Finding
from hfdemo.finetuning.dataset.fixes import FIXES
from hfdemo.tables import RefusedRow


def table(*rows: tuple[str, ...], columns: tuple[str, ...] = ("text", "label")) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns, dtype=str)


GOOD = [(f"text {i}", "ab"[i % 2]) for i in range(20)]


def found(problems: tuple[Finding, ...]) -> dict[str, tuple[int, int]]:
    return {problem.code: (problem.row, problem.rows) for problem in problems}


def test_good_data_has_no_problems() -> None:
    seen = inspect({"": table(*GOOD)})
    assert seen.problems == ()
    assert (seen.kind, seen.task, seen.problem_type) == (
        "single_label", "text-classification", "single_label_classification"
    )  # fmt: skip
    assert (seen.labels, seen.label_order, seen.positive_label) == ({"a": 10, "b": 10}, ("a", "b"), "b")
    assert json.loads(json.dumps(seen.to_json()))["preview"][0] == {"text": "text 0", "label": "a"}


@pytest.mark.parametrize(
    ("rows", "code", "row", "count", "said"),
    [
        ([("", "a"), (" ", "b")], "blank_cells", 21, 2, "2 cells are blank: rows 21 and 22."),
        ([("text 0", "a")], "duplicates", 21, 1, "1 row repeats an earlier row, text and label: row 21."),
        (
            [("text 0", "b")],
            "contradictions",
            1,
            2,
            "2 rows have the text of another row, but another label: rows 1 an",
        ),
        (
            [(f"more {i}", "A ") for i in range(3)],
            "spellings",
            0,
            3,
            "A label is written in several ways, and read as one, the first: 'a' and 'A'.",
        ),
        ([("rare", "c")], "rare_labels", 21, 1, "Label 'c' has one row only: row 21."),
        ([(f"more {i}", "a") for i in range(40)], "imbalance", 0, 50, "'a' has 50 rows, 'b' has 10."),
        ([(f"more {i}", "a") for i in range(30)], "imbalance", 0, 40, "'a' has 40 rows, 'b' has 10."),
    ],
)
def test_each_problem_says_where_it_is_and_its_change_mends_it(
    rows: list[tuple[str, str]], code: str, row: int, count: int, said: str
) -> None:
    data = {"": table(*GOOD, *rows)}
    problem = next(each for each in inspect(data).problems if each.code == code)
    assert (problem.row, problem.rows) == (row, count)
    assert said in problem.problem
    assert problem.change
    assert code not in found(inspect(data, config=mended(RunConfig("x"), problem)).problems)


def mended(config: RunConfig, problem: Finding) -> RunConfig:
    """What a click on the fix does."""
    fixes = [*config.fixes, *problem.change.get("fixes", ())]
    return RunConfig.from_json({**config.to_json(), **problem.change, "fixes": fixes})


def click_all(tables: dict[str, pd.DataFrame], config: RunConfig, refused: tuple[RefusedRow, ...] = ()) -> Inspection:
    for _ in range(12):
        seen = inspect(tables, config=config, refused=refused)
        problem = next((each for each in seen.problems if each.change), None)
        if problem is None:
            prepare(config, tables, refused)
            return seen
        config = mended(config, problem)
    raise AssertionError(f"never well: {seen.problems}")


NUMBERED = RunConfig("x", problem_type="regression")
SETS = RunConfig("x", problem_type="multi_label_classification")
REFUSED_DATA = {
    "one class": ([(f"text {i}", "a") for i in range(20)], RunConfig("x"), "has the label 'a'"),
    "one number": ([(f"text {i}", "3") for i in range(20)], NUMBERED, "the same number"),
    "500 labels": ([(f"text {i}", f"label {i % 500}") for i in range(1_000)], RunConfig("x"), "500 different values"),
    "250 labels": ([(f"text {i}", f"label {i % 250}") for i in range(500)], RunConfig("x"), "250 different values"),
    "3 rows": ([("one", "a"), ("two", "b"), ("three", "a")], RunConfig("x"), "There are 3 training rows"),
    "2 rows, one twice": ([("one", "a"), ("one", "a"), ("two", "b")], RunConfig("x"), "There are 3 training rows"),
    "empty lists": ([(f"text {i}", "[]") for i in range(20)], SETS, "has no label"),
    "equal texts": ([("same", "ab"[i % 2]) for i in range(40)], RunConfig("x"), "of which 1 are different"),
    "a label per row": ([(f"text {i}", f"label {i}") for i in range(20)], RunConfig("x"), "20 different values"),
    "a share that is none": (GOOD, RunConfig("x", splits={"validation": 5.0}), "what the data doesn't give"),
    "labels named twice": (GOOD, RunConfig("x", labels=("a", "b", "b")), "'b' more than once"),
}


@pytest.mark.parametrize("name", REFUSED_DATA)
def test_what_refuses_a_run_is_a_finding_that_refuses_and_no_fix_leads_into_a_dead_end(name: str) -> None:
    rows, config, said = REFUSED_DATA[name]
    data = {"": table(*rows)}
    seen = inspect(data, config=dataclasses.replace(config, text_column="text", label_column="label"))
    assert [said in each.problem for each in seen.problems if each.refuses] == [True]
    assert said in seen.refusal
    assert [each.change for each in seen.problems if each.change] == []


def test_labels_that_only_validation_has_are_not_offered_where_train_has_but_one() -> None:
    splits = {"train": table(*[(f"t {i}", "a") for i in range(9)]), "validation": table(("v", "a"), ("w", "b"))}
    seen = inspect(splits, config=RunConfig("x"))
    assert {each.code for each in seen.problems if each.refuses} == {"unseen_labels", "untrainable"}
    assert [each.change for each in seen.problems if each.change] == []


def test_a_fix_that_leaves_too_little_is_not_offered_and_one_that_leaves_enough_is() -> None:
    few = [(f"text {i}", "ab"[i % 2]) for i in range(6)]
    for blanks, offered in ((2, [{"fixes": ["drop_blank_rows"]}]), (0, [])):
        seen = inspect({"": table(*few[: 4 + blanks], *[("", "a")] * 2)}, config=RunConfig("x"))
        assert [each.change for each in seen.problems if each.code == "blank_cells" and each.change] == offered


def test_decimal_commas_are_read_as_numbers_and_classes_are_one_click_away_where_they_can_be() -> None:
    data = {"": table(*[(f"text {i}", f"{i % 5},5" if i % 3 else f"{i % 5}") for i in range(60)])}
    for config in (RunConfig("x"), NUMBERED):
        seen = inspect(data, config=dataclasses.replace(config, text_column="text", label_column="label"))
        (problem,) = seen.problems
        assert problem.problem == "40 numbers are written with a decimal comma (1,5 is 1.5)."
        assert (seen.kind, problem.button) == ("regression", "Learn them as classes")
        assert seen.prepared is not None
        assert "1.5" in {*seen.prepared.splits["train"]["label"], *seen.prepared.splits["validation"]["label"]}
        after = inspect(data, config=mended(config, problem))
        assert after.kind == "single_label"
        (back,) = after.problems
        assert inspect(data, config=mended(config, back)).kind == "regression"


CELLS = st.sampled_from(
    [
        *("", "a", "b", "A", "c", "1", "2", "1,5", "2,5", "5%", "a|b", "[]", '["a"]', '["a", "b"]', "[1", "[0, 1, 1]"),
        *("[1, 0, 0]", "nan", "None", "none", "-1", "0", "1.0"),
    ]
)
TEXTS = st.sampled_from([*(f"text {i}" for i in range(12)), "", "same", "same", '["w"]', '["v", "w"]'])
ROWS = st.lists(st.tuples(TEXTS, CELLS), min_size=1, max_size=30)
ANY_CONFIG = st.builds(
    lambda problem_type, fixes, labels, positive, share: RunConfig(
        "x", problem_type=problem_type, text_column="text", label_column="label", fixes=tuple(fixes), labels=labels,
        positive_label=positive, splits={} if share is None else {"validation": share},
    ),
    st.sampled_from([None, *PROBLEM_TYPES]),
    st.lists(st.sampled_from([*FIXES, "none"]), max_size=3, unique=True),
    st.sampled_from([None, ("a", "b"), ("a", "b", "c")]),
    st.sampled_from([None, None, "a", "z"]),
    st.sampled_from([None, 0.2, 0.5, 1.5]),
)  # fmt: skip


PERSONAL = ("fixes", "positive_label")  # only a person knows what was meant


def leads_out(data: dict[str, pd.DataFrame], config: RunConfig, personal: set[str]) -> bool:
    """Return whether clicks end where nothing refuses a run but what is `personal`, whatever has to be first."""
    for _ in range(12):
        left = [each for each in inspect(data, config=config).problems if each.refuses and each.code not in personal]
        if not left:
            return True
        mends = [each for each in left if each.change]
        if not mends:
            return False
        config = mended(config, mends[0])
    return False


@pytest.mark.slow
@settings(max_examples=50)
@given(train=ROWS, validation=st.none() | ROWS, config=ANY_CONFIG)
def test_a_finding_refuses_exactly_where_a_run_is_refused_and_each_change_is_a_way_out(
    train: list[tuple[str, str]], validation: list[tuple[str, str]] | None, config: RunConfig
) -> None:
    data = {"": table(*train)} if validation is None else {"train": table(*train), "validation": table(*validation)}
    seen = inspect(data, config=config)
    try:
        prepare(config, data)
        refused = ""
    except DataError as error:
        refused = str(error)
    assert refused == seen.refusal
    assert any(each.refuses for each in seen.problems) == bool(refused)
    for each in seen.problems:
        if each.change:
            after = inspect(data, config=mended(config, each))
            assert (each.code, each.column) not in [(other.code, other.column) for other in after.problems]
            personal = {other.code for other in seen.problems} & {*PERSONAL}
            if {other.code for other in after.problems if other.refuses and not other.change} - personal:
                assert leads_out(data, mended(config, each), personal), "another change has to be first"


@pytest.mark.slow
def test_clicking_every_fix_ends_with_data_that_can_be_trained_on() -> None:
    train = table(*GOOD, *GOOD[:3], ("", "a"), ("text 5", "a"), ("rare", "c"), ("x", ""), *[("y", "a")] * 60)
    splits = {"train": train, "validation": table(("text 1", "b"), ("new", "d"), ("", "")), "test": table(*GOOD[5:9])}
    seen = click_all(splits, RunConfig("x"), (RefusedRow("train", 7, "it has 3 cells"),))
    assert [each.code for each in seen.problems] == ["unlabelled"], "which only says what is left out"
    assert [note.split()[0] for note in seen.notes] == [
        *("drop_refused_rows", "drop_blank_rows", "drop_unlabelled_rows", "drop_duplicates", "drop_contradictions"),
        *("drop_leaks", "drop_rare_labels"),
    ]


def test_a_blank_label_among_several_is_none_of_them_by_one_click() -> None:
    rows = [(f"text {i}", ("x|y", "x", "y", "")[i % 4]) for i in range(24)]
    (problem,) = inspect({"": table(*rows)}).problems
    assert problem.code == "blank_cells"
    assert problem.change == {"fixes": ["keep_blank_labels"]}
    config = mended(RunConfig("x"), problem)
    seen = inspect({"": table(*rows)}, config=config)
    assert seen.problems == ()
    assert seen.kind == "multi_label"
    made = prepare(config, {"": table(*rows)})
    assert sum(part["label"].eq("[]").sum() for part in made.splits.values()) == 6


def test_problems_of_splits_name_the_split() -> None:
    splits = {
        "train": table(*GOOD, ("", "a")),
        "validation": table(("text 3", "b"), ("new", "c"), ("", "")),
        "test": table(("text 4", "a"), ("other", "a")),
    }
    problems = {each.code + each.column: each.problem for each in inspect(splits).problems}
    assert problems["unlabelledlabel"] == "1 row has no label (1 blank): row 3 of validation. It is left out."
    assert problems["blank_cellstext"] == "1 cell is blank: row 21 of train."
    assert problems["leakstext"].startswith("2 training rows stand in validation or test, too")
    assert problems["leakstext"].endswith("rows 4 and 5.")
    assert problems["unseen_labelslabel"] == "1 row has the label 'c', which train never shows: row 2 of validation."


def test_a_label_that_train_never_shows_is_no_label_and_one_that_it_shows_is_added_by_one_click() -> None:
    splits = {"train": table(*GOOD), "validation": table(("new", "c"), ("old", "a"), ("older", "c"))}
    (problem,) = inspect(splits).problems
    assert problem.change == {"fixes": ["drop_unknown_labels"]}
    mended_once = prepare(mended(RunConfig("x"), problem), splits)
    assert mended_once.labels == ("a", "b")
    assert mended_once.splits["validation"]["text"].tolist() == ["old"]
    config = RunConfig("x", labels=("a", "c"))
    (problem,) = inspect(splits, config=config).problems
    assert problem.problem == "10 rows of train have the label 'b', which is none of the labels."
    assert prepare(mended(config, problem), splits).labels == ("a", "b", "c")


def test_refused_rows_are_listed_with_number_and_reason() -> None:
    refused = tuple(RefusedRow("", row, f"it has {row} cells") for row in (7, 9, 11, 12))
    seen = inspect({"": table(*GOOD)}, refused=refused)
    assert seen.refused == refused
    assert seen.problems[0].problem == (
        "4 rows can't be read. Row 7: it has 7 cells; row 9: it has 9 cells; row 11: it has 11 cells; and 1 more."
    )
    assert found(seen.problems) == {"refused_rows": (7, 4)}


def test_cells_that_cannot_be_read_are_told_and_when_they_are_most_no_fix_is_offered() -> None:
    scores = [(f"text {i}", f"{i / 7}") for i in range(20)]
    config = RunConfig("x", problem_type="regression")
    (problem,) = inspect({"": table(*scores, ("bad", "good"))}, config=config).problems
    assert problem.problem == "1 row can't be read: row 21. The first: in 'label', 'good' is not a number."
    assert problem.change == {"fixes": ["drop_unreadable_labels"]}
    (problem,) = inspect({"": table(*GOOD)}, config=config).problems
    assert problem.code == "unreadable_cells"
    assert problem.change == {}


def test_lists_of_words_and_tags_of_different_lengths_are_found() -> None:
    rows = [('["a", "b"]', '["O", "B-X"]')] + [(f'["w{i}"]', '["O"]') for i in range(19)] + [('["a"]', '["O", "O"]')]
    seen = inspect({"": table(*rows, columns=("tokens", "tags"))})
    assert seen.kind == "tokens"
    assert seen.labels == {"O": 20, "B-X": 1}
    assert seen.problems[0].problem == "1 row can't be read: row 21. The first: 1 words have 2 tags."


def test_data_for_another_task_changes_the_task_by_one_click() -> None:
    chat = json.dumps([{"role": "user", "content": "hi"}])
    data = {"": table(*[(chat[:-4] + f'{i}"}}]',) for i in range(9)], columns=("messages",))}
    first = inspect(data, config=RunConfig("x")).problems[0]
    assert first.change == {"task": "text-generation", "problem_type": None}
    assert inspect(data, config=mended(RunConfig("x"), first)).problems == ()


def test_the_share_that_truncation_cuts_is_counted_and_a_length_that_is_enough_is_named() -> None:
    data, lengths = {"": table(*GOOD)}, [10] * 15 + [30, 31, 32, 33, 34]
    seen = inspect(data, config=RunConfig("x", max_length=32), lengths=lengths)
    assert seen.truncation is not None
    assert (seen.truncation.rows, seen.truncation.share, seen.truncation.longest) == (2, 0.1, 34)
    (problem,) = seen.problems
    assert problem.problem == "10.0% of the rows are longer than 32 tokens, and lose their end."
    assert problem.change == {"max_length": 40}
    assert inspect(data, config=mended(RunConfig("x", max_length=32), problem), lengths=lengths).problems == ()
    (problem,) = inspect(data, lengths=lengths, limit=32).problems
    assert problem.change == {}
    assert inspect(data, lengths=lengths).truncation is None


def test_columns_that_were_picked_by_hand_count_and_what_cannot_be_is_a_problem() -> None:
    data = {"": table(*[(a, b, b) for a, b in GOOD], columns=("text", "label", "other"))}
    assert inspect(data, Columns("text", "other")).suggested == Columns("text", "other")
    assert inspect(data, Columns("text", "gone")).suggested == Columns("text", "label")
    assert inspect(data, Columns("text", "other"), RunConfig("x", label_column="label")).suggested == Columns(
        "text", "other"
    )
    for config, code in (
        (RunConfig("x", label_column="gone"), "columns"),
        (RunConfig("x", splits={"train": "spring"}), "splits"),
        (RunConfig("x", fixes=("none",)), "fixes"),
        (RunConfig("x", positive_label="z"), "positive_label"),
    ):
        assert [each.code for each in inspect(data, config=config).problems] == [code]
    (nothing,) = inspect({"": table(*[(f"{i}", f"{i}") for i in range(9)], columns=("a", "b"))}).problems
    assert nothing.problem == "No column looks like a label."


def test_many_rows_are_looked_through_in_a_moment() -> None:
    rows = [(f"a text of some words {i % 60_000}", "positive" if i % 2 else "negative") for i in range(67_000)]
    started = time.process_time()
    seen = inspect({"": table(*rows)})
    assert time.process_time() - started < 3  # about 0.7 on an idle machine
    assert found(seen.problems)["duplicates"] == (60_001, 7_000)


def test_several_labels_per_row_are_uneven_too_and_rows_without_any_are_said() -> None:
    rows = [(f"text {i}", ["toxic"] * (i % 10 == 0) + ["threat"] * (i % 50 == 0)) for i in range(100)]
    data = {"": table(*((text, json.dumps(labels)) for text, labels in rows))}
    problems = {each.code: each for each in inspect(data, config=SETS).problems}
    assert "'toxic' has 10 rows, 'threat' has 2." in problems["imbalance"].problem
    assert problems["mostly_none"].problem.startswith("90% of the rows have none of the labels")
    assert problems["mostly_none"].rows == 90
    even = {"": table(*((f"text {i}", json.dumps([["a"], ["b"], []][i % 3])) for i in range(60)))}
    assert not {"imbalance", "mostly_none"} & set(found(inspect(even, config=SETS).problems))
