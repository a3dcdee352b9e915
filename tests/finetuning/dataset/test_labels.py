"""Labels have counts that add up, and too few or too many are refused."""

import numpy as np
import pandas as pd
import pytest

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.labels import choose_positive_label, count_labels, find_labels, order_labels
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS
from hfdemo.finetuning.kinds.single_label import score_single_label


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


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (("equivalent", "not_equivalent"), "equivalent"),
        (("not_equivalent", "equivalent"), "equivalent"),
        (("entailment", "not_entailment"), "entailment"),
        (("ham", "spam"), "spam"),
        (("positive", "negative"), "positive"),
        (("no", "yes"), "yes"),
        (("yes", "no"), "yes"),
        (("toxic", "non-toxic"), "toxic"),
        (("0", "1"), "1"),
        (("unacceptable", "acceptable"), "acceptable"),
    ],
)
def test_the_positive_class_of_two_is_the_one_that_they_are_about(labels: tuple[str, str], positive: str) -> None:
    assert choose_positive_label(RunConfig("x"), labels, DEFAULT_KIND) == positive


@pytest.mark.parametrize("labels", [("not_equivalent", "equivalent"), ("equivalent", "not_equivalent")])
def test_f1_on_mrpc_is_that_of_glue_whatever_the_order_of_its_labels(labels: tuple[str, str]) -> None:
    """GLUE's F1 is of class 1, `equivalent`: of MRPC's 1,725 test pairs 1,147 are."""
    equivalent = labels.index("equivalent")
    truth = np.array([equivalent] * 1147 + [1 - equivalent] * 578)
    answers = np.full(1725, equivalent)
    positive = choose_positive_label(RunConfig("x"), labels, DEFAULT_KIND)
    found = score_single_label(answers, truth, list(labels), positive)
    assert found["f1"] == pytest.approx(2 * 1147 / (2 * 1147 + 578))
    assert round(found["accuracy"], 4) == 0.6649
