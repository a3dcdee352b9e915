"""With few merges a text is letters; with all of them it is what the tokenizer makes of it."""

import json
from threading import Event
from typing import Any

import pytest

from hfdemo.errors import DemoError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.learned_merges import MergedText, apply_first_merges, count_merges, write_merges

BPE = ModelRef.parse("tokenizer:bpe")
TEXT = "The ferry leaves at seven, naïve 🙂."


def merge(models: ModelCache, count: int) -> MergedText:
    with models.hold_tokenizer(BPE) as tokenizer:
        written = write_merges(tokenizer, TEXT)
    return apply_first_merges(written, TEXT, count)


def test_all_merges_give_what_the_tokenizer_gives_and_none_gives_its_bytes(models: ModelCache) -> None:
    with models.hold_tokenizer(BPE) as tokenizer:
        whole = tokenizer.tokenize(TEXT)
        tokenizer(TEXT, truncation=True, max_length=4)  # the call's limit stays in the backend
        total = count_merges(tokenizer)
        assert total == len(json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"])
    found = merge(models, 10**6)
    assert found.total == found.applied == total
    assert list(found.tokens) == whole
    assert found.after == len(whole)
    none = merge(models, 0)
    assert len(none.tokens) == none.before == len(TEXT.encode())
    assert none.latest == ()


def test_each_further_merge_joins_its_two_halves_wherever_they_meet(models: ModelCache) -> None:
    counts = []
    for count in range(0, 40):
        fewer, more = merge(models, count), merge(models, count + 1)
        newest = more.latest[0]
        assert newest.rank == count + 1
        pairs = list(zip(fewer.tokens, fewer.tokens[1:], strict=False))
        assert (newest.left + newest.right in more.tokens) == ((newest.left, newest.right) in pairs)
        counts.append(len(more.tokens))
    assert counts == sorted(counts, reverse=True)


def test_what_keeps_no_merges_says_so(models: ModelCache) -> None:
    for reference in ("embedded:minilm", "tokenizer:unigram", "tokenizer:bytes"):
        with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
            assert count_merges(tokenizer) == 0
            with pytest.raises(DemoError, match="no list of merges"):
                write_merges(tokenizer, TEXT)
    with pytest.raises(DemoError, match="merges must be a whole number"):
        merge(models, -1)


def test_stop_ends_it_between_two_cuts(models: ModelCache) -> None:
    with models.hold_tokenizer(BPE) as tokenizer:
        written = write_merges(tokenizer, TEXT)
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        apply_first_merges(written, TEXT, 3, stop)


@pytest.mark.parametrize(("prefix", "suffix"), [("##", None), (None, "</w>"), ("##", "</w>")])
def test_merges_are_applied_where_the_vocabulary_marks_words(prefix: str | None, suffix: str | None) -> None:
    """GPT-1's and CLIP's vocabularies mark the end of words, others their inside."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    both = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    marks: dict[str, Any] = {name: mark for name, mark in both.items() if mark}
    backend = Tokenizer(models.BPE(unk_token="[UNK]", **marks))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=90, special_tokens=["[UNK]"], show_progress=False, **marks)
    backend.train_from_iterator(["the ferry leaves the harbour before the tide turns"] * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    text = "the ferry turns"
    found = [apply_first_merges(write_merges(tokenizer, text), text, count) for count in (0, 5, 10**6)]
    assert list(found[2].tokens) == tokenizer.tokenize(text)
    assert len(found[0].tokens) == sum(map(len, text.split()))
    assert all(merge.made in tokenizer.get_vocab() for merge in found[1].latest)
