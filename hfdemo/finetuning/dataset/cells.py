"""One cell of a label or text column -> what it says, or a ValueError with the reason why it can't be read."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import tokenize
from collections import Counter
from collections.abc import Sequence
from typing import Any

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = 3e38  # models count in float32
SEPARATORS = "|;,"
ROLES = ("system", "developer", "user", "assistant", "tool")


def number(cell: str) -> float:
    """A finite number, written with a point.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    text = cell.strip()
    if not NUMBER.fullmatch(text):
        hint = f": write {text.replace(',', '.')}" if NUMBER.fullmatch(text.replace(",", ".")) else ""
        raise ValueError(f"{_short(cell)} is not a number{hint}")
    if abs(float(text)) > _LARGEST:
        raise ValueError(f"{_short(cell)} is too large a number")
    return float(text)


def decimal(cell: str) -> float:
    """A number that is not written as a whole one.

    Raises:
        ValueError: it is none.
    """
    if cell.strip().lstrip("+-").isdigit():
        raise ValueError(f"{_short(cell)} is a whole number")
    return number(cell)


def words(cell: str) -> list[str]:
    """A list of texts, as JSON or as Python writes it; numbers in it become texts.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    found = _list(cell)
    for each in found:
        if not isinstance(each, str | int | float) or isinstance(each, bool):
            raise ValueError(f"the list holds {_short(json.dumps(each, default=str))}, which is no text")
    return [each if isinstance(each, str) else str(each) for each in found]


def list_or_none(cell: str) -> list[str] | None:
    """As `words`, but None for a cell that can't be read."""
    try:
        return words(cell)
    except ValueError:
        return None


def names(cell: str, between: str | None) -> list[str]:
    """The labels of a row: a list, or texts with `between` between them; None as `between` is one label a cell.

    Raises:
        ValueError: an empty name, or a list of other things.
    """
    if cell.lstrip().startswith("["):
        found = [name.strip() for name in words(cell)]
    else:
        found = [name.strip() for name in (cell.split(between) if between else [cell])]
    if "" in found:
        raise ValueError(f"{_short(cell)} has a label without a name")
    return list(dict.fromkeys(found))


def messages(cell: str) -> list[dict[str, str]]:
    """The messages of a chat: a JSON list of objects with role and content, both texts.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    found = _list(cell)
    if not found:
        raise ValueError("the list of messages is empty")
    for each in found:
        if not isinstance(each, dict) or not isinstance(each.get("role"), str):
            raise ValueError(f"{_short(json.dumps(each, default=str))} is no message with a role and a content")
        if each["role"] not in ROLES:
            raise ValueError(f"the role {each['role']!r} is none of {', '.join(ROLES)}")
        if not isinstance(each.get("content"), str):
            raise ValueError(f"the content of a message of {each['role']!r} is no text")
    return [{"role": each["role"], "content": each["content"]} for each in found]


def separator(column: Sequence[str]) -> str | None:
    """What stands between several labels in the cells of a column: | or ; or a comma; None where nothing does.

    A name may hold such a character itself, so its parts have to come back: a part stands in several different cells,
    and for commas there are fewer parts than cells.
    """
    different = [cell for cell in dict.fromkeys(column) if cell.strip() and not cell.lstrip().startswith("[")]
    for mark in SEPARATORS:
        if not any(mark in cell for cell in different):
            continue
        parts = Counter(part.strip() for cell in different for part in set(cell.split(mark)))
        if "" in parts or all(NUMBER.fullmatch(part) for part in parts):
            continue
        if (len(parts) < len(different)) if mark == "," else max(parts.values()) > 1:
            return mark
    return None


def to_json(value: Any) -> str:
    """How a list stands in a cell of a run's data."""
    return json.dumps(value, ensure_ascii=False)


def _list(cell: str) -> list[Any]:
    text = cell.strip()
    if not text.startswith("["):
        raise ValueError(f"{_short(cell)} is no list")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)  # pandas writes ['O', 'B-PER'] into CSV files
            glued = _glues(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"{_short(cell)} is no list that can be read") from error
        if glued:
            raise ValueError(f"{_short(cell)} has no commas between its texts, as numpy prints it") from None
    if not isinstance(found, list):
        raise ValueError(f"{_short(cell)} is no list")
    return found


def _glues(text: str) -> bool:
    """Whether Python takes two texts of its source `text` for one, because nothing but white space is between them."""
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    kinds = [kind for kind in kinds if kind != tokenize.NL]
    return any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(kinds))


def _short(cell: str) -> str:
    text = cell.strip()
    return repr(text if len(text) <= 40 else text[:39] + "…")
