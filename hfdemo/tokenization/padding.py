"""Padding is arithmetic: lengths and a strategy decide which rows meet in a batch, how wide it is and what it costs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hfdemo.errors import DemoError

# "none" is not among them: rows that are not padded make no tensor, so there is nothing to train on.
TRAINABLE = ("longest_in_batch", "longest_in_dataset", "max_length", "multiple_of_8", "multiple_of_64", "grouped")
STRATEGIES = ("none", *TRAINABLE)


@dataclass(frozen=True)
class PadTo:
    """The width rule of a strategy: every batch as wide as its longest row, but no less than `width`, and rounded up to
    a `multiple_of` slots."""

    width: int = 0
    multiple_of: int = 1

    def of(self, lengths: Iterable[int]) -> int:
        """The width of a batch whose rows have these lengths."""
        width = max(self.width, *lengths, 0)
        return -(-width // self.multiple_of) * self.multiple_of


@dataclass(frozen=True)
class Batch:
    """Which rows (counted from 0) are computed together, and how many slots wide each of them is made.

    Under "none" the `width` is 0: every row stays as it is, and rows of different lengths make no tensor.
    """

    rows: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Cost:
    """What a strategy costs: `waste` is the padding's share of the slots, `shapes` the number of distinct tensor
    shapes, `flops` the estimate for one forward pass over everything (None without a model's size)."""

    name: str
    slots: int
    tokens: int
    waste: float
    shapes: int
    flops: int | None


@dataclass(frozen=True)
class Plan:
    """Every batch of a data set under one strategy. `lengths` are the tokens per row that are left after truncation."""

    strategy: str
    lengths: tuple[int, ...]
    batches: tuple[Batch, ...]

    def widths(self, batch: Batch) -> tuple[int, ...]:
        """The slots of each row of `batch`; more than one width makes the batch ragged, which is no tensor."""
        if self.strategy == "none":
            return tuple(self.lengths[row] for row in batch.rows)
        return (batch.width,) * len(batch.rows)

    def shapes(self) -> list[tuple[int, int]]:
        """(rows, slots) of every tensor that is computed: one for each batch, under "none" one for each row."""
        if self.strategy == "none":
            return [(1, width) for batch in self.batches for width in self.widths(batch)]
        return [(len(batch.rows), batch.width) for batch in self.batches]

    def cost(self, size: tuple[int, int] | None = None) -> Cost:
        """`size` is (layers, hidden width d): 24*L*d^2 + 4*L^2*d per layer and row of L slots."""
        shapes = self.shapes()
        slots, tokens = sum(rows * width for rows, width in shapes), sum(self.lengths)
        flops = None
        if size is not None:
            layers, d = size
            flops = layers * sum(rows * (24 * width * d * d + 4 * width * width * d) for rows, width in shapes)
        return Cost(self.strategy, slots, tokens, (slots - tokens) / slots if slots else 0.0, len(set(shapes)), flops)


def pad_to(strategy: str, longest: int, max_length: int | None = None) -> PadTo:
    """The width rule of a trainable `strategy` for a data set whose longest row has `longest` tokens.

    Raises:
        DemoError: no such strategy, or "max_length" without one.
    """
    if strategy == "max_length" and max_length is None:
        raise DemoError('padding "max_length" needs a max_length. Set one, or pick "longest_in_batch".')
    rules = {
        "longest_in_batch": PadTo(),
        "longest_in_dataset": PadTo(width=longest),
        "max_length": PadTo(width=max_length or 0),
        "multiple_of_8": PadTo(multiple_of=8),
        "multiple_of_64": PadTo(multiple_of=64),
        "grouped": PadTo(),
    }
    if strategy not in rules:
        raise DemoError(f"padding must be one of {', '.join(TRAINABLE)}, but is {strategy!r}.")
    return rules[strategy]


def row_order(lengths: Sequence[int], batch_size: int, grouped: bool, seed: int | None, epoch: int) -> list[int]:
    """The rows, counted from 0, in the order of training: `seed` and `epoch` shuffle them, no seed leaves them.

    Grouped, each block of 50 batches (less for small data, as in transformers' LengthGroupedSampler) is sorted from
    long to short after the shuffle, the longest row of all in the first batch: what does not fit into memory fails at
    once. With no seed everything is one block.
    """
    rows = list(range(len(lengths)))
    block = max(1, len(rows))
    if seed is not None:
        # A text as seed: the sum of two numbers would give seed 1, epoch 0 the order of seed 0, epoch 1.
        random.Random(f"{seed} {epoch}").shuffle(rows)
        block = batch_size * max(1, min(50, len(rows) // (4 * batch_size)))
    if not grouped:
        return rows
    if seed is not None and rows:
        longest = max(range(len(rows)), key=lambda place: lengths[rows[place]])
        rows[0], rows[longest] = rows[longest], rows[0]
    blocks = (rows[start : start + block] for start in range(0, len(rows), block))
    return [row for each in blocks for row in sorted(each, key=lambda row: lengths[row], reverse=True)]


def plan(
    lengths: Sequence[int],
    batch_size: int,
    strategy: str,
    max_length: int | None = None,
    seed: int | None = None,
    epoch: int = 0,
) -> Plan:
    """The batches of rows with these lengths: in the order given, or shuffled by `seed` and `epoch` as in training.

    Rows longer than `max_length` are counted as cut to it. "none" pads nothing (a batch of more than one length is no
    tensor); "grouped" sorts within large shuffled blocks, with no seed everything, so that rows of like length meet,
    and pads to the longest. Which side is padded changes nothing here.

    Raises:
        DemoError: no such strategy, "max_length" without one, or a batch size below 1.
    """
    if strategy not in STRATEGIES:
        raise DemoError(f"padding must be one of {', '.join(STRATEGIES)}, but is {strategy!r}.")
    if batch_size < 1:
        raise DemoError(f"The batch size is {batch_size}, but a batch has at least 1 row.")
    left = tuple(lengths) if max_length is None else tuple(min(length, max_length) for length in lengths)
    rule = None if strategy == "none" else pad_to(strategy, max(left, default=0), max_length)
    order = row_order(left, batch_size, strategy == "grouped", seed, epoch)
    batches = []
    for start in range(0, len(order), batch_size):
        rows = tuple(order[start : start + batch_size])
        batches.append(Batch(rows, rule.of([left[row] for row in rows]) if rule else 0))
    return Plan(strategy, left, tuple(batches))
