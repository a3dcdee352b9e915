"""What annotation tools export: entities marked by characters -> words and BIO tags; choices -> a text and labels."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.finetuning.dataset.layouts.layout import Arranged, Layout
from hfdemo.finetuning.dataset.layouts.word_rows import TAGS, WORDS
from hfdemo.finetuning.kinds.cells import NEARLY_ALL, are_nearly_all, shorten, write_list
from hfdemo.finetuning.kinds.kind import Samples
from hfdemo.tables import RefusedRow, format_row_numbers

# Scripts that put no space between words, and Hangul, whose particles are written to the noun: a character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|\S")
# What tools call the same three things, in lower case and without underscores.
_STARTS = ("start", "startoffset", "begin", "beginoffset", "startchar", "startidx", "startindex", "from")
_ENDS = ("end", "endoffset", "endchar", "endidx", "endindex", "to", "stop")
_LABELS = ("label", "labels", "entity", "type", "entitytype", "entitygroup", "tag", "category", "class", "ner", "name")
_SPAN_NAMES = ("entities", "spans", "label", "labels", "annotations", "ents", "entity", "ner", "tags", "annotation")
_TEXT_NAMES = ("text", "sentence", "content", "data", "document", "body")


@dataclass(frozen=True)
class Span:
    """An entity: the characters of the text from `start` up to `end`, which it no longer has, and its label."""

    start: int
    end: int
    label: str


def parse_spans(cell: str) -> list[Span]:
    """Read the entities of a row: a JSON list of [start, end, label] or of objects that say these, in any of the words
    that annotation tools have for them; of Label Studio's annotations the first that nobody cancelled.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        raise ValueError(f"{shorten(cell)} is no list of entities") from None
    if isinstance(found, dict):
        found = next((found[name] for name in _SPAN_NAMES if isinstance(found.get(name), list)), None)
    if (results := _read_results(found)) is not None:
        found = [each for each in results if each.get("type", "labels") == "labels"]
    if not isinstance(found, list):
        raise ValueError(f"{shorten(cell)} is no list of entities")
    return [_parse_span(each) for each in found]


def _read_results(found: Any) -> list[dict[str, Any]] | None:
    """Return what the first annotation of Label Studio that nobody cancelled says; None of anything else."""
    if (
        not isinstance(found, list)
        or not found
        or not all(isinstance(each, dict) and "result" in each for each in found)
    ):
        return None
    kept = [each["result"] for each in found if not each.get("was_cancelled")]
    return [each for each in kept[0] if isinstance(each, dict)] if kept else []


def parse_choices(cell: str) -> list[str]:
    """Read the labels that somebody chose for a row in Label Studio.

    Raises:
        ValueError: it is no annotation of Label Studio, or nothing was chosen in it; the message is the reason.
    """
    try:
        results = _read_results(json.loads(cell))
    except (ValueError, RecursionError):
        results = None
    values = [each["value"] for each in results or () if isinstance(each.get("value"), dict)]
    found = [str(choice) for value in values for choice in value.get("choices") or ()]
    if not found:
        raise ValueError("nothing was chosen in its annotations")
    return found


def _parse_span(value: Any) -> Span:
    if isinstance(value, dict) and isinstance(value.get("value"), dict):
        value = value["value"]
    if isinstance(value, dict):
        lower = {str(key).lower().replace("_", ""): each for key, each in value.items()}
        parts = [next((lower[name] for name in names if name in lower), None) for names in (_STARTS, _ENDS, _LABELS)]
    elif isinstance(value, list) and len(value) >= 3:
        parts = value[:3] if isinstance(value[2], str | list) else [*value[1:3], value[0]]
    else:
        parts = []
    start, end, label = parts or (None, None, None)
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(label, str) and label.strip()):
        raise ValueError(f"{shorten(json.dumps(value, default=str))} is no entity with a start, an end and a label")
    return Span(start, end, label.strip())


def tag_words(text: str, spans: Sequence[Span]) -> tuple[list[str], list[str]]:
    """Return the words of `text`, which are runs of letters and digits and single other characters, and their BIO tags.

    White space at the ends of a span is no part of it.

    Raises:
        ValueError: there is no word, or a span stands outside the text, is empty, cuts a word or overlaps another.
    """
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    if not words:
        raise ValueError("the text has no word")
    begins = {begin: number for number, (begin, _) in enumerate(words)}
    ends = {end: number for number, (_, end) in enumerate(words)}
    tags = ["O"] * len(words)
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if not 0 <= span.start < span.end <= len(text):
            raise ValueError(f"{span.label} from {span.start} to {span.end} stands outside its {len(text)} characters")
        marked = text[span.start : span.end]
        start = span.start + len(marked) - len(marked.lstrip())
        end = span.end - (len(marked) - len(marked.rstrip()))
        if start >= end:
            raise ValueError(f"{span.label} from {span.start} to {span.end} holds white space alone")
        first, last = begins.get(start), ends.get(end)
        if first is None or last is None:
            place = start if first is None else end
            word = next(text[begin:stop] for begin, stop in words if begin < place < stop)
            raise ValueError(f"{span.label} from {span.start} to {span.end} ({shorten(marked)}) cuts the word {word!r}")
        if any(tag != "O" for tag in tags[first : last + 1]):
            raise ValueError(f"{span.label} from {span.start} to {span.end} overlaps another entity")
        tags[first : last + 1] = [f"B-{span.label}", *[f"I-{span.label}"] * (last - first)]
    return [text[begin:end] for begin, end in words], tags


