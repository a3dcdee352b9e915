"""Eight threads on one cache: every row is the one that a thread alone would get."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Barrier
from typing import Any

import pytest

from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.encoding import encode
from hfdemo.tokenization.options import Options

THREADS, ROUNDS = 8, 25
WORDS = [
    "the",
    "harbour",
    "wakes",
    "at",
    "five",
    "and",
    "naïve",
    "🙂",
    "gastroenterologists",
    "wait",
    "at",
    "a",
    "gate",
]

Batch = tuple[list[str], list[str] | None, Options]


def batch_of(thread: int, round: int) -> Batch:
    """Another batch with other options for each thread and round."""
    start = thread + round
    texts = [" ".join(WORDS[each % 5 : each % 5 + each % 9 + 1]) for each in range(start, start + 6)]
    pairs = texts[::-1] if thread % 2 else None
    paddings: list[tuple[bool | str, bool, int | None]] = [
        *product((True, False), (True,), (8, 12)),
        *(("max_length", True, 16), ("max_length", False, 48), (False, False, None), (True, False, None)),
    ]
    padding, truncation, length = paddings[(thread + round) % len(paddings)]
    side = ("left", "right", None)[round % 3] if padding else None
    return texts, pairs, Options(padding, truncation, length, padding_side=side, pad_token="<|endoftext|>")


@pytest.mark.parametrize("reference", ["embedded:minilm", "tokenizer:bpe", "tokenizer:bytes"])
def test_threads_that_share_a_tokenizer_get_their_own_rows(models: ModelCache, reference: str) -> None:
    ref = ModelRef.parse(reference)
    plan = list(product(range(THREADS), range(ROUNDS)))

    def columns_of(batch: Batch) -> Any:
        with models.hold_tokenizer(ref) as tokenizer:
            texts, pairs, options = batch
            return encode(tokenizer, texts, pairs, options, 10_000).columns

    expected = {at: columns_of(batch_of(*at)) for at in plan}
    together = Barrier(THREADS)

    def work(thread: int) -> dict[tuple[int, int], Any]:
        together.wait(30)
        return {(thread, round): columns_of(batch_of(thread, round)) for round in range(ROUNDS)}

    with ThreadPoolExecutor(THREADS) as pool:
        found = {at: columns for each in pool.map(work, range(THREADS)) for at, columns in each.items()}
    assert found.keys() == expected.keys()
    for at in plan:
        assert found[at] == expected[at], at
    # Otherwise a shared state would go unnoticed.
    assert len({str(columns["input_ids"]) for columns in expected.values()}) > len(plan) // 3
