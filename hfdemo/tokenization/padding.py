"""Padding is arithmetic: lengths and a strategy decide which rows meet in a batch, how wide it is and what it costs."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hfdemo.errors import DemoError


class BatchWidth(Protocol):
    """(longest row of the batch, longest row of the data set, max_length), all in tokens -> width of the batch."""

    __name__: str

    def __call__(self, longest: int, dataset_longest: int, max_length: int | None) -> int: ...


@dataclass(frozen=True)
class PaddingStrategy:
    """One way to pad: everything that the planner, the page, the benchmark, RunConfig and train.py need to know.

    `batch_width(longest, dataset_longest, max_length)` returns the slots of a batch whose longest row has `longest`
    tokens, and no fewer: rows are cut to max_length before, and a held-out row may be longer than `dataset_longest`,
    the longest that is trained on. What the model can't read is refused elsewhere. None leaves every row as long as it
    is. train.py prints its source, so it is a function of its own that uses nothing but its arguments.

    `arguments` is the library's own way to ask for it, as Python source. `{width}` in it is one number for all batches:
    the longest row of the data set, or max_length where the row `needs_max_length`. A width that differs from batch to
    batch has to follow from the library's arguments, such as pad_to_multiple_of.

    `groups_by_length` says that rows of like length meet in a batch, `is_trainable` that a run can take it.
    """

    name: str
    summary: str
    arguments: str
    batch_width: BatchWidth | None
    groups_by_length: bool = False
    needs_max_length: bool = False
    is_trainable: bool = True

    @property
    def pads(self) -> bool:
        return self.batch_width is not None

    @property
    def width_function(self) -> BatchWidth:
        """The function that makes a batch's width.

        Raises:
            DemoError: the strategy pads nothing.
        """
        if self.batch_width is None:
            raise DemoError(f"padding must be one of {', '.join(trainable_names())}, but is {self.name!r}.")
        return self.batch_width

    def check_max_length(self, max_length: int | None) -> None:
        """Refuse a missing max_length where the strategy can't do without.

        Raises:
            DemoError: there is none.
        """
        if self.needs_max_length and max_length is None:
            raise DemoError(f'padding "{self.name}" needs a max_length. Set one, or pick "{LONGEST_IN_BATCH.name}".')


def pad_to_longest_in_batch(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the width of a batch that is as wide as its longest row."""
    return longest


