"""What a strategy is said to keep is what the library returns, and overlaps are what two windows share."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.truncating import Truncated, Window, compare_truncations, split_into_windows
from tests.tokenization.kinds import KINDS, bpe, kind

TEXT = "one two three, four five"
EMOJI = "a 🙂🟿 naïve"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


@contextmanager
def cutting(name: str, side: str) -> Iterator[Any]:
    tokenizer = kind(name)
    before, tokenizer.truncation_side = tokenizer.truncation_side, side
    try:
        yield tokenizer
    finally:
        tokenizer.truncation_side = before


def assert_equal_to_the_library(tokenizer: Any, text: str, pair: str | None, found: Truncated, length: int) -> None:
    assert [cell.id for cell in found.cells] == tokenizer(text, pair, verbose=False)["input_ids"]
    try:
        cut = tokenizer(text, pair, truncation=found.strategy, max_length=length)
    except Exception:
        assert found.error
        assert all(found.kept)
        return
    special = tokenizer.num_special_tokens_to_add(pair is not None)
    if length <= special:
        assert "special tokens take all of it" in found.error
        assert all(found.kept)
        return
    kept = [cell for cell, stays in zip(found.cells, found.kept, strict=True) if stays]
    assert [cell.id for cell in kept] == cut["input_ids"]
    assert bool(found.error) == (len(cut["input_ids"]) > length)
    assert found.lost == len(found.cells) - len(kept)
    if tokenizer.is_fast:
        assert [cell.sequence for cell in kept] == cut.sequence_ids()
        assert [cell.word for cell in kept] == cut.word_ids()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("pair", [None, "x y", "the same the same the same the same"])
@pytest.mark.parametrize("name", KINDS)
def test_each_strategy_keeps_what_the_library_keeps(name: str, pair: str | None, side: str) -> None:
    with cutting(name, side) as tokenizer:
        for text in (TEXT, "the same the same", EMOJI):
            for length in (2, 3, 4, 5, 8, 13, 40):
                found = compare_truncations(tokenizer, text, pair, length)
                names = ("longest_first", "only_first", "only_second")
                assert tuple(each.strategy for each in found) == names[: 2 if pair is None else 3]
                for each in found:
                    assert_equal_to_the_library(tokenizer, text, pair, each, length)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    TEXTS,
    st.one_of(st.none(), TEXTS),
    st.integers(2, 40),
    st.sampled_from(["left", "right"]),
)
def test_any_text_is_cut_as_the_library_cuts_it(name: str, text: str, pair: str | None, length: int, side: str) -> None:
    with cutting(name, side) as tokenizer:
        for each in compare_truncations(tokenizer, text, pair, length):
            assert_equal_to_the_library(tokenizer, text, pair, each, length)


def struck(found: Truncated) -> str:
    return " ".join(
        cell.token if kept else f"-{cell.token}-" for cell, kept in zip(found.cells, found.kept, strict=True)
    )


def test_longest_first_cuts_the_longer_text_and_then_both() -> None:
    longest, first, second = compare_truncations(kind("wordpiece"), "a b c d e f", "x y z", 9)
    assert struck(longest) == "[CLS] a b c -d- -e- -f- [SEP] x y z [SEP]"
    assert struck(first) == struck(longest)
    assert second.error == (
        "only_second would have to cut 3 tokens, but the second text has only 3 and one must stay. "
        "Raise max_length to 10, shorten the first text or use longest_first."
    )
    (_, _, advised) = compare_truncations(kind("wordpiece"), "a b c d e f", "x y z", 10)
    assert struck(advised) == "[CLS] a b c d e f [SEP] x -y- -z- [SEP]"


def test_equal_tokens_are_told_apart_by_their_place() -> None:
    with cutting("byt5", "left") as tokenizer:
        (longest, *_) = compare_truncations(tokenizer, "aaaa", "aaaa", 6)
    assert longest.kept == (False, False, True, True, True, False, False, True, True, True)


def test_a_python_only_tokenizer_that_stays_too_long_says_so() -> None:
    (_, first, _) = compare_truncations(kind("byt5"), "ab", "wxyz", 4)
    assert struck(first) == "-a- -b- </s> w x y z </s>"
    assert first.error == "only_first can't reach max_length 4: 6 tokens are left after it."


@pytest.mark.parametrize(("text", "pair", "length"), [(" ", None, 8), ("a", "\udc00", 8), ("a", None, 1)])
def test_what_can_not_be_encoded_at_all_gets_a_sentence(text: str, pair: str | None, length: int) -> None:
    with pytest.raises(DemoError):
        compare_truncations(kind("wordpiece"), text, pair, length)


def marked(window: Window) -> str:
    return " ".join(
        f"({cell.token})" if again else cell.token for cell, again in zip(window.cells, window.overlap, strict=True)
    )


def test_windows_mark_what_the_window_before_holds_too() -> None:
    found = split_into_windows(kind("wordpiece"), "a b c d e f g", None, 6, 2, "longest_first")
    assert [marked(each) for each in found] == [
        "[CLS] a b c d [SEP]",
        "[CLS] (c) (d) e f [SEP]",
        "[CLS] (e) (f) g [SEP]",
    ]


def test_windows_from_the_left_overlap_at_their_end() -> None:
    with cutting("wordpiece", "left") as tokenizer:
        found = split_into_windows(tokenizer, "a b c d e", None, 5, 1, "only_first")
    assert [marked(each) for each in found] == ["[CLS] c d e [SEP]", "[CLS] a b (c) [SEP]"]


def test_the_other_text_stands_in_each_window_and_is_no_overlap() -> None:
    found = split_into_windows(kind("wordpiece"), "a b c d", "q", 6, 1, "only_first")
    assert [marked(each) for each in found] == [
        "[CLS] a b [SEP] q [SEP]",
        "[CLS] (b) c [SEP] q [SEP]",
        "[CLS] (c) d [SEP] q [SEP]",
    ]


def test_a_text_that_fits_is_one_window_whatever_the_stride() -> None:
    (only,) = split_into_windows(kind("wordpiece"), "a b", None, 16, 300, "longest_first")
    assert marked(only) == "[CLS] a b [SEP]"


@settings(max_examples=60, deadline=None)
@example("bpe", "0 00\x80\x80", 4, 1, "left")
@given(
    st.sampled_from(["wordpiece", "bpe", "unigram"]),
    TEXTS,
    st.integers(4, 12),
    st.integers(0, 6),
    st.sampled_from(["left", "right"]),
)
def test_windows_are_the_librarys_rows_and_share_exactly_the_stride(
    name: str, text: str, length: int, stride: int, side: str
) -> None:
    with cutting(name, side) as tokenizer:
        try:
            found = split_into_windows(tokenizer, text, None, length, stride, "only_first")
        except DemoError as error:
            room = length - tokenizer.num_special_tokens_to_add(False)
            assert stride >= room, error  # noqa: PT017
            return
        if len(found) > 1:
            theirs = tokenizer(text, truncation=True, max_length=length, stride=stride, return_overflowing_tokens=True)[
                "input_ids"
            ]
            assert [[cell.id for cell in window.cells] for window in found] == theirs
    assert not any(found[0].overlap)
    assert all(sum(window.overlap) == stride for window in found[1:])
    for before, after in pairwise(found):
        again = [cell.id for cell, shared in zip(after.cells, after.overlap, strict=True) if shared]
        real = [cell.id for cell in before.cells if cell.sequence is not None]
        assert again == (real[:stride] if side == "left" else real[len(real) - stride :])


def test_an_offset_that_the_post_processor_moves_hides_no_overlap() -> None:
    found = split_into_windows(
        bpe(trim_offsets=True, add_prefix_space=True), " a  b  a  b  a  b", None, 4, 2, "only_first"
    )
    assert len(found) > 2
    assert all(sum(window.overlap) == 2 for window in found[1:])


@pytest.mark.parametrize(
    ("name", "text", "pair", "arguments", "said"),
    [
        ("byt5", "a b c", None, (4, 1, "longest_first"), "written in Python only"),
        ("wordpiece", "a b c d e", None, (5, 3, "longest_first"), "stride is 3, but a window has room for 3 tokens"),
        ("wordpiece", "a b c d", "q", (6, 2, "only_first"), "room for 2 tokens of the first text only"),
        ("wordpiece", "a b c d", "w x y z", (7, 1, "longest_first"), "cuts both texts here"),
        ("wordpiece", "a b", "w x y z", (6, 0, "only_first"), "Raise max_length to 8"),
        ("wordpiece", "a b c d", None, (4, 0, "only_second"), "needs second texts"),
        ("wordpiece", "a b c d", None, (4, 0, "do_not_truncate"), "Choose longest_first"),
        ("wordpiece", "a b c d", None, (4, -1, "longest_first"), "stride must be"),
        ("wordpiece", "a " * 1500, None, (512, 509, "longest_first"), "at most 200,000 are shown"),
    ],
)  # fmt: skip
def test_windows_that_can_not_be_get_a_sentence(
    name: str, text: str, pair: str | None, arguments: tuple[int, int, str], said: str
) -> None:
    with pytest.raises(DemoError, match=said):
        split_into_windows(kind(name), text, pair, *arguments)


def test_longest_first_slides_over_the_only_text_that_it_cuts() -> None:
    found = split_into_windows(kind("wordpiece"), "a b c d e", "q", 7, 0, "longest_first")
    assert [marked(each) for each in found] == ["[CLS] a b c [SEP] q [SEP]", "[CLS] d e [SEP] q [SEP]"]


@pytest.mark.parametrize("options", [Options(add_special_tokens=False), Options(split_special_tokens=True)])
def test_cutting_obeys_the_options_about_special_tokens(options: Options) -> None:
    tokenizer, text = kind("wordpiece"), "one two [SEP] four five six seven eight"
    given = {"add_special_tokens": options.add_special_tokens, "split_special_tokens": options.split_special_tokens}
    library = tokenizer([text], truncation=True, max_length=6, stride=1, return_overflowing_tokens=True, **given)[
        "input_ids"
    ]
    found = compare_truncations(tokenizer, text, None, 6, options)[0]
    kept = [cell.id for cell, stays in zip(found.cells, found.kept, strict=True) if stays]
    assert kept == library[0]
    rows = split_into_windows(tokenizer, text, None, 6, 1, "longest_first", options)
    assert [[cell.id for cell in row.cells] for row in rows] == library
