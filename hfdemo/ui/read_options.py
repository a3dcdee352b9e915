"""How a file is read: the fields that ask for it, where the file does not say so itself, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import gradio as gr

from hfdemo.tables import ReadOptions
from hfdemo.ui.html import facts, notes

# What the first line of a file is: found out, the names of the columns, or a row.
HEADERS: Mapping[str, bool | None] = MappingProxyType({"": None, "names": True, "row": False})
_SHOWN_COLUMNS = 12
# The encodings of files that most people have, by the names that they know them by.
ENCODINGS = (
    *(("UTF-8", "utf-8"), ("UTF-16", "utf-16"), ("Western (Windows-1252)", "cp1252")),
    *(
        ("Central European (Windows-1250)", "cp1250"),
        ("Cyrillic (Windows-1251)", "cp1251"),
        ("Cyrillic (KOI8-R)", "koi8-r"),
    ),
    *(("Greek (Windows-1253)", "cp1253"), ("Turkish (Windows-1254)", "cp1254"), ("Hebrew (Windows-1255)", "cp1255")),
    *(("Arabic (Windows-1256)", "cp1256"), ("Chinese (GB18030)", "gb18030"), ("Chinese (Big5)", "big5")),
    *(("Japanese (Shift JIS)", "cp932"), ("Japanese (EUC)", "euc_jp"), ("Korean (CP949)", "cp949"), ("Thai", "cp874")),
)


def build_read_options(encoding: str = "", header: str = "") -> tuple[gr.Dropdown, gr.Dropdown]:
    """Lay out the encoding and what the first line is, each found out unless it is chosen; return both fields."""
    with gr.Row():
        return (
            gr.Dropdown(
                [("found out", ""), *ENCODINGS],
                value=encoding,
                label="Encoding",
                info="of text files; any name that Python knows",
                allow_custom_value=True,
                min_width=160,
            ),
            gr.Dropdown(
                [("found out", ""), ("the names of the columns", "names"), ("a row like the others", "row")],
                value=header,
                label="The first line is",
                info="in tables without a header it is a row",
                min_width=160,
            ),
        )


def parse_read_options(encoding: str | None, header: str | None) -> ReadOptions:
    """Return what stands in the two fields."""
    return ReadOptions((encoding or "").strip() or None, HEADERS.get(header or ""))


def header_choice(header: bool | None) -> str:
    """Return what the field calls a RunConfig's `header`."""
    return next(name for name, value in HEADERS.items() if value is header)


def render_reading(rows: int, columns: Sequence[str], reading: str, said: Iterable[str]) -> str:
    """Render how much a file holds, how it was read, and what of that is to be known."""
    names = ", ".join(map(str, columns[:_SHOWN_COLUMNS]))
    if len(columns) > _SHOWN_COLUMNS:
        names += f" and {len(columns) - _SHOWN_COLUMNS:,} more"
    read_as = [("read as", reading.replace("`", "'"))] if reading else []
    return facts([("rows", f"{rows:,}"), ("columns", names), *read_as]) + notes(said)
