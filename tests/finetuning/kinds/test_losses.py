"""The losses where they are easily wrong: weights with smoothing, and nothing to predict."""

from types import SimpleNamespace
from typing import Any

import pytest

from hfdemo.finetuning.kinds.losses import balance_by_rows, class_cross_entropy
from hfdemo.finetuning.kinds.next_token import count_next_tokens, next_token_cross_entropy
from hfdemo.finetuning.kinds.token_tags import count_tags


@pytest.mark.parametrize("rows", [[0] * 100 + [1] * 5, [0] * 50 + [1] * 50])
def test_balanced_and_smoothed_each_row_is_still_answered_with_its_own_class(rows: list[int]) -> None:
    """Logits free to be anything for each class of row; the third label has no rows."""
    import torch

    wanted = torch.tensor(rows)
    logits = torch.zeros(2, 3, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    weights = balance_by_rows(rows, 3)
    for _ in range(300):
        optimizer.zero_grad()
        class_cross_entropy(SimpleNamespace(logits=logits[wanted]), wanted, len(rows), weights, 0.1).backward()
        optimizer.step()
    chances = logits.softmax(-1).tolist()
    assert [chances[0][0], chances[1][1]] == pytest.approx([1 - 0.1 * 2 / 3] * 2, abs=0.01)


@pytest.mark.parametrize(
    ("loss", "count"), [(class_cross_entropy, count_tags), (next_token_cross_entropy, count_next_tokens)]
)
def test_what_has_nothing_to_predict_has_the_loss_zero(loss: Any, count: Any) -> None:
    import torch

    labels = torch.full((2, 5), -100)
    found = loss(SimpleNamespace(logits=torch.randn(2, 5, 7)), labels, count(labels))
    assert float(found) == 0.0
