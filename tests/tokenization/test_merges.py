"""The steps of a word end in exactly the pieces that the tokenizer's own model makes of it."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tokenization.merges import MOST_CHARACTERS, WordTrace, trace_word
from tests.clock import quiet_time
from tests.tokenization.kinds import KINDS, byt5, kind


def wrapped(model: Any) -> Any:
    """A tokenizer that gives what is typed to `model` as it stands."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model))


def tokens(tokenizer: Any, word: str) -> list[str]:
    return [token.value for token in tokenizer.backend_tokenizer.model.tokenize(word)]


def last(found: WordTrace) -> list[str]:
    return list(found.steps[-1].pieces) if found.steps else []


def whys(found: WordTrace) -> list[str]:
    return [step.why for step in found.steps]


def check(tokenizer: Any, text: str) -> WordTrace:
    found = trace_word(tokenizer, text)
    assert last(found) == tokens(tokenizer, found.word)
    for step in found.steps:
        assert all(at < len(step.pieces) for at in step.changed)
    return found


# --- What is promised for any word and any model. ---

# Few, so that they often meet, and with the ones that JSON is made of, in which models keep their vocabulary.
CHARACTERS = 'abé"\\,[]'
WORDS = st.text(CHARACTERS, min_size=1, max_size=12)
SYMBOLS = st.lists(st.text(CHARACTERS, min_size=1, max_size=4), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(set(KINDS) - {"byt5"})), st.text(st.characters(exclude_categories=["Cs"]), max_size=15))
@example("bpe", "🙂the")
@example("unigram", "日本the日")
@example("wordpiece", "unaffable")
@example("wordpiece", "the日x")
def test_the_steps_end_in_the_models_own_pieces(name: str, text: str) -> None:
    try:
        check(kind(name), text)
    except DemoError as error:
        assert not text.strip() or "no word" in str(error) or "characters long" in str(error)  # noqa: PT017


@st.composite
def bpe_models(draw: st.DrawFn) -> Any:
    """BPE with any alphabet, any merges and any of its switches."""
    from tokenizers.models import BPE

    prefix, suffix = draw(st.sampled_from(["", "##"])), draw(st.sampled_from(["", "</w>"]))
    alphabet = draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, unique=True))
    parts = [*alphabet, *(prefix + char for char in alphabet)]
    parts += [part + suffix for part in parts]
    merges = []
    for left, right in draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=12)):
        pair = (parts[left % len(parts)], parts[right % len(parts)])
        if pair[1].startswith(prefix):
            merges.append(pair)
            parts.append(pair[0] + pair[1][len(prefix) :])
    parts += ["<unk>", *draw(st.sampled_from([[], ["<0xC3>", "<0xA9>"], [f"<0x{byte:02X}>" for byte in range(256)]]))]
    options = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    options["unk_token"] = draw(st.sampled_from(["", "<unk>"]))
    return BPE(
        {part: id for id, part in enumerate(dict.fromkeys(parts))},
        list(dict.fromkeys(merges)),
        fuse_unk=draw(st.booleans()),
        byte_fallback=draw(st.booleans()),
        ignore_merges=draw(st.booleans()),
        **{name: value for name, value in options.items() if value},
    )


@settings(max_examples=400, deadline=None)
@given(bpe_models(), WORDS)
def test_any_bpe_is_followed(model: Any, word: str) -> None:
    check(wrapped(model), word)


@settings(max_examples=300, deadline=None)
@given(SYMBOLS, SYMBOLS, st.sampled_from(["##", "@"]), st.integers(1, 20), WORDS)
def test_any_word_piece_is_followed(first: list[str], others: list[str], prefix: str, longest: int, word: str) -> None:
    from tokenizers.models import WordPiece

    pieces = dict.fromkeys(["[UNK]", *first, *(prefix + other for other in others)])
    vocabulary = {piece: id for id, piece in enumerate(pieces)}
    model = WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix=prefix, max_input_chars_per_word=longest)
    check(wrapped(model), word)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.text(CHARACTERS, min_size=1, max_size=4), st.integers(-40, -1), max_size=15),
    st.booleans(),
    st.booleans(),
    WORDS,
)
def test_any_unigram_is_followed(scores: dict[str, int], fallback: bool, has_bytes: bool, word: str) -> None:
    from tokenizers.models import Unigram

    # Quarters, so that ways are often equally good.
    vocabulary = [("<unk>", 0.0), *((piece, score / 4) for piece, score in scores.items())]
    vocabulary += [(f"<0x{byte:02X}>", 0.0) for byte in range(256)] if has_bytes else [("<0xC3>", 0.0)]
    check(wrapped(Unigram(vocabulary, 0, fallback)), word)


