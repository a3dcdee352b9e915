"""Tables as people keep them: columns, labels and what is missing are read as meant, and what is guessed is said."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Inspection, inspect
from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.inspection import with_change

ROWS = 48
TEXTS = [f"{'a word '[: number % 7]} and the number {number}" for number in range(ROWS)]
OTHERS = [f"some other text {number} of the pair" for number in range(ROWS)]


def table(**columns: Iterable[Any]) -> pd.DataFrame:
    def write(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)

    rows = zip(*columns.values(), strict=False)
    return pd.DataFrame([[write(value) for value in row] for row in rows], columns=list(columns), dtype=str)


def cycle(*values: Any) -> Iterable[Any]:
    return itertools.cycle(values)


def changes(seen: Inspection) -> dict[str, dict[str, Any]]:
    return {problem.code: dict(problem.change) for problem in seen.problems}


def clicked(tables: dict[str, pd.DataFrame], code: str) -> Inspection:
    """What is seen after a click on the button of a finding."""
    problem = next(each for each in inspect(tables).problems if each.code == code)
    assert problem.change
    return inspect(tables, config=with_change(RunConfig("x"), problem.change))


FLAGS = {
    "Jigsaw": (
        table(
            id=(f"{n * 7919:016x}" for n in range(ROWS)), comment_text=TEXTS, toxic=cycle(0, 0, 1),
            severe_toxic=cycle(0, 0, 0, 0, 1), insult=cycle(1, 0),
        ),
        ("toxic", "severe_toxic", "insult"),
    ),
    "GoEmotions": (
        table(
            text=TEXTS, id=(f"e{n:06x}" for n in range(ROWS)), author=cycle("ann", "bob"), subreddit=cycle("a", "b"),
            created_utc=(1_548_000_000.0 + 61 * n for n in range(ROWS)), rater_id=cycle(1, 37, 18),
            example_very_unclear=cycle("False", "True"), admiration=cycle(0, 1), anger=cycle(0, 0, 1),
            joy=cycle(1, 0, 0),
        ),
        ("admiration", "anger", "joy"),
    ),
    "yes and no": (table(review=TEXTS, food=cycle("yes", "no"), price=cycle("no", "no", "yes")), ("food", "price")),
    "a cross or nothing": (table(text=TEXTS, arts=cycle("x", ""), sport=cycle("", "", "x")), ("arts", "sport")),
    "1 or nothing": (table(text=TEXTS, arts=cycle("1", ""), sport=cycle("", "", "1")), ("arts", "sport")),
    "with a gap": (table(text=TEXTS, arts=cycle("1.0", "0.0", ""), sport=cycle("0.0", "1.0")), ("arts", "sport")),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAGS)
def test_columns_of_flags_are_all_taken_for_labels_and_nothing_else_is(name: str) -> None:
    data, flags = FLAGS[name]
    seen = inspect({"": data})
    assert seen.suggested is not None
    assert (seen.suggested.label_column, seen.kind, seen.label_order) == (flags, "multi_label", flags)
    assert seen.problems == ()
    assert seen.readings == (
        f"{len(flags)} columns of 0 and 1 (or yes and no) are read as labels, several per row: {', '.join(flags)}.",
    )


def test_one_label_among_switches_stays_one_label() -> None:
    data = table(text=TEXTS, is_reply=cycle(0, 1), has_url=cycle(0, 0, 1), mood=cycle("up", "down"))
    assert inspect({"": data}).suggested == Columns("text", "mood")
    data = table(text=TEXTS, verified=cycle(0, 1), useful=cycle(0, 0, 1), label=cycle("up", "down"))
    assert inspect({"": data}).suggested == Columns("text", "label")


def test_a_flag_that_no_training_row_has_is_said_and_a_row_that_nobody_looked_at_is_not_scored() -> None:
    train = table(text=TEXTS, rude=cycle(0, 1), loud=cycle(0, 0, 1), never=cycle(0))
    test = table(text=OTHERS[:4], rude=[-1, -1, 1, 0], loud=[-1, -1, 0, 0], never=[-1, -1, 0, 0])
    seen = inspect({"train": train, "test": test})
    assert seen.label_order == ("rude", "loud")
    assert "No training row has 'never': what is never shown is not learned." in seen.readings
    assert seen.prepared is not None
    assert seen.prepared.splits["test"]["label"].tolist() == ["", "", '["rude"]', "[]"]


@pytest.mark.parametrize(
    ("header", "cells", "names"),
    [
        ("labels", [[0, 1, 0], [1, 1, 0], [0, 0, 1]], ("label 0", "label 1", "label 2")),
        ("labels", [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], ("label 0", "label 1")),
        ("labels", ["[0 1 0]", "[1 1 0]", "[0 0\n 1]"], ("label 0", "label 1", "label 2")),
        ("labels", ["[0. 1. 0.]", "[1. 1. 0.]", "[0. 0. 1.]"], ("label 0", "label 1", "label 2")),
        ("labels", [[False, True], [True, True], [False, False]], ("label 0", "label 1")),
        ("labels", ["0 1 0", "1 1 0", "0 0 1"], ("label 0", "label 1", "label 2")),
        ("labels [toxic, loud, rude]", [[0, 1, 0], [1, 1, 0], [0, 0, 1]], ("toxic", "loud", "rude")),
        ("toxic|loud", [[0, 1], [1, 1], [0, 0]], ("toxic", "loud")),
    ],
)
def test_lists_of_0_and_1_are_places_named_by_the_header_or_by_number(
    header: str, cells: list[Any], names: tuple[str, ...]
) -> None:
    seen = inspect({"": table(text=TEXTS, **{header: cycle(*cells)})})
    assert (seen.kind, seen.label_order) == ("multi_label", names)
    assert f"read as places, a label at each of {len(names)}: {', '.join(names)}." in seen.readings[0]
    assert seen.prepared is not None
    read = {label for part in seen.prepared.splits.values() for label in part["label"]}
    assert json.dumps([names[1]]) in read


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([[0], [1, 2], [2]], ("0", "1", "2")),
        ([[0, 1], [1, 0]], ("0", "1")),
        (["0", "1,2", "2", "1", "0,1,2"], ("0", "1", "2")),
        ([["a", "b"], ["b"]], ("a", "b")),
    ],
)
def test_lists_of_numbers_and_names_stay_labels(cells: list[Any], names: tuple[str, ...]) -> None:
    seen = inspect({"": table(text=TEXTS, labels=cycle(*cells))})
    assert (seen.kind, seen.label_order, seen.readings) == ("multi_label", names, ())


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "null", "N/A", "#N/A", "NA", "<NA>", ""])
def test_what_means_no_label_is_no_class_and_is_left_out(word: str) -> None:
    seen = inspect({"": table(text=TEXTS, label=[word, word, *(["pos", "neg"] * ROWS)])})
    assert (seen.kind, seen.label_order) == ("single_label", ("neg", "pos"))
    (problem,) = seen.problems
    assert not problem.refuses
    written = repr(word) if word else "blank"
    assert problem.problem == f"2 rows have no label (2 {written}): rows 1 and 2. They are left out."
    assert seen.prepared is not None
    assert sum(map(len, seen.prepared.splits.values())) == ROWS - 2


def test_what_means_no_label_is_a_label_by_one_click() -> None:
    tables = {"": table(text=TEXTS, label=cycle("pos", "neg", "neg", "N/A", "pos", "neg"))}
    seen = clicked(tables, "missing_words")
    assert seen.label_order == ("N/A", "neg", "pos")
    assert seen.notes == ("keep_missing_labels mended 8 rows",)


@pytest.mark.parametrize(
    "labels", [("FAVOR", "AGAINST", "NONE"), ("racism", "sexism", "none"), ("Mild", "Severe", "None")]
)
def test_none_is_a_class_where_it_is_written_like_the_others_and_as_frequent(labels: tuple[str, ...]) -> None:
    tables = {"": table(text=TEXTS, stance=cycle(*labels))}
    seen = inspect(tables)
    assert set(seen.label_order) == set(labels)
    assert changes(seen) == {"maybe_missing": {"fixes": ["read_none_as_missing"]}}
    assert set(clicked(tables, "maybe_missing").label_order) == {*labels[:2]}


@pytest.mark.parametrize(
    ("train", "test", "labels", "code"),
    [
        ([0, 1], [-1], ("0", "1"), "missing_words"),  # GLUE
        ([0, 1, 2, 0, 1, 2, 0, -1], [-1], ("0", "1", "2"), "missing_words"),  # SNLI
        ([-1, 0, 1], [-1, 0, 1], ("-1", "0", "1"), "maybe_missing"),  # sentiment
        ([-1, 1], [-1, 1], ("-1", "1"), None),
        ([1, 2, 3, 4], [-1.0], ("1", "2", "3", "4"), "missing_words"),
        (["pos", "neg"], [-1], ("neg", "pos"), "missing_words"),
    ],
)
def test_minus_one_is_no_label_beside_numbers_of_classes_and_a_class_among_signs(
    train: list[Any], test: list[Any], labels: tuple[str, ...], code: str | None
) -> None:
    splits = {"train": table(text=TEXTS, label=cycle(*train)), "test": table(text=OTHERS[:9], label=cycle(*test))}
    seen = inspect(splits)
    assert (seen.label_order, seen.refusal) == (labels, "")
    assert [problem.code for problem in seen.problems] == ([code] if code else [])
    assert seen.prepared is not None
    expected = {""} if code == "missing_words" else set(labels)
    assert set(seen.prepared.splits["test"]["label"]) == expected


def test_a_rare_minus_one_beside_two_classes_is_no_label() -> None:
    seen = inspect({"": table(text=TEXTS, label=[-1, *([0, 1] * ROWS)])})
    assert seen.label_order == ("0", "1")


def test_numbers_of_a_test_split_that_are_all_minus_one_are_no_scores() -> None:
    train = table(sentence1=TEXTS, sentence2=OTHERS, score=(n / 10 for n in range(ROWS)))
    seen = inspect({"train": train, "test": table(sentence1=TEXTS[:5], sentence2=OTHERS[:5], score=["-1.0"] * 5)})
    assert seen.prepared is not None
    assert set(seen.prepared.splits["test"]["label"]) == {""}


def test_the_same_words_as_texts_stay_words_with_a_note() -> None:
    seen = inspect({"": table(text=["None", "nan", *TEXTS[2:]], label=cycle("a", "b"))})
    assert seen.problems == ()
    assert seen.readings == ("2 texts in 'text' are 'None', 'nan': read as a word, not as an empty cell.",)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["1", "0", "1.0", "0.0"], ("0", "1")),
        (["1", "0", "1.0", "True", "False", "1.0", "1.0"], ("0", "1")),
        (["caf\u00e9", "th\u00e9", "cafe\u0301", "caf\u00e9"], ("caf\u00e9", "th\u00e9")),
        (["pos", "neg", "Pos", "neg.", "pos", "neg", " NEG"], ("neg", "pos")),
        (["01", "1", "2"], ("01", "1", "2")),
    ],
)
def test_a_label_that_is_written_twice_is_one_and_two_by_one_click(cells: list[str], labels: tuple[str, ...]) -> None:
    tables = {"": table(text=TEXTS, label=cycle(*cells))}
    seen = inspect(tables)
    assert seen.label_order == labels
    assert seen.prepared is not None
    if len(labels) == 2:
        assert seen.prepared.usual_fixes == ("merge_spellings",)
        assert changes(seen)["spellings"] == {"fixes": ["keep_spellings"]}
        assert set(clicked(tables, "spellings").label_order) == {cell.strip() for cell in cells}


def test_a_label_that_is_written_otherwise_in_another_split_is_the_same() -> None:
    train, validation = table(text=TEXTS, label=cycle("Pos", "Neg")), table(text=OTHERS, label=cycle("pos", "neg "))
    seen = inspect({"train": train, "validation": validation})
    assert (seen.label_order, seen.refusal) == (("Neg", "Pos"), "")


@pytest.mark.parametrize(
    ("columns", "mapped"),
    [
        ({"#1 ID": range(9), "#1 String": TEXTS, "#2 String": OTHERS, "Quality": cycle(0, 1)},
         Columns("#1 String", "Quality", "#2 String")),
        ({"title": TEXTS, "body": OTHERS, "topic": cycle("a", "b")}, Columns("title", "topic", "body")),
        ({"pair_ID": range(99), "sentence_A": TEXTS, "sentence_B": OTHERS, "entailment_judgment": cycle("a", "b")},
         Columns("sentence_A", "entailment_judgment", "sentence_B")),
        ({"qid1": range(99), "question1": TEXTS, "question2": OTHERS, "is_duplicate": cycle(0, 1)},
         Columns("question1", "is_duplicate", "question2")),
        ({"text_b": OTHERS, "text_a": TEXTS, "label": cycle(0, 1)}, Columns("text_a", "label", "text_b")),
        ({"query": TEXTS, "passage": OTHERS, "relevance": cycle(0, 1)}, Columns("query", "relevance", "passage")),
        ({"source": TEXTS, "target_text": OTHERS, "label": cycle(0, 1)}, Columns("target_text", "label")),
        ({"text": TEXTS, "label": cycle(0, 1), "set": cycle("train", "train", "dev")},
         Columns("text", "label", None, "set")),
        ({"text": TEXTS, "emotion": cycle("a", "b"), "Usage": cycle("Training", "Training", "PublicTest")},
         Columns("text", "emotion", None, "Usage")),
        ({"text": TEXTS, "label": cycle(0, 1), "fold": cycle(0, 1, 2)}, Columns("text", "label")),
        ({"lang": cycle("en"), "url": (f"https://x.org/{n}" for n in range(ROWS)), "note": TEXTS,
          "mood": cycle("a", "b"), "created_at": cycle("2020-01-01 10:00", "2020-03-02 11:11")},
         Columns("note", "mood")),
        ({"sample": TEXTS, "language": cycle("en", "de", "fr")}, Columns("sample", "language")),
        ({"data": ({"text": text, "lang": "en"} for text in TEXTS), "label": cycle({"id": 3, "name": "x"},
          {"id": 1, "name": "y"})}, Columns("data.text", "label.name")),
    ],
)  # fmt: skip
def test_columns_have_the_roles_that_their_names_and_cells_say(columns: dict[str, Any], mapped: Columns) -> None:
    assert inspect({"": table(**columns)}).suggested == mapped


@pytest.mark.parametrize(
    ("cells", "read", "said"),
    [
        (["0,5", "1,25", "3,0"], {"0.5", "1.25", "3.0"}, "48 numbers are written with a decimal comma (1,5 is 1.5)."),
        (["1.200,5", "900,25"], {"1200.5", "900.25"}, "48 numbers are written with points between thousands and a"),
        (["1,200", "2,150", "1,200"], {"1200", "2150"}, "48 numbers are written with a comma between thousands"),
        (["5%", "12.5%", "80 %"], {"5", "12.5", "80"}, "48 numbers are written in percent (5% is 5)."),
        (["5%", "0.2", "0.75"], {"0.05", "0.2", "0.75"}, "16 numbers are written in percent (5% is 0.05)."),
        (["N/A", "1.5", "2.25", "nan"], {"1.5", "2.25"}, "24 rows have no label"),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(cells: list[str], read: set[str], said: str) -> None:
    seen = inspect({"": table(text=TEXTS, score=cycle(*cells))})
    assert (seen.kind, seen.refusal) == ("regression", "")
    assert seen.prepared is not None
    assert {cell for part in seen.prepared.splits.values() for cell in part["label"]} == read
    assert seen.problems[0].problem.startswith(said)


@pytest.mark.parametrize(
    ("cells", "kind", "other", "code"),
    [
        (range(0, 101, 10), "single_label", "regression", "numbers_as_classes"),
        (range(0, 96, 4), "regression", "single_label", "number_form"),
    ],
)
def test_whole_numbers_are_asked_about_with_the_other_reading_as_one_click(
    cells: range, kind: str, other: str, code: str
) -> None:
    tables = {"": table(text=[f"{n} {text}" for n in range(4) for text in TEXTS], score=cycle(*cells))}
    assert inspect(tables).kind == kind
    assert clicked(tables, code).kind == other


def test_few_stars_are_asked_about_by_nobody() -> None:
    seen = inspect({"": table(text=TEXTS, stars=cycle(1, 2, 3, 4, 5))})
    assert (seen.kind, seen.problems) == ("single_label", ())


def test_how_tags_mark_entities_is_said() -> None:
    words = [["Ada", "lived", str(number)] for number in range(ROWS)]
    seen = inspect({"": table(tokens=words, ner_tags=cycle(["I-PER", "O", "O"]))})
    assert seen.readings == ("The tags are IO: I- for each word of an entity, O for none.",)
