"""What each kind of answer is told and shown: baselines, descriptions and the rows that went wrong."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hfdemo.finetuning.evaluation.report import replace_non_finite
from hfdemo.finetuning.kinds import KINDS, LOWER_IS_BETTER, UNIT_METRICS
from tests.finetuning.kinds.samples import sample_of

SINGLE, MULTI, REGRESSION, TOKENS, LANGUAGE = (
    KINDS[name].evaluator for name in ("single_label", "multi_label", "regression", "tokens", "language")
)
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
LOGITS = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 9.0], [0.0, 3.0, 0.0]], np.float32)
REFERENCES = np.array([0, 1, 0, 1])
ABC = ["a", "b", "c"]


def strict(value: Any) -> Any:
    """`value` as it comes back from JSON that knows no NaN; raises for numpy's own types."""
    return json.loads(json.dumps(replace_non_finite(value), allow_nan=False))


def cells(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"text": text, "label": "?"} for text in texts]


@st.composite
def any_case(draw: st.DrawFn) -> tuple[str, np.ndarray, Any, list[str], Any]:
    """(kind, logits, references, labels, train references): constant, lopsided, tiny and broken ones among them."""
    kind, rows, size = draw(st.sampled_from(list(KINDS))), draw(st.integers(1, 12)), draw(st.sampled_from([2, 3, 77]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale, constant = draw(st.sampled_from([0.0, 1.0, 1e4, np.nan])), draw(st.booleans())
    labels = [f"label {index}" for index in range(size)]
    logits = (scale * rng.normal(size=(rows, size))).astype(np.float32)
    if KINDS[kind].rows.is_single_label:
        references = np.zeros(rows, int) if constant else rng.integers(0, size, rows)
        return kind, logits, references, labels, references
    if KINDS[kind].rows.is_label_set:
        flags = np.zeros((rows, size), np.float32) if constant else rng.integers(0, 2, (rows, size)).astype(np.float32)
        return kind, logits, flags, labels, flags
    if KINDS[kind].one_number:
        numbers = np.ones(rows, np.float32) if constant else rng.normal(size=rows).astype(np.float32)
        return kind, logits[:, :1], numbers, [], numbers
    if kind == "tokens":
        width = draw(st.integers(1, 6))
        tags = rng.integers(0, 5, (rows, width))
        tags[rng.random((rows, width)) < (1.0 if constant else 0.3)] = -100
        return kind, (scale * rng.normal(size=(rows, width, 5))).astype(np.float32), tags, TAGS, [[0, 1], [-100, 0, 0]]
    if kind == "language":
        sums = np.abs(np.stack([scale * rng.normal(size=rows), rng.integers(0, 9, rows)], 1)).astype(np.float32)
        return kind, sums, None, [], None
    raise AssertionError(f"add a case for {kind} here")


@given(any_case())
@settings(max_examples=150, deadline=None)
def test_whatever_was_predicted_there_is_a_report_in_plain_json(case: Any) -> None:
    kind, logits, references, labels, train = case
    evaluator, before = KINDS[kind].evaluator, logits.copy()
    found = strict(evaluator.describe(logits, references, labels, None))
    assert {"shapes", "example"} <= set(found)
    assert found["shapes"]["logits"] == list(logits.shape)
    baseline = strict(evaluator.baseline(train, references, labels, None))
    assert isinstance(baseline["answer"], str)
    assert set(baseline["metrics"]) in (set(), set(evaluator.scores(logits, references, labels, None)))
    width = logits.shape[1]
    rows = cells([json.dumps(["word"] * width) if kind == "tokens" else "text"] * len(logits))
    errors = evaluator.find_errors(rows, logits, references, labels)
    measured = {name for each in errors for name, value in each.items() if isinstance(value, int | float)}
    assert measured - {"row", "label", "predicted"} == (set(evaluator.error_numbers) if errors else set())
    wrong = strict(errors)
    assert len({each["row"] for each in wrong}) == len(wrong) <= len(rows)
    assert all(set(each) == set(wrong[0]) >= {"row", "text"} for each in wrong)
    assert np.array_equal(logits, before, equal_nan=True)


def test_the_baseline_answers_with_the_most_frequent_training_label() -> None:
    found = SINGLE.baseline(np.array([0, 1, 1]), np.array([0, 0, 0, 1]), ["a", "b"], "a")
    assert found == {
        "answer": "always 'b'",
        "metrics": {"accuracy": 0.25, "f1": 0.0, "f1_weighted": pytest.approx(0.1)},
        "label": "b",
        "accuracy": 0.25,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_reads_the_labels_of_the_training_rows_as_they_were_encoded(kind: str) -> None:
    sample, _, evaluated = sample_of(kind)
    rows = Dataset.from_dict({"labels": sample.train})["labels"]  # what a training hands over
    assert KINDS[kind].evaluator.baseline(rows, evaluated, sample.labels, None)["answer"] == sample.baseline


@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_has_one_meaning_whichever_kind_names_it(kind: str) -> None:
    evaluator = KINDS[kind].evaluator
    own = {"loss", *evaluator.names}
    assert set(evaluator.unit_metrics) <= own
    assert own & LOWER_IS_BETTER == own & {"loss", *evaluator.lower_is_better}, "lower is better of another kind's"
    assert own & UNIT_METRICS == set(evaluator.unit_metrics), "another kind's lies between 0 and 1"
    assert not UNIT_METRICS & LOWER_IS_BETTER


def test_the_other_baselines_are_the_most_frequent_answer_or_the_mean() -> None:
    flags = np.array([[1, 0], [1, 0], [0, 0]])
    assert MULTI.baseline(flags, flags, ["a", "b"], None)["answer"] == "always 'a'"
    assert MULTI.baseline(flags[2:], flags, ["a", "b"], None)["answer"] == "always no label"
    mean = REGRESSION.baseline([1.0, 3.0], np.array([2.0, 4.0]), [], None)
    assert mean == {
        "answer": "always 2, the mean of training",
        "metrics": {"mae": 1.0, "mse": 2.0, "pearson": 0.0, "spearmanr": 0.0},
    }
    outside = TOKENS.baseline([[0, 0, -100], [0, 1]], np.array([[0, 1], [0, -100]]), TAGS, None)
    assert outside["answer"] == "always 'O'"
    assert outside["metrics"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": pytest.approx(2 / 3)}


def test_confusion_and_classes_run_in_label_order() -> None:
    found = SINGLE.describe(LOGITS, REFERENCES, ABC, None)
    assert found["confusion_matrix"] == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert list(found["per_class"]) == ABC
    assert found["per_class"]["a"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert found["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert "roc" not in found


def test_the_first_row_is_shown_as_it_is() -> None:
    found = SINGLE.describe(LOGITS, REFERENCES, ABC, None)
    share = float(np.exp(2) / (np.exp(2) + 2))
    assert found["shapes"] == {"logits": [4, 3], "labels": [4]}
    assert found["example"] == {
        "row": 1,
        "logits": [2.0, 0.0, 0.0],
        "softmax": pytest.approx([share, (1 - share) / 2, (1 - share) / 2]),
        "argmax": 0,
        "name": "a",
        "label": "a",
    }
    shown = MULTI.describe(LOGITS - 1, np.array([[1, 1, 0]] * 4), ABC, None)["example"]
    assert (shown["name"], shown["label"]) == (["a"], ["a", "b"])
    assert shown["sigmoid"] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.e), 1 / (1 + np.e)])


@pytest.mark.parametrize("positive", ["no", "yes"])
def test_two_labels_have_curves_of_the_positive_one(positive: str) -> None:
    logits = np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0], [0.0, 0.1]])
    references = np.array([0, 1, 1, 0])
    found = SINGLE.describe(logits, references, ["no", "yes"], positive)
    of = ["no", "yes"].index(positive)
    score = logits[:, of] - logits[:, 1 - of]
    assert found["roc"]["auc"] == pytest.approx(sk.roc_auc_score(references == of, score))
    expected = sk.average_precision_score(references == of, score)
    assert found["precision_recall"]["average_precision"] == pytest.approx(expected)
    lopsided = SINGLE.describe(logits, np.zeros(4, int), ["no", "yes"], "yes")
    assert lopsided["roc"] is lopsided["precision_recall"] is None