# --- BPE by example. ---


def hand_made(**options: Any) -> Any:
    from tokenizers.models import BPE

    parts = ["t", "h", "e", "r", "<unk>", "he", "the", "re"]
    return wrapped(BPE({part: id for id, part in enumerate(parts)}, [("h", "e"), ("t", "he"), ("r", "e")], **options))


def test_bpe_takes_the_merge_that_was_learnt_first_of_those_that_fit() -> None:
    found = check(hand_made(), "there")
    assert [step.pieces for step in found.steps] == [
        ("t", "h", "e", "r", "e"),
        ("t", "he", "r", "e"),
        ("the", "r", "e"),
        ("the", "re"),
    ]
    assert [step.changed for step in found.steps] == [(), (1,), (0,), (1,)]
    assert whys(found) == [
        "Start: 5 symbols.",
        "Merge 1 of 3: h + e",
        "Merge 2 of 3: t + he",
        "Merge 3 of 3: r + e",
    ]


@pytest.mark.parametrize(
    ("options", "word", "pieces", "said"),
    [
        ({}, "txe", ["t", "e"], "x is not in the vocabulary, and there is no unknown token: left out."),
        ({"unk_token": "<unk>"}, "txxe", ["t", "<unk>", "<unk>", "e"], "x is not in the vocabulary: <unk>."),
        ({"unk_token": "<unk>", "fuse_unk": True}, "txxe", ["t", "<unk>", "e"], "x is not in the vocabulary: <unk>."),
        ({"ignore_merges": True}, "the", ["the"], "The whole word is in the vocabulary, so it is not merged"),
    ],
)
def test_bpe_says_what_its_switches_did(options: dict[str, Any], word: str, pieces: list[str], said: str) -> None:
    found = check(hand_made(**options), word)
    assert last(found) == pieces
    assert said in found.steps[0].why


def test_bpe_that_knows_no_character_of_a_word_makes_nothing_of_it_and_says_so() -> None:
    found = check(hand_made(), "xy")
    assert found.steps == ()
    assert "y is not in the vocabulary" in found.about


def test_bpe_with_dropout_is_shown_without_it_and_says_so() -> None:
    found = trace_word(hand_made(dropout=0.5), "there")
    assert last(found) == ["the", "re"]
    assert "at random (dropout 0.5)" in found.about


def test_byte_level_bpe_starts_from_bytes() -> None:
    found = check(kind("bpe"), "é")
    assert found.word == "ĠÃ©"
    assert found.steps[0].pieces == ("Ġ", "Ã", "©")


# --- WordPiece by example. ---


def test_word_piece_says_how_many_longer_beginnings_it_tried() -> None:
    found = check(kind("wordpiece"), "unaffable")
    assert [step.pieces for step in found.steps] == [("una",), ("una", "##ffa"), ("una", "##ffa", "##ble")]
    assert whys(found) == [
        "una is the longest beginning of unaffable, after 6 longer ones that are not.",
        "##ffa is the longest beginning of ##ffable, after 3 longer ones that are not.",
        "##ble is in the vocabulary.",
    ]


def test_word_piece_gives_the_whole_word_up_where_nothing_fits() -> None:
    found = check(kind("wordpiece"), "the🙂")
    assert [step.pieces for step in found.steps] == [("the",), ("[UNK]",)]
    assert found.steps[-1].why == "No beginning of ##🙂 is in the vocabulary (1 tried): the whole word is [UNK]."


def test_the_word_is_what_the_model_gets_normalized_and_alone() -> None:
    assert check(kind("wordpiece"), "[SEP] Ünaffable, isn't it?").word == "unaffable"
    assert check(kind("unigram"), "ﬁx it").word == "▁fix"


# --- Unigram by example. ---


def likely() -> Any:
    from tokenizers.models import Unigram

    scores = {"<unk>": 0.0, "a": -2.0, "b": -3.0, "ab": -4.0, "abc": -9.0, "c": -1.5}
    return wrapped(Unigram(list(scores.items()), 0, False))


