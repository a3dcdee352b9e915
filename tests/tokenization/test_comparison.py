"""The same text under several tokenizers: counted as each counts, and compared where the difference is real."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tokenization.comparison import MOST_CHARACTERS, Segmentation, find_disagreements, segment_text
from tests.tokenization.kinds import KINDS, bpe, kind

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)


def splits(text: str) -> dict[str, Segmentation]:
    return {name: segment_text(kind(name), name, text) for name in KINDS}


def cut(text: str, at: frozenset[int] | None) -> list[str]:
    edges = [0, *sorted(at or ()), len(text)]
    return [text[start:end].strip() for start, end in pairwise(edges)]


@pytest.mark.parametrize("name", KINDS)
def test_the_pieces_are_the_tokens_without_special_ones(name: str) -> None:
    text = "Hello there, 🙂 héy"
    found, tokenizer = segment_text(kind(name), name, text), kind(name)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [piece.id for piece in found.pieces] == ids
    assert [piece.text for piece in found.pieces] == tokenizer.convert_ids_to_tokens(ids)
    assert (found.tokens, found.vocabulary, found.characters) == (len(ids), len(tokenizer), len(text))
    assert found.characters_per_token == len(text) / len(ids)


def test_each_tokenizer_says_what_it_is_and_what_it_does_not_know() -> None:
    found = splits("the fox 🙂 ж")
    algorithms = [each.algorithm for each in found.values()]
    assert algorithms == ["WordPiece", "BPE", "Unigram", "Python"]
    assert [each.unknown for each in found.values()] == [1, 0, 2, 0]
    assert found["byt5"].boundaries is None


def test_a_piece_knows_its_characters_and_whether_it_goes_on_with_a_word() -> None:
    pieces = segment_text(kind("wordpiece"), "x", "Gastroenterologist now").pieces
    assert (pieces[0].start, pieces[0].end) == (0, 3)
    assert pieces[-1].text == "now"
    assert [piece.joined for piece in pieces] == [False, *[True] * (len(pieces) - 2), False]
    assert all(piece.start is None and not piece.joined for piece in segment_text(kind("byt5"), "x", "now").pieces)


def test_boundaries_are_where_tokens_start_inside_the_text() -> None:
    text = "the quick  brown\nfox"
    assert cut(text, segment_text(kind("wordpiece"), "x", text).boundaries) == ["the", "quick", "brown", "fox"]


def test_the_bytes_of_a_character_are_one_piece() -> None:
    found = segment_text(kind("bpe"), "x", "🙂🙂")
    assert found.tokens > 4
    assert found.boundaries == frozenset({1})


def test_a_word_that_only_one_splits_is_a_disagreement() -> None:
    text = "the zebra"
    whole, parts = segment_text(kind("wordpiece"), "a", text), segment_text(kind("unigram"), "b", text)
    assert whole.boundaries == frozenset({4})
    assert parts.boundaries == frozenset({4, 5, 6, 7, 8})
    assert find_disagreements([whole, parts]) == {5, 6, 7, 8}
    assert find_disagreements([whole, parts, segment_text(kind("byt5"), "c", text)]) == {5, 6, 7, 8}


def test_alone_or_without_offsets_nobody_disagrees() -> None:
    found = splits("the zebra")
    assert find_disagreements([]) == frozenset()
    assert find_disagreements([found["byt5"]]) == frozenset()
    assert find_disagreements([found["bpe"], found["byt5"]]) == frozenset()


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_a_boundary_is_inside_the_text_and_never_on_white_space(text: str) -> None:
    for each in splits(text).values():
        for at in each.boundaries or ():
            assert 0 < at < len(text)
            assert not text[at].isspace()


TRIMMED, UNTRIMMED = bpe(trim_offsets=True), bpe(trim_offsets=False)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab \n\t🙂é,"), min_size=1, max_size=30).filter(str.strip))
def test_whose_a_leading_space_is_makes_no_disagreement(text: str) -> None:
    assert find_disagreements([segment_text(TRIMMED, "a", text), segment_text(UNTRIMMED, "b", text)]) == frozenset()


def test_a_long_run_of_white_space_is_quick_and_no_boundary() -> None:
    text = "a" + " " * (MOST_CHARACTERS - 2) + "b"
    assert segment_text(kind("unigram"), "x", text).boundaries == frozenset({len(text) - 1})


@pytest.mark.parametrize(("text", "said"), [(" ", "white space"), ("\udc00", "surrogate"), ("a" * 100_001, "100,001")])
def test_a_text_that_can_not_be_read_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        segment_text(kind("bpe"), "x", text)


def test_an_unknown_token_that_was_typed_is_not_counted() -> None:
    found = segment_text(kind("wordpiece"), "wordpiece", "a [UNK] \U0001f642")
    assert [piece.text for piece in found.pieces].count("[UNK]") == 2
    assert found.unknown == 1
