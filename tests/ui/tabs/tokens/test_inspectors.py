"""Whatever is looked at more closely is linked, marked without colour, and never markup."""

import re
from typing import Any

import pytest

from hfdemo.tokenization.chat_templates import RenderedChat
from hfdemo.tokenization.comparison import Segmentation
from hfdemo.tokenization.decoding import DecodedIds, RoundTrip
from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.tokenization.learned_merges import Merge, MergedText
from hfdemo.tokenization.merges import MergeStep, WordTrace
from hfdemo.tokenization.stages import Piece, Stage
from hfdemo.tokenization.truncating import Truncated, Window
from hfdemo.tokenization.vocabulary import VocabularyEntry, VocabularyMatches
from hfdemo.tokenization.word_labels import AlignedWords
from hfdemo.ui.tabs.tokens import chat_view, segmentation_view, vocabulary_view
from tests.ui.samples import text_of

EVIL = "<img src=x onerror=alert(1)>"


def cell(token: str, kind: str = "token", word: int | None = None, sequence: int | None = 0) -> Cell:
    return Cell(token, 7, kind, sequence, word, 0, 1)


CELLS = (cell("[CLS]", "special", None, None), cell("un", word=0), cell("##seen", word=0), cell("tide", word=1))


def test_pieces_of_all_stages_carry_the_characters_that_they_came_from() -> None:
    found = [
        Stage("raw", "as typed", (Piece("Café x", 0, 6, 0),)),
        Stage("normalized", "lowercase", (Piece("cafe", 0, 4, 0), Piece(" x", 4, 6, 0))),
        Stage("post-processed", "template", (Piece("[CLS]", id=101, special=True), Piece("cafe", 0, 4, 0, id=7668))),
    ]
    made = segmentation_view.render_stages(found, ["Café x"])
    assert re.findall(r"data-from='(\d)' data-to='(\d)'", made) == [("0", "6"), ("0", "4"), ("4", "6"), ("0", "4")]
    assert made.count("tabindex='0'") == 2, "one tab stop a stage that has linked pieces first; arrow keys do the rest"
    assert "hf-changed' data-text='0' data-from='0' data-to='4' tabindex='0' title='from Café'" in made
    assert "[CLS]</bdi><small>101" in made


def test_a_step_marks_the_pieces_that_are_new_in_it() -> None:
    made = segmentation_view.render_steps(
        WordTrace("BPE", "low", (MergeStep(("l", "o", "w"), (), "letters"), MergeStep(("lo", "w"), (0,), "l + o")), "")
    )
    assert "hf-new'><bdi>lo<" in made
    assert made.count("hf-new") == 1
    assert "l + o" in made


def test_what_is_cut_is_struck_through_and_what_cannot_be_done_says_why() -> None:
    made = segmentation_view.render_truncations(
        [
            Truncated("longest_first", CELLS, (True, True, False, False)),
            Truncated("only_second", CELLS, (True,) * 4, "There is no second text."),
        ],
        max_length=2,
    )
    assert re.findall(r"<del class='hf-piece[^']*hf-cut'><bdi>([^<]*)<", made) == ["##seen", "tide"]
    assert "keeps 2 of 4 tokens, cuts 2" in made
    assert "There is no second text." in made


def test_windows_underline_what_they_share_with_the_one_before() -> None:
    made = segmentation_view.render_windows(
        [Window(CELLS, (False,) * 4), Window(CELLS, (False, True, True, False))], stride=2
    )
    assert re.findall(r"<ins class='hf-piece[^']*hf-shared'><bdi>([^<]*)<", made) == ["un", "##seen"]
    assert "Window 2 · 4 tokens" in made
    many = segmentation_view.render_windows([Window(CELLS, (False,) * 4)] * 100, stride=0)
    assert "and 76 more windows" in many


def test_the_generation_prompt_is_told_apart_from_the_messages() -> None:
    columns: dict[str, list[Any]] = {
        "input_ids": [[1]],
        "attention_mask": [[1]],
        "special_tokens_mask": [[0]],
        "tokens": [["hi"]],
    }
    encoding = Encoding({**columns, "word_ids": [], "sequence_ids": []}, ())
    made = chat_view.render_chat(RenderedChat("<|user|>hi<|bot|>", "<|bot|>", encoding, "plain"))
    assert "&lt;|user|&gt;hi<ins class='hf-shared' title='add_generation_prompt'>&lt;|bot|&gt;</ins>" in made
    assert "no chat template of its own" in made
    assert "<ins" not in chat_view.render_chat(RenderedChat("hi", "", encoding))


