"""A layout is found where it can be nothing else, asked for by name, and left alone where a config says so."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from hfdemo.data_sources import Corpus
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.layouts import LAYOUTS, arrange_corpus
from hfdemo.finetuning.dataset.preparing import arrange_data, record_reading

ASKED = pd.DataFrame({"question": ["2 + 2?", "3 + 3?"], "answer": ["4", "6"], "split": ["train", "test"]})


def test_questions_and_answers_are_chats_of_two_messages() -> None:
    found = arrange_corpus(Corpus({"": ASKED}, reading="UTF-8"))
    assert LAYOUTS[found.layout].name == "prompt_and_answer"
    assert found.reading == "UTF-8; read as prompts and their answers, as chats of two messages"
    assert list(found.tables[""].columns) == ["split", "messages"]
    assert json.loads(found.tables[""]["messages"][1]) == [
        {"role": "user", "content": "3 + 3?"},
        {"role": "assistant", "content": "6"},
    ]


def test_the_layout_that_was_found_is_written_down_and_read_again() -> None:
    corpus = Corpus({"": ASKED})
    found = arrange_corpus(corpus)
    config = record_reading(RunConfig("x"), found)
    assert config.layout == "prompt_and_answer"
    assert arrange_data(corpus, config).tables[""].equals(found.tables[""])
    assert record_reading(RunConfig("x", layout="as_it_stands"), corpus).layout == "as_it_stands"


def test_a_table_is_left_as_it_stands_where_a_config_says_so_or_names_its_columns() -> None:
    corpus = Corpus({"": ASKED})
    assert arrange_corpus(corpus, "as_it_stands") is corpus
    assert arrange_corpus(corpus, None, ["question"]) is corpus
    assert arrange_corpus(corpus, None, ["split"]) is not corpus


def test_a_label_beside_a_question_and_an_answer_is_no_chat() -> None:
    corpus = Corpus({"": ASKED.assign(label=["right", "wrong"])})
    assert arrange_corpus(corpus) is corpus


@pytest.mark.parametrize("answers", [{}, {"answer": ["", " "]}], ids=["no column", "blank cells"])
def test_questions_whose_answers_are_kept_back_are_left_out_and_that_is_said(answers: dict[str, list[str]]) -> None:
    train = ASKED[["question", "answer"]]
    kept_back = pd.DataFrame({"question": ["4 + 4?", "5 + 5?"], **answers})
    found = arrange_corpus(Corpus({"train": train, "test": kept_back}))
    assert found.layout == "prompt_and_answer"
    assert {split: len(table) for split, table in found.tables.items()} == {"train": 2}
    assert found.refused == ()
    (told,) = found.notes
    assert told.startswith("Nothing in the test split can be read as prompts and their answers")
    corpus = Corpus({"train": pd.DataFrame({"text": ["a"], "label": ["b"]}), "test": train})
    assert arrange_corpus(corpus) is corpus, "what is learned from says what the data is"


def test_a_layout_that_the_data_does_not_have_or_nobody_knows_is_refused_in_words() -> None:
    corpus = Corpus({"": pd.DataFrame({"text": ["a"], "label": ["b"]})})
    with pytest.raises(DataError, match="not laid out as prompts and their answers"):
        arrange_corpus(corpus, "prompt_and_answer")
    with pytest.raises(DataError, match="no layout 'alpacca'"):
        arrange_corpus(corpus, "alpacca")
