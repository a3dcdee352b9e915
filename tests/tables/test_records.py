"""A broken quote costs its own lines and no others, each line is counted, and no file takes more than its time."""

import contextlib
import csv
import io
import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfdemo.errors import DataError
from hfdemo.tables import Sheet, read_csv
from tests.finetuning.dataset.test_preparing import write

GOOD = ["text,label\n", *(f'"good, {n}",pos\n' if n % 2 else f"bad {n},neg\n" for n in range(2000))]


def read(tmp_path: Path, content: str | bytes, name: str = "data.csv") -> Sheet:
    sheet = read_csv(write(tmp_path, content, name), lone_column=True)
    check_lines(sheet, content)
    return sheet


def check_lines(sheet: Sheet, content: str | bytes) -> None:
    """Every line is one of the header, of a row, refused or blank, and every record is in the table or refused."""
    raw = content.encode() if isinstance(content, str) else content
    count = sheet.lines
    assert count is not None
    assert count.total == len(list(io.BytesIO(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))))
    assert min(count.header, count.rows, count.refused, count.blank) >= 0
    assert sum(row.last_line - row.first_line + 1 for row in sheet.refused) == count.refused
    assert count.format_sum(len(sheet.table)) in sheet.reading
    numbers = sorted([*(index + 1 for index in sheet.table.index), *(row.row for row in sheet.refused)])
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    "line",
    ['"oops a text,neg\n', '"oops, a text,neg\n', '"\n', 'fine,"neg\n', '"a "b" c, "d" e,neg\n', '"","\n'],
    ids=["at the start", "with a comma", "alone", "in the last cell", "quotes within", "after an empty cell"],
)
@pytest.mark.parametrize("place", [1, 106, 107, 2000])
def test_a_quote_that_is_never_closed_costs_its_line(tmp_path: Path, line: str, place: int) -> None:
    sheet = read(tmp_path, "".join([*GOOD[:place], line, *GOOD[place + 1 :]]))
    assert len(sheet.table) == 1999
    assert [(row.row, row.lines) for row in sheet.refused] == [(place, f"line {place + 1}")]
    assert "never closed" in sheet.refused[0].reason
    assert "2,001 lines = 1 header + 1,999 rows + 1 refused + 0 blank" in sheet.reading


def test_many_broken_quotes_cost_as_many_lines(tmp_path: Path) -> None:
    lines = [*GOOD]
    for place in range(50, 2000, 97):
        lines[place] = f'"broken {place},neg\n'
    sheet = read(tmp_path, "".join(lines))
    assert [row.first_line for row in sheet.refused] == [place + 1 for place in range(50, 2000, 97)]


def test_what_a_broken_quote_leaves_of_its_text_is_refused_with_it(tmp_path: Path) -> None:
    sheet = read(tmp_path, "".join([*GOOD[:100], '"a text of\nseveral lines that is\nnever closed\n', *GOOD[100:]]))
    assert [(row.row, row.lines) for row in sheet.refused] == [(100, "lines 101 to 103")]
    assert len(sheet.table) == 2000


def test_a_quote_that_is_closed_by_accident_costs_its_line_too(tmp_path: Path) -> None:
    """An inch sign far below ends a cell as a quote does; but the lines between are rows, with labels of others."""
    below = [f"plain {n},pos\n" for n in range(30)]
    sheet = read(tmp_path, "".join([*GOOD[:106], '"oops a text,neg\n', *below, 'a monitor of 19",pos\n', *GOOD[106:]]))
    assert [row.lines for row in sheet.refused] == ["line 107"]
    assert 'a monitor of 19"' in set(sheet.table["text"])


def test_a_quoted_cell_of_many_lines_stays_whole(tmp_path: Path) -> None:
    text = "Dear all,\n\nfirst, this\nsecond, that\n\n" + "and so on\n" * 50
    sheet = read(tmp_path, "".join([*GOOD[:106], f'"{text}",neg\n', *GOOD[106:]]))
    assert sheet.table["text"][105] == text
    assert not sheet.refused
    assert "2,056 in 2,001 rows" in sheet.reading


def test_quotes_within_a_quoted_cell_that_are_not_doubled_are_text_and_said(tmp_path: Path) -> None:
    sheet = read(tmp_path, "".join([*GOOD[:100], '"he said "hi" to me",neg\n', *GOOD[100:]]))
    assert sheet.table["text"][99] == 'he said "hi" to me'
    assert sheet.notes == (
        "Quotes inside of quoted cells are not doubled in line 101: they were read as part of the text.",
    )


