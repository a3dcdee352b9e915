"""Arguments of another type than their annotation's are refused in words, whatever clients send."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.api.argument_types import check_types
from hfdemo.errors import DemoError

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def function(
    text: str, count: int, share: float, switch: bool, names: list[str], texts: str | list[str], either: bool | str,
    maybe: dict | None = None,  # type: ignore[type-arg]
) -> None: ...  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "a\0b", "a\0b"),
        ("count", 3.0, 3),
        ("share", 3, 3),
        ("switch", "False", False),
        ("names", [], []),
        ("texts", "a", "a"),
        ("texts", ["a"], ["a"]),
        ("either", "true", True),
        ("either", "longest", "longest"),
        ("maybe", None, None),
        ("maybe", {"a": [1]}, {"a": [1]}),
    ],
)
def test_what_fits_is_read(name: str, value: Any, expected: Any) -> None:
    found = check_types(function, {name: value})[name]
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("text", None, "text is None, but must be a text"),
        ("text", {"a": 1}, "must be a text"),
        ("count", True, "must be a whole number"),
        ("count", 10**30, "must be a whole number"),
        ("count", float("nan"), "count is nan, but must be a whole number"),
        ("count", float("inf"), "count is inf"),
        ("share", 10**400, "must be a number"),
        ("switch", "no", "must be true or false"),
        ("switch", 1, "must be true or false"),
        ("names", [[]], r"an item of names is \[\], but must be a text"),
        ("texts", ["a", 1], "an item of texts is 1"),
        ("texts", 5, "must be a text or a JSON list"),
        ("either", 5, "must be true or false or a text"),
        ("maybe", {"a": ["\ud800"]}, "maybe is not valid Unicode"),
        ("maybe", {"\udfff": 1}, "maybe is not valid Unicode"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(name: str, value: Any, said: str) -> None:
    with pytest.raises(DemoError, match=said) as caught:
        check_types(function, {name: value})
    str(caught.value).encode()


@given(st.sampled_from(["text", "count", "share", "switch", "names", "texts", "either", "maybe"]), ANY_JSON)
def test_any_json_is_read_or_refused(name: str, value: Any) -> None:
    try:
        found = check_types(function, {name: value})[name]
    except DemoError as error:
        str(error).encode()
    else:
        assert found == value or str(found).lower() == value.lower()
