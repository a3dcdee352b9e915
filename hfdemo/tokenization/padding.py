"""Padding is arithmetic: lengths and a strategy decide how wide each batch is, and how much of it is waste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import DemoError

STRATEGIES = ("longest_in_batch", "longest_in_dataset", "max_length", "multiple_of_8", "multiple_of_64")


@dataclass(frozen=True)
class Waste:
    """`slots` cells are computed for `tokens` real ones."""

    slots: int
    tokens: int

    @property
    def fraction(self) -> float:
        """Share of the slots that holds padding, 0.0 for an empty batch."""
        return (self.slots - self.tokens) / self.slots if self.slots else 0.0


@dataclass(frozen=True)
class PadTo:
    """The width rule of a strategy, in the terms of `tokenizer.pad` and DataCollatorWithPadding.

    `width` is the fixed width of every batch, or None for the longest row of each; `multiple_of` rounds it up.
    """

    width: int | None = None
    multiple_of: int | None = None

    def collator_arguments(self) -> dict[str, Any]:
        """The same rule as keyword arguments of DataCollatorWithPadding."""
        padding = True if self.width is None else "max_length"
        return {"padding": padding, "max_length": self.width, "pad_to_multiple_of": self.multiple_of}

    def of(self, lengths: Sequence[int]) -> int:
        """The width of a batch whose rows have these lengths."""
        width = max(self.width or 0, *lengths, 0)
        return -(-width // self.multiple_of) * self.multiple_of if self.multiple_of else width


def pad_to(strategy: str, longest: int, max_length: int | None = None) -> PadTo:
    """The width rule of `strategy` for a data set whose longest row has `longest` tokens.

    Raises:
        DemoError: no such strategy, or "max_length" without one.
    """
    if strategy == "max_length" and max_length is None:
        raise DemoError('padding "max_length" needs a max_length. Set one, or pick "longest_in_batch".')
    rules = {
        "longest_in_batch": PadTo(),
        "longest_in_dataset": PadTo(width=longest),
        "max_length": PadTo(width=max_length),
        "multiple_of_8": PadTo(multiple_of=8),
        "multiple_of_64": PadTo(multiple_of=64),
    }
    if strategy not in rules:
        raise DemoError(f"padding must be one of {', '.join(STRATEGIES)}, but is {strategy!r}.")
    return rules[strategy]


def waste(lengths: Sequence[int], batch_size: int, rule: PadTo) -> Waste:
    """What padding costs when rows of these lengths are batched in this order."""
    slots = 0
    for start in range(0, len(lengths), batch_size):
        batch = lengths[start : start + batch_size]
        slots += len(batch) * rule.of(batch)
    return Waste(slots, sum(lengths))
