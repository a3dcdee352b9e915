"""Whether a round trip is exact, and what is said to be lost is what is lost."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.decoding import RoundTrip, decode_ids, decode_round_trip
from tests.tokenization.kinds import KINDS, kind

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CASE, ACCENTS = "Upper case became lower case.", "Accents were removed."


def trip(name: str, text: str, **options: Any) -> RoundTrip:
    return decode_round_trip(kind(name), kind(name)(text, **options)["input_ids"], text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), TEXTS)
def test_exact_means_equal_and_anything_else_is_explained(name: str, text: str) -> None:
    tokenizer, found = kind(name), trip(name, text)
    ids = tokenizer(text)["input_ids"]
    assert found.whole == tokenizer.decode(ids)
    assert found.plain == tokenizer.decode(ids, skip_special_tokens=True)
    assert found.exact == (found.plain == text)
    assert bool(found.lost) != found.exact


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_bytes_come_back_exactly(text: str) -> None:
    if "<" not in text:
        assert trip("byt5", text).exact


@pytest.mark.parametrize(
    ("name", "text", "lost"),
    [
        ("wordpiece", "hello there", ()),
        ("wordpiece", "Hello there", (CASE,)),
        ("wordpiece", "naïve café", (ACCENTS,)),
        ("wordpiece", "e\u0301 é", (ACCENTS,)),
        ("wordpiece", "Straße É", (CASE, ACCENTS)),
        ("wordpiece", "don't", ("White space was added in 2 places.",)),
        ("wordpiece", "so . ", ("White space was removed in 2 places.",)),
        ("wordpiece", "a  b\nc", ("White space was replaced by other white space in 2 places.",)),
        ("wordpiece", "Don't!", ("White space was added in 2 places.", CASE)),
        ("wordpiece", "a\u200bb\x07c", ("Control, zero-width or unassigned characters were removed.",)),
        ("wordpiece", "한국어", ("Some characters came back in another Unicode form, as “ﬁ” comes back as “fi”.",)),
        ("unigram", "ﬁ", ("Some characters came back in another Unicode form, as “ﬁ” comes back as “fi”.",)),
        ("wordpiece", "a 🙂 b", ("1 token is [UNK]: what it stood for can't come back.",)),
        ("wordpiece", "🙂 A 🙂", ("2 tokens are [UNK]: what they stood for can't come back.", CASE)),
        ("wordpiece", "[UNK]", ("1 token is [UNK]: what it stood for can't come back.",)),
        ("byt5", "a</s>b", ("Special tokens that stand in the text were left out: </s>.",)),
        ("bpe", "a", ("White space was added in 1 place.",)),
        ("bpe", " The 🙂 naïve\u200b", ()),
    ],
)  # fmt: skip
def test_what_is_lost_is_said_and_nothing_else(name: str, text: str, lost: tuple[str, ...]) -> None:
    found = trip(name, text)
    assert found.lost == lost
    assert found.exact == (not lost)


@pytest.mark.parametrize(
    ("side", "lost"),
    [
        ("right", ("The end is missing: nothing comes back after “one two three”.",)),
        ("left", ("The beginning is missing: nothing comes back before “three four five”.",)),
    ],
)
def test_a_cut_text_says_at_which_end(side: str, lost: tuple[str, ...]) -> None:
    tokenizer = kind("wordpiece")
    before, tokenizer.truncation_side = tokenizer.truncation_side, side
    try:
        assert trip("wordpiece", "one two three four five", truncation=True, max_length=5).lost == lost
        assert trip("wordpiece", "one Two three Four five", truncation=True, max_length=5).lost == (CASE, *lost)
    finally:
        tokenizer.truncation_side = before


def test_capitals_in_the_part_that_was_cut_are_not_said_to_be_lower_case() -> None:
    found = trip("wordpiece", "one two THREE", truncation=True, max_length=4)
    assert found.lost == ("The end is missing: nothing comes back after “one two”.",)


def test_a_character_cut_within_its_bytes_is_a_cut() -> None:
    found = trip("bpe", " a🙂", truncation=True, max_length=4)
    assert found.plain == " a\ufffd"
    assert found.lost == ("The end is missing: nothing comes back after “ a”.",)


def test_between_unknown_tokens_the_end_that_is_missing_is_not_guessed() -> None:
    text = "🙂 one two three 🙂"
    ids = kind("wordpiece")(text, add_special_tokens=False)["input_ids"]
    (unknown, part) = decode_round_trip(kind("wordpiece"), ids[:3], text).lost
    assert unknown.startswith("1 token is [UNK]")
    assert part == "Only a part came back: “one two”."


def test_no_ids_are_a_text_that_was_cut() -> None:
    assert decode_round_trip(kind("bpe"), [], "some text").lost == ("The text was cut: nothing of it came back.",)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("other", "It differs from character 1 on: “other” came back as “hello”."),
        ("hell", "More came back than the text holds: “o” at the end."),
        ("HEL", "It differs from character 1 on: “HEL” came back as “hello”."),
    ],
)
def test_ids_of_another_text_differ_at_a_place(text: str, lost: str) -> None:
    ids = kind("wordpiece")("hello")["input_ids"]
    assert decode_round_trip(kind("wordpiece"), ids, text).lost == (lost,)


def test_special_tokens_stand_in_the_whole_only() -> None:
    found = trip("wordpiece", "hello")
    assert (found.whole, found.plain) == ("[CLS] hello [SEP]", "hello")


def test_ids_that_no_tokenizer_has_get_a_sentence() -> None:
    with pytest.raises(DemoError, match="tokenizer can't do this"):
        decode_round_trip(kind("bpe"), [-1], "text")


def test_an_unknown_token_that_was_typed_is_told_as_what_it_is() -> None:
    text = "a [UNK] b \U0001f642"
    ids = kind("wordpiece")(text, add_special_tokens=False)["input_ids"]
    assert ids.count(kind("wordpiece").unk_token_id) == 2
    lost = " ".join(decode_round_trip(kind("wordpiece"), ids, text, unknown=[3]).lost)
    assert "1 token is [UNK]" in lost
    assert "Special tokens that stand in the text were left out: [UNK]." in lost


def test_any_ids_are_decoded_and_those_that_are_none_are_named(models: ModelCache) -> None:
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        found = decode_ids(tokenizer, [101, 7592, 2088, 102])
        assert found.tokens == ("[CLS]", "hello", "world", "[SEP]")
        assert found.special == (True, False, False, True)
        assert (found.whole, found.plain) == ("[CLS] hello world [SEP]", "hello world")
        wrong: tuple[tuple[list[Any], str], ...] = (
            ([], "0 ids"),
            ([1] * 2001, "2,001 ids"),
            ([1, 30522], "Id 2 is 30522, but this vocabulary has the ids 0 to 30,521"),
            ([-100], "what the loss leaves out"),
            ([True], "whole numbers"),
            (["a"], "whole numbers"),
        )
        for ids, why in wrong:
            with pytest.raises(DemoError, match=why):
                decode_ids(tokenizer, ids)
