"""One field: what it takes, what it refuses, and in which words."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.tasks import Field


def field(kind: Any, **options: Any) -> Field:
    return Field("name", kind, "Name", "what it is", **options)


@pytest.mark.parametrize(
    ("kind", "options", "value", "checked"),
    [
        ("text", {}, "hello", "hello"),
        ("text", {"default": None}, "\n", "\n"),
        ("texts", {}, ["a", "b"], ["a", "b"]),
        ("number", {}, 3.0, 3),
        ("number", {"whole": False}, 1, 1.0),
        ("choice", {"choices": ("true", "false")}, True, "true"),
        ("choice", {"choices": ("true", "false")}, "False", "false"),
        ("flag", {"default": False}, True, True),
        ("labels", {}, "a, b , a,", ["a", "b"]),
        ("labels", {}, ["a, b", "c"], ["a, b", "c"]),
        ("messages", {}, '[{"role": "user", "content": "hi"}]', [{"role": "user", "content": "hi"}]),
        ("table", {}, {"n": [1, None]}, {"n": ["1", ""]}),
        ("json", {}, '{"a": 1}', {"a": 1}),
        ("boxes", {}, [("word", (0, 0, 10, 1000))], [["word", [0, 0, 10, 1000]]]),
    ],
)
def test_what_fits_is_taken(kind: str, options: dict[str, Any], value: Any, checked: Any) -> None:
    assert field(kind, **options).check(value, 1000) == checked


@pytest.mark.parametrize(
    ("kind", "options", "value", "said"),
    [
        ("text", {}, 7, "must be text"),
        ("text", {}, "  ", "only white space"),
        ("texts", {}, ["a", " "], "only white space"),
        ("texts", {}, ["x" * 600, "y" * 600], "1,201 characters"),
        ("number", {}, True, "whole number"),
        ("number", {}, 1.5, "whole number"),
        ("number", {}, float("inf"), "whole number"),
        ("number", {"whole": False}, float("nan"), "a number"),
        ("number", {"maximum": 5}, 6, "at most 5"),
        ("number", {"minimum": 1}, 0, "at least 1"),
        ("choice", {"choices": ("a",)}, "b", "one of a"),
        ("flag", {}, "yes", "true or false"),
        ("labels", {}, " , ", "only white space|empty"),
        ("labels", {}, 5, "list of texts"),
        ("labels", {}, [str(number) for number in range(101)], "at most 100"),
        ("messages", {}, [{"role": "user"}], "Message 1 has no content"),
        ("messages", {}, "not json", "not valid JSON"),
        ("messages", {}, "5", "must be a list"),
        ("table", {}, {"a": ["1"], "b": ["1", "2"]}, "different lengths"),
        ("table", {}, [1], "columns by name"),
        ("json", {}, "[1]", "JSON object"),
        ("boxes", {}, [["word", [0, 0, 10, 1001]]], "from 0 to 1000"),
        ("boxes", {}, [["word"]], "must be a list"),
        ("image", {}, "/nowhere.png", "must be a file"),
        ("image", {}, 5, "must be a file"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(kind: str, options: dict[str, Any], value: Any, said: str) -> None:
    with pytest.raises(DemoError, match=said) as caught:
        field(kind, **options).check(value, 1000)
    assert "Name" in str(caught.value)


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_nothing_is_the_default_where_there_is_one_and_missed_where_not(nothing: Any) -> None:
    assert field("text", default="x").check(nothing, 1000) == "x"
    with pytest.raises(DemoError, match="Name is empty"):
        field("text").check(nothing, 1000)


def test_a_file_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    assert field("image").check(str(path), 1000) == path