def test_a_backslash_before_a_quote_is_how_some_write_it(tmp_path: Path) -> None:
    rows = ['"He said \\"hi\\", ok",pos\n', '"ends in \\\\",neg\n', "plain\\n,neg\n"]
    sheet = read(tmp_path, "text,label\n" + "".join(rows) * 5)
    assert sheet.table["text"].tolist()[:3] == ['He said "hi", ok', "ends in \\", "plain\\n"]
    assert "backslashes before quotes" in sheet.reading
    always = read(tmp_path, "text,label\n" + '"she said \\"yes\\", twice",pos\n' * 5)
    assert always.table["text"].tolist() == ['she said "yes", twice'] * 5
    plain = read(tmp_path, 'text,label\n"C:\\dir\\",pos\n"a ""b""",neg\n')
    assert plain.table["text"].tolist() == ["C:\\dir\\", 'a "b"']


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "::", "||", "|||", " ||| ", "\x01", "\x1f"])
def test_cells_may_be_parted_by_other_signs(tmp_path: Path, delimiter: str) -> None:
    sheet = read(tmp_path, "".join(f"{a}{delimiter}{b}\n" for a, b in [("text", "label"), *[("so good", "x")] * 9]))
    assert sheet.table.to_dict("records") == [{"text": "so good", "label": "x"}] * 9


def test_single_quotes_and_spaces_before_quotes_are_understood(tmp_path: Path) -> None:
    single = read(tmp_path, "'text','label'\n" + "'good, it''s','pos'\n'bad','neg'\n" * 4)
    assert single.table["text"].tolist()[:2] == ["good, it's", "bad"]
    spaced = read(tmp_path, 'text, label\n"good, very", "pos"\n"bad", "neg"\n')
    assert spaced.table.to_dict("list") == {"text": ["good, very", "bad"], "label": ["pos", "neg"]}


def test_a_nul_costs_its_row(tmp_path: Path) -> None:
    sheet = read(tmp_path, b"text,label\na\0b,x\nc,y\n\0,z\n")
    assert [row.lines for row in sheet.refused] == ["line 2", "line 4"]


# What files are made of, from rightly quoted cells with line ends in them to quotes that nobody closes.
CELL = st.text(st.sampled_from("ab \n'äж字"), max_size=12)
DIALECTS = [
    {"delimiter": delimiter, "quoting": quoting, "lineterminator": end}
    for delimiter, quoting, end in itertools.product(",;\t|", (csv.QUOTE_MINIMAL, csv.QUOTE_ALL), ("\n", "\r\n"))
]


def write_rows(rows: list[tuple[str, str]], dialect: dict[str, Any]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows(rows)
    return file.getvalue()


@given(
    rows=st.lists(st.tuples(CELL, st.sampled_from(["pos", "neg"])), min_size=4, max_size=12),
    dialect=st.sampled_from(DIALECTS),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"]),
    damage=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(['"oops', "\0", "lonely", '"a "b', ""])), max_size=3),
)
def test_lines_are_those_of_rows_and_of_what_was_refused_and_blank_ones(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    dialect: dict[str, Any],
    codec: str,
    damage: list[tuple[int, str]],
) -> None:
    records = [write_rows([row], dialect) for row in [("text", "label"), *rows]]
    for place, line in damage:
        records.insert(1 + place % len(rows), line + str(dialect["lineterminator"]))
    content = "".join(records)
    path = write(tmp_path_factory.mktemp("lines"), content.encode(codec))
    sheet = None
    with contextlib.suppress(*([DataError] if damage else [])):  # so much may be broken that nothing is left
        sheet = read_csv(path)
    if sheet is None:
        return
    check_lines(sheet, content)
    if not damage:
        assert sheet.table.to_numpy().tolist() == [list(row) for row in rows]
        assert not sheet.refused
    kept = set(sheet.table["text"]) if list(sheet.table.columns) == ["text", "label"] else set()
    quoted = sum(bool(line) for _, line in damage)
    assert sum(text not in kept for text, _ in rows) <= quoted * 3, (
        "a broken line costs itself, and at most what is next"
    )


LONG = 60_000


@pytest.mark.parametrize(
    "body",
    [
        '5",x,"b\n' * LONG,
        '"abc,neg\n' * LONG,
        'x,"""y\n' * LONG,
        '"\n' * LONG,
        '"a\n\n' * LONG,
        '"a,' * LONG,
        'x,y\n"' * LONG,
        '"ok","x\ny"\n' * LONG,
        '"a""\n' * LONG,
        'a,"b\n' + "x,y\n" * LONG + 'c",d\n',
    ],
)
def test_no_file_takes_more_than_the_time_of_its_length(tmp_path: Path, body: str) -> None:
    """Quotes that open, close and open again would be read again from each of their lines."""
    path = write(tmp_path, "text,label\n" + "fine,x\n" * 50 + body)
    begin = time.process_time()
    read_csv(path)
    assert time.process_time() - begin < 30
