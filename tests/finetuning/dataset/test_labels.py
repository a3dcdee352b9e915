"""Labels have counts that add up, and too few or too many are refused."""

import pandas as pd
import pytest

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.labels import count_labels, find_labels, order_labels
from hfdemo.finetuning.kinds import KINDS


def test_labels_are_counted_by_row_tags_by_word_and_numbers_by_range() -> None:
    part = pd.DataFrame({"label": ['["a", "b"]', '["a"]', "[]"]})
    assert count_labels(part, KINDS["multi_label"]) == {"a": 2, "b": 1}
    assert count_labels(pd.DataFrame({"label": ['["O", "O", "B-X"]']}), KINDS["tokens"]) == {"O": 2, "B-X": 1}
    numbers = pd.DataFrame({"label": [str(number) for number in range(11)]})
    counts = count_labels(numbers, KINDS["regression"])
    assert next(iter(counts)) == "0 to 2"
    assert sum(counts.values()) == 11
    assert count_labels(pd.DataFrame({"label": ["1.0", "1", "2"]}), KINDS["regression"]) == {"1": 2, "2": 1}
    assert count_labels(pd.DataFrame({"text": ["a"]}), KINDS["language"]) == {}


def test_the_labels_of_a_row_stand_in_the_models_order() -> None:
    part = pd.DataFrame({"text": ["x", "y"], "label": ['["a", "b"]', "[]"]})
    assert order_labels(part, ("b", "c", "a"))["label"].tolist() == ['["b", "a"]', "[]"]


def test_a_label_is_named_once() -> None:
    part = pd.DataFrame({"label": ["a", "b"] * 3})
    with pytest.raises(DataError, match="'a' more than once"):
        find_labels(RunConfig("x", labels=("a", "b", "a")), {"train": part}, KINDS["single_label"])


def test_many_labels_are_fine_where_each_has_rows() -> None:
    many = pd.DataFrame(
        {"text": [f"text {i}" for i in range(1500)], "label": [f"intent {i % 300}" for i in range(1500)]}
    )
    assert len(find_labels(RunConfig("x"), {"train": many}, KINDS["single_label"])) == 300
    titles = many.assign(label=[f"title {i % 750}" for i in range(1500)])
    with pytest.raises(DataError, match="750 different values in 1,500 rows: that looks like text"):
        find_labels(RunConfig("x"), {"train": titles}, KINDS["single_label"])


def test_what_teaches_nothing_is_refused() -> None:
    same = pd.DataFrame({"text": ["x"] * 5, "label": ["1"] * 5})
    with pytest.raises(DataError, match="the same number"):
        find_labels(RunConfig("x"), {"train": same}, KINDS["regression"])
    with pytest.raises(DataError, match="has no label"):
        find_labels(RunConfig("x"), {"train": same.assign(label="[]")}, KINDS["multi_label"])
    with pytest.raises(DataError, match="2 training rows"):
        find_labels(RunConfig("x"), {"train": same.head(2)}, KINDS["language"])
