"""Where a model reads two texts, its row says so, and the first stage shows which token is of which."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.inference import predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS
from hfdemo.tasks.field import EXAMPLE_MEDIA
from hfdemo.ui.tabs.run.stages_view import render_stages

Zoo = Callable[[str], Path]
RECEIPT = EXAMPLE_MEDIA / "receipt.png"
WORDS = [["Total", [100, 100, 200, 120]], ["nine", [300, 100, 350, 120]]]
# (task, values, the tokenizer's call, the first words of both texts as tokens)
PAIRS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "text-classification",
        {"text": "one [SEP] two", "text_pair": "three"},
        "tokenizer(text, text_pair)",
        "one [SEP] two",
        "three",
    ),
    (
        "zero-shot-classification",
        {"text": "the ferry is late", "candidate_labels": ["travel", "food"]},
        "tokenizer(text, hypothesis)",
        "the ferry is late",
        "this example is travel .",
    ),
    (
        "zero-shot-classification",
        {"text": "late", "candidate_labels": ["travel"], "hypothesis_template": "about {}"},
        "tokenizer(text, hypothesis)",
        "late",
        "about travel",
    ),
    (
        "question-answering",
        {"question": "when ?", "context": "the ferry leaves at seven"},
        "tokenizer(question, context)",
        "when ?",
        "the ferry leaves at seven",
    ),
    (
        "table-question-answering",
        {"table": {"river": ["rhine", "elbe"]}, "question": "which river ?"},
        "tokenizer(table, question)",
        "which river ?",
        "river rhine el ##be",
    ),
    (
        "document-question-answering",
        {"image": RECEIPT, "question": "how much ?", "word_boxes": WORDS},
        "tokenizer(question, words, boxes=boxes)",
        "how much ?",
        "total nine",
    ),
]


@pytest.mark.parametrize(("task", "values", "call", "first", "second"), PAIRS)
def test_the_tokens_of_a_pair_are_told_apart(
    models: ModelCache, zoo: Zoo, task: str, values: dict[str, Any], call: str, first: str, second: str
) -> None:
    prediction = predict(models, TASKS[task], ModelRef.parse(str(zoo(task))), values)
    stages = prediction.stages
    read = [
        " ".join(token for token, of in zip(stages.tokens, stages.sequences, strict=True) if of == sequence)
        for sequence in (0, 1)
    ]
    assert read == [first, second]
    drawn = render_stages(stages, prediction.seconds)
    assert f"{call}</code> cuts both texts into {len(stages.tokens)} tokens" in drawn


def test_every_task_that_declares_a_pair_is_tried_here() -> None:
    declared = {name for name, task in TASKS.items() if task.pair is not None}
    assert declared == {task for task, *_ in PAIRS}, "PAIRS has a case for each row with `pair`, and for no other"


@pytest.mark.parametrize(
    ("task", "values", "call"),
    [
        ("text-classification", {"text": "one"}, "tokenizer(text)"),
        ("visual-question-answering", {"image": RECEIPT, "question": "what ?"}, "tokenizer(question)"),
    ],
)
def test_a_lone_text_is_no_pair(models: ModelCache, zoo: Zoo, task: str, values: dict[str, Any], call: str) -> None:
    prediction = predict(models, TASKS[task], ModelRef.parse(str(zoo(task))), values)
    assert set(prediction.stages.sequences) <= {0, None}
    assert f"{call}</code> cuts the text into" in render_stages(prediction.stages, prediction.seconds)


def test_a_text_that_is_cut_to_make_room_for_its_hypothesis_is_said_to_be_cut(models: ModelCache, zoo: Zoo) -> None:
    task = "zero-shot-classification"
    most = json.loads((zoo(task) / "config.json").read_text())["max_position_embeddings"]
    values = {"text": "word " * (most - 2), "candidate_labels": ["travel"]}
    prediction = predict(models, TASKS[task], ModelRef.parse(str(zoo(task))), values)
    assert prediction.warnings == (f"Both texts have {most + 6} tokens; the model reads {most}. The rest was cut off.",)
    assert prediction.stages.sequences.count(1) == 5, "the hypothesis is read whole"
