"""Nothing is corrupted on its way to a client."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from hfdemo.serializing import to_json


@dataclass
class Point:
    x: float
    y: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (torch.tensor([1, 2]), [1, 2]),
        (torch.tensor(0.25), 0.25),
        (np.bool_(True), True),
        (float("nan"), None),
        (np.array([np.inf, 1.0]), [None, 1.0]),
        ({"a": (1, None)}, {"a": [1, None]}),
        ({1: "key"}, {"1": "key"}),
        (Point(0.5, (1, 2)), {"x": 0.5, "y": [1, 2]}),
        (Path("a/b"), "a/b"),
    ],
    ids=str,
)
def test_every_value_has_its_plain_form(value: object, expected: object) -> None:
    assert to_json(value) == expected
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == expected


def test_what_has_no_plain_form_is_loud() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json(object())
