"""The headline numbers, against scikit-learn, scipy and seqeval themselves."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sk

from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.kinds.cells import entity_tags
from hfdemo.finetuning.kinds.multi_label import score_multi_label
from hfdemo.finetuning.kinds.next_token import score_next_tokens
from hfdemo.finetuning.kinds.regression import score_numbers
from hfdemo.finetuning.kinds.single_label import score_single_label
from hfdemo.finetuning.kinds.token_tags import score_tags
from tests.finetuning.kinds.samples import sample_of

stats = pytest.importorskip("scipy.stats")
seqeval = pytest.importorskip("seqeval.metrics")
NUMBERS = st.floats(-1e6, 1e6, width=32)
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@st.composite
def classified(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rows, labels = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    logits = draw(arrays.arrays(np.float32, (rows, labels), elements=st.floats(-9, 9, width=32)))
    return logits, draw(arrays.arrays(np.int64, rows, elements=st.integers(0, labels - 1)))


@given(classified())
@settings(max_examples=60, deadline=None)
def test_single_label_scores_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, truth = case
    labels, answers = [str(index) for index in range(logits.shape[1])], logits.argmax(-1)
    found = score_single_label(logits, truth, labels)
    assert found == score_single_label(answers, truth, labels)
    assert found["accuracy"] == sk.accuracy_score(truth, answers)
    assert found["f1"] == sk.f1_score(truth, answers, average="macro", zero_division=0)
    assert found["f1_weighted"] == sk.f1_score(truth, answers, average="weighted", zero_division=0)
    of = score_single_label(logits, truth, labels, "1")["f1"]
    assert of == sk.f1_score(truth == 1, answers == 1, average="binary", zero_division=0)


@given(st.integers(1, 20), st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_multi_label_scores_are_those_of_scikit_learn(rows: int, labels: int, random: Any) -> None:
    rng = np.random.default_rng(random.randrange(2**32))
    logits, truth = rng.normal(size=(rows, labels)), rng.integers(0, 2, (rows, labels)).astype(np.float32)
    answers = (1 / (1 + np.exp(-logits)) > 0.5).astype(int)
    found = score_multi_label(logits, truth, [])
    assert found == score_multi_label(answers, truth, [])
    each = [sk.f1_score(truth[:, i], answers[:, i], zero_division=0) for i in range(labels)]
    assert found["f1"] == pytest.approx(np.mean(each))
    assert found["f1_micro"] == pytest.approx(sk.f1_score(truth.ravel(), answers.ravel(), zero_division=0))
    assert found["accuracy"] == pytest.approx(np.mean([(a == b).all() for a, b in zip(truth, answers, strict=True)]))


@given(st.integers(2, 30).flatmap(lambda n: st.tuples(*[arrays.arrays(np.float32, n, elements=NUMBERS)] * 2)))
@settings(max_examples=100, deadline=None)
def test_regression_scores_are_those_of_scipy_and_zero_where_it_has_none(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, truth = (np.asarray(side, np.float64) for side in case)
    found = score_numbers(case[0][:, None], case[1], [])
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, answers))
    assert found["mse"] == pytest.approx(sk.mean_squared_error(truth, answers))
    assert -1 <= found["pearson"] <= 1
    if np.ptp(answers) == 0 or np.ptp(truth) == 0:
        assert found["pearson"] == found["spearmanr"] == 0
        return
    assert found["spearmanr"] == pytest.approx(stats.spearmanr(truth, answers).statistic, abs=1e-9)
    if min(np.std(answers) / np.abs(answers).max(), np.std(truth) / np.abs(truth).max()) > 1e-6:
        assert found["pearson"] == pytest.approx(stats.pearsonr(truth, answers).statistic, abs=1e-6)


@given(st.integers(1, 8), st.integers(1, 9), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_entity_scores_are_those_of_seqeval_whatever_is_padded(rows: int, width: int, random: Any) -> None:
    rng = np.random.default_rng(random.randrange(2**32))
    truth, logits = rng.integers(0, 5, (rows, width)), rng.normal(size=(rows, width, 5)).astype(np.float32)
    truth[rng.random((rows, width)) < 0.3] = -100
    truth[0, 0] = 0
    answers = logits.argmax(-1)
    named = [
        [
            [TAGS[tag] for tag, true in zip(row, mask, strict=True) if true != -100]
            for row, mask in zip(side, truth, strict=True)
        ]
        for side in (truth, answers)
    ]
    found = score_tags(logits, truth, TAGS)
    assert found == score_tags(answers, truth, TAGS)
    assert found["f1"] == pytest.approx(seqeval.f1_score(*named, zero_division=0))
    assert found["precision"] == pytest.approx(seqeval.precision_score(*named, zero_division=0))
    assert found["recall"] == pytest.approx(seqeval.recall_score(*named, zero_division=0))
    assert found["accuracy"] == pytest.approx(seqeval.accuracy_score(*named))


def test_an_entity_counts_only_as_a_whole() -> None:
    truth = np.array([[1, 2, 0, 3], [0, 0, 0, 0]])
    answers = np.array([[1, 0, 0, 3], [0, 0, 0, 0]])
    found = score_tags(answers, truth, TAGS)
    assert found == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 7 / 8}


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        (TAGS, True),
        (["B-X", "I-X", "E-X", "S-X", "O"], True),
        (["NOUN", "VERB", "O"], False),
        (["O"], False),
        (["B-X", "I-X", "L-X", "U-X", "O"], True),
        (["B-X", "Q-X", "O"], False),
    ],
)
def test_tags_that_mark_no_entities_are_scored_one_by_one(tags: list[str], entities: bool) -> None:
    assert bool(entity_tags(tags)) is entities
    truth, answers = np.array([[0, 0, 0, -100]]), np.array([[0, 0, len(tags) - 1, 0]])
    found = score_tags(answers, truth, tags)["f1"]
    token_wise = sk.f1_score([0, 0, 0], [0, 0, len(tags) - 1], average="macro", zero_division=0)
    assert (found == pytest.approx(token_wise)) is not entities


def test_bilou_is_scored_as_iobes() -> None:
    iobes, bilou = ["O", "B-X", "I-X", "E-X", "S-X", "S-Y"], ["O", "B-X", "I-X", "L-X", "U-X", "U-Y"]
    truth = np.array([[1, 2, 3, 0, 4, 5, 0, 1, 3, -100]])
    answers = np.array([[1, 2, 3, 0, 5, 5, 0, 1, 3, 0]])
    found = score_tags(answers, truth, bilou)
    assert found == score_tags(answers, truth, iobes)
    assert (found["precision"], found["recall"]) == (0.75, 0.75)  # of four entities one has the wrong type


def test_the_loss_of_language_is_the_mean_over_tokens_not_over_rows() -> None:
    found = score_next_tokens([[1.0, 1.0], [9.0, 9.0], [20.0, 10.0], [0.0, 0.0]], None, [])
    assert found == {"loss": 1.5, "perplexity": pytest.approx(np.exp(1.5))}
    assert np.isfinite(score_next_tokens([[1e9, 1.0]], None, [])["perplexity"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_works_from_its_source_alone(kind: str) -> None:
    function: Callable[..., dict[str, float]] = KINDS[kind].evaluator.scores
    alone: dict[str, Any] = {}
    sources = [inspect.getsource(each) for each in (*KINDS[kind].evaluator.carried, function)]
    exec("\n".join(["from __future__ import annotations", *sources]), alone)
    sample, logits, references = sample_of(kind)
    case = (logits, references, list(sample.labels), None)
    assert alone[function.__name__](*case) == function(*case)
