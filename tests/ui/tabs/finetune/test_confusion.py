"""What is right and what is wrong look different, and what is wrong asks for its rows."""

from hfdemo.ui.tabs.finetune import confusion
from tests.ui.samples import EVIL, Tags, elements, escaped, text_of

LABELS = ["a", EVIL, "c"]
MATRIX = [[3, 1, 0], [0, 2, 0], [2, 2, 5]]


def test_a_confusion_matrix_has_the_counts_row_by_row() -> None:
    drawn = confusion.render_confusion_matrix(["a", EVIL], [[3, 1], [0, 2]])
    Tags(drawn)
    assert escaped(drawn)
    assert "aba31b02" in text_of(drawn).replace(EVIL, "b")
    assert "<button" not in drawn


def test_what_is_right_is_told_from_what_is_wrong_and_from_nothing() -> None:
    cells = elements(confusion.render_confusion_matrix(LABELS, MATRIX), "td")
    kinds = [cell["class"] for cell in cells]
    assert kinds == ["hf-hit", "hf-miss", "hf-none", "hf-none", "hf-hit", "hf-none", "hf-miss", "hf-miss", "hf-hit"]
    assert [cell.get("style") for cell in cells[:3]] == ["--hf-part:40%", "--hf-part:20%", None]


def test_each_cell_that_is_wrong_has_a_button_that_says_what_it_shows() -> None:
    drawn = confusion.render_confusion_matrix(LABELS, MATRIX, has_rows=True)
    buttons = elements(drawn, "button")
    assert [(each["data-truth"], each["data-given"]) for each in buttons] == [("0", "1"), ("2", "0"), ("2", "1")]
    assert buttons[1]["aria-label"] == "2 of “c” predicted as “a”: show the rows"
    assert escaped(drawn)


def test_the_labels_with_the_most_errors_can_come_first() -> None:
    (menu,) = elements(confusion.render_confusion_matrix(LABELS, MATRIX, has_rows=True), "select")
    assert menu["data-order"] == "[2, 0, 1]"
    two = confusion.render_confusion_matrix(LABELS[:2], [row[:2] for row in MATRIX[:2]], has_rows=True)
    assert elements(two, "select") == [], "two labels have no order to choose"


def test_of_many_labels_the_largest_confusions_are_listed() -> None:
    size = confusion.MATRIX_LABELS + 1
    matrix = [[10 if column == row else 0 for column in range(size)] for row in range(size)]
    matrix[4][7], matrix[2][3] = 6, 9
    labels = [f"l{index}" for index in range(size)]
    told = text_of(confusion.render_confusion_matrix(labels, matrix))
    assert "l2l3947%" in told
    assert told.index("l2l3") < told.index("l4l7")
    assert "l5" not in told
    buttons = elements(confusion.render_confusion_matrix(labels, matrix, has_rows=True), "button")
    assert [(each["data-truth"], each["data-given"]) for each in buttons] == [("2", "3"), ("4", "7")]
