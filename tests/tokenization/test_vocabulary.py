"""The vocabulary is searched as it is written and as it reads, in any kind of tokenizer."""

import copy

import pytest

from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.decoding import decode_ids
from hfdemo.tokenization.vocabulary import VocabularyMatches, make_token_reader, search_vocabulary

KINDS = ["embedded:minilm", "tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes"]


def search(models: ModelCache, reference: str, query: str, first: int = 0, count: int = 100) -> VocabularyMatches:
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        return search_vocabulary(tokenizer, query, first, count)


@pytest.mark.parametrize("reference", KINDS)
def test_an_empty_query_lists_every_token_once_by_its_id(models: ModelCache, reference: str) -> None:
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        vocabulary = tokenizer.get_vocab()
        special = set(tokenizer.all_special_ids)
        pages = [search_vocabulary(tokenizer, "", first, 1000) for first in range(0, len(vocabulary), 1000)]
    listed = [entry for page in pages for entry in page.entries]
    assert [(entry.token, entry.id) for entry in listed] == sorted(vocabulary.items(), key=lambda each: each[1])
    assert {entry.id for entry in listed if entry.kind == "special"} == special
    assert all(page.size == page.found == len(vocabulary) for page in pages)


def test_a_query_finds_what_tokens_read_as_and_how_they_are_written(models: ModelCache) -> None:
    read = {entry.token: entry.text for entry in search(models, "tokenizer:bpe", " the").entries}
    assert read["Ġthe"] == " the"
    assert "Ġthe" in {entry.token for entry in search(models, "tokenizer:bpe", "Ġthe").entries}
    assert {entry.text for entry in search(models, "tokenizer:unigram", " the").entries} >= {" the"}
    inside = search(models, "embedded:minilm", "##ing")
    assert ("##ing", "ing") in {(entry.token, entry.text) for entry in inside.entries}
    assert search(models, "embedded:minilm", "FERRY").found == search(models, "embedded:minilm", "ferry").found > 0
    assert 7592 in {entry.id for entry in search(models, "embedded:minilm", "7592").entries}
    assert search(models, "embedded:minilm", "zzzzqq").found == 0


@pytest.mark.parametrize("reference", ["tokenizer:bpe", "tokenizer:unigram", "tokenizer:wordpiece", "tokenizer:bytes"])
def test_the_tokens_of_a_text_read_as_the_text(models: ModelCache, reference: str) -> None:
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        read = make_token_reader(tokenizer)
        tokens = tokenizer.convert_ids_to_tokens(tokenizer("ferry leaves", add_special_tokens=False)["input_ids"])
    assert "".join(map(read, tokens)).strip() == "ferry leaves"


def test_a_part_of_a_character_is_no_text(models: ModelCache) -> None:
    with models.hold_tokenizer(ModelRef.parse("tokenizer:bpe")) as tokenizer:
        read = make_token_reader(tokenizer)
        assert "\ufffd" in "".join(map(read, tokenizer.tokenize("\U0001f642")))


def test_what_was_added_as_special_counts_as_such_without_a_role(models: ModelCache) -> None:
    from tokenizers import AddedToken

    with models.hold_tokenizer(ModelRef.parse("tokenizer:wordpiece")) as kept:
        tokenizer = copy.deepcopy(kept)
    tokenizer.add_tokens([AddedToken("<tool>", special=True), AddedToken("harbourside")])
    kinds = {entry.token: entry.kind for entry in search_vocabulary(tokenizer, "", 0, 1000).entries}
    assert (kinds["<tool>"], kinds["harbourside"], kinds["[CLS]"]) == ("special", "added", "special")
    found = decode_ids(tokenizer, tokenizer.convert_tokens_to_ids(["<tool>", "harbourside"]))
    assert found.special == (True, False)
    assert "<tool>" not in found.plain


@pytest.mark.parametrize(("query", "first", "count"), [("x" * 202, 0, 1), ("\udc00", 0, 1), ("", -1, 1), ("", 0, 0)])
def test_what_can_not_be_searched_is_said(models: ModelCache, query: str, first: int, count: int) -> None:
    with pytest.raises(DemoError):
        search(models, "tokenizer:bpe", query, first, count)