def test_errors_keep_their_row_and_come_most_confident_first() -> None:
    logits = np.array([[0.1, 0.0], [5.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = SINGLE.find_errors(cells("wxyz"), logits, np.array([1, 1, 1, 0]), ["no", "yes"])
    assert [(each["row"], each["text"], each["predicted"]) for each in found] == [
        (2, "x", "no"),
        (4, "z", "yes"),
        (1, "w", "no"),
    ]
    assert found[0]["confidence"] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-6)


def test_rows_with_most_wrong_labels_come_first_then_the_surest() -> None:
    truth = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    logits = np.array([[1.0, -1, -1], [4, -1, -1], [-1, 1, -1], [-1, -1, 5]])
    found = MULTI.find_errors(cells("wxyz"), logits, truth, ABC)
    assert [(each["row"], each["label"], each["predicted"], each["wrong_labels"]) for each in found] == [
        (2, "c", "a", 2),
        (4, "", "c", 1),
        (3, "a, b", "b", 1),
    ]


def test_each_label_has_its_threshold_and_average_precision() -> None:
    rng = np.random.default_rng(0)
    truth, logits = rng.integers(0, 2, (40, 3)), rng.normal(size=(40, 3))
    truth[:, 2] = 0
    found = MULTI.describe(logits, truth, ABC, None)
    for index, name in enumerate(ABC[:2]):
        given_, true = logits[:, index] > 0, truth[:, index]
        assert found["per_class"][name] == {
            "precision": pytest.approx(sk.precision_score(true, given_)),
            "recall": pytest.approx(sk.recall_score(true, given_)),
            "f1": pytest.approx(sk.f1_score(true, given_)),
            "support": int(true.sum()),
            "threshold": 0.5,
            "average_precision": pytest.approx(sk.average_precision_score(true, logits[:, index])),
        }
    assert found["per_class"]["c"]["average_precision"] is None
    assert found["labels_per_row"]["label"] == pytest.approx(truth.sum() / 40)


def test_regression_shows_its_fit_a_sample_of_points_and_the_largest_residuals() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=3000).astype(np.float32)
    answers = (truth + rng.normal(size=3000)).astype(np.float32)
    found = REGRESSION.describe(answers[:, None], truth, [], None)
    assert found["fit"]["r2"] == pytest.approx(sk.r2_score(truth, answers), abs=1e-6)
    assert found["fit"]["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, answers), abs=1e-6)
    assert found["points"]["rows"] == 3000
    assert len(found["points"]["label"]) == len(found["points"]["predicted"]) == 1000
    assert REGRESSION.describe(answers[:, None], truth, [], None)["points"] == found["points"]
    assert sum(found["residuals"]["counts"]) == 3000
    assert len(found["residuals"]["edges"]) == len(found["residuals"]["counts"]) + 1
    wrong = REGRESSION.find_errors(cells(["x"] * 3000), answers, truth, [])
    sizes = [abs(each["residual"]) for each in wrong]
    assert sizes == sorted(sizes, reverse=True)
    assert wrong[0]["row"] == np.abs(answers - truth).argmax() + 1


def test_what_is_not_defined_is_none_and_not_a_number() -> None:
    fit = REGRESSION.describe(np.ones((2, 1)), np.array([1.0, 2.0]), [], None)["fit"]
    assert (fit["pearson"], fit["spearmanr"]) == (None, None)
    assert REGRESSION.describe(np.array([1.0, 2.0]), np.ones(2), [], None)["fit"]["r2"] is None
    assert replace_non_finite({"a": [float("nan"), (float("inf"), 1.0)]}) == {"a": [None, [None, 1.0]]}
    residuals = REGRESSION.describe(np.array([1e16, 1e16 + 2]), np.array([0.0, 0.0]), [], None)["residuals"]
    assert sum(residuals["counts"]) == 2


def test_tokens_show_entities_by_type_and_tags_by_confusion() -> None:
    truth = np.array([[1, 2, 0, -100], [3, 0, 0, 0]])
    logits = np.eye(5)[[[1, 2, 0, 4], [0, 0, 3, 0]]]
    found = TOKENS.describe(logits, truth, TAGS, None)
    assert found["per_class"] == {
        "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
    }
    assert np.array(found["confusion_matrix"]).sum() == 7
    assert found["confusion_matrix"][3][0] == found["confusion_matrix"][0][3] == 1
    assert (found["example"]["name"], found["example"]["position"]) == ("B-PER", 0)
    plain = TOKENS.describe(logits[..., :2], np.array([[1, 0, 0, -100], [1, 0, 0, 0]]), ["DET", "NOUN"], None)
    assert list(plain["per_class"]) == ["DET", "NOUN"]
    assert plain["per_class"]["NOUN"]["support"] == 2


def test_a_word_without_a_token_shifts_no_other_word() -> None:
    (row,) = cells(['["Ann", "\u200b", "Lee", "left", "town"]'])
    truth, answers = np.array([[1, 2, 0, -100]]), np.array([[1, 0, 0, 0]])
    (found,) = TOKENS.find_errors([{**row, "labelled": "[0, 2, 3]"}], np.eye(5)[answers], truth, TAGS)
    assert found["mistakes"] == "Lee: I-PER predicted as O"
    assert json.loads(found["label"]) == ["B-PER", None, "I-PER", "O", None]
    assert json.loads(found["predicted"]) == ["B-PER", None, "O", "O", None]
    assert json.loads(found["text"])[1] == "\u200b"


def test_bilou_entities_are_told_by_type() -> None:
    labels = ["O", "B-PER", "L-PER", "U-LOC"]
    truth = np.array([[1, 2, 0, 3]])
    found = TOKENS.describe(np.eye(4)[truth], truth, labels, None)
    assert {kind: each["support"] for kind, each in found["per_class"].items()} == {"PER": 1, "LOC": 1}
    assert [each["f1"] for each in found["per_class"].values()] == [1.0, 1.0]


def test_sentences_with_most_wrong_tags_come_first_in_words() -> None:
    rows = cells(['["Ann", "Lee", "left"]', '["Rome", "is", "far", "away"]', '["fine"]'])
    truth = np.array([[-100, 1, 2, 0, -100], [-100, 3, 0, 0, -100], [-100, 0, -100, -100, -100]])
    answers = np.array([[0, 1, 0, 0, 0], [0, 0, 0, 4, 0], [0, 0, 0, 0, 0]])
    found = TOKENS.find_errors(rows, np.eye(5)[answers], truth, TAGS)
    assert found == [
        {
            "row": 2,
            "wrong_tags": 2,
            "tags": 3,  # the fourth word was beyond the limit
            "mistakes": "Rome: B-LOC predicted as O; far: O predicted as I-LOC",
            "label": '["B-LOC", "O", "O", null]',
            "predicted": '["O", "O", "I-LOC", null]',
            "text": '["Rome", "is", "far", "away"]',
        },
        {
            "row": 1,
            "wrong_tags": 1,
            "tags": 3,
            "mistakes": "Lee: I-PER predicted as O",
            "label": '["B-PER", "I-PER", "O"]',
            "predicted": '["B-PER", "O", "O"]',
            "text": '["Ann", "Lee", "left"]',
        },
    ]


def test_language_shows_bits_and_the_rows_of_highest_loss_per_token() -> None:
    sums = np.array([[2.0, 2.0], [0.0, 0.0], [9.0, 3.0], [4.0, 8.0]], np.float32)
    found = LANGUAGE.describe(sums, None, [], None)
    assert found["bits_per_token"] == pytest.approx(15 / 13 / np.log(2))
    assert [each["row"] for each in found["worst"]] == [3, 1, 4]
    assert [each["row"] for each in found["longest"]] == [4, 3, 1]
    assert found["example"] == {"row": 1, "logits": [2.0, 2.0], "loss": 1.0, "perplexity": pytest.approx(np.e)}
    assert [(each["row"], each["loss"]) for each in LANGUAGE.find_errors(cells("abcd"), sums, None, [])] == [
        (3, 3.0),
        (1, 1.0),
        (4, 0.5),
    ]
