"""Numbers a person can trust, against numbers worked out by hand or by scikit-learn."""

from types import SimpleNamespace

import numpy as np
import pytest

from hfdemo.finetuning import metrics

LOGITS = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 9.0], [0.0, 3.0, 0.0]])
REFERENCES = np.array([0, 1, 0, 1])


def prediction(logits: np.ndarray, references: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(predictions=logits, label_ids=references)


def test_three_labels_are_scored_by_macro_f1() -> None:
    found = metrics.classification_metrics(["a", "b", "c"], None)(prediction(LOGITS, REFERENCES))
    assert found["accuracy"] == 0.75
    # a: precision 1, recall 1/2 -> 2/3; b: 1; c: never true -> 0.
    assert found["f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["f1_weighted"] == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(("positive", "expected"), [("yes", 2 / 3), ("no", 0.8)])
def test_binary_f1_is_that_of_the_positive_label(positive: str, expected: float) -> None:
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    references = np.array([0, 0, 1, 1])
    found = metrics.classification_metrics(["no", "yes"], positive)(prediction(logits, references))
    assert found["f1"] == pytest.approx(expected)


def test_the_baseline_answers_with_the_most_frequent_training_label() -> None:
    found = metrics.majority_baseline(np.array([0, 1, 1]), np.array([0, 0, 0, 1]), ["a", "b"])
    assert found == metrics.Baseline("b", 0.25)


def test_confusion_and_classes_run_in_label_order() -> None:
    predictions = LOGITS.argmax(-1)
    labels = ["a", "b", "c"]
    assert metrics.confusion(REFERENCES, predictions, labels) == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    found = metrics.per_class(REFERENCES, predictions, labels)
    assert found["a"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2.0}


def test_errors_keep_their_row_and_come_most_confident_first() -> None:
    rows = [{"text": name, "label": "?"} for name in "wxyz"]
    logits = np.array([[0.1, 0.0], [5.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = metrics.errors(rows, logits, np.array([1, 1, 1, 0]), ["no", "yes"])
    assert [(each["row"], each["text"], each["predicted"]) for each in found] == [
        (2, "x", "no"),
        (4, "z", "yes"),
        (1, "w", "no"),
    ]
    assert found[0]["confidence"] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-6)
