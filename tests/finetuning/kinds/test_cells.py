"""One cell says what it says, or why it can't be read; labels have an order that people expect."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.finetuning.kinds import cells
from hfdemo.finetuning.kinds.chats import parse_messages
from hfdemo.finetuning.kinds.multi_label import find_separator, parse_names


@given(st.floats(-1e38, 1e38))
def test_every_finite_number_is_read_as_it_is(number: float) -> None:
    assert cells.parse_number(f" {number!r} ") == number


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("good", "'good' is not a number"),
        ("3,5", "'3,5' is not a number: write 3.5"),
        ("nan", "'nan' is not a number"),
        ("inf", "'inf' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("1e400", "'1e400' is too large a number"),
        ("x" * 50, f"'{'x' * 39}…' is not a number"),
    ],
)
def test_what_is_no_number_is_told_why(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match="number") as said:
        cells.parse_number(cell)
    assert str(said.value) == reason


def test_a_decimal_is_a_number_that_is_not_written_as_a_whole_one() -> None:
    assert cells.parse_decimal("1.0") == 1
    with pytest.raises(ValueError, match="whole"):
        cells.parse_decimal("-3")


@given(st.lists(st.text()))
def test_a_list_of_texts_is_read_from_json_and_from_what_python_writes(words: list[str]) -> None:
    assert cells.parse_words(json.dumps(words)) == words
    assert cells.parse_words(repr(words)) == words


def test_numbers_in_lists_become_texts() -> None:
    assert cells.parse_words("[1, 2.5]") == ["1", "2.5"]


@pytest.mark.parametrize("cell", ["word", "[", "[1", "[null]", "[true]", '[["a"]]', '{"a": 1}', "[x]", "[" * 100_000])
def test_what_is_no_list_of_texts_is_told_why(cell: str) -> None:
    with pytest.raises(ValueError, match="list"):
        cells.parse_words(cell)
    assert cells.parse_words_or_none(cell) is None


@pytest.mark.parametrize(
    ("cell", "between", "expected"),
    [
        ("a| b |a", "|", ["a", "b"]),
        ("a,b", None, ["a,b"]),
        ('["a", "b"]', None, ["a", "b"]),
        ("[]", "|", []),
        ("one", ";", ["one"]),
    ],
)
def test_the_labels_of_a_row_are_a_list_or_stand_between_separators(
    cell: str, between: str | None, expected: list[str]
) -> None:
    assert parse_names(cell, between) == expected


def test_a_label_needs_a_name() -> None:
    for cell in ("a||b", '["a", ""]'):
        with pytest.raises(ValueError, match="without a name"):
            parse_names(cell, "|")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a|b", "a", "b"], "|"),
        (["a;b", "a;c"], ";"),
        (["a,b", "a", "b", "c,a,b"], ","),
        (["food, drink", "sport, leisure", "music"], None),
        (["AC|DC", "Abba"], None),
        (["3,5", "4,5", "3,0", "4,0", "5,0"], None),
        (["a|", "a"], None),
        (["a", "b"], None),
        (['["a|b"]'], None),
    ],
)
def test_a_separator_is_one_whose_parts_come_back(column: list[str], expected: str | None) -> None:
    assert find_separator(column) == expected


def test_messages_have_a_role_and_a_content() -> None:
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    assert parse_messages(json.dumps([{**each, "id": 1} for each in chat])) == chat


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("[]", "is empty"),
        ('[{"from": "human", "value": "hi"}]', "no message with a role"),
        ('[{"role": "robot", "content": "hi"}]', "the role 'robot' is none of"),
        ('[{"role": "user", "content": [1]}]', "the content of a message of 'user' is no text"),
        ("hi", "is no list"),
    ],
)
def test_what_are_no_messages_is_told_why(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_messages(cell)


def test_the_largest_number_is_one_that_a_model_can_count_with() -> None:
    assert math.isfinite(cells.parse_number("3e38"))
    with pytest.raises(ValueError, match="too large"):
        cells.parse_number("-3.5e38")


def test_a_list_as_numpy_prints_it_is_read_and_not_glued_together() -> None:
    assert cells.parse_words("['EU' 'rejects'\n 'German']") == ["EU", "rejects", "German"]
    assert cells.parse_words("[1. 0. 2.5]") == ["1.0", "0.0", "2.5"]
    assert cells.parse_words("[1 0\n 2]") == ["1", "0", "2"]
    with pytest.raises(ValueError, match="no commas between some of its texts"):
        cells.parse_words("['EU', 'rejects' 'German']")
    assert cells.parse_words("['EU', ' ', 'it\\'s']") == ["EU", " ", "it's"]


def test_blank_cells_do_not_hide_what_stands_between_labels() -> None:
    assert find_separator(["a|b", "", " ", "b|c", "a"]) == "|"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "-1", "1.5"], ("-1", "1.5", "9", "10")),
        (["I-PER", "B-PER", "O", "B-LOC", "I-LOC"], ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")),
        (["level 10", "level 9", "entry"], ("entry", "level 9", "level 10")),
        (["b", "a", "b"], ("a", "b")),
        (["x²", "x1"], ("x1", "x²")),
        ([], ()),
    ],
)
def test_labels_have_their_natural_order(labels: list[str], expected: tuple[str, ...]) -> None:
    assert cells.sort_labels(labels) == expected


@given(st.sets(st.text(max_size=4)), st.randoms())
def test_the_order_of_labels_does_not_depend_on_the_order_of_rows(labels: set[str], random: object) -> None:
    shuffled = sorted(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cells.sort_labels(shuffled) == cells.sort_labels(labels)
    assert set(cells.sort_labels(labels)) == labels
