"""Whether the first line of a table names its columns or is a row like the others, and what the columns are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from hfdemo.errors import DataError
from hfdemo.tables.sheet import Doubt

_LOOKED_AT = 200  # rows that the first line is held against
_FEWEST = 3
_FEW = 20  # different cells that a column of names of labels has at most
# How columns are called, as a whole or as one of the words of a name.
_WORDS = (
    "answer answers author body category categories chosen class comment completion content context conversations "
    "corpus data date description dialog dialogue document emotion entities entity features genre gold headline "
    "hypothesis id idx index input instruction intent key label labels lang language line message messages name "
    "ner output pair paragraph polarity pos premise prompt query question rank rating rejected response review row "
    "score section sent sentence sentences sentiment set similarity source speaker split stars string subject "
    "subset summary tag tags target text texts timestamp title token tokens topic tweet type url user utterance "
    "value version word words y"
)
_NAMES = frozenset(_WORDS.split())
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")
_IDENTIFIER = re.compile(r"[^\W\d][\w .#/()-]{0,40}")


def name_columns(width: int) -> list[str]:
    """Return the names of columns that have none: "column 1", "column 2" ..."""
    return [f"column {number}" for number in range(1, width + 1)]


def clean_header(name: str, cells: Sequence[str]) -> list[str]:
    """Return the columns that a header names; one without a name is called by its number.

    Raises:
        DataError: a column is there more than once; the sentence calls the file `name`.
    """
    header = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1)]
    twice = sorted(column for column, times in Counter(header).items() if times > 1)
    if twice:
        raise DataError(f"{name} has the column {', '.join(map(repr, twice))} more than once. Rename one of them.")
    return header


def has_usual_name(names: Iterable[str]) -> bool:
    """Say whether one of `names` is a usual name of a column, or made of one."""
    return any(_is_usual_name(name) for name in names)


def weigh_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> float:
    """Weigh whether `first` names the columns of `rows`: from 0 on it does, below it is a row like the others.

    A number over numbers, a label's name over the same ones and a text over texts are like the rows; a word over
    numbers or texts is not, and neither are the usual names of columns.
    """
    cells = [cell.strip() for cell in first]
    numbered = cells[1:] if cells and not cells[0] else cells
    if not rows or (numbered and numbered == [str(number) for number in range(len(numbered))]):  # as pandas does it
        return 1.0
    columns = list(zip(*[row[: len(cells)] for row in rows[:_LOOKED_AT] if len(row) >= len(cells)], strict=True))
    pairs = list(zip(cells, columns, strict=False))
    # A usual name that stands in its own column is a cell of it: "pos" and "question" are labels, too.
    usual = sum(_is_usual_name(cell) and cell not in set(column) for cell, column in pairs)
    # One may be a word of a text; two of them name columns, whatever the others look like.
    named = 3.0 * usual if usual < 2 else 3.0 + 2.0 * len(cells)
    filled = [cell for cell in cells if cell]
    twice = -1.0 if len(set(filled)) < len(filled) else 0.0  # no table has two columns of one name
    weight = named + twice + sum(_weigh_column(cell, column) for cell, column in pairs)
    # A row or two tell little.
    return weight if weight > 0 or weight <= (-2 if len(rows) < _FEWEST else -1) else 0.0


def doubt_header(names: Sequence[str], is_header: bool, weight: float) -> tuple[Doubt, ...]:
    """Return the doubt whether the first line is what it was taken for; none where it clearly is a header."""
    shown = ", ".join(f"“{name[:40]}{'…' if len(name) > 40 else ''}”" for name in names[:4])
    if not is_header:
        return (
            Doubt(
                "header",
                f"The first line ({shown}) looks like the others, so it was read as a row, and the columns have no "
                "names of their own.",
                "Read the first line as the names of the columns.",
                {"header": True},
            ),
        )
    if weight >= 1:
        return ()
    return (
        Doubt(
            "header",
            f"The first line ({shown}) was read as the names of the columns, but may be a row like the others.",
            "Read the first line as a row.",
            {"header": False},
        ),
    )


def _is_usual_name(cell: str) -> bool:
    """Say whether a cell is called as columns are: one of the names, words of them, or an identifier made of one."""
    lower = cell.lower()
    words = [word for word in re.split(r"[\W_\d]+", lower) if word]
    if not words or len(cell) > 40 or len(words) > 4:
        return False
    return all(word in _NAMES for word in words) or (" " not in cell and any(word in _NAMES for word in words))


def _weigh_column(cell: str, column: Sequence[str]) -> float:
    filled = [each.strip() for each in column if each.strip()]
    if not filled:
        return 0.0
    if not cell:  # a header may leave the column of row numbers without a name
        return 0.5 if all(_NUMBER.fullmatch(each) for each in filled) else -0.5
    numbers = sum(_NUMBER.fullmatch(each) is not None for each in filled) / len(filled)
    if numbers >= 0.9:
        return -2.0 if _NUMBER.fullmatch(cell) else 2.0
    counts = Counter(filled)
    if len(filled) > 3 and len(counts) <= min(_FEW, len(filled) / 2):
        return -2.0 if cell in counts else 1.5
    if _NUMBER.fullmatch(cell):
        return -1.0
    usual = median(map(len, filled))
    if usual > 15:
        return -1.0 if len(cell) > max(usual / 3, 12) or len(cell.split()) > 4 else 1.0
    return 0.5 if _IDENTIFIER.fullmatch(cell) and cell not in counts else 0.0
