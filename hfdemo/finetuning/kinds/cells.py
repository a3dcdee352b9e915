"""Cells of label and text columns: what each says, or a ValueError with the reason why it can't be read.

Also which names of labels tag entities, and the order that people expect of them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import json
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = 3e38  # models count in float32
NEARLY_ALL = 0.9
# What pandas and spreadsheets write where there is nothing; compared without capitals.
_MISSING = frozenset(
    ("", "nan", "-nan", "none", "null", "n/a", "n.a.", "#n/a", "na", "#na", "<na>", "nat", "1.#qnan", "#n/a n/a")
)
_SET = frozenset(("1", "1.0", "1.", "true"))
_POSITIONS = re.compile(
    r"[\[(]?\s*(?:[01]\.?0?|true|false)(?:[\s,;|]+(?:[01]\.?0?|true|false))+\s*[\])]?", re.IGNORECASE
)


def is_missing(cell: str) -> bool:
    """Return whether a cell says that there is nothing: it is blank, NaN, None, null, N/A or the like."""
    return cell.strip().casefold() in _MISSING


def parse_number(cell: str) -> float:
    """Read a finite number, written with a point.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    text = cell.strip()
    if not NUMBER.fullmatch(text):
        hint = f": write {text.replace(',', '.')}" if NUMBER.fullmatch(text.replace(",", ".")) else ""
        raise ValueError(f"{shorten(cell)} is not a number{hint}")
    if abs(float(text)) > _LARGEST:
        raise ValueError(f"{shorten(cell)} is too large a number")
    return float(text)


def parse_decimal(cell: str) -> float:
    """Read a number that is not written as a whole one.

    Raises:
        ValueError: it is none.
    """
    if cell.strip().lstrip("+-").isdigit():
        raise ValueError(f"{shorten(cell)} is a whole number")
    return parse_number(cell)


def parse_words(cell: str) -> list[str]:
    """Read a list of texts, as JSON or as Python writes it; numbers in it become texts.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    found = parse_list(cell)
    for each in found:
        if not isinstance(each, str | int | float) or isinstance(each, bool):
            raise ValueError(f"the list holds {shorten(json.dumps(each, default=str))}, which is no text")
    return [each if isinstance(each, str) else str(each) for each in found]


def parse_words_or_none(cell: str) -> list[str] | None:
    """Return what `parse_words` does, but None for a cell that can't be read."""
    try:
        return parse_words(cell)
    except ValueError:
        return None


def write_list(value: Any) -> str:
    """Return a list as it stands in a cell of a run's data."""
    return json.dumps(value, ensure_ascii=False)


def are_nearly_all(cells: Sequence[str], parse: Callable[[str], Any]) -> bool:
    """Return whether there are cells, and nearly all of them can be read by `parse`."""
    allowed = len(cells) - NEARLY_ALL * len(cells)
    for cell in cells:
        try:
            parse(cell)
        except ValueError:
            allowed -= 1
            if allowed < 0:
                return False
    return bool(cells)


def parse_list(cell: str) -> list[Any]:
    """Read a list of anything, as JSON or as Python writes it.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    text = cell.strip()
    if not text.startswith("["):
        raise ValueError(f"{shorten(cell)} is no list")
    printed = text.strip("[]").split()
    if len(printed) > 1 and text.endswith("]") and all(map(NUMBER.fullmatch, printed)):
        return [int(each) if each.lstrip("+-").isdecimal() else float(each) for each in printed]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)  # pandas writes ['O', 'B-PER'] into CSV files
            glued = _joins_texts(text)
            if glued and "," not in _list_operators(text):
                return _parse_printed_texts(text)  # ['O' 'B-PER'], as numpy prints it
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"{shorten(cell)} is no list that can be read") from error
        if glued:
            raise ValueError(f"{shorten(cell)} has no commas between some of its texts") from None
    if not isinstance(found, list):
        raise ValueError(f"{shorten(cell)} is no list")
    return found


def entity_tags(labels: Iterable[str]) -> list[str] | None:
    """Return the labels as seqeval reads them, where they tag whole entities as B-PER, I-PER and O do; else None.

    What BILOU calls last and unit (L, U) IOBES, which seqeval knows, calls end and single (E, S).
    """
    import re

    tags = list(labels)
    if not all(re.fullmatch("O|[BIESLU]-.+", tag) for tag in tags) or all(tag == "O" for tag in tags):
        return None
    return [{"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Sort numbers by value, texts by name with the numbers in them by value; of IOB tags O first, then by entity."""
    found = set(labels)
    if entity_tags(found):
        return tuple(sorted(found, key=lambda tag: (tag != "O", _split_numbers(tag[2:]), tag)))
    if found and all(NUMBER.fullmatch(label) for label in found):
        return tuple(sorted(found, key=lambda label: (float(label), label)))
    return tuple(sorted(found, key=lambda label: (_split_numbers(label), label)))


def parse_positions(cell: str) -> list[bool]:
    """Read a list that says of each label whether a row has it: 0 and 1, or true and false, however they are parted.

    Raises:
        ValueError: it is none.
    """
    text = cell.strip()
    bare = not text.startswith(("[", "("))
    if not _POSITIONS.fullmatch(text) or (bare and "," in text and text.count(",") == 1):  # 0,1 is a number
        raise ValueError(f"{shorten(cell)} is no list of 0 and 1")
    return [part.casefold() in _SET for part in re.split(r"[\s,;|]+", text.strip("[]() \t\r\n")) if part]


def count_positions(cells: Sequence[str]) -> int:
    """Return how many labels lists of 0 and 1 speak of, one at each place; 0 where the cells are something else.

    All are of one length, and some number stands twice in a list: [0, 1] may as well be the numbers of two labels.
    """
    different = [cell for cell in dict.fromkeys(cells) if not is_missing(cell)]
    if not are_nearly_all(different, parse_positions):
        return 0
    lengths, repeats = Counter[int](), False
    for cell in different:
        with contextlib.suppress(ValueError):
            read = parse_positions(cell)
            lengths[len(read)] += 1
            repeats |= len(set(read)) < len(read)
    length, times = lengths.most_common(1)[0]
    return length if repeats and times >= NEARLY_ALL * len(different) else 0


def _list_operators(text: str) -> set[str]:
    """Return the signs of Python between the values of a list."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.OP}


def _parse_printed_texts(text: str) -> list[str]:
    """Read texts with nothing but white space between them."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [ast.literal_eval(token.string) for token in tokens if token.type == tokenize.STRING]
    return [str(each) for each in found]


def _joins_texts(text: str) -> bool:
    """Return whether Python takes two texts of its source for one, as only white space is between them."""
    types = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    types = [each for each in types if each != tokenize.NL]
    return any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(types))


def shorten(cell: str) -> str:
    """Quote a cell, cut to 40 characters."""
    text = cell.strip()
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _split_numbers(text: str) -> list[tuple[int, int, str]]:
    # isdecimal, because int() reads nothing more: "²" is a digit, too.
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
