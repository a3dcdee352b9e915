"""Vectors say their shape and whom they are like; any other value is short JSON."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from hfdemo.ui.renderers import embeddings
from tests.ui.samples import picture, text_of


def test_texts_of_one_direction_are_alike_and_of_opposite_ones_are_not() -> None:
    made = embeddings.render_vectors(
        [[[[1.0, 0.0], [1.0, 0.0]]], torch.tensor([[[2.0, 0.0]]]), np.array([[[-1.0, 0.0]]]), [[[0.0, 0.0]]]],
        {"text": "a\nb\nc\nd"},
    )
    assert re.findall(r"<td[^>]*>(-?\d\.\d\d)</td>", made)[:4] == ["1.00", "1.00", "-1.00", "0.00"]
    assert "2 · b" in made


@pytest.mark.parametrize(
    ("output", "shape"),
    [(torch.zeros(1, 5, 64), "[1, 5, 64]"), (np.zeros((1, 64)), "[1, 64]"), ([[[0.5] * 64] * 3], "[1, 3, 64]")],
)
def test_vectors_of_an_image_say_their_shape(output: Any, shape: str) -> None:
    assert shape in embeddings.render_vectors(output, {"image": picture()})


def test_json_is_shortened_and_names_what_has_no_json_form() -> None:
    made = text_of(
        embeddings.render_json(
            {"n": list(range(100)), "i": picture(), "a": np.zeros((3, 4)), "t": "x" * 5000, "s": {1}}, {}
        )
    )
    assert "… 88 more" in made
    assert "200 × 100 pixels" in made
    assert "[3, 4]" in made
    assert "5,000 characters" in made
