"""Rows of cells, as a sheet of a workbook or an array of arrays has them -> a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.tables.cells import check_columns, find_text_flaw
from hfdemo.tables.headers import clean_header, doubt_header, name_columns, weigh_header
from hfdemo.tables.records import format_width_flaw
from hfdemo.tables.sheet import ReadOptions, RefusedRow, Sheet


def build_table(name: str, rows: Sequence[Sequence[str]], options: ReadOptions, said: str) -> Sheet:
    """Build the table of `rows`, the first of which names the columns where it does not look like the others.

    Raises:
        DataError: there are no rows, too many columns, or two of one name; the sentence calls the file `name`.
    """
    if not rows:
        raise DataError(f"{name} has no rows. Add some.")
    first, below = rows[0], rows[1:]
    widths = Counter(len(row) for row in below or rows)
    usual = max(widths, key=lambda width: widths[width])
    weight = weigh_header(first, below)
    is_header = options.header if options.header is not None else weight >= 0
    doubts = () if options.header is not None else doubt_header(first, is_header, weight)
    names = clean_header(name, first) if is_header else name_columns(usual)
    check_columns(name, len(names))
    body = below if is_header else rows
    if not body:
        raise DataError(f"{name} has a header ({', '.join(names)}) but no rows. Add some.")
    flaws = {}
    for at, row in enumerate(body):
        flaw = find_text_flaw("".join(row)) if len(row) == len(names) else format_width_flaw(len(row), len(names))
        if flaw:
            flaws[at] = flaw if is_header else flaw.replace("the header has", "the others have")
    if len(flaws) == len(body):
        raise DataError(f"{name} has no row that fits its header; row 1: {flaws[0]}.")
    kept = [at for at in range(len(body)) if at not in flaws]
    columns = {column: [body[at][place] for at in kept] for place, column in enumerate(names)}
    table = pd.DataFrame(columns, index=kept, columns=names, dtype=str)
    refused = tuple(RefusedRow("", at + 1, flaw) for at, flaw in sorted(flaws.items()))
    reading = said if is_header else f"{said}, no header"
    return Sheet(table, refused, reading, doubts, header=is_header)
