"""What the splits of a data set are called, here and by others."""

from __future__ import annotations

from collections.abc import Sequence

from hfdemo.errors import DataError

SPLITS = ("train", "validation", "test")
SPLIT_ALIASES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation"}
SPLIT_ALIASES |= {"val": "validation", "dev": "validation", "eval": "validation", "test": "test"}
# Further names that a cell of a split column may have, but no file.
_IN_CELLS = {"development": "validation", "evaluation": "validation", "testing": "test", "holdout": "test"}
_IN_CELLS |= {"publictest": "test", "privatetest": "test"}


def normalize_split_name(name: str) -> str | None:
    """Return the split that `name` is a usual name of, however it is capitalised; None if of none."""
    known = name.strip().lower()
    return SPLIT_ALIASES.get(known) or _IN_CELLS.get(known)


def find_split(split: str, names: Sequence[str]) -> str:
    """Find the one of `names` that is meant by `split`, by its own name or by a usual one for the same."""
    same = (name for name in names if (normalize_split_name(name) or name) == (normalize_split_name(split) or split))
    found = split if split in names else next(same, None)
    if found is None:
        have = f"It has: {', '.join(names)}." if names else "It is not split: leave the split out."
        raise DataError(f"The data has no split {split!r}. {have}")
    return found
