"""The HTML of a whole data set's lengths: histogram, percentiles, what a max_length cuts, and map's two ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.tokenization.dataset_map import MapTiming
from hfdemo.tokenization.length_report import LengthReport, TruncationLoss
from hfdemo.ui.html import Html, about, code, escape, table, with_title
from hfdemo.ui.tabs.tokens import padding_view

BINS = 40
_FLIPPED = " class='hf-flip'"


@dataclass(frozen=True)
class Bin:
    """Rows whose length is at least `low` and at most `high`."""

    low: int
    high: int
    rows: int


def render_report(found: LengthReport) -> str:
    """Render everything that was counted, the advice first."""
    return (
        render_advice(found)
        + with_title("Tokens per row", render_histogram(found))
        + render_percentiles(found)
        + with_title("What truncation takes away", render_cuts(found))
        + with_title(
            f"What each strategy costs, over all {found.rows:,} rows in batches of {found.batch_size}"
            + (f", cut to {found.max_length} tokens" if found.max_length else ""),
            padding_view.render_costs(found.strategies, recommended=found.recommended.padding),
        )
    )


def render_advice(found: LengthReport) -> str:
    """Render what to take, and why."""
    taken = found.recommended
    length = "no max_length" if taken.max_length is None else f"max_length={taken.max_length}"
    return (
        f"<div class='hf-advice'><b>{escape(taken.padding)}</b> with <b>{escape(length)}</b>"
        f"<p>{escape(taken.reason)}</p></div>"
    )


def bin_lengths(lengths: Sequence[tuple[int, int]], most: int = BINS) -> tuple[Bin, ...]:
    """Return (length, rows) pairs in at most `most` bins of equal width, empty ones among them; the last may be
    shorter.
    """
    if not lengths:
        return ()
    first, last = min(length for length, _ in lengths), max(length for length, _ in lengths)
    step = -(-(last - first + 1) // most)
    counts = [0] * (-(-(last - first + 1) // step))
    for length, rows in lengths:
        counts[(length - first) // step] += rows
    return tuple(
        Bin(first + index * step, min(last, first + (index + 1) * step - 1), rows) for index, rows in enumerate(counts)
    )


def render_histogram(found: LengthReport) -> str:
    """Render rows by length, with a line where max_length and the model's limit are."""
    drawn = bin_lengths(found.lengths)
    highest = max((each.rows for each in drawn), default=1)
    first, last = drawn[0].low, drawn[-1].high
    bars = "".join(
        f"<i style='height:{100 * each.rows / highest:.2f}%' title='{_format_range(each)}: {each.rows:,} rows'></i>"
        for each in drawn
    )
    across = (drawn[0].high - first + 1) * len(drawn)
    lines = "".join(
        f"<b style='left:{100 * (at - first + 1) / across:.2f}%'{_FLIPPED if 2 * (at - first) > across else ''}>"
        f"<span>{escape(name)} {at}</span></b>"
        for name, at in (("max_length", found.max_length), ("model's limit", found.limit))
        if at is not None and first <= at <= last
    )
    middle = drawn[len(drawn) // 2].low
    words = f"From {first} to {last} tokens; most rows have {_format_range(max(drawn, key=lambda each: each.rows))}."
    return (
        f"<div class='hf-histogram' role='img' aria-label='{escape(words)}'><div>{bars}{lines}</div>"
        f"<p><span>{first}</span><span>{middle}</span><span>{last} tokens</span></p></div>"
    )


def _format_range(each: Bin) -> str:
    return f"{each.low} tokens" if each.low == each.high else f"{each.low} to {each.high} tokens"


def render_percentiles(found: LengthReport) -> str:
    """Render how long the rows are that stand at 50, 75, ... percent of all."""
    names = {50: "half of them", 100: "all"}
    cards = "".join(
        f"<div class='hf-score'><span>{names.get(percent, f'{percent}%')}</span><b>{length:,}</b></div>"
        for percent, length in found.percentiles.items()
    )
    return about("Share of rows with at most this many tokens:") + f"<div class='hf-scores'>{cards}</div>"


def render_cuts(found: LengthReport) -> str:
    """Render the share of rows that lose something at each max_length."""

    def row(cut: TruncationLoss) -> tuple[Any, ...]:
        share = cut.rows / found.rows if found.rows else 0.0
        mark = " <span class='hf-chip'>chosen</span>" if cut.max_length == found.max_length else ""
        mark += " <span class='hf-chip'>model's limit</span>" if cut.max_length == found.limit else ""
        bar = padding_view.render_cost_bar(pad=share)
        return Html(f"{cut.max_length:,}{mark}"), f"{share:.1%}", bar, f"{cut.rows:,}", f"{cut.tokens:,}"

    heads = ("max_length", "rows cut", "", "rows", "tokens lost")
    return table(heads, map(row, found.cuts), (1, 3, 4), kind="hf-costs", focusable=True)


def render_map_trial(found: MapTiming) -> str:
    """Render the ways of `Dataset.map` on the same rows, and the Arrow files that they left."""
    slower = max(found.batched_seconds, found.unbatched_seconds) or 1.0
    ratio = found.unbatched_seconds / found.batched_seconds if found.batched_seconds else 0.0
    rows = [
        (
            Html(code(f"`{call}`")),
            f"{seconds:.2f} s",
            padding_view.render_cost_bar(first=seconds / slower),
            f"{found.rows / seconds if seconds else 0:,.0f} rows a second",
        )
        for call, seconds in (
            ("map(tokenize, batched=True)", found.batched_seconds),
            ("map(tokenize)", found.unbatched_seconds),
            ("map(tokenize, batched=True)  # again", found.cached_seconds),
        )
    ]
    files = [(name, f"{size / 1024:,.0f} KiB") for name, size in found.files]
    return (
        f"<p>{found.rows:,} rows, measured now: batched is <b>{ratio:.2f} times</b> as fast. The second time map finds "
        "its own file again and calls the tokenizer for no row.</p>"
        + table((), rows, (1, 3), kind="hf-costs", focusable=True)
        + with_title("Arrow cache files, memory-mapped when they are read", table((), files, (1,)))
    )
