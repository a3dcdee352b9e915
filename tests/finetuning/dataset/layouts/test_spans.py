"""Entities marked by characters, as the tools for it export them, are words with BIO tags, or a row is named."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.data_sources import Corpus
from hfdemo.finetuning.dataset.layouts import arrange_corpus
from hfdemo.finetuning.dataset.layouts.spans import Span, tag_words

TEXT = "Ada Lovelace lived in London."
WORDS = ["Ada", "Lovelace", "lived", "in", "London", "."]
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]


def marked(start: int, end: int, label: str) -> dict[str, Any]:
    return {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}


def studio(*spans: dict[str, Any]) -> list[dict[str, Any]]:
    result = [{"id": "a", "type": "labels", "from_name": "label", "to_name": "text", "value": each} for each in spans]
    return [{"id": 1, "was_cancelled": True, "result": []}, {"id": 2, "was_cancelled": False, "result": result}]


EXPORTS: dict[str, dict[str, Any]] = {
    "doccano": {"id": 1, "text": TEXT, "label": [[0, 12, "PER"], [22, 28, "LOC"]]},
    "doccano's relations": {
        "text": TEXT,
        "entities": [
            {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 12},
            {"id": 2, "label": "LOC", "start_offset": 22, "end_offset": 28},
        ],
        "relations": [],
    },
    "Label Studio": {
        "id": 7,
        "data": {"text": TEXT, "source": "a"},
        "annotations": studio(marked(0, 12, "PER"), marked(22, 28, "LOC")),
        "predictions": [],
    },
    "Label Studio, JSON_MIN": {"id": 1, "text": TEXT, "label": [marked(22, 28, "LOC"), marked(0, 12, "PER")]},
    "Prodigy": {
        "text": TEXT,
        "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0}],
        "spans": [{"start": 0, "end": 12, "label": "PER"}, {"start": 22, "end": 28, "label": "LOC"}],
        "answer": "accept",
    },
    "spaCy": {"column 1": TEXT, "column 2": {"entities": [[0, 12, "PER"], [22, 28, "LOC"]]}},
    "spans that hold white space": {"text": TEXT, "entities": [[0, 13, "PER"], [21, 28, "LOC"]]},
    "label first": {"content": TEXT, "ents": [["PER", 0, 12], ["LOC", 22, 28]]},
    "camel case": {
        "text": TEXT,
        "entities": [
            {"beginOffset": 0, "endOffset": 12, "type": "PER"},
            {"beginOffset": 22, "endOffset": 28, "type": "LOC"},
        ],
    },
}


def as_table(*rows: dict[str, Any]) -> pd.DataFrame:
    cells = [
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()} for row in rows
    ]
    return pd.DataFrame(cells).fillna("")


def arrange(*rows: dict[str, Any]) -> Corpus:
    return arrange_corpus(Corpus({"": as_table(*rows)}))


@pytest.mark.parametrize("tool", EXPORTS)
def test_what_a_tool_exports_is_read_as_words_with_tags(tool: str) -> None:
    found = arrange(EXPORTS[tool], EXPORTS[tool])
    assert found.layout == "entities"
    rows = found.tables[""]
    assert [json.loads(cell) for cell in rows["words"]] == [WORDS, WORDS]
    assert [json.loads(cell) for cell in rows["tags"]] == [TAGS, TAGS]
    assert not found.refused


def test_a_text_without_entities_is_a_row_of_no_entity() -> None:
    found = arrange({"text": TEXT, "label": [[0, 12, "PER"]]}, {"text": "Nobody came.", "label": []})
    assert json.loads(found.tables[""]["tags"][1]) == ["O", "O", "O"]


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([[0, 11, "PER"]], "PER from 0 to 11 ('Ada Lovelac') cuts the word 'Lovelace'"),
        ([[1, 12, "PER"]], "PER from 1 to 12 ('da Lovelace') cuts the word 'Ada'"),
        ([[0, 12, "PER"], [4, 12, "ORG"]], "ORG from 4 to 12 overlaps another entity"),
        ([[22, 99, "LOC"]], "LOC from 22 to 99 stands outside its 29 characters"),
        ([[3, 4, "LOC"]], "LOC from 3 to 4 holds white space alone"),
        ([[12, 0, "PER"]], "PER from 12 to 0 stands outside its 29 characters"),
        ([[0, 12, ""]], "'[0, 12, \"\"]' is no entity with a start, an end and a label"),
    ],
)
def test_a_span_that_fits_no_words_is_named_by_its_row(spans: list[Any], reason: str) -> None:
    found = arrange(*[EXPORTS["doccano"]] * 10, {"text": TEXT, "label": spans})
    assert [(row.row, row.reason) for row in found.refused] == [(11, reason)]
    assert list(found.tables[""].index) == list(range(10))


def test_what_was_rejected_while_annotating_is_left_out_and_said() -> None:
    row = EXPORTS["Prodigy"]
    found = arrange(row, {**row, "answer": "reject"}, {**row, "answer": "ignore"}, row)
    assert list(found.tables[""].index) == [0, 3]
    assert found.notes == ("Left out, as they were rejected or ignored while annotating: rows 2 and 3.",)


def test_where_no_space_parts_words_each_character_is_one() -> None:
    words, tags = tag_words("東京に行く", [Span(0, 2, "LOC")])
    assert words == ["東", "京", "に", "行", "く"]
    assert tags == ["B-LOC", "I-LOC", "O", "O", "O"]
    assert tag_words("서울에서", [Span(0, 2, "LOC")])[1] == ["B-LOC", "I-LOC", "O", "O"]


def chosen(*choices: str) -> dict[str, Any]:
    results = [{"type": "choices", "from_name": "topic", "to_name": "text", "value": {"choices": list(choices)}}]
    return {"data": {"text": TEXT}, "annotations": [{"was_cancelled": False, "result": results if choices else []}]}


def test_what_was_chosen_for_a_text_is_its_label() -> None:
    found = arrange(*[chosen("life")] * 10, chosen())
    assert found.layout == "choices"
    assert found.tables[""][["text", "label"]].to_dict("records") == [{"text": TEXT, "label": "life"}] * 10
    assert [(row.row, row.reason) for row in found.refused] == [(11, "nothing was chosen in its annotations")]
    several = arrange(chosen("life", "work"), chosen("work"))
    assert list(several.tables[""]["label"]) == ['["life", "work"]', '["work"]']


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": "fine", "label": ["good", "new"]}, {"text": "bad", "label": ["bad"]}],
        [{"text": "fine", "label": "good"}, {"text": "bad", "label": "bad"}],
        [{"text": "fine", "scores": [1, 0, 2]}, {"text": "bad", "scores": [0, 1, 1]}],
        [{"text": "fine", "label": [[0, 1], [1, 0]]}, {"text": "bad", "label": [[0, 1], [1, 0]]}],
    ],
)
def test_labels_that_are_no_entities_are_left_as_they_stand(rows: list[dict[str, Any]]) -> None:
    assert arrange(*rows).layout == ""


@given(st.lists(st.sampled_from(["Ada", "of", "the", "Nile", "x1", "!"]), min_size=1, max_size=12), st.data())
def test_entities_of_whole_words_come_back_as_they_were_marked(words: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    starts = [len(" ".join([*words[:number], ""])) if number else 0 for number in range(len(words))]
    span = Span(starts[first], starts[last] + len(words[last]), "X")
    expected = ["O"] * first + ["B-X"] + ["I-X"] * (last - first) + ["O"] * (len(words) - last - 1)
    assert tag_words(" ".join(words), [span]) == (words, expected)
