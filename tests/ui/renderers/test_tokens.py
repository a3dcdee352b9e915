"""A batch is drawn slot by slot, cut where it is long; what has no ink is named; tokens are text."""

import re
import unicodedata
from typing import Any

import pytest

from hfdemo.tokenization.encoding import Encoding
from hfdemo.tokenization.warnings import TokenizerWarning
from hfdemo.ui.renderers import tokens
from hfdemo.ui.renderers.tokens import joins_previous, name_invisible, render_characters
from tests.ui.samples import EVIL, escaped
from tests.ui.tabs.tokens.corpus import HARD, read


def encoding(tokens: list[list[str]], attention: list[list[int]]) -> Encoding:
    ids = [[index for index, _ in enumerate(row)] for row in tokens]
    zeros = [[0] * len(row) for row in tokens]
    columns: dict[str, list[Any]] = {
        "input_ids": ids,
        "attention_mask": attention,
        "special_tokens_mask": zeros,
        "tokens": tokens,
        "word_ids": zeros,
        "sequence_ids": zeros,
    }
    return Encoding(columns, (TokenizerWarning("code", EVIL, EVIL),))


def test_tokens_and_warnings_are_escaped() -> None:
    assert escaped(tokens.render_token_rows(encoding([[EVIL]], [[1]])))


def test_a_long_batch_is_cut_and_says_so() -> None:
    wide = encoding([["t"] * 1000], [[1] * 1000])
    assert f"the first {tokens.SHOWN_SLOTS} of 1,000 positions" in tokens.render_token_rows(wide)
    tall = encoding([["t"]] * 40, [[1]] * 40)
    assert f"the first {tokens.SHOWN_ROWS} of 40 rows" in tokens.render_token_rows(tall)


def test_each_tensor_is_a_rectangle_with_a_row_a_text() -> None:
    made = tokens.render_token_rows(encoding([["a", "b"], ["c", "[PAD]"]], [[1, 1], [1, 0]]))
    for name in ("input_ids [2, 2]", "attention_mask [2, 2]"):
        assert f"<td class='hf-tensor-name' colspan='3'>{name}</td>" in made
    assert made.count("<tr") == 3 * (1 + 2)
    assert len(re.findall("<td class='[^']*hf-pad", made)) == 3, "the token and both numbers of the slot"


def test_ragged_rows_are_called_so() -> None:
    made = tokens.render_token_rows(encoding([["t"], ["t", "t"]], [[1], [1, 1]]))
    assert "ragged" in made
    assert "<td></td></tr>" in made, "a row that ends early has no position there"


def test_white_space_and_controls_are_named_on_demand_only() -> None:
    text = "a b\tc\nd\u200be\x07"
    assert render_characters(text, visible=False) == text
    drawn = read(render_characters(text, visible=True)).text
    assert drawn == "a␣b⇥\tc⏎\ndZWSPeBEL"


def test_every_character_without_ink_gets_a_sign_and_no_letter_does() -> None:
    for char in (*map(chr, range(0x3100)), "\ufeff", "\ufffb", "\ue000", "\U000e0067"):
        signed = "class='hf-" in render_characters(char, visible=True)
        kind = unicodedata.category(char)
        if kind in ("Cc", "Cf", "Co", "Zl", "Zp", "Zs") or char in "\u115f\u1160":  # Korean fillers are letters
            assert signed, hex(ord(char))
        elif kind[0] in "LNPS":
            assert not signed, hex(ord(char))


def test_a_direction_mark_stays_beside_its_name() -> None:
    assert render_characters("\u202e", visible=True).endswith("</bdi>\u202e")


@pytest.mark.parametrize(
    "whole", ["e\u0301", "👍🏽", "🇩🇪", "👩\u200d👧", "❤\ufe0f", "क्", "\u1112\u1161\u11ab", "각\u11a8"]
)
def test_a_cluster_is_one(whole: str) -> None:
    assert all(joins_previous(whole, index) for index in range(1, len(whole)))


def test_letters_spaces_and_the_ends_of_a_text_join_nothing() -> None:
    assert not any(joins_previous("ab 한국", index) for index in range(-1, 7))
    assert not joins_previous("a \u0301", 2), "a mark after a space stands by itself"
    assert not any(joins_previous(text, 0) or joins_previous(text, len(text)) for text in HARD)


def test_where_no_html_can_be_the_names_stand_in_brackets() -> None:
    assert name_invisible("a b\tc\nd\u200be\x07<") == "a␣b⇥c⏎d[ZWSP]e[BEL]<"
