"""What was found in a text, a document or a table stands where the model found it; scores are compared by label."""

import html as stdlib_html
import re
from typing import Any

import numpy as np
import pytest
import torch

from hfdemo.ui.renderers import labels
from tests.ui.samples import BOX, elements, entity, picture, text_of


def test_labels_take_every_form_that_classifiers_return() -> None:
    rows = [{"label": "a", "score": np.float32(0.75)}, {"label": "b", "score": torch.tensor(0.25)}]
    plain = labels.render_labels(rows, {})
    assert re.findall(r"width:([\d.]+)%", plain) == ["75.00", "25.00"]
    assert labels.render_labels([rows], {}) == plain
    assert labels.render_labels({"sequence": "s", "labels": ["a", "b"], "scores": [0.75, 0.25]}, {}) == plain
    many = labels.render_labels([{"label": str(number), "score": 0.001} for number in range(1000)], {})
    assert f"and {1000 - labels.SHOWN_LABELS} more labels" in many


def marks(made: str) -> dict[str, str]:
    """What each mark covers, its pieces joined; a mark inside another belongs to both."""
    covered: dict[str, str] = {}
    numbers: list[str] = []
    for piece in re.split(r"(<mark[^>]*>|</mark>|<sup>.*?</sup>)", made):
        if piece.startswith("<mark"):
            numbers.append(re.findall(r"data-n='(\d+)'", piece)[0])
        elif piece == "</mark>":
            numbers.pop()
        elif not piece.startswith("<sup>"):
            for number in numbers:
                covered[number] = covered.get(number, "") + stdlib_html.unescape(piece)
    return covered


@pytest.mark.parametrize(
    "parts",
    [
        [("Ada & Bo", 0), ("Rome", 17)],
        [("Ada", 0), (" & ", 3), ("Bo", 6)],  # they touch
        [("Ada & Bo", 0), ("Bo", 6)],  # one lies in the other
        [("Ada & Bo", 0), ("Bo went", 6)],  # they cross
        [("Bo", 6), ("Bo", 6)],
    ],
    ids=["apart", "touching", "nested", "crossing", "equal"],
)
def test_a_span_marks_exactly_its_characters(parts: list[tuple[str, int]]) -> None:
    text = "Ada & Bo went to Rome <3"
    found = [entity(text, part, "PER", start) for part, start in parts]
    made = labels.render_spans(found, {"text": text})
    assert [marks(made)[str(number)] for number in range(len(parts))] == [part for part, _ in parts]
    paragraph = made.split("</p>")[0]
    assert text_of(re.sub(r"<sup>.*?</sup>", "", paragraph)) == text
    assert len(re.findall("<sup>PER</sup>", paragraph)) == len(parts)


def test_types_differ_by_colour_and_the_place_in_an_entity_does_not() -> None:
    text = "Ada Lovelace in Rome"
    found = [
        {"entity": kind, "score": 0.9, "word": word, "start": text.index(word), "end": text.index(word) + len(word)}
        for kind, word in (("B-PER", "Ada"), ("I-PER", "Lovelace"), ("B-LOC", "Rome"))
    ]
    first, second, third = re.findall(r"<mark[^>]*--hf-hue:(#\w+)", labels.render_spans(found, {"text": text}))
    assert first == second != third


def test_a_tokenizer_without_offsets_gets_the_table_only() -> None:
    made = labels.render_spans(
        [{"entity": "PER", "score": 0.9, "word": "Ada", "start": None, "end": None}], {"text": "Ada went"}
    )
    assert "<mark" not in made
    assert "Ada" in made
    assert "does not say where" in made


def test_the_best_answer_is_marked_in_its_context() -> None:
    context = "Built in 1897 & still there."
    start = context.index("1897")
    best = {"score": 0.9, "start": start, "end": start + 4, "answer": "1897"}
    made = labels.render_answers([best, {"score": 0.05, "start": 0, "end": 5, "answer": "Built"}], {"context": context})
    assert marks(made) == {"0": "1897"}
    assert "Other answers" in made
    assert "Other answers" not in labels.render_answers(best, {"context": context})


