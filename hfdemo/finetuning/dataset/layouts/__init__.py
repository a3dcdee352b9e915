"""Layouts of rows: tables as chats and tagged words are kept in -> tables with a column of messages, or words and tags.

layout     Layout: how one is recognised and arranged
chats      conversations, instructions, questions and preference pairs -> messages
turns      the turns of one chat, in whatever words
questions  which columns are prompts and answers
word_rows  a word and its tag a row, or joined in a cell each -> lists of words and tags
spans      texts with entities marked by characters -> lists of words and tags; choices -> labels

A layout is a row of LAYOUTS. What is recognised is said in the reading; a config's `layout` asks for another, or for
the table as it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import pandas as pd

from hfdemo.data_sources import Corpus
from hfdemo.data_sources.splits import SPLIT_ALIASES
from hfdemo.errors import DataError
from hfdemo.finetuning.config import AS_IT_STANDS
from hfdemo.finetuning.dataset.columns import sample_cells
from hfdemo.finetuning.dataset.layouts.chats import CHATS
from hfdemo.finetuning.dataset.layouts.layout import Layout
from hfdemo.finetuning.dataset.layouts.spans import CHOICES, ENTITIES
from hfdemo.finetuning.dataset.layouts.word_rows import JOINED_WORDS, WORD_A_ROW
from hfdemo.finetuning.kinds.kind import Samples

_TRIED = 20  # rows that are arranged to see which columns stay
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {layout.name: layout for layout in (ENTITIES, CHOICES, JOINED_WORDS, WORD_A_ROW, *CHATS)}
)


def find_layout(corpus: Corpus, asked: str | None, named: Iterable[str] = ()) -> Layout | None:
    """Return the layout of the tables: the one that is `asked` for, else the first that those to learn from match.

    `named` are the columns that a config names: where it names one that a layout would take away, the table is meant
    as it stands.

    Raises:
        DataError: there is no such layout, or a table does not have it.
    """
    if asked == AS_IT_STANDS:
        return None
    if asked is not None and asked not in LAYOUTS:
        raise DataError(f"There is no layout {asked!r}. There are: {', '.join((*LAYOUTS, AS_IT_STANDS))}.")
    learned = [table for split, table in corpus.tables.items() if SPLIT_ALIASES.get(split, "train") == "train"]
    tables = learned or list(corpus.tables.values())
    for layout in LAYOUTS.values() if asked is None else (LAYOUTS[asked],):
        fits = layout.matches if asked is None else layout.can_be or layout.matches
        if tables and all(fits(table, _sample(table)) for table in tables):
            gone = {column for table in tables for column in table.columns} - {*layout.makes}
            kept = {column for table in tables for column in layout.arrange(table.head(_TRIED)).table.columns}
            if asked is not None or not (gone - kept) & set(named):
                return layout
    if asked is not None:
        raise DataError(f"The data is not laid out as {LAYOUTS[asked].title}. Set layout to {AS_IT_STANDS!r}.")
    return None


def _sample(table: pd.DataFrame) -> Samples:
    return {column: sample_cells(table[column]) for column in table.columns}


def arrange_corpus(corpus: Corpus, asked: str | None = None, named: Iterable[str] = ()) -> Corpus:
    """Return the data with its tables arranged by their layout, which its reading then says; else as it is.

    A split to be measured on of which nothing can be arranged, such as questions whose answers are kept back, is left
    out.

    Raises:
        DataError: see `find_layout`.
    """
    layout = find_layout(corpus, asked, named)
    if layout is None:
        return corpus
    fits = layout.can_be or layout.matches
    arranged = {split: layout.arrange(table) for split, table in corpus.tables.items() if fits(table, _sample(table))}
    refused = [dataclasses.replace(row, split=split) for split, each in arranged.items() for row in each.refused]
    whole = {split: each for split, each in arranged.items() if not each.table.empty}
    if not any(SPLIT_ALIASES.get(split, "train") == "train" for split in whole) and refused:
        raise DataError(f"No row can be read as {layout.title}. Row {refused[0].row}: {refused[0].reason}.")
    left_out = [split for split in corpus.tables if split not in whole]
    notes = dict.fromkeys(note for each in whole.values() for note in each.notes)
    told = [f"Nothing in the {split} split can be read as {layout.title}. It was left out." for split in left_out]
    return dataclasses.replace(
        corpus,
        tables={split: each.table for split, each in whole.items()},
        refused=tuple(row for row in (*corpus.refused, *refused) if row.split not in left_out),
        notes=(*corpus.notes, *notes, *told),
        reading="; ".join(filter(None, (corpus.reading, f"read as {layout.title}"))),
        layout=layout.name,
    )