def test_unigram_keeps_the_best_way_to_every_character() -> None:
    found = check(likely(), "abc")
    assert [step.pieces for step in found.steps] == [("a",), ("ab",), ("ab", "c")]
    assert [step.changed for step in found.steps] == [(0,), (0,), (1,)]
    assert whys(found) == [
        "The best way to here ends with a: -2.00.",
        "The best way to here ends with ab: -4.00.",
        "The best way to here ends with c: -5.50 (-4.00 before it, -1.50 for it).",
    ]


def test_unigram_names_the_next_best_ways_with_their_sums() -> None:
    about = check(likely(), "abc").about
    assert "Here: ab + c with -5.50." in about
    assert "Next best: a + b + c with -6.50; abc with -9.00." in about


def test_unigram_steps_over_unknown_characters_and_joins_them() -> None:
    found = check(likely(), "axyb")
    assert last(found) == ["a", "xy", "b"]
    # The rarest piece has -9, and unknown is 10 worse.
    assert found.steps[1].why == (
        "The best way to here ends with x, which is not in the vocabulary: -21.00 (-2.00 before it, -19.00 for it)."
    )


def test_unigram_writes_unknown_characters_as_bytes_where_it_can() -> None:
    from tokenizers.models import Unigram

    vocabulary = [("<unk>", 0.0), ("a", -1.0), *((f"<0x{byte:02X}>", -5.0) for byte in range(256))]
    found = check(wrapped(Unigram(vocabulary, 0, True)), "aé")
    assert [step.pieces for step in found.steps] == [("a",), ("a", "é"), ("a", "<0xC3>", "<0xA9>")]
    assert found.steps[-1].changed == (1, 2)


def test_unigram_that_draws_its_pieces_is_shown_without_and_says_so() -> None:
    tokenizer = likely()
    core = tokenizer.backend_tokenizer.model
    core.alpha = 0.3
    tokenizer.backend_tokenizer.model = core
    found = trace_word(tokenizer, "abc")
    assert last(found) == ["ab", "c"]
    assert "at random (alpha 0.3)" in found.about


# --- WordLevel, and what can not be followed. ---


def test_word_level_is_one_look() -> None:
    from tokenizers.models import WordLevel

    tokenizer = wrapped(WordLevel({"<unk>": 0, "hello": 1}, unk_token="<unk>"))
    assert whys(check(tokenizer, "hello")) == ["hello is in the vocabulary."]
    assert whys(check(tokenizer, "help")) == ["help is not in the vocabulary: <unk>."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "only white space"),
        ("x" * (MOST_CHARACTERS + 1), "The first word is 61 characters long for the tokenizer; at most 60"),
        ("[SEP]", "holds no word"),
        ("\u0001", "holds no word"),
        ("half \udc00", "surrogate"),
    ],
)
def test_what_is_no_word_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        trace_word(kind("wordpiece"), text)


def test_a_tokenizer_written_in_python_gets_a_sentence() -> None:
    with pytest.raises(DemoError, match="ByT5Tokenizer is written in Python"):
        trace_word(byt5(), "hello")


def test_an_unknown_character_without_an_unknown_token_gets_a_sentence() -> None:
    from tokenizers.models import Unigram

    with pytest.raises(DemoError, match="unk_id"):
        trace_word(wrapped(Unigram([("a", -1.0)], None, False)), "b")


@pytest.mark.parametrize("algorithm", ["BPE", "Unigram"])
def test_a_large_vocabulary_is_no_reason_to_wait(algorithm: str) -> None:
    from tokenizers import models

    parts = [chr(code) for code in range(0x4E00, 0x4E00 + 250)]
    merges = [(left, right) for left in parts for right in parts]
    vocabulary = ["<unk>", *parts, *(left + right for left, right in merges)]
    tokenizer = wrapped(
        models.BPE({part: id for id, part in enumerate(vocabulary)}, merges)
        if algorithm == "BPE"
        else models.Unigram([(part, -1.0) for part in vocabulary], 0, False)
    )
    begun = quiet_time()
    found = trace_word(tokenizer, parts[0] * MOST_CHARACTERS)
    assert quiet_time() - begun < 0.5
    assert last(found) == [parts[0] * 2] * (MOST_CHARACTERS // 2)


def test_a_word_of_many_bytes_is_no_reason_to_wait() -> None:
    from tokenizers.models import BPE

    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)}
    tokenizer = wrapped(BPE(vocabulary, [], byte_fallback=True))
    begun = quiet_time()
    assert len(last(check(tokenizer, "🙂" * MOST_CHARACTERS))) == 4 * MOST_CHARACTERS
    assert quiet_time() - begun < 0.5
