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

from hfdemo.data_sources import Corpus
from hfdemo.errors import DataError
from hfdemo.finetuning.config import AS_IT_STANDS
from hfdemo.finetuning.dataset.columns import sample_cells
from hfdemo.finetuning.dataset.layouts.chats import CHATS
from hfdemo.finetuning.dataset.layouts.layout import Layout
from hfdemo.finetuning.dataset.layouts.spans import CHOICES, ENTITIES
from hfdemo.finetuning.dataset.layouts.word_rows import JOINED_WORDS, WORD_A_ROW

_TRIED = 20  # rows that are arranged to see which columns stay
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {layout.name: layout for layout in (ENTITIES, CHOICES, JOINED_WORDS, WORD_A_ROW, *CHATS)}
)


def find_layout(corpus: Corpus, asked: str | None, named: Iterable[str] = ()) -> Layout | None:
    """Return the layout of the tables: the one that is `asked` for, else the first that all of them match.

    `named` are the columns that a config names: where it names one that a layout would take away, the table is meant
    as it stands.

    Raises:
        DataError: there is no such layout, or a table does not have it.
    """
    if asked == AS_IT_STANDS:
        return None
    if asked is not None and asked not in LAYOUTS:
        raise DataError(f"There is no layout {asked!r}. There are: {', '.join((*LAYOUTS, AS_IT_STANDS))}.")
    tables = list(corpus.tables.values())
    samples = [{column: sample_cells(table[column]) for column in table.columns} for table in tables]
    for layout in LAYOUTS.values() if asked is None else (LAYOUTS[asked],):
        fits = layout.matches if asked is None else layout.can_be or layout.matches
        if tables and all(fits(table, some) for table, some in zip(tables, samples, strict=True)):
            gone = {column for table in tables for column in table.columns} - {*layout.makes}
            kept = {column for table in tables for column in layout.arrange(table.head(_TRIED)).table.columns}
            if asked is not None or not (gone - kept) & set(named):
                return layout
    if asked is not None:
        raise DataError(f"The data is not laid out as {LAYOUTS[asked].title}. Set layout to {AS_IT_STANDS!r}.")
    return None


def arrange_corpus(corpus: Corpus, asked: str | None = None, named: Iterable[str] = ()) -> Corpus:
    """Return the data with its tables arranged by their layout, which its reading then says; else as it is.

    Raises:
        DataError: see `find_layout`.
    """
    layout = find_layout(corpus, asked, named)
    if layout is None:
        return corpus
    arranged = {split: layout.arrange(table) for split, table in corpus.tables.items()}
    refused = [dataclasses.replace(row, split=split) for split, each in arranged.items() for row in each.refused]
    if refused and all(each.table.empty for each in arranged.values()):
        raise DataError(f"No row can be read as {layout.title}. Row {refused[0].row}: {refused[0].reason}.")
    notes = dict.fromkeys(note for each in arranged.values() for note in each.notes)
    return dataclasses.replace(
        corpus,
        tables={split: each.table for split, each in arranged.items()},
        refused=(*corpus.refused, *refused),
        notes=(*corpus.notes, *notes),
        reading="; ".join(filter(None, (corpus.reading, f"read as {layout.title}"))),
        layout=layout.name,
    )
