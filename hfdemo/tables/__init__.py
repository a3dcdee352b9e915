"""Tables of texts: a CSV file read and written by rules that change no cell, and what readers of tables share.

cells      values as texts, and what no text may hold
sheet      one file as a table, with what was refused, and how it was to be read
encodings  bytes -> text
dialects   what parts and quotes cells
records    lines -> records, of which a broken one costs its own lines alone
headers    whether the first line names the columns
csv_files  all of that as one table, and a table as a file
cell_rows  rows of cells that were no text before -> a table
"""

from __future__ import annotations

from hfdemo.tables.cell_rows import build_table
from hfdemo.tables.cells import (
    MOST_COLUMNS,
    check_columns,
    find_text_flaw,
    format_cell,
    format_row_numbers,
    replace_text_flaws,
)
from hfdemo.tables.csv_files import parse_csv, read_csv, read_table, write_csv
from hfdemo.tables.dialects import LONE, Dialect, read_first_rows
from hfdemo.tables.encodings import Decoded, check_encoding, decode_bytes, decode_file
from hfdemo.tables.headers import has_usual_name
from hfdemo.tables.sheet import Doubt, LineCount, ReadOptions, RefusedRow, Sheet

__all__ = [
    "LONE",
    "MOST_COLUMNS",
    "Decoded",
    "Dialect",
    "Doubt",
    "LineCount",
    "ReadOptions",
    "RefusedRow",
    "Sheet",
    "build_table",
    "check_columns",
    "check_encoding",
    "decode_bytes",
    "decode_file",
    "find_text_flaw",
    "format_cell",
    "format_row_numbers",
    "has_usual_name",
    "parse_csv",
    "read_csv",
    "read_first_rows",
    "read_table",
    "replace_text_flaws",
    "write_csv",
]
