"""A whole data set before it is padded: its lengths, what a max_length cuts, what each strategy costs, what to take."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, Stopped
from hfdemo.tokenization.padding import STRATEGIES, Cost, plan

PERCENTILES = (50, 75, 90, 95, 99, 100)
CHUNK = 4_000  # rows between two looks at `stop`: large enough for the tokenizer's threads, well under a second

# What a recommended max_length keeps whole: every row, if that takes at most so many times the tokens that 99% take.
_KEPT, _STRETCH = 0.99, 1.5
# Grouping changes which rows meet in training: it has to save this share of the slots, of a set that takes a while.
_WORTH_GROUPING, _WHILE = 0.1, 1_000


@dataclass(frozen=True)
class Cut:
    """What truncating to `max_length` takes away: `rows` that lose something, `tokens` that are lost in all."""

    max_length: int
    rows: int
    tokens: int


@dataclass(frozen=True)
class Recommendation:
    """The setting to take, under the names of RunConfig, and the sentence that says why."""

    padding: str
    max_length: int | None
    reason: str


@dataclass(frozen=True)
class Report:
    """Rows and their lengths in tokens, special tokens included, before truncation (`lengths`: length, rows).

    `strategies` are counted over the whole set, batched in a shuffled order by `seed` as training does, rows cut to
    `max_length`. `limit` is what the model can read, None where nothing says.
    """

    rows: int
    lengths: tuple[tuple[int, int], ...]
    percentiles: Mapping[int, int]
    cuts: tuple[Cut, ...]
    strategies: tuple[Cost, ...]
    recommended: Recommendation
    batch_size: int
    max_length: int | None
    limit: int | None

    def to_json(self) -> dict[str, Any]:
        """{"rows", "lengths", "percentiles", "truncated", "strategies", "recommended", ...} as plain values.

        "left_out" says of a strategy that is not among `strategies` what it lacks.
        """
        counted = {cost.name for cost in self.strategies}
        lacks = "It needs a max_length: none was given, and nothing says what the model can read."
        return {
            "rows": self.rows,
            "lengths": [list(each) for each in self.lengths],
            "percentiles": {str(percent): length for percent, length in self.percentiles.items()},
            "truncated": [{**asdict(cut), "share": cut.rows / self.rows} for cut in self.cuts],
            "strategies": [asdict(cost) for cost in self.strategies],
            "left_out": {name: lacks for name in STRATEGIES if name not in counted},
            "recommended": asdict(self.recommended),
            "batch_size": self.batch_size,
            "max_length": self.max_length,
            "limit": self.limit,
        }


def token_lengths(
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    stop: Event | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> list[int]:
    """Tokens per row, special tokens included, uncut; `tell` hears (rows done, rows in all).

    `tokenizer` is held alone by the caller. Of a fast one the Rust part alone is asked, which counts no offsets.

    Raises:
        DemoError: a text that is not valid Unicode.
        Stopped: `stop` was set.
    """
    found: list[int] = []
    with _bare(tokenizer):
        for start in range(0, len(texts), CHUNK):
            if stop is not None and stop.is_set():
                raise Stopped
            some = texts[start : start + CHUNK]
            found += _lengths(tokenizer, some, None if pairs is None else pairs[start : start + CHUNK], start)
            if tell is not None:
                tell(len(found), len(texts))
    return found


@contextlib.contextmanager
def _bare(tokenizer: Any) -> Iterator[None]:
    """A fast tokenizer's Rust part without the truncation and padding that the last call left in it."""
    backend = tokenizer.backend_tokenizer if tokenizer.is_fast else None
    if backend is None:
        yield
        return
    truncation, padding, split = backend.truncation, backend.padding, backend.encode_special_tokens
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    try:
        yield
    finally:
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)
        backend.encode_special_tokens = split


def _lengths(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, start: int) -> list[int]:
    try:
        if tokenizer.is_fast:
            rows = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
            return [len(row) for row in tokenizer.backend_tokenizer.encode_batch_fast(rows)]
        second = None if pairs is None else list(pairs)
        ids = tokenizer(list(texts), second, padding=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]
    except (TypeError, UnicodeEncodeError) as error:
        for row, text in enumerate(texts):
            _check_unicode(text, start + row)
            _check_unicode("" if pairs is None else pairs[row], start + row)
        raise error