def test_a_mark_stands_where_tokenizers_split_differently() -> None:
    text = "unseen"
    one = Segmentation("a", "BPE", 300, (Piece("un", 0, 2, 0), Piece("seen", 2, 6, 0)), 0, 6, frozenset({2}))
    other = Segmentation("b", "Unigram", 300, (Piece("unseen", 0, 6, 0),), 0, 6, frozenset())
    none = Segmentation("c", "Python", 259, tuple(Piece(letter) for letter in text), 0, 6, None)
    made = segmentation_view.render_comparison([one, other, none], frozenset({2}), text)
    assert re.findall(r"▾</b><span class='hf-piece[^>]*><bdi>(\w+)", made) == ["seen"]
    assert "6.00" in text_of(made)
    assert "knows no offsets" in made


def test_what_a_round_trip_lost_is_shown_and_said() -> None:
    made = vocabulary_view.render_decoded(RoundTrip("[CLS] cafe [SEP]", "cafe", False, ("Accents are lost.",)), "Café")
    assert "<del>Café</del><ins>cafe</ins>" in made
    assert "Accents are lost." in made
    exact = vocabulary_view.render_decoded(RoundTrip("a</s>", "a", True, ()), "a")
    assert "<del" not in exact
    assert "round trip <b>exact" in exact


@pytest.mark.parametrize("evil", [EVIL, "' onmouseover='alert(1)", "</span><script>"])
def test_nothing_that_was_typed_becomes_markup(evil: str) -> None:
    pieces = (Piece(evil, 0, len(evil), 0), Piece(evil, id=1))
    columns: dict[str, list[Any]] = {
        "input_ids": [[1]],
        "attention_mask": [[1]],
        "special_tokens_mask": [[0]],
        "tokens": [[evil]],
    }
    encoding = Encoding({**columns, "word_ids": [], "sequence_ids": []}, ())
    made = (
        segmentation_view.render_stages(
            [Stage(evil, evil, pieces), Stage("normalized", "", (Piece("x", 0, 1, 0),))], [evil]
        )
        + segmentation_view.render_steps(WordTrace(evil, evil, (MergeStep((evil,), (0,), evil),), evil))
        + segmentation_view.render_truncations(
            [Truncated(evil, (cell(evil),), (False,), ""), Truncated(evil, (), (), evil)], 3
        )
        + segmentation_view.render_windows([Window((cell(evil),), (True,))], 1)
        + chat_view.render_chat(RenderedChat(evil, evil, encoding, evil))
        + segmentation_view.render_comparison(
            [Segmentation(evil, evil, 1, pieces, 0, 1, frozenset())], frozenset({0}), evil
        )
        + vocabulary_view.render_decoded(RoundTrip(evil, evil, False, (evil,)), "x")
        + vocabulary_view.render_ids(DecodedIds((1,), (evil,), (False,), evil, evil))
        + vocabulary_view.render_words(AlignedWords((cell(evil),), (evil,), (evil,), (evil,)))
        + vocabulary_view.render_merges(MergedText(1, 1, (Merge(1, evil, evil, evil),), (evil,), 2, 1))
        + vocabulary_view.render_vocabulary(
            VocabularyMatches(1, 1, 0, (VocabularyEntry(0, evil, evil, "token"),)), evil
        )
        + vocabulary_view.render_vocabulary(VocabularyMatches(1, 0, 0, ()), evil)
    )
    assert evil not in made
    assert not re.search(r"<(img|script)", made)


def test_characters_without_ink_are_named_in_every_look() -> None:
    text = "a\u200b\ufeffb"
    cells = [cell(text)]
    made = [
        segmentation_view.render_stages(
            [Stage("pieces", "", (Piece(text, 0, 4, 0, id=1), Piece("ab", 0, 4, 0)))], [text]
        ),
        segmentation_view.render_steps(WordTrace("BPE", text, (MergeStep((text,), (), "as it is"),), "")),
        segmentation_view.render_windows([Window(tuple(cells), (False,))], 0),
        segmentation_view.render_truncations([Truncated("longest_first", tuple(cells), (True,))], 9),
        segmentation_view.render_comparison(
            [Segmentation("t", "BPE", 9, (Piece(text, 0, 4, 0, id=1),), 0, 4, frozenset())], frozenset(), text
        ),
    ]
    for drawn in made:
        assert "ZWSP" in drawn
        assert "BOM" in drawn
        assert "\u200b" not in drawn
        assert "\ufeff" not in drawn
    assert "title='from a[ZWSP][BOM]b'" in made[0]
