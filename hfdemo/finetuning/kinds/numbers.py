"""How a column writes its numbers: with a point or a comma, in groups of thousands, in percent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hfdemo.finetuning.kinds.cells import NUMBER, are_nearly_all, is_missing, parse_number

_SIGN = r"[+\-\u2212]?"
_COMMA = re.compile(rf"{_SIGN}\d*,\d+")
_GROUPS = re.compile(rf"{_SIGN}\d{{1,3}}(,\d{{3}})+(\.\d+)?")
_SURE_GROUPS = re.compile(rf"{_SIGN}\d{{1,3}}((,\d{{3}})+\.\d+|(,\d{{3}}){{2,}})")
_LIKELY_GROUP = re.compile(rf"{_SIGN}[1-9]\d{{0,2}},\d{{3}}")
_EUROPEAN_GROUPS = re.compile(rf"{_SIGN}\d{{1,3}}((\.\d{{3}})+,\d+|(\.\d{{3}}){{2,}})")
_IDS = re.compile(r"\d+(\s*,\s*\d+)*")
_ALONE = 0.9


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written, beside plain ones such as 1.5.

    comma    "" where none has one; "decimal": 1,5 is 1.5; "thousands": 1,500 is 1500; "european": 1.500,5 is 1500.5
    percent  "" where none has the sign; "number": 5% is 5; "share": 5% is 0.05, as plain numbers from 0 to 1 beside it
    """

    comma: Literal["", "decimal", "thousands", "european"] = ""
    percent: Literal["", "number", "share"] = ""

    def normalize(self, cell: str) -> str:
        """Return a number with a point and nothing else; another cell stays as it is."""
        text = re.sub(r"\s", "", cell).replace("\u2212", "-")
        share = self.percent == "share" and text.endswith("%")
        if self.percent:
            text = text.removesuffix("%")
        if self.comma == "thousands" and _GROUPS.fullmatch(text):
            text = text.replace(",", "")
        elif self.comma == "european":
            text = text.replace(".", "").replace(",", ".")
        elif self.comma == "decimal" and _COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if not NUMBER.fullmatch(text):
            return cell.strip()
        return f"{float(text) / 100:.12g}" if share else text

    def is_plain(self, cell: str) -> bool:
        """Return whether a cell needs nothing of this form to be read."""
        return NUMBER.fullmatch(cell.strip()) is not None or self.normalize(cell) == cell.strip()


def find_number_form(cells: Sequence[str]) -> NumberForm:
    """Find how numbers are written in `cells`."""
    different = [re.sub(r"\s", "", cell) for cell in dict.fromkeys(cells) if not is_missing(cell)]
    signed = [cell for cell in different if cell.endswith("%")]
    bare = [cell.removesuffix("%") for cell in different]
    with_comma = [cell for cell in bare if "," in cell]
    comma: Literal["", "decimal", "thousands", "european"] = ""
    if any(_EUROPEAN_GROUPS.fullmatch(cell) for cell in bare) and not any(map(_SURE_GROUPS.fullmatch, bare)):
        comma = "european"
    elif with_comma:
        grouped = all(_GROUPS.fullmatch(cell) for cell in with_comma)
        sure = any(_SURE_GROUPS.fullmatch(cell) or "." in cell for cell in bare)
        grouped &= sure or all(_LIKELY_GROUP.fullmatch(cell) for cell in with_comma)
        comma = "thousands" if grouped else "decimal"
    percent: Literal["", "number", "share"] = ""
    if signed:
        plain = [NumberForm(comma).normalize(cell) for cell in different if not cell.endswith("%")]
        values = [float(cell) for cell in plain if NUMBER.fullmatch(cell)]
        percent = "share" if values and all(0 <= value <= 1 for value in values) else "number"
    return NumberForm(comma, percent)


def make_number_reader(cells: Sequence[str]) -> Callable[[str], str]:
    """Return what reads a number of a column with `cells`, written with a point, or raises ValueError."""
    form = find_number_form(cells)

    def read(cell: str) -> str:
        text = form.normalize(cell)
        parse_number(text)
        return text

    return read


def are_numbers(cells: Sequence[str]) -> bool:
    """Return whether cells are numbers, of classes or quantities; cells that say there is none are passed over."""
    filled = [cell for cell in cells if not is_missing(cell)]
    return are_nearly_all(filled, make_number_reader(filled)) and not are_lists_of_numbers(filled)


def read_numbers(cells: Sequence[str]) -> list[float]:
    """Return the numbers among `cells`."""
    form = find_number_form(cells)
    return [float(text) for text in map(form.normalize, cells) if NUMBER.fullmatch(text)]


def are_lists_of_numbers(cells: Sequence[str]) -> bool:
    """Return whether commas part whole numbers that name labels, as in 3,27, and are no decimal commas.

    Then some cell has three of them, or most have one, and nearly each number stands alone in another cell.
    """
    different = [cell.strip() for cell in dict.fromkeys(cells) if cell.strip()]
    joined = [cell for cell in different if "," in cell]
    if not joined or not all(_IDS.fullmatch(cell) for cell in different):
        return False
    if all(_GROUPS.fullmatch(cell) for cell in joined):
        return False
    if any(cell.count(",") > 1 for cell in joined):
        return True
    alone = set(different) - set(joined)
    parts = [part.strip() for cell in joined for part in cell.split(",")]
    return len(joined) < len(cells) / 2 and sum(part in alone for part in parts) >= _ALONE * len(parts)
