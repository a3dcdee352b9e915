"""Two answers are compared label by label or word by word, and only where they can be."""

import re
from typing import Any

import pytest

from hfdemo.ui.renderers import generated_text, labels
from tests.ui.samples import BOX, text_of


def test_two_classifiers_are_compared_label_by_label() -> None:
    left = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
    right = [[{"label": "b", "score": 0.5}, {"label": "c", "score": 0.5}]]
    made = labels.render_score_differences(left, right)
    assert re.findall(r"<tr><td>(\w)</td>", made) == ["a", "b", "c"]
    assert "+25.0%" in made
    assert "left:50.00%;width:12.50%" in made
    less = labels.render_score_differences([{"label": "a", "score": 4.0}], [{"label": "a", "score": -4.0}])
    assert "left:0.00%;width:50.00%" in less, "logits go as far as the largest of them"
    assert "-8.000" in less


@pytest.mark.parametrize(
    "other", [[], [{"label": "z", "score": 1.0}], [{"label": "a", "score": 1.0, "box": BOX}], {"text": "a"}, "a"]
)
def test_what_has_no_label_in_common_is_not_compared(other: Any) -> None:
    assert labels.render_score_differences([{"label": "a", "score": 1.0}], other) == ""


def test_a_difference_strikes_out_the_left_and_underlines_the_right() -> None:
    made = generated_text.render_text_difference("It leaves at seven.", "It leaves at eight, today.")
    assert text_of(re.sub(r"<ins>.*?</ins>", "", made)) == "It leaves at seven."
    assert text_of(re.sub(r"<del>.*?</del>", "", made)) == "It leaves at eight, today."
    assert "<del> seven</del>" in made
    assert "same" in generated_text.render_text_difference("one", "one")