def pad_to_longest_in_dataset(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the width of a batch that is as wide as the longest training row; a held-out row may be longer."""
    return max(longest, dataset_longest)


def pad_to_max_length(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the width of a batch that is max_length wide."""
    return max(longest, max_length or 0)


def pad_to_multiple_of_8(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the longest row of the batch, rounded up to a multiple of 8."""
    return -(-longest // 8) * 8


def pad_to_multiple_of_64(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the longest row of the batch, rounded up to a multiple of 64."""
    return -(-longest // 64) * 64


NONE = PaddingStrategy(
    name="none",
    summary="Pads nothing: rows of different lengths make no tensor, so they are run one by one.",
    arguments="padding=False",
    batch_width=None,
    is_trainable=False,  # rows that are not padded make no tensor, so there is nothing to train on
)
LONGEST_IN_BATCH = PaddingStrategy(
    name="longest_in_batch",
    summary="Pads to the longest row of each batch: dynamic padding.",
    arguments="padding=True",
    batch_width=pad_to_longest_in_batch,
)
LONGEST_IN_DATASET = PaddingStrategy(
    name="longest_in_dataset",
    summary="Pads to the longest row of all.",
    arguments='padding="max_length", max_length={width}',
    batch_width=pad_to_longest_in_dataset,
)
MAX_LENGTH = PaddingStrategy(
    name="max_length",
    summary="Pads every row to max_length.",
    arguments='padding="max_length", max_length={width}',
    batch_width=pad_to_max_length,
    needs_max_length=True,
)
MULTIPLE_OF_8 = PaddingStrategy(
    name="multiple_of_8",
    summary="Pads to the longest row of each batch, rounded up to a multiple of 8.",
    arguments="padding=True, pad_to_multiple_of=8",
    batch_width=pad_to_multiple_of_8,
)
MULTIPLE_OF_64 = PaddingStrategy(
    name="multiple_of_64",
    summary="Pads to the longest row of each batch, rounded up to a multiple of 64.",
    arguments="padding=True, pad_to_multiple_of=64",
    batch_width=pad_to_multiple_of_64,
)
GROUPED = PaddingStrategy(
    name="grouped",
    summary="Puts rows of like length together, then pads to the longest row of each batch.",
    arguments="padding=True",
    batch_width=pad_to_longest_in_batch,
    groups_by_length=True,
)
# In the order of the page and of the form.
STRATEGIES = (
    NONE,
    LONGEST_IN_BATCH,
    LONGEST_IN_DATASET,
    MAX_LENGTH,
    MULTIPLE_OF_8,
    MULTIPLE_OF_64,
    GROUPED,
)


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies."""
    return tuple(strategy.name for strategy in STRATEGIES)


def trainable_names() -> tuple[str, ...]:
    """Return the names of the strategies that a run can take."""
    return tuple(strategy.name for strategy in STRATEGIES if strategy.is_trainable)


def plannable_names(max_length: int | None) -> tuple[str, ...]:
    """Return the names of the strategies that batches can be planned with, given this max_length or none."""
    return tuple(each.name for each in STRATEGIES if max_length is not None or not each.needs_max_length)


def find_strategy(name: str) -> PaddingStrategy:
    """Return the strategy of this name.

    Raises:
        DemoError: no such strategy.
    """
    found = next((strategy for strategy in STRATEGIES if strategy.name == name), None)
    if found is None:
        raise DemoError(f"padding must be one of {', '.join(strategy_names())}, but is {name!r}.")
    return found


def make_width_function(name: str, dataset_longest: int, max_length: int | None = None) -> Callable[[int], int]:
    """Return the function from a batch's longest row to its width, for a data set whose longest row is given.

    Raises:
        DemoError: no such strategy, one that does not pad, or a missing max_length.
    """
    strategy = find_strategy(name)
    batch_width = strategy.width_function
    strategy.check_max_length(max_length)
    return functools.partial(batch_width, dataset_longest=dataset_longest, max_length=max_length)


@dataclass(frozen=True)
class Batch:
    """Which rows (counted from 0) are computed together, and how many slots wide each of them is made.

    `width` is 0 where nothing is padded: every row stays as it is, and rows of different lengths make no tensor.
    """

    rows: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class PaddingCost:
    """What a strategy costs: `waste` is the padding's share of the slots, `shapes` the number of distinct tensor
    shapes, `flops` the estimate for one forward pass over everything (None without a model's size), `passes` the
    number of tensors that go through the model one after the other."""

    name: str
    slots: int
    tokens: int
    waste: float
    shapes: int
    flops: int | None
    passes: int


@dataclass(frozen=True)
class PaddingPlan:
    """Every batch of a data set under one strategy. `lengths` are the tokens per row that are left after truncation."""

    strategy: str
    lengths: tuple[int, ...]
    batches: tuple[Batch, ...]

    def widths(self, batch: Batch) -> tuple[int, ...]:
        """Return the slots of each row of `batch`; more than one width makes the batch ragged, which is no tensor."""
        if find_strategy(self.strategy).pads:
            return (batch.width,) * len(batch.rows)
        return tuple(self.lengths[row] for row in batch.rows)

    def tensors(self) -> list[Batch]:
        """Return every tensor that is computed: one for each batch, or one for each row where nothing is padded."""
        if find_strategy(self.strategy).pads:
            return list(self.batches)
        return [Batch((row,), self.lengths[row]) for batch in self.batches for row in batch.rows]

    def shapes(self) -> list[tuple[int, int]]:
        """Return (rows, slots) of every tensor that is computed."""
        return [(len(tensor.rows), tensor.width) for tensor in self.tensors()]

    def cost(self, size: tuple[int, int] | None = None) -> PaddingCost:
        """Return what the plan costs.

        `size` is (layers, hidden width d): 24*L*d^2 + 4*L^2*d per layer and row of L slots.
        """
        shapes = self.shapes()
        slots, tokens = sum(rows * width for rows, width in shapes), sum(self.lengths)
        flops = None
        if size is not None:
            layers, d = size
            flops = layers * sum(rows * (24 * width * d * d + 4 * width * width * d) for rows, width in shapes)
        waste = (slots - tokens) / slots if slots else 0.0
        return PaddingCost(self.strategy, slots, tokens, waste, len(set(shapes)), flops, len(shapes))


def row_order(lengths: Sequence[int], batch_size: int, grouped: bool, seed: int | None, epoch: int) -> list[int]:
    """Return the rows, counted from 0, in the order of training: `seed` and `epoch` shuffle them, no seed leaves them.

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


def plan_batches(
    lengths: Sequence[int],
    batch_size: int,
    strategy: str,
    max_length: int | None = None,
    seed: int | None = None,
    epoch: int = 0,
) -> PaddingPlan:
    """Plan the batches of rows with these lengths: in the order given, or shuffled by `seed` and `epoch` as a run is.

    Rows longer than `max_length` are counted as cut to it. A strategy that groups by length sorts within large shuffled
    blocks, with no seed everything. Which side is padded changes nothing here.

    Raises:
        DemoError: no such strategy, one that needs a max_length without one, or a batch size below 1.
    """
    padding = find_strategy(strategy)
    if batch_size < 1:
        raise DemoError(f"The batch size is {batch_size}, but a batch has at least 1 row.")
    left = tuple(lengths) if max_length is None else tuple(min(length, max_length) for length in lengths)
    rule = make_width_function(strategy, max(left, default=0), max_length) if padding.pads else None
    order = row_order(left, batch_size, padding.groups_by_length, seed, epoch)
    batches = []
    for start in range(0, len(order), batch_size):
        rows = tuple(order[start : start + batch_size])
        batches.append(Batch(rows, rule(max(left[row] for row in rows)) if rule else 0))
    return PaddingPlan(strategy, left, tuple(batches))
