"""What each truncation strategy cuts off, and the windows that overflow into rows of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tokenization.encoding import Cell, Encoding, encode
from hfdemo.tokenization.options import Options, count_text_windows

MOST_CHARACTERS = 100_000
MOST_WINDOW_SLOTS = 200_000

_ORDER = {"only_first": 0, "only_second": 1}
_NAMES = ("first", "second")
_DEFAULTS = Options()


@dataclass(frozen=True)
class Truncated:
    """All tokens of the uncut row, and which of them the strategy keeps.

    `error` says why the strategy can't reach max_length. Where the library refuses, nothing is cut and all are kept;
    where it returns a row that is still too long (a tokenizer that is written in Python only), `kept` is that row.
    """

    strategy: str
    cells: tuple[Cell, ...]
    kept: tuple[bool, ...]
    error: str = ""

    @property
    def lost(self) -> int:
        return len(self.kept) - sum(self.kept)


@dataclass(frozen=True)
class Window:
    """One row of `return_overflowing_tokens`; `overlap` marks what the window before it holds, too.

    Only tokens of the text that the windows slide over are marked: special tokens and an uncut other text stand in
    every window anyway.
    """

    cells: tuple[Cell, ...]
    overlap: tuple[bool, ...]


@dataclass(frozen=True)
class _FullRow:
    """The whole row, and for each of its slots the text that it came from; None is a special token."""

    cells: tuple[Cell, ...]
    sequences: tuple[int | None, ...]

    def count(self, sequence: int) -> int:
        return self.sequences.count(sequence)


def compare_truncations(
    tokenizer: Any, text: str, pair: str | None, max_length: int, options: Options = _DEFAULTS
) -> tuple[Truncated, ...]:
    """Return longest_first, only_first and only_second on the same row, in that order (without a pair: the first two).

    Of `options`, those about special tokens count. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: a text that can't be read or is longer than MOST_CHARACTERS, or a max_length below 2.
    """
    uncut = _encode_full_row(tokenizer, text, pair, options)
    strategies = ("longest_first", "only_first", "only_second")[: 2 if pair is None else 3]
    cuts = [replace(options, truncation=strategy, max_length=max_length) for strategy in strategies]
    return tuple(_truncate(tokenizer, uncut, text, pair, each) for each in cuts)


def split_into_windows(
    tokenizer: Any,
    text: str,
    pair: str | None,
    max_length: int,
    stride: int,
    truncation: str,
    options: Options = _DEFAULTS,
) -> tuple[Window, ...]:
    """Return the rows that `return_overflowing_tokens=True` gives, in order; with truncation_side left the last part is
    first.

    Of `options`, those about special tokens count. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: a text that can't be read or is longer than MOST_CHARACTERS, a stride that leaves no room, more than
            MOST_WINDOW_SLOTS slots in all windows together, longest_first where it cuts both texts, or a tokenizer
            that is written in Python only.
    """
    cutting = replace(options, truncation=truncation, max_length=max_length)
    if not cutting.truncates:
        raise DemoError(f"Windows come from cutting, but truncation is {truncation!r}. Choose longest_first.")
    if not tokenizer.is_fast:
        raise DemoError(
            "This tokenizer is written in Python only: it returns one row and the tokens that were cut, no windows. "
            "Choose a tokenizer with a tokenizer.json."
        )
    uncut = _encode_full_row(tokenizer, text, pair, options)
    cut = _truncate(tokenizer, uncut, text, pair, cutting)
    if cut.error:
        raise DemoError(cut.error)
    slides = {
        sequence for sequence, kept in zip(uncut.sequences, cut.kept, strict=True) if not kept and sequence is not None
    }
    if not slides:
        # The library checks the stride even where nothing overflows.
        return (Window(uncut.cells, (False,) * len(uncut.cells)),)
    room = [sum(kept for at, kept in zip(uncut.sequences, cut.kept, strict=True) if at == each) for each in (0, 1)]
    if len(slides) == 2:
        raise DemoError(
            "longest_first cuts both texts here, so the library would pair every window of the first with every window "
            "of the second. Use only_first or only_second, or raise max_length."
        )
    (slide,) = slides
    _check_windows(uncut.count(slide), room[slide], stride, max_length, _NAMES[slide])
    rows = _encode(tokenizer, text, pair, replace(cutting, stride=stride, return_overflowing_tokens=True))
    return tuple(_mark_overlaps(rows, slide, stride, tokenizer.truncation_side))


def _encode(tokenizer: Any, text: str, pair: str | None, options: Options) -> Encoding:
    return encode(tokenizer, [text], None if pair is None else [pair], options, MOST_CHARACTERS)


def _encode_full_row(tokenizer: Any, text: str, pair: str | None, options: Options) -> _FullRow:
    encoding = _encode(tokenizer, text, pair, options)
    (cells,) = encoding.rows()
    if tokenizer.is_fast:
        return _FullRow(tuple(cells), tuple(encoding.columns["sequence_ids"][0]))
    alone = _encode(tokenizer, text, None, replace(options, add_special_tokens=False))
    first = len(alone.columns["input_ids"][0])
    real = count()
    sequences = [None if cell.kind == "special" else int(next(real) >= first) for cell in cells]
    return _FullRow(tuple(cells), tuple(sequences))


def _truncate(tokenizer: Any, uncut: _FullRow, text: str, pair: str | None, options: Options) -> Truncated:
    strategy, limit = str(options.truncation), options.max_length or 0
    try:
        columns = _encode(tokenizer, text, pair, options).columns
    except DemoError as error:
        return Truncated(
            strategy, uncut.cells, (True,) * len(uncut.cells), _explain_refusal(uncut, strategy, limit, error)
        )
    kept = _find_kept(tokenizer, uncut, columns, strategy)
    left = sum(kept)
    said = "" if left <= limit else f"{strategy} can't reach max_length {limit}: {left} tokens are left after it."
    return Truncated(strategy, uncut.cells, kept, said)


def _explain_refusal(uncut: _FullRow, strategy: str, limit: int, error: DemoError) -> str:
    """Return the library's "Sequence to truncate too short", with the numbers that make it clear."""
    sequence = _ORDER.get(strategy)
    over = len(uncut.cells) - limit
    own = uncut.count(sequence) if sequence is not None else 0
    if sequence is None or not 0 < own <= over or limit <= uncut.sequences.count(None):
        return str(error)
    other = _NAMES[1 - sequence]
    return (
        f"{strategy} would have to cut {over} tokens, but the {_NAMES[sequence]} text has only {own} and one must "
        f"stay. Raise max_length to {len(uncut.cells) - own + 1}, shorten the {other} text or use longest_first."
    )