def _read_text(cell: str) -> str:
    """Return the text of a cell: of an object (Label Studio's data) its text, or the only one that it has."""
    if not cell.lstrip().startswith("{"):
        return cell
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    texts = {str(key).lower(): each for key, each in found.items() if isinstance(each, str)}
    return next((texts[name] for name in _TEXT_NAMES if name in texts), next(iter(texts.values()), cell))


def _find_span_columns(samples: Samples) -> tuple[str, str] | None:
    """Return the columns of texts and of entities, where nearly all cells have entities that stand in the text."""
    lower = {column.strip().lower(): column for column in samples}
    named = [lower[name] for name in _SPAN_NAMES if name in lower]
    texts = [lower[name] for name in _TEXT_NAMES if name in lower]
    columns = list(samples)
    for spans in dict.fromkeys([*named, *columns]):
        parsed = list(map(_parse_or_none, samples[spans]))
        good = [each for each in parsed if each is not None]
        if not any(good) or len(good) < NEARLY_ALL * len(parsed):
            continue
        ends = sorted(span.end for each in good for span in each)
        farthest = ends[int(NEARLY_ALL * (len(ends) - 1))]  # a span may stand outside its text by mistake
        for text in dict.fromkeys([*texts, *columns]):
            longest = max((len(_read_text(cell)) for cell in samples[text]), default=0)
            if text != spans and longest >= farthest:
                return text, spans
    return None


def _parse_or_none(cell: str) -> list[Span] | None:
    try:
        return parse_spans(cell)
    except ValueError:
        return None


def _has_spans(table: pd.DataFrame, samples: Samples) -> bool:
    return _find_span_columns(samples) is not None


def _arrange_spans(table: pd.DataFrame) -> Arranged:
    """Tag the words of each text; rows that somebody rejected or skipped while annotating are left out, and said."""
    samples = {column: [cell for cell in table[column] if cell.strip()] for column in table.columns}
    text, spans = _find_span_columns(samples) or ("", "")
    answers = table["answer"] if "answer" in table.columns else pd.Series("accept", index=table.index)
    passed = table.index[answers.isin(("reject", "ignore"))]
    rows, refused = {}, []
    for row, cell, marked in zip(table.index, table[text], table[spans], strict=True):
        if row in passed:
            continue
        try:
            words, tags = tag_words(_read_text(cell), parse_spans(marked) if marked.strip() else [])
            rows[row] = (write_list(words), write_list(tags))
        except ValueError as error:
            refused.append(RefusedRow("", int(row) + 1, str(error)))
    kept = table.loc[list(rows)].drop(columns=[text, spans])
    lists = {name: [row[place] for row in rows.values()] for place, name in enumerate((WORDS, TAGS))}
    numbers = format_row_numbers([int(row) + 1 for row in passed])
    notes = (f"Left out, as they were rejected or ignored while annotating: {numbers}.",) if len(passed) else ()
    return Arranged(kept.assign(**lists), tuple(refused), notes)


def _find_choices(samples: Samples) -> tuple[str, str] | None:
    """Return Label Studio's columns of data and of annotations, where nearly all are choices."""
    if not samples.get("data") or not samples.get("annotations"):
        return None
    return ("data", "annotations") if are_nearly_all(samples["annotations"], parse_choices) else None


def _has_choices(table: pd.DataFrame, samples: Samples) -> bool:
    return _find_choices(samples) is not None


def _arrange_choices(table: pd.DataFrame) -> Arranged:
    """Put what was chosen beside each text: a name where no row has several, else lists of names."""
    chosen, refused = {}, []
    for row, cell in table["annotations"].items():
        try:
            chosen[row] = parse_choices(cell)
        except ValueError as error:
            refused.append(RefusedRow("", int(row) + 1, str(error)))
    several = any(len(names) > 1 for names in chosen.values())
    kept = table.loc[list(chosen)]
    labels = [write_list(names) if several else names[0] for names in chosen.values()]
    made = kept.drop(columns=["data", "annotations"]).assign(text=list(map(_read_text, kept["data"])), label=labels)
    return Arranged(made, tuple(refused))


CHOICES = Layout(
    "choices", "texts with the labels that were chosen for them in Label Studio", ("text", "label"), _has_choices,
    _arrange_choices,
)  # fmt: skip
ENTITIES = Layout(
    "entities", "texts with entities marked by characters, as words with BIO tags", (WORDS, TAGS), _has_spans,
    _arrange_spans,
)  # fmt: skip
