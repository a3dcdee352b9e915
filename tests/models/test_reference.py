"""What a person may type as "model"."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import ModelError
from hfdemo.models.reference import ModelRef


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bert-base-uncased", ModelRef("hub", "bert-base-uncased")),
        (" owner/name ", ModelRef("hub", "owner/name")),
        ("owner/name@v1.0", ModelRef("hub", "owner/name", "v1.0")),
        ("owner/name@refs/pr/3", ModelRef("hub", "owner/name", "refs/pr/3")),
        ("./model", ModelRef("folder", "./model")),
        ("../model", ModelRef("folder", "../model")),
        ("/data/model@home", ModelRef("folder", "/data/model@home")),
        ("~/model", ModelRef("folder", "~/model")),
        ("run:20260101-120000-tickets", ModelRef("run", "20260101-120000-tickets")),
        ("embedded:minilm", ModelRef("embedded", "minilm")),
        ("tokenizer:bytes", ModelRef("tokenizer", "bytes")),
        ("tokenizer:unigram-0123456789ab", ModelRef("tokenizer", "unigram-0123456789ab")),
        ("untrained:owner/name@main", ModelRef("untrained", "owner/name@main")),
        ("untrained:./config.json", ModelRef("untrained", "./config.json")),
    ],
)
def test_each_kind_is_told_by_how_it_is_written(text: str, expected: ModelRef) -> None:
    assert ModelRef.parse(text) == expected
    assert ModelRef.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "  ", "a/b/c", "owner/../name", "has space", "run:../../etc", "run:", "embedded:gpt5", "owner/name@",
     "untrained:untrained:x", "untrained:", "<script>", "foo--bar", "bert.", "a.git", "a" * 97, "owner/name@../../x",
     "owner/name@/etc", "owner/name@a//b", "owner/name@a/../b",
     "tokenizer:", "tokenizer:wordlevel", "tokenizer:../bpe", "tokenizer:bpe/..", "tokenizer:bytes-0123456789ab",
     "tokenizer:bpe-0123456789aB", "tokenizer:bpe-0123456789ab\n..", "tokenizer:bpe@main", "untrained:tokenizer:bpe",
     "./a\0b", "./\ud800", "a\nb", "./" + "x" * 5_000, "untrained:" * 2_000, "run:" + "x" * 300, "a@" + "b" * 300,
     7, 1.5, True, ["a"], {"a": 1}],
)  # fmt: skip
def test_anything_else_gets_a_sentence(text: Any) -> None:
    with pytest.raises(ModelError, match=r"\.$") as caught:
        ModelRef.parse(text)
    str(caught.value).encode()


def test_a_tokenizer_is_told_from_a_model() -> None:
    with pytest.raises(ModelError, match="tokenizer:bpe is a tokenizer, not a model"):
        ModelRef.parse("untrained:tokenizer:bpe")
    with pytest.raises(ModelError, match="tokenizer:bytes is a tokenizer, not a model"):
        ModelRef.parse("tokenizer:bytes").check_is_model()
    ModelRef.parse("embedded:minilm").check_is_model()


@pytest.mark.slow
@given(st.text(max_size=40))
def test_no_text_breaks_the_parser_and_what_it_accepts_survives_a_round_trip(text: str) -> None:
    try:
        ref = ModelRef.parse(text)
    except ModelError:
        return
    assert ModelRef.parse(str(ref)) == ref
