"""A link opens the view that it was made of, and nothing that it was not."""

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from hfdemo.ui.tabs.tokens.links import link, link_line, opened

KNOWN: dict[str, type | tuple[type, ...]] = {"texts": str, "batch_size": (int, float), "truncation": bool}


def followed(query: str) -> tuple[str, dict[str, object]] | None:
    return opened(dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)), KNOWN)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200), st.integers(1, 64), st.booleans())
def test_a_link_brings_back_what_it_was_made_of(text: str, size: int, truncation: bool) -> None:
    values = {"texts": text, "batch_size": size, "truncation": truncation}
    query = link("batch", values)
    assert query is not None
    assert followed(query) == ("batch", values)


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert followed(link("batch", {"texts": "12"}) or "") == ("batch", {"texts": "12"})


def test_a_link_typed_by_hand_needs_no_quotes() -> None:
    assert opened({"tab": "tokens", "texts": "two words"}, KNOWN) == ("text", {"texts": "two words"})


def test_what_a_link_may_not_set_is_left_out() -> None:
    query = {"tab": "tokens", "view": "elsewhere", "texts": "[1]", "batch_size": "true", "truncation": "3", "x": "1"}
    assert opened(query, KNOWN) == ("text", {})
    assert opened({"task": "text-classification"}, KNOWN) is None
    assert opened({"tab": "tokens", "texts": "[" * 5000}, KNOWN) == ("text", {"texts": "[" * 5000})


def test_what_is_too_long_for_a_browser_is_no_link() -> None:
    assert link("text", {"text": "x" * 10_000}) is None
    assert "Too long" in link_line("text", {"text": "x" * 10_000})
    assert "<a href='?tab=tokens&amp;view=text" in link_line("text", {"text": "'><script>"})
    assert "<script" not in link_line("text", {"text": "'><script>"})
