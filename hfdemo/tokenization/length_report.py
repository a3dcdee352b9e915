"""A whole data set before it is padded: its lengths, what a max_length cuts, what each strategy costs, what to take."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from threading import Event
from typing import Any

from hfdemo.data_sources import DatasetSource, read_text_rows
from hfdemo.errors import DemoError, Stopped
from hfdemo.models.hub import Progress
from hfdemo.models.model_facts import ModelFacts, longest_row, model_facts
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import check_text
from hfdemo.tokenization.options import check_max_length, check_whole_number
from hfdemo.tokenization.padding import (
    GROUPED,
    LONGEST_IN_BATCH,
    PaddingCost,
    plan_batches,
    plannable_names,
    strategy_names,
)
from hfdemo.tokenization.warnings import warn_of_shared_padding

PERCENTILES = (50, 75, 90, 95, 99, 100)
# Rows and characters between two looks at `stop`: large enough for the tokenizer's threads, well under a second.
CHUNK, CHUNK_CHARACTERS = 4_000, 1_000_000
# A few seconds of work, for what no visitor of a shared server can stop.
MOST_CHARACTERS_PUBLIC = 20_000_000

# What a recommended max_length keeps whole: every row, if that takes at most so many times the tokens that 99% take.
_KEPT, _STRETCH = 0.99, 1.5
# Grouping changes which rows meet in training: it has to save this share of the slots, of a set that takes a while.
_WORTH_GROUPING, _WHILE = 0.1, 1_000


@dataclass(frozen=True)
class TruncationLoss:
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
class LengthReport:
    """Rows and their lengths in tokens, special tokens included, before truncation (`lengths`: length, rows).

    `strategies` are counted over the whole set, batched in a shuffled order by `seed` as training does, rows cut to
    `max_length`. `limit` is what the model can read, None where nothing says.
    """

    rows: int
    lengths: tuple[tuple[int, int], ...]
    percentiles: Mapping[int, int]
    cuts: tuple[TruncationLoss, ...]
    strategies: tuple[PaddingCost, ...]
    recommended: Recommendation
    batch_size: int
    max_length: int | None
    limit: int | None

    def to_json(self) -> dict[str, Any]:
        """Return {"rows", "lengths", "percentiles", "truncated", "strategies", "recommended", ...} as plain values.

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
            "left_out": {name: lacks for name in strategy_names() if name not in counted},
            "recommended": asdict(self.recommended),
            "batch_size": self.batch_size,
            "max_length": self.max_length,
            "limit": self.limit,
        }


@dataclass(frozen=True)
class DatasetReport:
    """The report on a data set, the columns that its texts stand in, and the seconds that counting them took.

    `warnings` are sentences about the tokenizer's padding.
    """

    lengths: LengthReport
    text_column: str
    pair_column: str | None
    seconds: float
    warnings: tuple[str, ...] = ()


def report_dataset(
    source: DatasetSource,
    columns: tuple[str | None, str | None],
    tokenizer: ModelRef,
    reader: ModelRef,
    batch_size: int,
    max_length: int | None,
    settings: Settings,
    *,
    seed: int = 42,
    stop: Event | None = None,
    tell: Progress | None = None,
) -> DatasetReport:
    """Read a data set, the texts and their pairs in `columns` (see `guess_text_columns`), and report on it.

    Raises:
        DemoError: as `read_text_rows`, `model_facts`, `load_tokenizer` and `report_texts`.
        Stopped: `stop` was set.
    """
    facts = model_facts(reader, settings)
    data = read_text_rows(source, settings, *columns, tell, stop)
    # A copy of its own: nobody who types has to wait until a whole data set is counted.
    own = load_tokenizer(tokenizer, settings)
    began = time.perf_counter()
    found = report_texts(
        own,
        data.texts,
        data.pairs,
        facts,
        batch_size,
        max_length,
        seed=seed,
        public=settings.public,
        stop=stop,
        tell=None if tell is None else lambda done, whole: tell("Rows counted", done, whole),
    )
    seconds = time.perf_counter() - began
    warnings = tuple(f"{each.message} {each.fix}" for each in warn_of_shared_padding(own))
    return DatasetReport(found, data.text_column, data.pair_column, seconds, warnings)


