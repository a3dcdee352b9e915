"""What a column of a table is for, by its name and by what its cells hold: texts, a pair of them, a split, an id."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pandas as pd

from hfdemo.data_sources.splits import SPLITS, normalize_split_name

# By what `normalize_name` makes of a name.
_TEXT_NAMES = (
    *("text", "sentence1", "sentence", "message", "content", "body", "review"),
    *("question1", "question", "premise", "commenttext", "reviewtext", "reviewbody", "texts", "sentences", "tweet"),
    *("comment", "utterance", "document", "article", "post", "sms", "query", "input", "prompt", "title", "headline"),
    *("subject", "description", "abstract", "summary", "claim", "context", "passage"),
)
# Two texts that are told apart by a number or a letter: together they are a pair whatever else there is.
_NUMBERED = (
    *(("sentence1", "sentence2"), ("text", "textpair"), ("premise", "hypothesis"), ("question1", "question2")),
    *(("text1", "text2"), ("texta", "textb"), ("sentencea", "sentenceb"), ("sent1", "sent2"), ("senta", "sentb")),
    *(("1string", "2string"), ("string1", "string2"), ("s1", "s2"), ("q1", "q2"), ("phrase1", "phrase2")),
    *(("tweet1", "tweet2"), ("doc1", "doc2"), ("document1", "document2"), ("article1", "article2")),
    *(("utterance1", "utterance2"), ("input1", "input2"), ("textleft", "textright"), ("questiona", "questionb")),
)
_PAIRS = (
    *_NUMBERED,
    *(("title", "body"), ("title", "text"), ("title", "content"), ("title", "description"), ("title", "abstract")),
    *(("title", "article"), ("title", "review"), ("title", "reviewbody"), ("title", "reviewtext"), ("subject", "body")),
    *(("subject", "message"), ("subject", "content"), ("subject", "text"), ("headline", "body")),
    *(("headline", "articlebody"), ("headline", "text"), ("headline", "shortdescription")),
    *(("reviewtitle", "reviewbody"), ("reviewtitle", "reviewtext"), ("summary", "reviewtext")),
    *(("query", "passage"), ("query", "document"), ("query", "doc"), ("query", "text"), ("query", "title")),
    *(("query", "producttitle"), ("query", "positive"), ("query", "answer"), ("query", "response")),
    *(("question", "sentence"), ("question", "context"), ("question", "passage"), ("question", "answer")),
    *(("question", "paragraph"), ("question", "text"), ("questiontitle", "questionbody"), ("claim", "evidence")),
    *(("claim", "context"), ("claim", "text"), ("source", "target"), ("source", "summary"), ("src", "tgt")),
    *(("source", "translation"), ("src", "mt"), ("original", "translation"), ("document", "summary")),
    *(("article", "summary"), ("context", "response"), ("context", "reply"), ("prompt", "response")),
    *(("anchor", "positive"), ("anchor", "target"), ("text", "hypothesis"), ("text", "context")),
    *(("comment", "parentcomment"), ("post", "comment"), ("post", "reply"), ("tweet", "reply"), ("text", "reply")),
    *(("a", "b"), ("left", "right")),
)
_SPLIT_NAMES = ("split", "set", "fold", "partition", "subset", "usage", "datasplit", "dataset", "splitset", "part")
_ID_NAMES = re.compile(r"(.*[_\W])?([iI][dD][sS]?|idx|Idx|index|Index|uuid|guid)|.*[a-z](Id|ID|Idx)s?|#|№|[uU]nnamed.*")
_BOOKKEEPING_NAMES = re.compile(
    r"(.*[_\W])?(key|hash|no|nr|num|number|row|rowid|sha|md5|rank|order|position|asin|isbn|date|time|timestamp|utc)"
    r"|(created|updated|modified|posted|published|scraped)(_?(at|on|utc|date|time))?|(date|time)[_\W].*"
    r"|(.*[_\W])?(url|uri|link|href|permalink|path|file|filename|image|img)s?",
    re.IGNORECASE,
)
# What is known of a text, but may be learned from it where there is nothing else.
_SOFT_NAMES = re.compile(
    r"(author|user|speaker|annotator|worker|rater)s?(_?name)?|language|lang|locale|country|source|source_?dataset"
    r"|subreddit|platform|device",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ,]+\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2})?"
    r"|(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d{4}.*"
    r"|[a-z]{3,9}\.? \d{1,2},? \d{4}.*|\d{1,2}\.? [a-z]{3,9}\.? \d{4}.*",
    re.IGNORECASE,
)
_URL = re.compile(r"(https?|ftp)://\S+|www\.\S+|\S+@\S+\.\w+", re.IGNORECASE)
_HEX = re.compile(r"(?=.*\d)[0-9a-f-]{8,}|[A-Za-z]{0,4}[-_]?\d+", re.IGNORECASE)
_LOOKED_AT = 2_000
_MOST_SPLITS = 20
_NEARLY_ALL = 0.9


def normalize_name(column: str) -> str:
    """Return a name without what people write it differently by: capitals, spaces, dashes, underscores, signs."""
    return re.sub(r"[\W_]+", "", column.casefold())


def guess_text_column(columns: Sequence[str]) -> str | None:
    """Return the column that by its name holds the texts, or None."""
    named = _by_name(columns)
    numbered = next((a for a, b in _NUMBERED if a in named and b in named), None)
    found = next((named[name] for name in _TEXT_NAMES if name in named), None)
    return named[numbered] if numbered and "text" not in named else found


def guess_pair_column(text: str, columns: Sequence[str]) -> str | None:
    """Return the column that by its name holds the second texts to those in the column `text`, or None."""
    named = _by_name(columns)
    first = {normalize_name(text), normalize_name(text.rpartition(".")[2])}
    return next((named[b] for a, b in _PAIRS if a in first and b in named and named[b] != text), None)


def guess_text_pair(columns: Sequence[str]) -> tuple[str, str | None] | None:
    """Return the columns that by their names hold the texts, and the second ones to them (or None), or None.

    Where a text has a title, that is the first of both.
    """
    text = guess_text_column(columns)
    if text is None:
        return None
    pair = guess_pair_column(text, columns)
    if pair is None:
        named = _by_name(columns)
        second = {name for name, column in named.items() if column == text}
        titled = next((named[a] for a, b in _PAIRS if b in second and a in named and named[a] != text), None)
        return (titled, text) if titled else (text, None)
    return text, pair


def find_longest_column(table: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return the one of `columns` whose cells are the longest: what stays to be guessed where no name tells."""
    return max(columns, key=lambda column: table[column].str.len().mean())


