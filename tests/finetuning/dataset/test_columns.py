"""Columns and the kind of their answers are suggested from what the table holds."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pytest

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.columns import Columns, choose_columns, recognise_kind, suggest_columns
from hfdemo.finetuning.kinds import KINDS, kinds_of_task


def table(**columns: Iterable[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: [str(value) for value in values] for name, values in columns.items()}, dtype=str)


WORDS = [json.dumps(["one", "two"]), json.dumps(["three"])] * 6
TAGS = [json.dumps(["O", "B-X"]), json.dumps(["O"])] * 6
CHAT = [json.dumps([{"role": "user", "content": f"hi {i}"}]) for i in range(12)]
TEXTS = [f"text number {i}" for i in range(12)]


@pytest.mark.parametrize(
    ("data", "mapped", "kind"),
    [
        (table(tokens=WORDS, tags=TAGS), Columns("tokens", "tags"), "tokens"),
        (
            table(id=range(12), tokens=WORDS, pos_tags=TAGS, ner_tags=TAGS, chunk_tags=TAGS),
            Columns("tokens", "ner_tags"),
            "tokens",
        ),
        (table(id=range(12), messages=CHAT), Columns("messages", None), "language"),
        (table(text=TEXTS), Columns("text", None), "language"),
        (table(text=TEXTS, labels=TAGS), Columns("text", "labels"), "multi_label"),
        (table(text=TEXTS, genres=TAGS), Columns("text", "genres"), "multi_label"),
        (table(text=TEXTS, label=["a|b", "a", "b"] * 4), Columns("text", "label"), "multi_label"),
        (
            table(sentence1=TEXTS, sentence2=TEXTS, score=[i / 7 for i in range(12)]),
            Columns("sentence1", "score", "sentence2"),
            "regression",
        ),
        (table(id=range(12), text=TEXTS, grade=[i + 0.5 for i in range(12)]), Columns("text", "grade"), "regression"),
        (table(text=TEXTS, label=["1.0", "0.0"] * 6), Columns("text", "label"), "single_label"),
        (
            table(text=TEXTS, stars=[1, 2, 5] * 4, split=["train", "dev", "test"] * 4),
            Columns("text", "stars", None, "split"),
            "single_label",
        ),
    ],
)  # fmt: skip
def test_columns_and_kind_are_seen_from_the_cells(data: pd.DataFrame, mapped: Columns, kind: str) -> None:
    assert suggest_columns(data) == mapped
    assert recognise_kind(data, mapped).name == kind


def test_many_whole_numbers_are_classes_when_they_count_without_a_gap_and_quantities_otherwise() -> None:
    texts, columns = [f"text {i}" for i in range(154)], Columns("text", "label")
    assert recognise_kind(table(text=texts, label=[i % 77 for i in range(154)]), columns).name == "single_label"
    assert recognise_kind(table(text=texts, label=[i % 77 * 3 for i in range(154)]), columns).name == "regression"


def test_a_few_cells_that_are_otherwise_do_not_change_the_kind() -> None:
    data = table(tokens=[*WORDS * 2, "broken"], tags=[*TAGS * 2, '["O", "O", "O"]'])
    assert suggest_columns(data) == Columns("tokens", "tags")


def test_nothing_is_suggested_where_nothing_stands_out() -> None:
    assert suggest_columns(table(text=TEXTS, note=TEXTS)) is None
    assert suggest_columns(table(tokens=WORDS, other=TEXTS), kinds_of_task("token-classification")) is None


def test_every_kind_belongs_to_a_task() -> None:
    assert [kind for task in dict.fromkeys(each.task for each in KINDS.values()) for kind in kinds_of_task(task)] == [
        *KINDS.values()
    ], "KINDS lists those of a task one after the other, the one that a config without a problem_type means first"
    assert kinds_of_task("text-classification")[0].name == "single_label"
    words = [(kind.task, kind.problem_type) for kind in KINDS.values()]
    assert len(set(words)) == len(words), "a config says by task and problem_type which kind it means"


def test_the_task_and_the_problem_type_of_a_config_decide() -> None:
    data = table(text=TEXTS, label=[1, 2, 3] * 4)
    assert choose_columns(RunConfig("x"), data) == (Columns("text", "label"), KINDS["single_label"])
    assert choose_columns(RunConfig("x", problem_type="regression"), data)[1].name == "regression"
    assert choose_columns(RunConfig("x", task="text-generation"), data) == (
        Columns("text", None),
        KINDS["language"],
    )
    longest = table(a=TEXTS, b=[f"{text} and more" for text in TEXTS])
    assert choose_columns(RunConfig("x", task="text-generation"), longest)[0].text_column == "b"
    assert (
        choose_columns(RunConfig("x", task="token-classification"), table(tokens=WORDS, tags=TAGS))[1].name == "tokens"
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"task": "fill-mask"}, r"'fill-mask' can't be fine-tuned here. What can: text-classification, token-"),
        ({"task": "token-classification"}, "lists of words and of their tags"),
        ({"task": "text-generation", "label_column": "label"}, "Leave label_column out"),
        ({"task": "text-generation", "text_pair_column": "other"}, "Leave text_pair_column out"),
        ({"label_column": ""}, "label_column is needed"),
        ({"label_column": "body"}, "no column 'body'"),
    ],
)
def test_a_choice_that_cannot_be_gets_a_sentence(config: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        choose_columns(RunConfig("x", **config), table(text=TEXTS, other=TEXTS, label=["a", "b"] * 6))
