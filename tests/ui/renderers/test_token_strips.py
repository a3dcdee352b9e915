"""A batch is drawn slot by slot, cut where it is long, and its tokens are text."""

from typing import Any

from hfdemo.tokenization.encoding import Encoding
from hfdemo.tokenization.warnings import Warning
from hfdemo.ui.renderers import tokens
from tests.ui.samples import EVIL, escaped


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
    return Encoding(columns, (Warning("code", EVIL, EVIL),))


def test_tokens_and_warnings_are_escaped() -> None:
    assert escaped(tokens.render_token_rows(encoding([[EVIL]], [[1]])))


def test_a_long_batch_is_cut_and_says_so() -> None:
    wide = encoding([["t"] * 1000], [[1] * 1000])
    assert f"the first {tokens.SHOWN_SLOTS} of 1,000 slots" in tokens.render_token_rows(wide)
    tall = encoding([["t"]] * 40, [[1]] * 40)
    assert f"and {40 - tokens.SHOWN_ROWS} more rows" in tokens.render_token_rows(tall)


def test_ragged_rows_are_called_so() -> None:
    assert "ragged" in tokens.render_token_rows(encoding([["t"], ["t", "t"]], [[1], [1, 1]]))
