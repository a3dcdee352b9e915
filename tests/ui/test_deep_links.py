"""A link holds all that was typed, and opens the tab with it."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, Task
from hfdemo.ui.deep_links import (
    RunQuery,
    read_finetune_query,
    read_run_query,
    read_tokens_query,
    render_tokens_link,
    write_run_query,
    write_tokens_query,
)

DEFAULT = TASKS["text-classification"]


def unasked(reference: str) -> Task:
    raise AssertionError("an address that names its task asks nobody for it")


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("text-classification", {"text": "a & b = c? # 100% +é🙂\n<b>", "top_k": 2}),
        ("text-classification", {"text": "123"}),
        ("zero-shot-classification", {"text": "true", "candidate_labels": ["a, b", "c"], "multi_label": True}),
        ("text-generation", {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}),
        ("table-question-answering", {"table": {"city": ["Oslo"], "n": ["1"]}, "question": "where?"}),
        ("automatic-speech-recognition", {"task": "translate", "language": "french"}),
    ],
)
def test_what_a_link_holds_is_what_it_opens(task: str, values: dict[str, Any]) -> None:
    address = write_run_query(TASKS[task], "owner/name@v1", values)
    assert address is not None
    found = read_run_query(dict(parse_qsl(address.removeprefix("?"))), unasked, DEFAULT)
    assert (found.task.name, found.model, found.values, found.notes) == (task, "owner/name@v1", values, ())


def test_files_and_defaults_are_left_out_and_what_is_too_long_has_no_link() -> None:
    address = write_run_query(TASKS["image-classification"], "a/b", {"image": "/tmp/secret.png", "top_k": None})
    assert address == "?task=image-classification&model=a%2Fb"
    assert write_run_query(TASKS["text-classification"], "a/b", {"text": "x" * 10_000}) is None


def test_an_address_that_asks_for_nothing_opens_the_default() -> None:
    assert read_run_query({"__theme": "dark"}, unasked, DEFAULT) == RunQuery(DEFAULT, None, {})


def test_a_model_alone_brings_its_task() -> None:
    found = read_run_query({"model": "a/b"}, lambda name: TASKS["fill-mask"], DEFAULT)
    assert (found.task.name, found.model) == ("fill-mask", "a/b")


@pytest.mark.parametrize(
    ("alias", "task"), [("ner", "token-classification"), ("sentiment-analysis", "text-classification")]
)
def test_the_librarys_other_names_of_a_task_are_known(alias: str, task: str) -> None:
    assert read_run_query({"task": alias}, unasked, DEFAULT).task.name == task


def test_what_can_not_be_followed_is_said_and_the_rest_is_kept() -> None:
    found = read_run_query({"task": "mind-reading", "model": "a/b"}, unasked, DEFAULT)
    assert (found.task, found.model) == (DEFAULT, "a/b")
    assert "no task 'mind-reading'" in found.notes[0]

    def unreachable(reference: str) -> Task:
        raise DemoError(f"{reference} can't be reached.")

    assert "a/b can't be reached" in read_run_query({"model": "a/b"}, unreachable, DEFAULT).notes[0]


@pytest.mark.parametrize(
    ("task", "name", "value"),
    [
        ("table-question-answering", "table", "5"),
        ("table-question-answering", "table", '{"a": ["1"], "b": []}'),
        ("text-generation", "messages", "foo"),
        ("zero-shot-classification", "candidate_labels", "5"),
        ("text-classification", "top_k", "1e999"),
        ("text-classification", "text", " "),
        ("text-classification", "function_to_apply", "[" * 1000),
        ("text-generation", "messages", "[" * 100_000),
    ],
)
def test_a_value_that_its_field_refuses_is_left_out_with_a_note(task: str, name: str, value: str) -> None:
    found = read_run_query({"task": task, name: value}, unasked, DEFAULT)
    assert found.values == {}
    assert found.notes[0].startswith(f"The link's {name} was left out. ")


def test_files_are_never_taken_from_a_link() -> None:
    found = read_run_query({"task": "image-classification", "image": "/etc/passwd", "nonsense": "1"}, unasked, DEFAULT)
    assert (found.values, found.notes) == ({}, ())


KNOWN: dict[str, type | tuple[type, ...]] = {"texts": str, "batch_size": (int, float), "truncation": bool}


def followed(query: str) -> tuple[str, dict[str, object]] | None:
    return read_tokens_query(dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)), KNOWN)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200), st.integers(1, 64), st.booleans())
def test_a_link_to_a_view_brings_back_what_it_was_made_of(text: str, size: int, truncation: bool) -> None:
    values = {"texts": text, "batch_size": size, "truncation": truncation}
    query = write_tokens_query("batch", values)
    assert query is not None
    assert followed(query) == ("batch", values)


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert followed(write_tokens_query("batch", {"texts": "12"}) or "") == ("batch", {"texts": "12"})


def test_a_link_typed_by_hand_needs_no_quotes() -> None:
    assert read_tokens_query({"tab": "tokens", "texts": "two words"}, KNOWN) == ("text", {"texts": "two words"})


def test_what_a_link_may_not_set_is_left_out() -> None:
    query = {"tab": "tokens", "view": "elsewhere", "texts": "[1]", "batch_size": "true", "truncation": "3", "x": "1"}
    assert read_tokens_query(query, KNOWN) == ("text", {})
    assert read_tokens_query({"task": "text-classification"}, KNOWN) is None
    assert read_tokens_query({"tab": "tokens", "texts": "[" * 5000}, KNOWN) == ("text", {"texts": "[" * 5000})


def test_what_is_too_long_for_a_browser_is_no_link() -> None:
    assert write_tokens_query("text", {"text": "x" * 10_000}) is None
    assert "Too long" in render_tokens_link("text", {"text": "x" * 10_000})
    assert "<a href='?tab=tokens&amp;view=text" in render_tokens_link("text", {"text": "'><script>"})
    assert "<script" not in render_tokens_link("text", {"text": "'><script>"})


def test_an_address_of_a_run_opens_it_unless_it_is_of_another_tab() -> None:
    assert read_finetune_query({"run": "20260101-120000-x.ab", "__theme": "dark"}) == ("20260101-120000-x.ab", True)
    assert read_finetune_query({"run": ""}) == read_finetune_query({}) == (None, False)
    taken = {"run", "tab", "view"}
    assert not any(field.name in taken for task in TASKS.values() for field in task.fields), "which has links, too"


def test_an_address_that_names_every_place_shows_the_tab_that_it_names() -> None:
    query = {"task": "fill-mask", "model": "a/b", "run": "x", "view": "batch"}
    assert read_finetune_query({**query, "tab": "run"}) == ("x", False)
    assert read_finetune_query({**query, "tab": "finetune"}) == ("x", True)
    assert read_finetune_query({"tab": "finetune"}) == (None, True)
    known: dict[str, Any] = {"model": str, "tokenizer": str}
    assert read_tokens_query({**query, "tab": "tokens"}, known) == ("batch", {}), "the model is the task's"
    asked = read_run_query({**query, "tab": "tokens"}, unasked, DEFAULT)
    assert (asked.task.name, asked.model) == ("fill-mask", "a/b")
    link = {"tab": "tokens", "view": "text", "model": '"embedded:minilm"'}
    assert read_run_query(link, unasked, DEFAULT) == RunQuery(DEFAULT, None, {}), "the model reads the tokens"
