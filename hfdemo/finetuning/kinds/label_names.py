"""Names of labels: the order that people expect of them, and which of them tag entities."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hfdemo.finetuning.kinds.cells import NUMBER


def entity_tags(labels: Iterable[str]) -> list[str] | None:
    """Return the labels as seqeval reads them, where they tag whole entities as B-PER, I-PER and O do; else None.

    What BILOU calls last and unit (L, U) IOBES, which seqeval knows, calls end and single (E, S).
    """
    import re

    tags = list(labels)
    if not all(re.fullmatch("O|[BIESLU]-.+", tag) for tag in tags) or all(tag == "O" for tag in tags):
        return None
    return [{"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Sort numbers by value, texts by name with the numbers in them by value; of IOB tags O first, then by entity."""
    found = set(labels)
    if entity_tags(found):
        return tuple(sorted(found, key=lambda tag: (tag != "O", _split_numbers(tag[2:]), tag)))
    if found and all(NUMBER.fullmatch(label) for label in found):
        return tuple(sorted(found, key=lambda label: (float(label), label)))
    return tuple(sorted(found, key=lambda label: (_split_numbers(label), label)))


def _split_numbers(text: str) -> list[tuple[int, int, str]]:
    # isdecimal, because int() reads nothing more: "²" is a digit, too.
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
