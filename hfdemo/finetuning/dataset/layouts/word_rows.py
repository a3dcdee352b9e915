"""A word and its tag a row, or words and tags joined in a cell each -> a sentence a row, as lists of words and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from hfdemo.finetuning.dataset.layouts.layout import Arranged, Layout
from hfdemo.finetuning.kinds.cells import NEARLY_ALL, entity_tags, write_list
from hfdemo.finetuning.kinds.kind import Samples
from hfdemo.tables import RefusedRow

WORDS, TAGS = "words", "tags"
_SENTENCE_NAME = re.compile(
    r"(sentence|sent|sentences|document|doc|seq|sequence|paragraph|utterance|sample|example)"
    r"[ _]*(#|id|idx|index|no|nr|num|number)?[.:]?|sid|guid"
)
_WORD_NAMES = ("word", "words", "token", "tokens", "form", "text")
_TAG_NAMES = (
    *("tag", "ner_tag", "ner_tags", "ner", "iob", "bio", "bio_tag", "iob_tag", "tags", "label", "labels"),
    *("entity", "entity_label", "slot", "pos", "upos"),
)
_ENDS = (".", "!", "?", "。", "！", "？")
_FEWEST_WORDS = 2  # of a sentence on average: an id of every row joins nothing


def _find_sentence_columns(table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if _SENTENCE_NAME.fullmatch(column.strip().lower())]


def _find_named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {column.strip().lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def _number_sentences(table: pd.DataFrame, columns: Sequence[str], word: str) -> list[int]:
    """Return the number of each row's sentence: a new one begins where a cell of `columns` differs from the last.

    Without such columns it begins after a word that ends sentences.
    """
    if not columns:
        ended = table[word].str.strip().isin(_ENDS).shift(fill_value=False)
        return ended.cumsum().tolist()
    keys: dict[str, list[str]] = {}
    for column in columns:
        filled = table[column].mask(table[column].str.strip() == "")
        keys[column] = filled.ffill().fillna("").tolist()
    numbers, last, number = [], None, -1
    for key in zip(*keys.values(), strict=True):
        if key != last:
            last, number = key, number + 1
        numbers.append(number)
    return numbers


def _find_word_columns(table: pd.DataFrame) -> tuple[list[str], str, str] | None:
    """Return the columns that name the sentence, of which there may be none, the word and its tag."""
    sentences = _find_sentence_columns(table)
    rest = [column for column in table.columns if column not in sentences]
    word, tag = _find_named(rest, _WORD_NAMES), _find_named(rest, _TAG_NAMES)
    return (sentences, word, tag) if word and tag else None


def _has_word_rows(table: pd.DataFrame, samples: Samples) -> bool:
    found = _find_word_columns(table)
    if found is None or table.empty:
        return False
    sentences, word, tag = found
    cells, tags = samples[word], samples[tag]
    single = sum(len(cell.split()) == 1 for cell in cells) >= NEARLY_ALL * len(cells)
    return (
        bool(cells)
        and single
        and not any(cell.lstrip().startswith(("[", "{")) for cell in (*cells[:50], *tags[:50]))
        and (bool(sentences) or entity_tags(tags) is not None)
        and len(table) >= _FEWEST_WORDS * (_number_sentences(table, sentences, word)[-1] + 1)
    )


def _arrange_word_rows(table: pd.DataFrame) -> Arranged:
    """Join the rows of each sentence; a column that differs within one becomes lists of words' values, too."""
    sentences, word, tag = _find_word_columns(table) or ([], "", "")
    others = [column for column in table.columns if column not in (word, tag, *sentences)]
    blank_is_outside = not (table[tag] == "O").any() and bool(entity_tags(filter(None, map(str.strip, table[tag]))))
    numbers = _number_sentences(table, sentences, word)
    rows, index, refused = [], [], []
    cells = table.to_dict("list")
    for _, members in groupby(range(len(table)), key=numbers.__getitem__):
        places = list(members)
        first = int(table.index[places[0]])
        flaw = _find_word_flaw([(cells[word][place], cells[tag][place]) for place in places], blank_is_outside)
        if flaw is not None:
            row, last = int(table.index[places[flaw[0]]]) + 1, int(table.index[places[-1]]) + 1
            refused.append(
                RefusedRow("", first + 1, f"of its sentence, rows {first + 1} to {last}, row {row} {flaw[1]}")
            )
            continue
        own = {column: [cells[column][place] for place in places] for column in (*others, word, tag)}
        own[tag] = [each.strip() or "O" for each in own[tag]]
        rows.append(own)
        index.append(first)
    varying = [column for column in others if any(len(set(own[column])) > 1 for own in rows)]
    made = {
        **{column: [write_list(o[column]) if column in varying else o[column][0] for o in rows] for column in others},
        WORDS: [write_list([each.strip() for each in own[word]]) for own in rows],
        TAGS: [write_list(own[tag]) for own in rows],
    }
    notes = []
    if blank_is_outside and (table[tag] == "").any():
        notes.append(f"A blank {tag!r} is read as O, no entity.")
    if not sentences:
        ends = " or ".join(map(repr, _ENDS))
        notes.append(f"No column says which words make a sentence, so it is taken to end with {ends}.")
    return Arranged(pd.DataFrame(made, index=index, dtype=str), tuple(refused), tuple(notes))


