"""The columns are the tokenizer's own, for all arguments and all texts, and what can't be done gets a sentence."""

import timeit
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import Options
from tests.clock import quiet_time
from tests.tokenization.kinds import KINDS, bpe, kind

TEXTS = ["Hello there, gastroenterologist!", "Why?", "naïve 日本 🙂 ‮right to left‬"]
PAIRS = ["A second text, longer than the first.", "Because.", ""]
PAD = {"bpe": "<s>", "unigram": "<s>"}

# What breaks programs that expect letters: emoji and their parts, right to left, zero width, controls, combining marks.
ODD = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("🙂👩🏽‍👩🇩🇪️‍​‌\u202e\u202cאבمرحبا\x00\x01\x1b\x7f\x85\u2028\ufeff́̈ﷺẞİ\r\n\t  "),
    ),
    min_size=1,
    max_size=60,
).filter(str.strip)


@cache
def twin(name: str) -> Any:
    """A copy of the tokenizer of that kind, so that what `encode` leaves behind in the first can't help."""
    tokenizer = deepcopy(kind(name))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = PAD[name]
    return tokenizer


def encoded(models: ModelCache, texts: list[str], pairs: list[str] | None = None, **options: Any) -> Encoding:
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        return encode(tokenizer, texts, pairs, Options(**options), 50_000)


def own(name: str, texts: list[str], pairs: list[str] | None, **arguments: Any) -> dict[str, Any] | None:
    """What the tokenizer's own call returns; None where it raises."""
    tokenizer = twin(name)
    more = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
    try:
        batch = tokenizer(
            texts,
            pairs,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            verbose=False,
            **arguments,
            **more,
        )
    except BaseException as error:  # a panic of the Rust core is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    rows = range(len(batch["input_ids"]))
    tokens = [[tokenizer.convert_ids_to_tokens(id) for id in ids] for ids in batch["input_ids"]]
    if not tokenizer.is_fast:
        return {**batch, "tokens": tokens, "word_ids": [], "sequence_ids": [], "offset_mapping": []}
    words, sequences = [batch.word_ids(row) for row in rows], [batch.sequence_ids(row) for row in rows]
    return {**batch, "tokens": tokens, "word_ids": words, "sequence_ids": sequences}


def ours(name: str, texts: list[str], pairs: list[str] | None, **options: Any) -> Any:
    """The same columns from `encode`; None where it refuses."""
    try:
        return encode(kind(name), texts, pairs, Options(**options, pad_token=PAD.get(name)), 2_000_000).columns
    except DemoError:
        return None


@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["single", "pairs"])
@pytest.mark.parametrize("name", KINDS)
def test_the_columns_equal_the_tokenizers_own(name: str, pairs: list[str] | None) -> None:
    fast = twin(name).is_fast
    returned = 0
    for padding, truncation, length, stride, multiple, side, special, overflow in product(
        [False, True, "max_length"],
        [False, True, "only_first", *([] if pairs is None else ["only_second"])],
        [None, 16],
        [0, 2],
        [None, 4],
        [None, "left"],
        [True, False],
        [False, True] if fast else [False],
    ):
        arguments = {
            "padding": padding,
            "truncation": truncation,
            "max_length": length,
            "stride": stride,
            "pad_to_multiple_of": multiple,
            "padding_side": side,
            "add_special_tokens": special,
            "return_overflowing_tokens": overflow,
        }
        expected = own(name, TEXTS, pairs, **arguments)
        assert ours(name, TEXTS, pairs, **arguments) == expected, arguments
        returned += expected is not None
    assert returned > 100


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(list(KINDS)), rows=st.lists(st.tuples(ODD, ODD), min_size=1, max_size=3), paired=st.booleans()
)
def test_the_columns_of_odd_texts_equal_the_tokenizers_own(
    name: str, rows: list[tuple[str, str]], paired: bool
) -> None:
    texts, pairs = [text for text, _ in rows], [pair for _, pair in rows] if paired else None
    for arguments in ({}, {"padding": True, "truncation": True, "max_length": 12}):
        expected = own(name, texts, pairs, **arguments)
        assert expected is not None
        assert ours(name, texts, pairs, **arguments) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_megabyte_of_text_is_no_trouble(name: str) -> None:
    text = ("The quick brown fox 🙂 naïve ‮fox‬ 日本. " * 25_000)[:1_000_000]
    found = encode(kind(name), [text], None, Options(), len(text))
    assert found.columns["input_ids"] == twin(name)([text], verbose=False)["input_ids"]
    assert sum(map(len, found.group_slots(0))) == len(found.columns["input_ids"][0])


