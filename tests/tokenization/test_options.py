"""What would fill the memory is counted before it is done, as the library would do it."""

from math import prod
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import MOST_WINDOWS, Options, count_text_windows, count_windows
from hfdemo.tokenization.truncating import split_into_windows as sliding
from tests.tokenization.kinds import kind


def encoded(texts: list[str], pairs: list[str] | None, **options: Any) -> Encoding:
    return encode(kind("wordpiece"), texts, pairs, Options(**options), 1_000_000)


def test_cutting_two_long_texts_is_refused_before_it_fills_the_memory() -> None:
    # The library computes every window of one with every window of the other, and returns one row.
    batch = kind("wordpiece")(["a " * 40], ["b " * 40], truncation=True, max_length=7)
    assert len(batch["input_ids"]) == 1
    assert len(batch.encodings[0].overflowing) == 20 * 20 - 1
    with pytest.raises(DemoError, match=rf"makes 160,000 windows.* at most {MOST_WINDOWS:,}"):
        encoded(["a " * 800], ["b " * 800], truncation=True, max_length=7)
    # With room for the shorter text, only the longer one is cut.
    assert encoded(["a " * 800], ["b"], truncation=True, max_length=7).lengths == [7]


@settings(max_examples=300, deadline=None)
@given(
    first=st.integers(1, 30),
    second=st.none() | st.integers(0, 30),
    room=st.integers(2, 40),
    stride=st.integers(0, 4),
    truncation=st.sampled_from(["longest_first", "only_first", "only_second"]),
)
def test_the_windows_are_those_that_the_library_makes(
    first: int, second: int | None, room: int, stride: int, truncation: str
) -> None:
    tokenizer = kind("wordpiece")
    special = tokenizer.num_special_tokens_to_add(second is not None)
    options = Options(truncation=truncation, max_length=room + special, stride=stride, return_overflowing_tokens=True)
    try:
        found = encoded(["a " * first], None if second is None else ["b " * second], **vars(options))
    except DemoError:  # no room, or no second text
        reject()
    assert prod(count_windows((first, second or 0), room, options)) == len(found.columns["input_ids"])


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        (["a"], {"padding": "max_length", "max_length": 10**9}, "1,000,000,000 positions"),
        (["a"] * 3, {"padding": True, "pad_to_multiple_of": 10**6}, "3,000,000 positions"),
        (["a " * 20_000] + ["a"] * 200, {"padding": True}, "4,020,402 positions"),
        (["a " * 20_000], {"truncation": True, "max_length": 1000, "stride": 990}, "positions"),
    ],
)  # fmt: skip
def test_more_slots_than_a_machine_can_hold_are_refused(texts: list[str], options: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        encoded(texts, None, **options)


@pytest.mark.parametrize(("tokens", "room", "stride"), [(20, 5, 2), (21, 5, 2), (6, 5, 4), (100, 7, 0)])
def test_the_view_of_windows_counts_them_as_the_bounds_do(tokens: int, room: int, stride: int) -> None:
    rows = sliding(kind("wordpiece"), "a " * tokens, None, room + 2, stride, "only_first")
    assert len(rows) == count_text_windows(tokens, room, stride)
