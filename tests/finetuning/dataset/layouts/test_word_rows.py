"""A word a row is joined to sentences however a file marks them, and a sentence that lacks something is named."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from hfdemo.data_sources import Corpus
from hfdemo.finetuning.dataset.layouts import arrange_corpus

WORDS = ["Ada", "Lovelace", "lived", "Alan", "slept"]
TAGS = ["B-PER", "I-PER", "O", "B-PER", "O"]


def arrange(**columns: list[str]) -> Corpus:
    return arrange_corpus(Corpus({"": pd.DataFrame(columns)}))


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("Sentence #", ["Sentence: 1", "", "", "Sentence: 2", ""]),
        ("Sentence #", ["Sentence: 1", "Sentence: 1", "Sentence: 1", "Sentence: 2", "Sentence: 2"]),
        ("sentence_id", ["0", "0", "0", "1", "1"]),
        ("sent_id", ["a", "a", "a", "b", "b"]),
        ("sentence_idx", ["7.0", "7.0", "7.0", "8.0", "8.0"]),
        ("doc", ["x", "x", "x", "y", "y"]),
    ],
)
@pytest.mark.parametrize(("word", "tag"), [("Word", "Tag"), ("token", "ner_tag"), ("words", "labels")])
def test_rows_are_joined_by_what_marks_a_sentence(name: str, marks: list[str], word: str, tag: str) -> None:
    found = arrange(**{name: marks, word: WORDS, tag: TAGS})
    assert found.layout == "word_a_row"
    rows = found.tables[""]
    assert [json.loads(cell) for cell in rows["words"]] == [WORDS[:3], WORDS[3:]]
    assert [json.loads(cell) for cell in rows["tags"]] == [TAGS[:3], TAGS[3:]]
    assert list(rows.index) == [0, 3], "a sentence has the number of its first row"


def test_what_else_a_word_has_is_a_list_too_and_what_a_sentence_has_stays() -> None:
    found = arrange(
        sentence_id=["0", "0", "0", "1", "1"],
        word=WORDS,
        POS=["NNP", "NNP", "VBD", "NNP", "VBD"],
        tag=TAGS,
        split=["train", "train", "train", "test", "test"],
    )
    rows = found.tables[""]
    assert list(rows["split"]) == ["train", "test"]
    assert json.loads(rows["POS"][0]) == ["NNP", "NNP", "VBD"]


def test_sentences_of_several_documents_are_kept_apart() -> None:
    found = arrange(doc_id=["a", "a", "a", "b", "b"], sentence_id=["1"] * 5, word=WORDS, tag=TAGS)
    assert [len(json.loads(cell)) for cell in found.tables[""]["words"]] == [3, 2]


def test_a_sentence_that_lacks_a_word_or_a_tag_is_named() -> None:
    marks = ["1", "1", "1", "2", "2"]
    found = arrange(sentence_id=marks, word=[*WORDS[:4], " "], tag=TAGS)
    assert [(row.row, row.reason) for row in found.refused] == [(4, "of its sentence, rows 4 to 5, row 5 has no word")]
    found = arrange(sentence_id=marks, word=WORDS, tag=["B-PER", "", "O", "B-PER", "O"])
    assert [(row.row, row.reason) for row in found.refused] == [
        (1, "of its sentence, rows 1 to 3, row 2 has no tag for 'Lovelace'")
    ]


def test_without_a_column_for_the_sentence_a_full_stop_ends_it_and_that_is_said() -> None:
    found = arrange(word=["Ada", "lived", ".", "Alan", "slept", "."], tag=["B-PER", "O", "O", "B-PER", "O", "O"])
    assert [json.loads(cell) for cell in found.tables[""]["words"]] == [["Ada", "lived", "."], ["Alan", "slept", "."]]
    assert found.notes[0].startswith("No column says which words make a sentence, so it is taken to end with '.'")


def test_a_blank_tag_is_no_entity_where_no_other_tag_says_so() -> None:
    found = arrange(sentence_id=["1", "1", "1", "2", "2"], word=WORDS, tag=["B-PER", "I-PER", "", "B-PER", ""])
    assert json.loads(found.tables[""]["tags"][0]) == ["B-PER", "I-PER", "O"]
    assert found.notes == ("A blank 'tag' is read as O, no entity.",)


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (["Ada Lovelace lived", "Alan slept"], ["B-PER I-PER O", "B-PER O"]),
        (["Ada,Lovelace,lived", "Alan,slept"], ["B-PER,I-PER,O", "B-PER,O"]),
        (["Ada, Lovelace, lived", "Alan, slept"], ["B-PER, I-PER, O", "B-PER, O"]),
        (["Ada Lovelace lived", "Alan slept"], ["B-PER,I-PER,O", "B-PER,O"]),
    ],
)
def test_words_and_tags_joined_in_a_cell_each_are_lists(words: list[str], tags: list[str]) -> None:
    found = arrange(text=words, labels=tags)
    assert found.layout == "joined_words"
    assert [json.loads(cell) for cell in found.tables[""]["words"]] == [WORDS[:3], WORDS[3:]]
    assert [json.loads(cell) for cell in found.tables[""]["tags"]] == [TAGS[:3], TAGS[3:]]


@pytest.mark.parametrize(
    "columns",
    [
        {"sentence_id": ["1", "2", "3"], "text": ["good", "bad", "fine"], "label": ["a", "b", "a"]},
        {"sentence_id": ["1", "1", "1"], "text": ["it is good", "so bad", "fine"], "label": ["a", "b", "a"]},
        {"id": ["1", "1", "1"], "word": ["good", "bad", "fine"], "sentiment": ["a", "b", "a"]},
        {"text": ["O O", "O"], "label": ["O", "O"]},
    ],
)
def test_rows_that_are_no_words_of_sentences_are_left_as_they_stand(columns: dict[str, list[str]]) -> None:
    assert arrange(**columns).layout == ""