def test_an_answer_from_a_page_outlines_its_words() -> None:
    words = [["Total", [0, 0, 100, 50]], ["5.50", [500, 100, 600, 150]], ["EUR", [610, 100, 700, 150]]]
    made = labels.render_answers(
        [{"score": 0.9, "answer": "5.50 EUR", "start": 1, "end": 2}],
        {"image": picture(2000, 1000), "word_boxes": words},
    )
    assert elements(made, "svg")[0]["viewbox"] == "0 0 2000 1000"
    outlined = {(box["x"], box["y"], box["width"], box["height"]) for box in elements(made, "rect")}
    assert outlined == {("1000.0", "100.0", "200.0", "50.0"), ("1220.0", "100.0", "180.0", "50.0")}
    assert "5.50 EUR" in labels.render_answers({"answer": "5.50 EUR"}, {"image": picture()})


def test_masks_in_a_sentence_are_filled_one_by_one() -> None:
    def list_of(word: str) -> list[dict[str, Any]]:
        return [{"score": 0.5, "token": 1, "token_str": word, "sequence": f"[CLS] {word}"}]

    made = labels.render_candidates([list_of("cat"), list_of(" mat\n")], {"text": "The [MASK] sat on the [MASK]."})
    assert text_of(made.split("</p>")[0]) == "The cat sat on the mat."
    assert "Mask 2 of 2" in made
    assert "␣mat⏎" in made
    assert "[CLS] cat" in labels.render_candidates(list_of("cat"), {"text": "no mask that is known here"})


def test_the_chosen_cells_are_marked_and_reckoned_with() -> None:
    table = {"city": ["Oslo", "Rome"], "people": ["700", "1,300"]}
    output = {
        "answer": "SUM > 700, 1,300",
        "coordinates": [(0, 1), (1, 1)],
        "cells": ["700", "1,300"],
        "aggregator": "SUM",
    }
    made = labels.render_table_answers(output, {"table": table})
    assert re.findall(r"<td><mark>(.*?)</mark>", made) == ["700", "1,300"]
    assert "2,000" in made
    assert "no answer" in labels.render_table_answers(
        {"answer": "", "coordinates": [], "aggregator": "NONE"}, {"table": table}
    )
    assert "Oslo" in labels.render_table_answers([{"answer": "Oslo"}], {"table": table})


def test_every_question_of_a_decision_has_its_bars() -> None:
    decided = {
        "score": {"type": "noul", "noul": 0.75},
        "<label>": {"type": "choice", "choice": "b", "confidence": 0.2, "probabilities": {"a": 0.4, "b": 0.6}},
        "urgency": {
            "type": "score",
            "score": 0.9,
            "legend": {"0": "It can wait", "1": None},
            "confidence": 0.8,
            "probabilities": {"0": 0.1, "1": 0.9},
        },
    }
    made = labels.render_labels(decided, {})
    assert "<label>" not in made
    said = text_of(made)
    for expected in ("yes75.0%", "no25.0%", "<label>", "a40.0%", "b60.0%", "0: It can wait10.0%", "score 0.90"):
        assert expected in said, said


def test_two_classifiers_are_compared_label_by_label() -> None:
    left = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
    right = [[{"label": "b", "score": 0.5}, {"label": "c", "score": 0.5}]]
    made = labels.render_score_differences(left, right)
    assert re.findall(r"<tr><td>(\w)</td>", made) == ["a", "b", "c"]
    assert "+25.0%" in made
    assert "left:50.00%;width:12.50%" in made
    less = labels.render_score_differences([{"label": "a", "score": 4.0}], [{"label": "a", "score": -4.0}])
    assert "left:0.00%;width:50.00%" in less, "logits go as far as the largest of them"
    assert "-8.000" in less


@pytest.mark.parametrize(
    "other", [[], [{"label": "z", "score": 1.0}], [{"label": "a", "score": 1.0, "box": BOX}], {"text": "a"}, "a"]
)
def test_what_has_no_label_in_common_is_not_compared(other: Any) -> None:
    assert labels.render_score_differences([{"label": "a", "score": 1.0}], other) == ""
