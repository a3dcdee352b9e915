"""What a class counts in the loss."""

from types import SimpleNamespace
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.kinds.losses import balance_by_rows, class_cross_entropy
from hfdemo.finetuning.kinds.multi_label import balance_by_flags
from hfdemo.finetuning.training.class_weights import check_weights, class_weights


def test_balanced_weights_are_scikit_learns_and_have_the_mean_one_over_all_rows() -> None:
    import numpy as np
    from sklearn.utils.class_weight import compute_class_weight

    rows = [0] * 6 + [1] * 3 + [2]
    weights = balance_by_rows(rows, 3)
    assert weights == pytest.approx(list(compute_class_weight("balanced", classes=np.arange(3), y=rows)))
    assert sum(weights[row] for row in rows) / len(rows) == pytest.approx(1.0)


def test_tags_that_are_not_counted_have_no_weight_and_a_label_without_rows_no_infinite_one() -> None:
    assert balance_by_rows([[-100, 0, 0, -100], [0, 1]], 3) == pytest.approx([2 / 3, 2.0, 1.0])
    assert balance_by_flags([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], 2) == [0.5, 3.0]


def test_weights_by_name_stand_in_the_models_order() -> None:
    config = RunConfig("x", labels=("b", "a"), class_weights={"a": 1, "b": 2.5})
    assert class_weights(config, KINDS["single_label"], [0, 1]) == [2.5, 1.0]
    assert class_weights(RunConfig("x", labels=("b", "a")), KINDS["single_label"], [0, 1]) is None


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("regression", {"class_weights": "balanced"}, "no classes to weigh"),
        ("language", {"class_weights": "balanced"}, "no classes to weigh"),
        ("regression", {"training": {"label_smoothing_factor": 0.1}}, "does nothing for regression"),
        ("multi_label", {"training": {"label_smoothing_factor": 0.1}}, "does nothing for multi_label"),
        ("single_label", {"class_weights": {"a": 1.0, "c": 1.0}}, "wrong or missing: b, c"),
    ],
)
def test_what_has_no_meaning_is_refused(kind: str, config: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        check_weights(RunConfig("x", **config), KINDS[kind], ("a", "b"))


def test_smoothing_pushes_no_row_towards_the_heavy_classes() -> None:
    """What a row adds to the loss is its smoothed cross entropy, as often as its class counts."""
    import torch

    logits = torch.tensor([[2.0, 0.0], [0.5, 1.0]])
    found = class_cross_entropy(SimpleNamespace(logits=logits), torch.tensor([0, 1]), 1, [0.5, 10.0], 0.1)
    rows = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]), reduction="none", label_smoothing=0.1)
    assert float(found) == pytest.approx(float(0.5 * rows[0] + 10 * rows[1]))
