"""Padding is arithmetic, and the arithmetic is the library's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.padding import STRATEGIES, PadTo, Waste, pad_to, waste


def test_waste_is_counted_by_hand_once() -> None:
    # Two batches of two: widths 5 and 3, so 2*5 + 2*3 = 16 slots for 5+2+3+3 = 13 tokens.
    assert waste([5, 2, 3, 3], 2, PadTo()) == Waste(slots=16, tokens=13)
    assert Waste(16, 13).fraction == pytest.approx(3 / 16)
    assert waste([], 2, PadTo()).fraction == 0.0


@pytest.mark.parametrize(
    ("strategy", "width"),
    [
        ("longest_in_batch", 9),
        ("longest_in_dataset", 20),
        ("max_length", 32),
        ("multiple_of_8", 16),
        ("multiple_of_64", 64),
    ],
)  # fmt: skip
def test_each_strategy_has_its_width(strategy: str, width: int) -> None:
    assert pad_to(strategy, longest=20, max_length=32).of([4, 9]) == width


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 16), st.sampled_from(STRATEGIES))
def test_no_strategy_loses_a_token_and_dynamic_padding_wastes_least(
    lengths: list[int], batch_size: int, strategy: str
) -> None:
    found = waste(lengths, batch_size, pad_to(strategy, max(lengths), max_length=300))
    assert found.tokens == sum(lengths)
    assert found.slots >= waste(lengths, batch_size, PadTo()).slots >= found.tokens
    assert 0 <= found.fraction < 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_collator_makes_batches_of_exactly_this_width(models: ModelCache, strategy: str) -> None:
    from transformers import DataCollatorWithPadding

    rule = pad_to(strategy, longest=20, max_length=24)
    with models.tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        rows = [{"input_ids": [101, *[7592] * (length - 2), 102]} for length in (4, 9)]
        collator = DataCollatorWithPadding(tokenizer, **rule.collator_arguments())
        batch = collator(rows)
    assert batch["input_ids"].shape == (2, rule.of([4, 9]))
    assert int(batch["attention_mask"].sum()) == 13


def test_max_length_needs_a_number() -> None:
    with pytest.raises(DemoError, match="max_length"):
        pad_to("max_length", 20)
    with pytest.raises(DemoError, match="longest_in_batch"):
        pad_to("shortest", 20)
