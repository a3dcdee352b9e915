"""Words that are cut already keep their labels at their first tokens; everything else is -100."""

import json
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.kinds.token_tags import encode_tags
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.word_labels import AlignedWords, align_words

WORDS, LABELS = ["New", "York", "is", "unbelievably", "big"], ["B-LOC", "I-LOC", "O", "O", "O"]
FAST = ["embedded:minilm", "tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram"]


def align(models: ModelCache, reference: str, words: Any = WORDS, labels: Any = LABELS) -> AlignedWords:
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        return align_words(tokenizer, words, labels)


@pytest.mark.parametrize("reference", FAST)
def test_labels_stand_where_training_puts_them(models: ModelCache, reference: str) -> None:
    found = align(models, reference)
    rows = {"text": [json.dumps(WORDS)], "label": [json.dumps(LABELS)]}
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        trained = encode_tags(rows, tokenizer, None, found.label_names)
    assert found.label_ids == trained["labels"][0]
    assert [cell.id for cell in found.cells] == trained["input_ids"][0]
    assert [label for label in found.labels if label] == LABELS


def test_without_labels_the_words_are_numbered(models: ModelCache) -> None:
    found = align(models, "embedded:minilm", WORDS, None)
    assert [label for label in found.labels if label] == ["0", "1", "2", "3", "4"]
    assert [cell.word for cell in found.cells][1:5] == [0, 1, 2, 3]


def test_other_ids_than_those_of_the_text_and_words_without_a_token_are_said(models: ModelCache) -> None:
    assert align(models, "embedded:minilm").notes == ()
    assert "add_prefix_space=True" in align(models, "tokenizer:bpe").notes[0]
    lost = align(models, "embedded:minilm", ["a", "\u0001", "b"], ["X", "Y", "Z"])
    assert any("No token is left of '\\x01'" in note for note in lost.notes)


def test_what_can_not_be_aligned_is_said(models: ModelCache) -> None:
    for words, labels, why in (
        ([], [], "0 words"),
        (["a"] * 501, None, "501 words"),
        (WORDS, ["O"], "Words: 5, labels: 1"),
        (["a", "\udc00"], None, "Word 2"),
        (["a" * 30_000] * 2, None, "60,000 characters together"),
    ):
        with pytest.raises(DemoError, match=why):
            align(models, "embedded:minilm", words, labels)
    with pytest.raises(DemoError, match="word_ids"):
        align(models, "tokenizer:bytes")