def report_texts(
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    reader: ModelFacts | None,
    batch_size: int,
    max_length: int | None = None,
    *,
    seed: int = 42,
    public: bool = False,
    stop: Event | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> LengthReport:
    """Count a data set and report on it; `reader` is the model that will read the rows, if there is one.

    On a `public` server at most MOST_CHARACTERS_PUBLIC are counted. For the rest see `count_tokens` and
    `report_lengths`, which this is made of.

    Raises:
        DemoError: as these two, or too many characters.
        Stopped: `stop` was set.
    """
    limit = longest_row(reader, tokenizer)
    special = int(tokenizer.num_special_tokens_to_add(pairs is not None))
    _check_request(batch_size, max_length, limit, special)
    total = sum(map(len, texts)) + sum(map(len, pairs or ()))
    if public and total > MOST_CHARACTERS_PUBLIC:
        raise DemoError(
            f"The data set has {total:,} characters; a shared server counts at most {MOST_CHARACTERS_PUBLIC:,}. "
            "Take one split, or upload a part of it."
        )
    lengths = count_tokens(tokenizer, texts, pairs, stop, tell)
    return report_lengths(lengths, batch_size, max_length, limit, reader.size if reader else None, seed, special)


def count_tokens(
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    stop: Event | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> list[int]:
    """Return tokens per row, special tokens included, uncut; `tell` hears (rows done, rows in all).

    `tokenizer` is held alone by the caller. Of a fast one the Rust part alone is asked, which counts no offsets.

    Raises:
        DemoError: a text that is not valid Unicode.
        Stopped: `stop` was set.
    """
    found: list[int] = []
    with _without_truncation_and_padding(tokenizer):
        for start, end in _split_into_chunks(texts, pairs):
            if stop is not None and stop.is_set():
                raise Stopped
            found += _count_chunk(tokenizer, texts[start:end], None if pairs is None else pairs[start:end], start)
            if tell is not None:
                tell(len(found), len(texts))
    return found


def _split_into_chunks(texts: Sequence[str], pairs: Sequence[str] | None) -> Iterator[tuple[int, int]]:
    """Yield (first row, row after the last) of the parts counted in one go; a row stays whole, however long."""
    start = characters = 0
    for row, text in enumerate(texts):
        characters += len(text) + (len(pairs[row]) if pairs is not None else 0)
        if row + 1 - start == CHUNK or characters >= CHUNK_CHARACTERS or row + 1 == len(texts):
            yield start, row + 1
            start, characters = row + 1, 0


@contextlib.contextmanager
def _without_truncation_and_padding(tokenizer: Any) -> Iterator[None]:
    """Free a fast tokenizer's Rust part of the truncation and padding that the last call left in it."""
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


def _count_chunk(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, start: int) -> list[int]:
    try:
        if tokenizer.is_fast:
            rows = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
            return [len(row) for row in tokenizer.backend_tokenizer.encode_batch_fast(rows)]
        second = None if pairs is None else list(pairs)
        ids = tokenizer(list(texts), second, padding=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]
    except (TypeError, UnicodeEncodeError) as error:
        for batch in (texts, pairs or ()):
            for row, text in enumerate(batch, start=start + 1):
                if text.strip():  # a blank row is one, too
                    check_text(f"Row {row}", text, len(text))
        raise error


def report_lengths(
    lengths: Sequence[int],
    batch_size: int,
    max_length: int | None = None,
    limit: int | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 42,
    special: int = 0,
) -> LengthReport:
    """Return the report over rows of these lengths; `size` is (layers, hidden width) of the model, for the FLOPs.

    Without `max_length` the rows are cut to `limit`, as the trainer would; "max_length" without either is left out.
    `special` tokens of each row are never cut.

    Raises:
        DemoError: no rows, or a batch size or max_length that can't be.
    """
    _check_request(batch_size, max_length, limit, special)
    if not lengths:
        raise DemoError("There are no rows to report on. Give a data set with texts.")
    counted = sorted(Counter(lengths).items())
    cut_to = max_length if max_length is not None else limit
    return LengthReport(
        rows=len(lengths),
        lengths=tuple(counted),
        percentiles={percent: _percentile(counted, percent) for percent in PERCENTILES},
        cuts=tuple(_count_loss(counted, at) for at in _choose_lengths(counted[-1][0], max_length, limit)),
        strategies=tuple(
            plan_batches(lengths, batch_size, name, cut_to, seed).cost(size) for name in plannable_names(cut_to)
        ),
        recommended=_recommend(lengths, counted, batch_size, max_length, limit, seed),
        batch_size=batch_size,
        max_length=max_length,
        limit=limit,
    )


def _check_request(batch_size: int, max_length: int | None, limit: int | None, special: int) -> None:
    check_whole_number("The batch size", batch_size, 1)
    if max_length is None:
        return
    check_whole_number("max_length", max_length, 1)
    check_max_length(max_length, special)
    if limit is not None and max_length > limit:
        raise DemoError(
            f"max_length is {max_length}, but the model and its tokenizer take at most {limit} tokens. "
            f"Use {limit} or less."
        )


def _percentile(counted: Sequence[tuple[int, int]], percent: int) -> int:
    """Return the shortest length that at least `percent` of the rows don't exceed."""
    needed = -(-percent * sum(rows for _, rows in counted) // 100)
    seen = accumulate(rows for _, rows in counted)
    return next(length for (length, _), rows in zip(counted, seen, strict=True) if rows >= needed)


def _choose_lengths(longest: int, *more: int | None) -> list[int]:
    """Return where to look what is cut: the powers of two from 16 to the first that cuts nothing, and `more`."""
    powers = [16]
    while powers[-1] < longest:
        powers.append(powers[-1] * 2)
    return sorted({*powers, *(mark for mark in more if mark is not None)})


def _count_loss(counted: Sequence[tuple[int, int]], max_length: int) -> TruncationLoss:
    long = [(length - max_length, rows) for length, rows in counted if length > max_length]
    return TruncationLoss(max_length, sum(rows for _, rows in long), sum(over * rows for over, rows in long))


def _recommend(
    lengths: Sequence[int],
    counted: Sequence[tuple[int, int]],
    batch_size: int,
    chosen: int | None,
    limit: int | None,
    seed: int,
) -> Recommendation:
    """Return max_length as `chosen`, else by the lengths; padding to the longest in the batch, unless grouping saves
    much.
    """
    longest = counted[-1][0]
    enough = _round_up(_percentile(counted, round(_KEPT * 100)))
    whole = _round_up(longest)
    max_length = whole if whole <= _STRETCH * enough else enough
    advised = max_length if limit is None else min(max_length, limit)
    max_length = advised if chosen is None else chosen
    cut = _count_loss(counted, max_length)
    if not cut.rows:
        kept = f"max_length {max_length} keeps every row whole: the longest has {longest} tokens."
    else:
        why = ", all that the model reads," if max_length == limit else ""
        kept = (
            f"max_length {max_length}{why} keeps {_format_percent(1 - cut.rows / len(lengths))} of the rows whole; "
            f"the longest has {longest} tokens."
        )
    if max_length < advised:
        more = _count_loss(counted, advised).rows
        kept += f" {advised} would keep {_format_percent(1 - more / len(lengths)) if more else 'all of them'}."
    # The slots are those of the table that stands beside this.
    cut_to = chosen if chosen is not None else limit
    dynamic = plan_batches(lengths, batch_size, LONGEST_IN_BATCH.name, cut_to, seed).cost()
    grouped = plan_batches(lengths, batch_size, GROUPED.name, cut_to, seed).cost()
    saved = 1 - grouped.slots / dynamic.slots if dynamic.slots else 0.0
    slots = f"{grouped.slots:,} positions instead of {dynamic.slots:,}, {saved:.0%} less"
    if saved >= _WORTH_GROUPING and len(lengths) >= _WHILE:
        said = f"Grouping rows of like length takes {slots}; the order of training is less random for it."
        return Recommendation(GROUPED.name, max_length, f"{kept} {said}")
    if saved >= _WORTH_GROUPING:
        said = f"Grouping would take {slots}, but {len(lengths):,} rows are too few for that to be worth it."
    else:
        wasted = f"Padding to the longest row of each batch wastes {dynamic.waste:.0%} of the slots"
        less = f"take {saved:.0%} less only" if saved > 0 else "take no fewer"
        said = f"{wasted}; grouping would {less}."
    return Recommendation(LONGEST_IN_BATCH.name, max_length, f"{kept} {said}")


def _round_up(length: int) -> int:
    return -(-max(length, 1) // 8) * 8


def _format_percent(share: float) -> str:
    """Write a share below one: 99.96% is not 100%."""
    return f"{min(share, 0.999):.1%}"