def find_split_column(table: pd.DataFrame) -> str | None:
    """Return the column whose cells say of each row which split it is in; None where there is none."""
    for column in table.columns:
        name, cells = normalize_name(column), set(table[column])
        if len(cells) > _MOST_SPLITS and name not in _SPLIT_NAMES:
            continue
        splits = {cell: normalize_split_name(cell) for cell in cells if cell.strip()}
        if "train" not in splits.values():
            continue
        # One row of train is enough of a column called split: with a strange cell it is one all the same.
        if name == "split" or (name in _SPLIT_NAMES and len(splits) <= _MOST_SPLITS):
            return str(column)
        if len(splits) > 1 and all(split in SPLITS for split in splits.values()):
            return str(column)
    return None


def is_bookkeeping(column: str, cells: Sequence[str], soft: bool = True) -> bool:
    """Return whether a column is an id, a date, an address or the like, or the same in every row: no text, no label.

    `cells` are those of it that are not blank, or some of them. With `soft` the name of an author or a language counts.
    """
    some = [cell.strip() for cell in cells[:_LOOKED_AT]]
    if not some:
        return True
    different = set(some)
    if len(different) == 1 and len(some) > 1:
        return True
    for pattern in (_DATE, _URL):
        if _share(some, pattern) >= _NEARLY_ALL:
            return True
    names = (_BOOKKEEPING_NAMES, _SOFT_NAMES) if soft else (_BOOKKEEPING_NAMES,)
    named = is_id_name(column) or any(each.fullmatch(column.strip()) for each in names)
    if named and not _are_sentences(some):
        return True
    unique = len(different) == len(some) > 2
    return unique and (_count_up(some) or (_share(some, _HEX) == 1 and not _are_numbers(some)))


def is_id_name(column: str) -> bool:
    """Return whether a column is called as numbers or names of rows are."""
    return _ID_NAMES.fullmatch(column.strip()) is not None


def _by_name(columns: Sequence[str]) -> dict[str, str]:
    """Return columns by their normalized names, and by what follows the last point of a path; the first of each."""
    named: dict[str, str] = {}
    for column in columns:
        named.setdefault(normalize_name(column), column)
    for column in columns:
        if "." in column:
            named.setdefault(normalize_name(column.rpartition(".")[2]), column)
    return named


def _share(cells: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.fullmatch(cell) is not None for cell in cells) / len(cells)


def _are_sentences(cells: Sequence[str]) -> bool:
    return sum(cell.count(" ") >= 2 and not _DATE.fullmatch(cell) for cell in cells) > len(cells) / 2


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[+-]?\d+([.,]\d+)?", cell) for cell in cells)


def _count_up(cells: Sequence[str]) -> bool:
    """Return whether whole numbers rise by one and the same step from row to row, as row numbers do."""
    if len(cells) < 8 or not all(re.fullmatch(r"\d{1,15}", cell) for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return len(steps) == 1 and steps.pop() > 0
