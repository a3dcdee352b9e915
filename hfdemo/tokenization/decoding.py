"""Ids back to text: with and without special tokens, whether the round trip is exact, and any ids that are typed in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hfdemo.errors import DemoError, wrap_tokenizer_errors
from hfdemo.tokenization.vocabulary import find_special_ids
from hfdemo.tokenization.word_labels import IGNORED

# What can get lost on the way, in the order in which an explanation is tried without them: the first is the least
# likely to be meant where another one explains the same.
_CHANGES = ("accents", "cut", "special", "removed", "case", "form", "spaces")
_SHOWN = 20
MOST_IDS = 2_000


@dataclass(frozen=True)
class RoundTrip:
    """What `decode` gives with and without special tokens; `lost` says in sentences how it differs from the text."""

    whole: str
    plain: str
    exact: bool
    lost: tuple[str, ...]


@dataclass(frozen=True)
class DecodedIds:
    """The token of each id, None where the vocabulary has a gap, and what `decode` gives with and without special ones.

    `special` says which ids are special tokens.
    """

    ids: tuple[int, ...]
    tokens: tuple[str | None, ...]
    special: tuple[bool, ...]
    whole: str
    plain: str


@dataclass(frozen=True)
class _Trip:
    """The text, what came back of it, that again in the parts between unknown tokens, and the special tokens that stand
    in the text, the longest first."""

    text: str
    plain: str
    parts: tuple[str, ...]
    special: tuple[str, ...]


def decode_ids(tokenizer: Any, ids: Sequence[int]) -> DecodedIds:
    """Decode any ids, also ones that no text gives. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: no id, more than MOST_IDS, or one that the vocabulary does not have.
    """
    if not ids or len(ids) > MOST_IDS:
        raise DemoError(f"{len(ids):,} ids were given. Give 1 to {MOST_IDS:,} whole numbers.")
    most = max(tokenizer.get_vocab().values(), default=0)
    for place, id in enumerate(ids, start=1):
        if isinstance(id, bool) or not isinstance(id, int):
            raise DemoError(f"Id {place} is {id!r:.40}, but ids are whole numbers.")
        if not 0 <= id <= most:
            label = " -100 is no token: in labels it marks what the loss leaves out." if id == IGNORED else ""
            raise DemoError(f"Id {place} is {id}, but this vocabulary has the ids 0 to {most:,}.{label}")
    with wrap_tokenizer_errors():
        tokens = tokenizer.convert_ids_to_tokens(list(ids))
        whole, plain = (str(tokenizer.decode(list(ids), skip_special_tokens=skip)) for skip in (False, True))
    special = find_special_ids(tokenizer)
    return DecodedIds(tuple(ids), tuple(tokens), tuple(id in special for id in ids), whole, plain)


def decode_round_trip(
    tokenizer: Any, ids: Sequence[int], text: str, unknown: Collection[int] | None = None
) -> RoundTrip:
    """Decode the ids that `text` was encoded to, and compare; `exact` is about the text without special tokens.

    `unknown` are the slots that stand for what the vocabulary lacks; left out, all that have the unknown token.

    Spaces are cleaned up as the tokenizer does by default (its `clean_up_tokenization_spaces`). `lost` is the fewest
    changes that explain the difference, at least one where the round trip is not exact; where none do, the place of the
    first difference. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: ids that the tokenizer can't decode.
    """
    ids = list(ids)
    if unknown is None:
        unknown = [slot for slot, id in enumerate(ids) if id == tokenizer.unk_token_id]
    missing = frozenset(unknown)
    with wrap_tokenizer_errors():
        whole, plain = (str(tokenizer.decode(ids, skip_special_tokens=skip)) for skip in (False, True))
        if plain == text:
            return RoundTrip(whole, plain, True, ())
        parts = [plain]
        if missing:
            parts = [str(tokenizer.decode(run, skip_special_tokens=True)) for run in _split_at_unknown(ids, missing)]
    present = {id for slot, id in enumerate(ids) if slot not in missing}
    special = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
    written = sorted({token for token, id in special if id in present and token in text}, key=len, reverse=True)
    trip = _Trip(text, plain, tuple(parts), tuple(written))
    return RoundTrip(whole, plain, False, tuple(_explain_losses(trip, len(missing), tokenizer.unk_token)))


def _split_at_unknown(ids: Sequence[int], unknown: Collection[int]) -> Iterator[list[int]]:
    """Return the ids between unknown slots: one run more than there are groups of these, possibly empty at the ends."""
    groups = [
        (is_unknown, [ids[slot] for slot in group])
        for is_unknown, group in groupby(range(len(ids)), key=lambda slot: slot in unknown)
    ]
    if not groups or groups[0][0]:
        yield []
    yield from (group for is_unknown, group in groups if not is_unknown)
    if groups and groups[-1][0]:
        yield []


def _explain_losses(trip: _Trip, unknown: int, unknown_token: str | None) -> Iterator[str]:
    if unknown == 1:
        yield f"1 token is {unknown_token}: what it stood for can't come back."
    elif unknown:
        yield f"{unknown:,} tokens are {unknown_token}: what they stood for can't come back."
    # A special token's name in the text need not have been read as one.
    starts = ([*_CHANGES], [change for change in _CHANGES if change != "special"])
    needed = next((changes for changes in starts if _changes_explain(trip, changes)), None)
    if needed is None:
        yield _describe_first_difference(trip)
        return
    for change in _CHANGES:
        others = [each for each in needed if each != change]
        if _changes_explain(trip, others):
            needed = others
    yield from (_describe_change(trip, change, needed) for change in reversed(needed))


def _changes_explain(trip: _Trip, changes: Sequence[str]) -> bool:
    """Say whether `changes` (and unknown tokens) turn the text into what came back."""
    text = _apply_changes(trip, changes)
    parts = [_fold_text(part, changes) for part in trip.parts]
    if "cut" in changes:
        # A cut within a character leaves a replacement sign of its bytes.
        return _matches_in_order(text, [part.strip("\ufffd") for part in parts], cut=True)
    return _matches_in_order(text, parts, cut=False)


def _matches_in_order(text: str, parts: Sequence[str], cut: bool) -> bool:
    """Say whether `text` is `parts` with anything between them; `cut` allows more text at one end."""
    if len(parts) == 1:
        return text.startswith(parts[0]) or text.endswith(parts[0]) if cut else text == parts[0]
    *middle, last = parts[1:]
    at, end = len(parts[0]), len(text) - len(last)
    if not cut and not (text.startswith(parts[0]) and text.endswith(last)):
        return False
    if cut:
        at, end, middle = 0, len(text), list(parts)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return at <= end


def _apply_changes(trip: _Trip, changes: Sequence[str]) -> str:
    """Return the text after `changes`."""
    text = trip.text
    for token in trip.special if "special" in changes else ():
        text = text.replace(token, "")
    return _fold_text(text, changes)


def _fold_text(text: str, changes: Sequence[str]) -> str:
    """Return `text` without what may differ: what is equal after some of the changes stays so after more of them."""
    if "form" in changes:
        text = unicodedata.normalize("NFKC", text)
    if "removed" in changes:
        text = _remove_characters(text, _is_invisible)
    if "accents" in changes:
        text = _remove_characters(unicodedata.normalize("NFD", text), _is_accent)
    if "case" in changes:
        text = text.lower()
    if "spaces" in changes:
        text = "".join(text.split())
    return text


def _remove_characters(text: str, unwanted: Callable[[str], bool]) -> str:
    return text.translate({ord(each): None for each in set(text) if unwanted(each)})


def _is_accent(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _is_invisible(character: str) -> bool:
    """Say whether it is a control character, a zero-width one or the like, or the replacement sign."""
    return character == "\ufffd" or (unicodedata.category(character)[0] == "C" and not character.isspace())


def _describe_change(trip: _Trip, change: str, needed: Sequence[str]) -> str:
    match change:
        case "accents":
            gone = not any(map(_is_accent, set(unicodedata.normalize("NFD", trip.plain))))
            return "Accents were removed." if gone else "Accents came back different."
        case "case":
            lower = trip.plain == trip.plain.lower()
            return "Upper case became lower case." if lower else "Upper and lower case came back different."
        case "form":
            return "Some characters came back in another Unicode form, as “ﬁ” comes back as “fi”."
        case "removed":
            gone = not any(map(_is_invisible, set(trip.plain)))
            kinds = "Control, zero-width or unassigned characters"
            return f"{kinds} were removed." if gone else f"{kinds} came back different."
        case "special":
            return f"Special tokens that stand in the text were left out: {', '.join(trip.special)}."
        case "cut":
            return _describe_cut(trip, needed)
        case _:
            return _describe_spaces(trip, needed)


def _describe_cut(trip: _Trip, needed: Sequence[str]) -> str:
    plain = trip.plain.strip("\ufffd")
    if not plain.strip():
        return "The text was cut: nothing of it came back."
    text = _apply_changes(trip, needed)
    first, last = (_fold_text(trip.parts[at].strip("\ufffd"), needed) for at in (0, -1))
    if first and text.startswith(first):
        return f"The end is missing: nothing comes back after “{plain[-_SHOWN:]}”."
    if last and text.endswith(last):
        return f"The beginning is missing: nothing comes back before “{plain[:_SHOWN]}”."
    shown = plain if len(plain) <= 2 * _SHOWN else f"{plain[:_SHOWN]}…{plain[-_SHOWN:]}"
    return f"Only a part came back: “{shown}”."


def _describe_spaces(trip: _Trip, needed: Sequence[str]) -> str:
    kept = [each for each in needed if each != "spaces"]
    before, after = (_list_spaces(text) for text in (_apply_changes(trip, kept), _fold_text(trip.plain, kept)))
    if len(before) != len(after):
        return "White space came back different."
    pairs = list(zip(before, after, strict=True))
    added = sum(not old and bool(new) for old, new in pairs)
    removed = sum(bool(old) and not new for old, new in pairs)
    other = sum(bool(old) and bool(new) and old != new for old, new in pairs)
    counts = ((added, "added"), (removed, "removed"), (other, "replaced by other white space"))
    told = ", ".join(f"{what} in {count:,} place{'s' * (count > 1)}" for count, what in counts if count)
    return f"White space was {told}."


def _list_spaces(text: str) -> list[str]:
    """Return the white space before each other character, and at the end."""
    return [*re.findall(r"(\s*)\S", text), text[len(text.rstrip()) :]]


def _describe_first_difference(trip: _Trip) -> str:
    pairs = enumerate(zip(trip.text, trip.plain, strict=False))
    at = next((at for at, (old, new) in pairs if old != new), min(len(trip.text), len(trip.plain)))
    there, back = trip.text[at : at + _SHOWN], trip.plain[at : at + _SHOWN]
    if not there:
        return f"More came back than the text holds: “{back}” at the end."
    if not back:
        return f"The end is missing: nothing came back of “{there}” at character {at + 1:,}."
    return f"It differs from character {at + 1:,} on: “{there}” came back as “{back}”."