def _check_unicode(text: str, row: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DemoError(
            f"Row {row + 1} is not valid Unicode: there is half a surrogate pair at character {error.start + 1}. "
            "Remove it."
        ) from error


def padding_report(
    lengths: Sequence[int],
    batch_size: int,
    max_length: int | None = None,
    limit: int | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 42,
) -> Report:
    """The report over rows of these lengths; `size` is (layers, hidden width) of the model, for the FLOPs.

    Without `max_length` the rows are cut to `limit`, as the trainer would; "max_length" without either is left out.

    Raises:
        DemoError: no rows, or a batch size or max_length that can't be.
    """
    if not lengths:
        raise DemoError("There are no rows to report on. Give a data set with texts.")
    if max_length is not None and max_length < 1:
        raise DemoError(f"max_length is {max_length}, but must be at least 1.")
    if max_length is not None and limit is not None and max_length > limit:
        raise DemoError(f"max_length is {max_length}, but the model reads at most {limit} tokens. Use {limit} or less.")
    counted = sorted(Counter(lengths).items())
    cut_to = max_length if max_length is not None else limit
    names = [name for name in STRATEGIES if name != "max_length" or cut_to is not None]
    return Report(
        rows=len(lengths),
        lengths=tuple(counted),
        percentiles={percent: _percentile(counted, percent) for percent in PERCENTILES},
        cuts=tuple(_cut(counted, at) for at in _marks(counted[-1][0], max_length, limit)),
        strategies=tuple(plan(lengths, batch_size, name, cut_to, seed).cost(size) for name in names),
        recommended=_recommend(lengths, counted, batch_size, max_length, limit, seed),
        batch_size=batch_size,
        max_length=max_length,
        limit=limit,
    )


def _percentile(counted: Sequence[tuple[int, int]], percent: int) -> int:
    """The shortest length that at least `percent` of the rows don't exceed."""
    needed = -(-percent * sum(rows for _, rows in counted) // 100)
    seen = accumulate(rows for _, rows in counted)
    return next(length for (length, _), rows in zip(counted, seen, strict=True) if rows >= needed)


def _marks(longest: int, *more: int | None) -> list[int]:
    """Where to look what is cut: the powers of two from 16 to the first that cuts nothing, and `more`."""
    powers = [16]
    while powers[-1] < longest:
        powers.append(powers[-1] * 2)
    return sorted({*powers, *(mark for mark in more if mark is not None)})


def _cut(counted: Sequence[tuple[int, int]], max_length: int) -> Cut:
    long = [(length - max_length, rows) for length, rows in counted if length > max_length]
    return Cut(max_length, sum(rows for _, rows in long), sum(over * rows for over, rows in long))


def _recommend(
    lengths: Sequence[int],
    counted: Sequence[tuple[int, int]],
    batch_size: int,
    chosen: int | None,
    limit: int | None,
    seed: int,
) -> Recommendation:
    """max_length as `chosen`, else by the lengths; padding to the longest in the batch, unless grouping saves much."""
    longest = counted[-1][0]
    enough = _rounded(_percentile(counted, round(_KEPT * 100)))
    whole = _rounded(longest)
    max_length = whole if whole <= _STRETCH * enough else enough
    advised = max_length if limit is None else min(max_length, limit)
    max_length = advised if chosen is None else chosen
    cut = _cut(counted, max_length)
    if not cut.rows:
        kept = f"max_length {max_length} keeps every row whole: the longest has {longest} tokens."
    else:
        why = ", all that the model reads," if max_length == limit else ""
        kept = (
            f"max_length {max_length}{why} keeps {_percent(1 - cut.rows / len(lengths))} of the rows whole; "
            f"the longest has {longest} tokens."
        )
    if max_length < advised:
        more = _cut(counted, advised).rows
        kept += f" {advised} would keep {_percent(1 - more / len(lengths)) if more else 'all of them'}."
    dynamic = plan(lengths, batch_size, "longest_in_batch", max_length, seed).cost()
    grouped = plan(lengths, batch_size, "grouped", max_length, seed).cost()
    saved = 1 - grouped.slots / dynamic.slots if dynamic.slots else 0.0
    slots = f"{grouped.slots:,} slots instead of {dynamic.slots:,}, {saved:.0%} less"
    if saved >= _WORTH_GROUPING and len(lengths) >= _WHILE:
        said = f"Grouping rows of like length takes {slots}; the order of training is less random for it."
        return Recommendation("grouped", max_length, f"{kept} {said}")
    if saved >= _WORTH_GROUPING:
        said = f"Grouping would take {slots}, but {len(lengths):,} rows are too few for that to be worth it."
    else:
        wasted = f"Padding to the longest row of each batch wastes {dynamic.waste:.0%} of the slots"
        said = f"{wasted}; grouping would take {saved:.0%} less only."
    return Recommendation("longest_in_batch", max_length, f"{kept} {said}")


def _rounded(length: int) -> int:
    return -(-max(length, 1) // 8) * 8


def _percent(share: float) -> str:
    """A share below one: 99.96% is not 100%."""
    return f"{min(share, 0.999):.1%}"