@settings(max_examples=60, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_any_text_becomes_rows_of_equal_length(texts: list[str]) -> None:
    found = encode(kind("wordpiece"), texts, None, Options(padding=True), 50_000)
    rows = found.rows()
    assert len({len(row) for row in rows}) == 1
    assert [sum(cell.kind != "pad" for cell in row) for row in rows] == found.lengths


def test_cells_tell_texts_special_tokens_and_padding_apart(models: ModelCache) -> None:
    long, short = encoded(models, ["two words", "one"], ["and another", "b"], padding=True).rows()
    assert [cell.token for cell in long] == ["[CLS]", "two", "words", "[SEP]", "and", "another", "[SEP]"]
    assert [cell.sequence for cell in long] == [None, 0, 0, None, 1, 1, None]
    assert [cell.type_id for cell in long] == [0, 0, 0, 0, 1, 1, 1]
    assert [cell.kind for cell in short] == ["special", "token", "special", "token", "special", "pad", "pad"]
    assert [cell.attention for cell in short] == [1, 1, 1, 1, 1, 0, 0]


def test_cells_know_where_they_stand_in_their_own_text(models: ModelCache) -> None:
    (row,) = encoded(models, ["two words"], ["and another"], padding="max_length", max_length=8).rows()
    assert [(cell.start, cell.end) for cell in row] == [
        *((None, None), (0, 3), (4, 9), (None, None), (0, 3), (4, 11)),
        *((None, None), (None, None)),
    ]
    (row,) = encode(kind("byt5"), ["hé"], None, Options(), 10).rows()
    assert {(cell.start, cell.end) for cell in row} == {(None, None)}


@pytest.mark.parametrize("trim", [True, False])
def test_the_bytes_of_one_character_are_one_group(trim: bool) -> None:
    tokenizer = bpe(trim_offsets=trim, add_prefix_space=False)
    text, pair = "a 🙂🟿é x", "🙂🙂"
    found = encode(tokenizer, [text], [pair], Options(padding="max_length", max_length=40, pad_token="<s>"), 100)
    (row,) = found.rows()
    groups = found.group_slots(0)
    assert [slot for group in groups for slot in group] == list(range(len(row)))
    spans = [
        (row[group[0]].sequence, row[group[0]].start, max(row[slot].end or 0 for slot in group)) for group in groups
    ]
    stood_on = [(text, pair)[sequence][start:end].strip() for sequence, start, end in spans if sequence is not None]
    assert [each for each in stood_on if each] == ["a", "🙂", "🟿", "é", "x", "🙂", "🙂"]
    assert max(map(len, groups)) >= 4
    assert all(len(group) == 1 for group in groups if row[group[0]].kind != "token")


def test_the_token_of_an_unknown_piece_is_the_one_that_the_model_gets() -> None:
    assert twin("unigram")(["a 🙂"]).tokens(0)[-2:] == ["🙂", "</s>"]
    assert encode(kind("unigram"), ["a 🙂"], None, Options(), 10).columns["tokens"][0][-2:] == ["<unk>", "</s>"]


def test_a_group_never_reaches_into_the_other_text() -> None:
    columns: dict[str, Any] = {
        "input_ids": [[1, 2, 3]],
        "offset_mapping": [[(0, 2), (0, 2), (0, 2)]],
        "sequence_ids": [[0, 0, 1]],
    }
    assert Encoding(columns, ()).group_slots(0) == [range(0, 2), range(2, 3)]


def test_without_offsets_each_slot_is_a_group_of_its_own() -> None:
    found = encode(kind("byt5"), ["🙂"], None, Options(), 10)
    assert found.group_slots(0) == [range(slot, slot + 1) for slot in range(len("🙂".encode()) + 1)]


def test_overflowing_windows_overlap_by_the_stride(models: ModelCache) -> None:
    found = encoded(
        models, ["one two three four five six"], truncation=True, max_length=6, stride=2, return_overflowing_tokens=True
    )
    first, second = found.columns["tokens"][:2]
    assert first[-3:-1] == second[1:3]
    assert found.columns["overflow_to_sample_mapping"] == [0] * len(found.columns["tokens"])


@pytest.mark.parametrize(
    ("texts", "pairs", "options", "said"),
    [
        ([], None, {}, "no text"),
        ([" "], None, {}, "only white space"),
        (["a"], [" "], {}, "Second text holds only white space"),
        (["a", "b"], ["c"], {}, "Texts: 2, second texts: 1"),
        (["a"] * 257, None, {}, "at most 256"),
        (["x" * 100_000], None, {}, "100,000 characters"),
        (["x" * 30_000] * 2, None, {}, "60,000 characters together"),
        (["half \udc00 pair"], None, {}, "surrogate"),
        (["a"], ["half \ud83d"], {}, "surrogate"),
        (["a"], None, {"padding": "longest_ever"}, "padding must be one of"),
        (["a"], None, {"padding": 1}, "padding must be one of"),
        (["a"], None, {"pad_token": 0}, "must be a token as text"),
        (["a"], None, {"max_length": 1}, "at least 2"),
        (["a"], None, {"truncation": "only_second", "max_length": 8}, "needs second texts"),
        (["a"], ["b"], {"truncation": True, "max_length": 3}, "special tokens take all of it"),
        (["a"], None, {"truncation": True, "max_length": 10, "padding": True, "pad_to_multiple_of": 8}, "Use 16"),
        (["a"], None, {"truncation": True, "padding": True, "pad_to_multiple_of": 100}, "max_length 512.*Use 500"),
        (["a"], ["b " * 20], {"truncation": "only_first", "max_length": 8}, "tokenizer can't do this"),
        (
            ["one two three four five six seven eight"] * 2,
            ["nine ten eleven"] * 2,
            {"truncation": "only_first", "max_length": 12, "stride": 8, "return_overflowing_tokens": True},
            "tokenizer can't do this",
        ),
        (["a"], None, {"truncation": True, "max_length": 8, "stride": 6, "return_overflowing_tokens": True}, "stride"),
        (["a"], None, {"truncation": True, "max_length": 8, "stride": 7, "add_special_tokens": False}, "room for 6"),
    ],
)  # fmt: skip
def test_what_no_tokenizer_can_do_gets_a_sentence(
    models: ModelCache, texts: list[str], pairs: list[str] | None, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DemoError, match=said):
        encoded(models, texts, pairs, **options)


def seconds(work: Callable[[], object]) -> float:
    """The best of three, with no garbage collected meanwhile: it may be that of all other tests."""
    return min(timeit.repeat(work, number=1, repeat=3, timer=quiet_time))


@pytest.mark.slow
def test_a_long_text_takes_little_longer_than_the_tokenizers_own_call() -> None:
    text = ("The harbour wakes at five, and lorries wait. " * 3000)[:100_000]

    cut = Options(truncation=True, max_length=128)
    for name in ("wordpiece", "byt5"):
        tokenizer, found = kind(name), encode(kind(name), [text], None, Options(), len(text))
        own = seconds(lambda: tokenizer([text], verbose=False))  # noqa: B023
        whole = seconds(lambda: encode(tokenizer, [text], None, Options(), len(text)))  # noqa: B023
        short = seconds(lambda: encode(tokenizer, [text], None, cut, len(text)))  # noqa: B023
        drawn = seconds(lambda: (found.rows(), found.group_slots(0)))  # noqa: B023
        assert max(whole, short, drawn) < 8 * own + 0.02, (name, own, whole, short, drawn)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_length": 10**30}, "max_length must be a whole number of at least 2 and at most 1,000,000,000"),
        ({"max_length": 10**5000}, "too large to be written"),
        ({"max_length": "64"}, "but is '64'"),
        ({"max_length": 8.0}, "but is 8.0"),
        ({"stride": None}, "stride must be a whole number"),
        ({"stride": 10**30}, "stride must be a whole number"),
        ({"pad_to_multiple_of": 10**30}, "pad_to_multiple_of must be a whole number"),
        ({"add_special_tokens": "no"}, "add_special_tokens must be True or False, but is 'no'"),
        ({"return_overflowing_tokens": 1}, "return_overflowing_tokens must be True or False, but is 1"),
        ({"split_special_tokens": "false"}, "split_special_tokens must be True or False"),
    ],
)  # fmt: skip
def test_options_of_another_type_or_size_get_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        Options(**options)