def _find_kept(tokenizer: Any, uncut: _FullRow, columns: Mapping[str, list[Any]], strategy: str) -> tuple[bool, ...]:
    """Say which slots of the uncut row are in the cut one: special tokens, and from each text what was left."""
    totals = [uncut.count(0), uncut.count(1)]
    if tokenizer.is_fast:
        left = Counter(columns["sequence_ids"][0])
        # The core cuts each text at one end.
        stay = [
            set(range(left[each]) if tokenizer.truncation_side == "right" else range(total - left[each], total))
            for each, total in enumerate(totals)
        ]
    else:
        # The library's own function, given positions in place of ids: it returns those that stay.
        over = len(uncut.cells) - len(columns["input_ids"][0])
        stay = [set(part or ()) for part in _truncate_positions(tokenizer, totals, over, strategy)]
    seen, kept = [0, 0], []
    for sequence in uncut.sequences:
        kept.append(sequence is None or seen[sequence] in stay[sequence])
        if sequence is not None:
            seen[sequence] += 1
    return tuple(kept)


def _truncate_positions(tokenizer: Any, totals: Sequence[int], over: int, strategy: str) -> Any:
    first, second = (list(range(total)) for total in totals)
    return tokenizer.truncate_sequences(first, second or None, over, strategy)[:2]


def _check_windows(total: int, room: int, stride: int, max_length: int, name: str) -> None:
    if stride >= room:
        raise DemoError(
            f"stride is {stride}, but a window has room for {room} tokens of the {name} text only. "
            "Make stride smaller or max_length larger."
        )
    needed = count_text_windows(total, room, stride)
    if needed * max_length > MOST_WINDOW_SLOTS:
        raise DemoError(
            f"These would be {needed:,} windows with {needed * max_length:,} positions; at most {MOST_WINDOW_SLOTS:,} "
            "are shown. Make stride smaller or the text shorter."
        )


def _mark_overlaps(encoding: Encoding, slide: int, stride: int, side: str) -> list[Window]:
    columns, found = encoding.columns, []
    before: list[Any] = []
    for row, cells in enumerate(encoding.rows()):
        slots = [slot for slot, sequence in enumerate(columns["sequence_ids"][row]) if sequence == slide]
        if side == "left":
            slots.reverse()
        # By their ids alone: some post-processors move the offsets of a row's first and last tokens.
        ids = [columns["input_ids"][row][slot] for slot in slots]
        most = min(stride, len(before), len(ids))
        shared = next(size for size in range(most, -1, -1) if before[len(before) - size :] == ids[:size])
        again = set(slots[:shared])
        found.append(Window(tuple(cells), tuple(slot in again for slot in range(len(cells)))))
        before = ids
    return found