def _find_word_flaw(pairs: Sequence[tuple[str, str]], blank_is_outside: bool) -> tuple[int, str] | None:
    """Return the place of the first row without a word or a tag, and what it lacks."""
    for place, (word, tag) in enumerate(pairs):
        if not word.strip():
            return place, "has no word"
        if not tag.strip() and not blank_is_outside:
            return place, f"has no tag for {word.strip()!r}"
    return None


def _find_joined_columns(samples: Samples) -> tuple[str, str, str | None] | None:
    """Return the columns of words and of as many tags of entities, and what joins them: a comma, or None for space."""
    for tag, tags in samples.items():
        comma = "," if any("," in cell for cell in tags) else None
        if not tags or tags[0].strip()[:1] not in "OBIESLU":  # most columns need no closer look
            continue
        split = [_split_cell(cell, comma) for cell in tags]
        if not any(len(own) > 1 for own in split) or entity_tags(each for own in split for each in own) is None:
            continue
        for word, words in samples.items():
            if word == tag or len(words) != len(tags):
                continue
            pairs = zip(words, split, strict=True)
            same = sum(len(_split_words(cell, comma, len(own))) == len(own) for cell, own in pairs)
            if same >= NEARLY_ALL * len(tags):
                return word, tag, comma
    return None


def _split_cell(cell: str, separator: str | None) -> list[str]:
    return [each.strip() for each in cell.strip().split(separator)] if cell.strip() else []


def _split_words(cell: str, separator: str | None, tags: int) -> list[str]:
    """Split a cell as its tags are, or at white space where that fits them better: a comma may be a word."""
    found = _split_cell(cell, separator)
    return found if len(found) == tags else _split_cell(cell, None)


def _has_joined_words(table: pd.DataFrame, samples: Samples) -> bool:
    return _find_joined_columns(samples) is not None


def _arrange_joined_words(table: pd.DataFrame) -> Arranged:
    samples = {column: [cell for cell in table[column] if cell.strip()] for column in table.columns}
    word, tag, comma = _find_joined_columns(samples) or ("", "", None)
    tags = [_split_cell(cell, comma) for cell in table[tag]]
    words = [_split_words(cell, comma, len(own)) for cell, own in zip(table[word], tags, strict=True)]
    lists = {WORDS: list(map(write_list, words)), TAGS: list(map(write_list, tags))}
    return Arranged(table.drop(columns=[word, tag]).assign(**lists))


WORD_A_ROW = Layout(
    "word_a_row", "a word and its tag a row, joined to sentences", (WORDS, TAGS), _has_word_rows, _arrange_word_rows
)
JOINED_WORDS = Layout(
    "joined_words", "sentences of words, with their tags joined in a cell", (WORDS, TAGS), _has_joined_words,
    _arrange_joined_words,
)  # fmt: skip
