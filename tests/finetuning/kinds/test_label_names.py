"""Labels have an order that people expect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.finetuning.kinds.cells import sort_labels


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
    assert sort_labels(labels) == expected


@given(st.sets(st.text(max_size=4)), st.randoms())
def test_the_order_of_labels_does_not_depend_on_the_order_of_rows(labels: set[str], random: object) -> None:
    shuffled = sorted(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sort_labels(shuffled) == sort_labels(labels)
    assert set(sort_labels(labels)) == labels
