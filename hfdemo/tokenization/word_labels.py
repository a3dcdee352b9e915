"""Words that are cut already, and their labels, aligned with the tokens: the first token of each word has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import DemoError, wrap_tokenizer_errors
from hfdemo.tasks import check_text
from hfdemo.tokenization.encoding import Cell, Encoding, collect_columns

MOST_WORDS = 500
MOST_CHARACTERS = 50_000
IGNORED = -100


@dataclass(frozen=True)
class AlignedWords:
    """A row of words as tokens; `labels` has the label of the word that begins at each token, else None.

    None is what training writes as -100, which the loss leaves out. `label_names` are the labels in the order of their
    ids, that of the alphabet; `notes` say what to look out for.
    """

    cells: tuple[Cell, ...]
    labels: tuple[str | None, ...]
    label_names: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def label_ids(self) -> list[int]:
        return [IGNORED if label is None else self.label_names.index(label) for label in self.labels]

    def to_json(self) -> dict[str, Any]:
        return {
            "tokens": [cell.token for cell in self.cells],
            "input_ids": [cell.id for cell in self.cells],
            "word_ids": [cell.word for cell in self.cells],
            "labels": self.label_ids,
            "label_names": list(self.label_names),
            "warnings": list(self.notes),
        }


def align_words(tokenizer: Any, words: Sequence[str], labels: Sequence[str] | None = None) -> AlignedWords:
    """Tokenize `words` with `is_split_into_words=True`, and give the label of each word to its first token.

    Without labels each word's number, counted from 0, stands for it. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: no words, too many, words that can't be read, another number of labels than of words, or a tokenizer
            that is written in Python only, which knows no `word_ids`.
    """
    if not words or len(words) > MOST_WORDS:
        raise DemoError(f"{len(words)} words were given. Give 1 to {MOST_WORDS}.")
    for number, word in enumerate(words, start=1):
        check_text(f"Word {number}", word, MOST_CHARACTERS)
    total = sum(map(len, words))
    if total > MOST_CHARACTERS:
        raise DemoError(f"The words have {total:,} characters together; one call takes at most {MOST_CHARACTERS:,}.")
    if labels is not None and len(labels) != len(words):
        raise DemoError(f"Words: {len(words)}, labels: {len(labels)}. Each word needs its own, or none has one.")
    if not tokenizer.is_fast:
        raise DemoError(
            "This tokenizer is written in Python only: it can't say which token came from which word (`word_ids`). "
            "Choose a tokenizer with a tokenizer.json."
        )
    with wrap_tokenizer_errors():
        batch = tokenizer(
            [list(words)],
            is_split_into_words=True,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            verbose=False,
        )
        cells = Encoding(collect_columns(tokenizer, batch), ()).row(0)
        as_text = tokenizer([" ".join(words)], verbose=False)["input_ids"][0]
    given = [str(number) for number in range(len(words))] if labels is None else list(labels)
    begun = mark_word_starts([cell.word for cell in cells])
    missing = sorted(set(range(len(words))) - {word for word in begun if word is not None})
    return AlignedWords(
        tuple(cells),
        tuple(None if word is None else given[word] for word in begun),
        tuple(dict.fromkeys(given)) if labels is None else tuple(sorted(set(given))),
        tuple(_find_notes(words, [cell.id for cell in cells] == as_text, missing)),
    )


def mark_word_starts(word_ids: Sequence[int | None]) -> list[int | None]:
    """Return the number of the word that begins at each token, by the word_ids of the tokens; None where none does."""
    before = [None, *word_ids[:-1]]
    return [None if word == last else word for last, word in zip(before, word_ids, strict=True)]


def _find_notes(words: Sequence[str], as_text: bool, missing: Sequence[int]) -> list[str]:
    said = []
    if not as_text:
        said.append(
            "Written as one text, with spaces between, the same words get other ids: here they are joined without a "
            "space. Load the tokenizer with add_prefix_space=True for words."
        )
    if missing:
        named = ", ".join(repr(words[each]) for each in missing[:5])
        said.append(f"No token is left of {named}: its label is lost.")
    return said
