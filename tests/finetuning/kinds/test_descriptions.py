"""Curves whose numbers are scikit-learn's and whose few points still show all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hfdemo.finetuning.kinds.descriptions import (
    CURVE_POINTS,
    compute_calibration,
    compute_precision_recall,
    compute_roc,
    thin_curve,
)


@pytest.mark.parametrize("rows", [2, 50, 20_000])
def test_curves_are_those_of_scikit_learn_in_at_most_200_points(rows: int) -> None:
    rng = np.random.default_rng(rows)
    truth = np.arange(rows) % 2 == 0
    probabilities = np.clip(rng.normal(0.5 + 0.1 * truth, 0.2), 0, 1)
    curve, ranking = compute_roc(truth, probabilities), compute_precision_recall(truth, probabilities)
    assert curve is not None
    assert ranking is not None
    assert curve["auc"] == pytest.approx(sk.roc_auc_score(truth, probabilities))
    assert ranking["average_precision"] == pytest.approx(sk.average_precision_score(truth, probabilities))
    assert curve["points"] >= len(curve["threshold"]) <= CURVE_POINTS
    assert (curve["false_positive_rate"][0], curve["true_positive_rate"][0]) == (0.0, 0.0)
    assert (curve["false_positive_rate"][-1], curve["true_positive_rate"][-1]) == (1.0, 1.0)
    assert (ranking["precision"][-1], ranking["recall"][-1]) == (1.0, 0.0)
    # What is left out does not change what is seen: the area under the kept points is that under all.
    assert sk.auc(curve["false_positive_rate"], curve["true_positive_rate"]) == pytest.approx(curve["auc"], abs=0.005)
    for index in range(1, len(curve["threshold"])):
        rate = (probabilities[truth] >= curve["threshold"][index]).mean()
        assert rate == pytest.approx(curve["true_positive_rate"][index])


def test_where_only_one_class_occurs_there_is_no_curve() -> None:
    assert compute_roc(np.array([True, True]), np.array([0.1, 0.9])) is None
    assert compute_roc(np.array([False, False]), np.array([0.1, 0.9])) is None
    assert compute_precision_recall(np.array([False, False]), np.array([0.1, 0.9])) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=500), st.integers(2, 50))
@settings(max_examples=60, deadline=None)
def test_thinning_keeps_both_ends_and_leaves_no_gap(values: list[float], most: int) -> None:
    y = np.array(values)
    x = np.linspace(0, 1, len(y))
    kept = thin_curve(x, y, most)
    assert len(kept) <= max(most, 2)
    assert kept[0] == 0
    assert kept[-1] == len(y) - 1
    assert (np.diff(kept) > 0).all()
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    if len(y) > most:
        for a, b in itertools.pairwise(kept):
            assert steps[a : b - 1].sum() <= steps.sum() / (most - 1) + 1e-9


def test_calibration_weighs_each_bins_distance_by_its_rows() -> None:
    found = compute_calibration(np.array([0.9, 0.9, 0.9, 0.55]), np.array([True, True, False, False]))
    filled = {bin["to"]: (bin["rows"], bin["confidence"], bin["accuracy"]) for bin in found["bins"] if bin["rows"]}
    assert filled == {0.9: (3, pytest.approx(0.9), pytest.approx(2 / 3)), 0.6: (1, 0.55, 0.0)}
    assert found["expected_calibration_error"] == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.55)
    assert sum(bin["rows"] for bin in found["bins"]) == 4
    assert found["bins"][0]["accuracy"] is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_every_confidence_falls_into_one_bin(rows: list[tuple[float, bool]]) -> None:
    confidences, right = (np.array(side) for side in zip(*rows, strict=True))
    found = compute_calibration(confidences, right)
    assert sum(bin["rows"] for bin in found["bins"]) == len(rows)
    assert 0 <= found["expected_calibration_error"] <= 1
    for bin in found["bins"]:
        assert bin["rows"] == 0 or bin["from"] - 1e-9 <= bin["confidence"] <= bin["to"] + 1e-9
