"""Texts that say the same are found across splits, however they are written, and others are not."""

from __future__ import annotations

import random

import pytest

from hfdemo.finetuning.dataset.near_copies import mark_near_copies, simplify_text

LONG = "the model reads a text of many words and says after some thought what it makes of it in the end"


@pytest.mark.parametrize(
    "copy",
    ["a fine day", "A FINE DAY", " a  fine\tday ", "A fine day!", "“a fine—day”", "a fine day .", "ａ fine day"],
)
def test_case_white_space_and_punctuation_make_no_other_text(copy: str) -> None:
    assert mark_near_copies([copy, "a finer day"], ["a fine day"]) == [True, False]


def test_texts_without_words_are_what_they_are() -> None:
    assert simplify_text(":-)") == ":-)"
    assert mark_near_copies([":-(", ":-)"], [":-)"]) == [False, True]


@pytest.mark.parametrize(
    ("changed", "near"),
    [
        (LONG.replace("after some thought", "after thought"), True),
        (LONG + " indeed", True),
        (LONG.replace("in the end", ""), True),
        (" ".join(reversed(LONG.split())), False),
        (LONG.replace("model", "person").replace("text", "book").replace("thought", "time"), False),
        (LONG[:40], False),
    ],
)
def test_a_long_text_is_a_near_copy_with_a_word_more_or_less_and_not_with_others(changed: str, near: bool) -> None:
    assert mark_near_copies([changed], [LONG]) == [near]


def test_a_short_text_with_another_word_is_another_text() -> None:
    assert mark_near_copies(["it was not good"], ["it was good"]) == [False]


def test_near_copies_are_found_among_many_texts_that_share_their_words() -> None:
    drawn = random.Random(0)
    words = [f"word{number}" for number in range(400)]
    texts = [" ".join(drawn.choices(words, k=40)) for _ in range(500)]
    known = [text.replace(text.split()[20], "changed", 1).upper() for text in texts[:25]]
    marked = mark_near_copies(texts, known)
    assert marked == [True] * 25 + [False] * 475
