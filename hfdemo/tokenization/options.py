"""The arguments of a tokenizer's call, checked by themselves: no tokenizer and no text is asked here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import DemoError

# Beyond every text and every model, and below what the Rust cores can count to.
MOST_LENGTH = 1_000_000_000
PADDINGS = (False, True, "longest", "max_length", "do_not_pad")
TRUNCATIONS = (False, True, "longest_first", "only_first", "only_second", "do_not_truncate")
SIDES = (None, "left", "right")


@dataclass(frozen=True)
class Options:
    """The arguments of a tokenizer's `__call__`, under their own names and with their own defaults.

    `pad_token` is none of them: it is used, for this call alone, where the tokenizer has no pad token of its own.
    """

    padding: bool | str = False
    truncation: bool | str = False
    max_length: int | None = None
    stride: int = 0
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    add_special_tokens: bool = True
    return_overflowing_tokens: bool = False
    pad_token: str | None = None
    split_special_tokens: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a value that no tokenizer takes."""
        _choice("padding", self.padding, PADDINGS)
        _choice("truncation", self.truncation, TRUNCATIONS)
        _choice("padding_side", self.padding_side, SIDES)
        for name, value, lowest in (
            ("max_length", self.max_length, 2),
            ("pad_to_multiple_of", self.pad_to_multiple_of, 1),
        ):
            if value is not None:
                check_whole(name, value, lowest)
        check_whole("stride", self.stride, 0)
        check_switch("add_special_tokens", self.add_special_tokens)
        check_switch("return_overflowing_tokens", self.return_overflowing_tokens)
        if self.split_special_tokens is not None:
            check_switch("split_special_tokens", self.split_special_tokens)
        if self.pad_token is not None and not isinstance(self.pad_token, str):
            raise DemoError(f"pad_token must be a token as text, but is {shown(self.pad_token)}.")

    @property
    def pads(self) -> bool:
        return self.padding not in (False, "do_not_pad")

    @property
    def truncates(self) -> bool:
        return self.truncation not in (False, "do_not_truncate")


def _choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    # 1 == True, but nobody means it.
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise DemoError(f"{name} must be one of {', '.join(map(repr, choices))}, but is {shown(value)}.")


def check_whole(name: str, value: Any, lowest: int) -> None:
    """Refuse what is no whole number from `lowest` to MOST_LENGTH; a switch is none.

    Raises:
        DemoError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= MOST_LENGTH:
        raise DemoError(
            f"{name} must be a whole number of at least {lowest:,} and at most {MOST_LENGTH:,}, but is {shown(value)}."
        )


def check_switch(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        DemoError: it is neither.
    """
    if not isinstance(value, bool):
        raise DemoError(f"{name} must be True or False, but is {shown(value)}.")


def shown(value: Any) -> str:
    """Return a value as Python writes it, cut where it is long."""
    try:
        written = repr(value)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits
        return "too large to be written"
    return written if len(written) <= 60 else f"{written[:60]}…"
