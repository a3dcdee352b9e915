"""Which layers an adapter may name, and how: peft takes names for regular expressions, and tries them on all layers.

Of some expressions a match takes longer than anybody lives, and nothing stops it: the thread, or the training with the
device that it holds, hangs. So an expression has to be one of which that can be seen to be impossible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hfdemo.errors import ModelError

MOST_NAMES = 2_000
LONGEST_PATTERN = 2_000
# Each can end at any character of a name, so that a match takes a power of its length.
MOST_QUANTIFIERS = 5

# Fields that peft matches with: as whole expressions or, in lists, as parts of one.
PATTERN_FIELDS = (
    *("target_modules", "exclude_modules", "modules_to_save", "layers_pattern", "target_parameters"),
    *("feedforward_modules", "rank_pattern", "alpha_pattern", "trainable_token_indices"),
)
_PLAIN = re.compile(r"[\w.-]+")
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_QUANTIFIER = re.compile(r"(?<!\\)(?<!\()[*+?{][?+]?")
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=")


def is_plain(name: Any) -> bool:
    """Return whether `name` is a layer's name, or the end of one, and no expression."""
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None


def check_patterns(options: Mapping[str, Any], said: str) -> None:
    """Refuse names of layers in `options` of a peft config that are no text, too many, or could match without end.

    `said` is how the sentence calls the options: "lora's", for instance.

    Raises:
        ModelError: there is one.
    """
    for field in PATTERN_FIELDS:
        names = list(_list_names(options.get(field)))
        if len(names) > MOST_NAMES:
            raise ModelError(f"{said} {field} has {len(names):,} names. Use at most {MOST_NAMES:,}.")
        for name in names:
            reason = _find_flaw(name)
            if reason:
                shown = repr(name)[:80]
                raise ModelError(
                    f"{said} {field} holds {shown}, {reason}. Write the names of the layers, such as "
                    '["query", "value"], or "all-linear".'
                )


def check_adapter(path: Path, widest: int) -> None:
    """Refuse the config of an adapter that somebody else saved, whose tensors have at most `widest` rows or columns.

    Raises:
        ModelError: a name of a layer as in `check_patterns`, or a rank that its tensors don't have.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} can't be read as JSON: {error}. Save the adapter again.") from error
    check_patterns(written, f"{path.name}'s")
    ranks = written.get("rank_pattern")
    for rank in (written.get("r"), *(ranks.values() if isinstance(ranks, Mapping) else ())):
        if isinstance(rank, int | float) and rank > widest:
            raise ModelError(
                f"{path.name} says r = {rank:,}, but no tensor of the adapter has more than {widest:,} rows."
            )


def _list_names(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list | tuple):
        yield from value
    elif value is not None:
        yield value


def _find_flaw(name: Any) -> str:
    """Say why `name` can't be matched with; "" where it can."""
    if isinstance(name, int) and not isinstance(name, bool):  # trainable_token_indices
        return ""
    if not isinstance(name, str):
        return "which is no text"
    if len(name) > LONGEST_PATTERN:
        return f"which has {len(name):,} characters"
    if is_plain(name):
        return ""
    try:
        re.compile(name)
    except (re.error, RecursionError, OverflowError) as error:
        return f"which is no regular expression ({error})"
    if _REPEATED_GROUP.search(name) or _REFERENCE.search(name) or len(_QUANTIFIER.findall(name)) > MOST_QUANTIFIERS:
        return "an expression that could be matched for ever"
    return ""
