"""The vocabulary of a tokenizer, searched: each token with its id, what it reads as, and what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hfdemo.errors import wrap_library_errors
from hfdemo.tasks import check_text
from hfdemo.tokenization.options import check_whole_number

MOST_CHARACTERS = 200
MOST_ENTRIES = 1_000
# A token is read behind a letter that every vocabulary writes as itself: decoders treat the first token of a text
# unlike all others.
_LEADER = "a"


@dataclass(frozen=True)
class VocabularyEntry:
    """A token under its id; `text` is what it adds to a decoded text, `kind` is token, added or special."""

    id: int
    token: str
    text: str
    kind: str


@dataclass(frozen=True)
class VocabularyMatches:
    """The entries `first` and on of the `found` ones among `size`, in the order of their ids."""

    size: int
    found: int
    first: int
    entries: tuple[VocabularyEntry, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "entries": [asdict(each) for each in self.entries]}


def search_vocabulary(tokenizer: Any, query: str = "", first: int = 0, count: int = 100) -> VocabularyMatches:
    """List the tokens that hold `query`, as they are written or as they read, or whose id it is; upper case counts not.

    An empty query lists all. White space counts: byte-level vocabularies write " the" as "Ġthe". The caller must hold
    the tokenizer for itself.

    Raises:
        DemoError: a query that can't be read or is longer than MOST_CHARACTERS, or places out of range.
    """
    check_whole_number("first", first, 0)
    check_whole_number("count", count, 1)
    if query != "" and not str(query).isspace():
        check_text("The query", query, MOST_CHARACTERS)
    with wrap_library_errors("This vocabulary can't be searched", "Take another tokenizer."):
        read = make_token_reader(tokenizer)
        vocabulary = sorted((id, token) for token, id in tokenizer.get_vocab().items())
        wanted = query.casefold()
        found = [
            (id, token)
            for id, token in vocabulary
            if not query or wanted in token.casefold() or query == str(id) or wanted in read(token).casefold()
        ]
        special, added = find_special_ids(tokenizer), set(tokenizer.added_tokens_decoder)
        shown = found[first : first + min(count, MOST_ENTRIES)]
        entries = tuple(
            VocabularyEntry(
                *(id, token, read(token)), "special" if id in special else "added" if id in added else "token"
            )
            for id, token in shown
        )
    return VocabularyMatches(len(vocabulary), len(found), first, entries)


def find_special_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that `skip_special_tokens` leaves out: those with a role, and what was added as special."""
    added = (id for id, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset((*tokenizer.all_special_ids, *added))


def make_token_reader(tokenizer: Any) -> Callable[[str], str]:
    """Return a function that says what a token adds to a decoded text: "Ġthe" reads " the", "##ing" reads "ing".

    A part of a character's bytes reads as the replacement sign.
    """
    decoder = tokenizer.backend_tokenizer.decoder if tokenizer.is_fast else None
    if tokenizer.is_fast and decoder is None:
        return lambda token: token

    def read(token: str) -> str:
        tokens = [_LEADER, token]
        whole = str(decoder.decode(tokens) if decoder is not None else tokenizer.convert_tokens_to_string(tokens))
        return whole.removeprefix(_LEADER)

    return read
