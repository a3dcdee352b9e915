"""Text files of a line for each word, text or row: CoNLL, fastText, Markdown, parted cells, or one text a line."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.tables import (
    LONE,
    Decoded,
    Dialect,
    LineCount,
    ReadOptions,
    RefusedRow,
    Sheet,
    decode_file,
    find_text_flaw,
    format_cell,
    has_usual_name,
    parse_csv,
    read_first_rows,
)

_LINE_END = re.compile(r"\r\n|\n|\r")
_TAGGED = re.compile(r"\S+[ \t](?:.*[ \t])?(O|[BIESLU]-\S+)\s*")  # a word, perhaps other columns, and its tag
_LOOKED_AT = 20_000  # characters of a text file, to tell what its lines are
_MOST_TAGS = 60
_LABEL = re.compile(r"(?:(?<=\s)|(?<=,)|^)__label__([^\s,]+)[\s,]*")
_LAST_LABEL = re.compile(r"\s__label__\S+\s*$")
_TWO_LABELS = re.compile(r"([A-Z]{2,12}):\w{1,20} +(?=\S)")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
_NEARLY_ALL = 0.9
_ALL = 0.98
_MOST_LABELS = 20  # different ends of lines that are taken for labels
_FEWEST = 6  # rows that tell that one of their cells is a label
_SHORT = 30  # characters of such a label


def read_conll(path: Path, options: ReadOptions) -> Sheet:
    """Read a word and its tag a line, first and last column, and a blank line between sentences."""
    return _read_tagged(path, decode_file(path, "CoNLL", options))


def read_conllu(path: Path, options: ReadOptions) -> Sheet:
    """Read Universal Dependencies: ten columns, the second the word and the fourth its part of speech.

    Lines of several words (1-2) and of words that are not there (1.1) are left out.
    """
    decoded = decode_file(path, "CoNLL-U", options)
    lines = [line for line in _LINE_END.split(decoded.text) if not re.match(r"\d+[-.]\d", line)]
    return _read_tagged(path, replace(decoded, text="\n".join(lines)), 1, 3)


def read_text(path: Path, options: ReadOptions) -> Sheet:
    """Read a text file by what its lines are: words with tags, texts behind fastText's labels, cells parted by a tab,
    a semicolon or the like, and else one text a line."""
    decoded = decode_file(path, "text", options)
    special = read_special_lines(path, decoded, options)
    if special is not None:
        return special
    dialect = _find_dialect(decoded.text)
    if dialect is not None:
        return parse_csv(path, decoded, options=options, dialect=dialect)
    return _read_lines(decoded)


def read_special_lines(path: Path, decoded: Decoded, options: ReadOptions) -> Sheet | None:
    """Read what is one thing under any ending: words with tags, labels before the texts as fastText or TREC has them,
    or a Markdown table; None where it is none of them."""
    head = decoded.text[:_LOOKED_AT]
    if "__label__" in head and _are_fasttext(head):
        return _read_fasttext(decoded)
    if _are_questions(head):
        return _read_questions(decoded)
    if "|" in head and (rule := _find_rule(_sample_lines(decoded.text), path.suffix.lower() == ".md")):
        return _read_markdown(path, decoded, rule, options)
    tags = _find_tags(decoded.text)
    return None if tags is None else _read_tagged(path, decoded, skipped=tags[0], delimiter=tags[1])


def _sample_lines(text: str) -> list[str]:
    """Return the first lines, blank ones included, without one that is cut."""
    return _LINE_END.split(text[:_LOOKED_AT])[: -1 if len(text) > _LOOKED_AT else None]


def _find_tags(text: str) -> tuple[int, str] | None:
    """Find that lines are words with tags: how many lines of a header stand above them, and what parts them; "" for
    tabs or spaces."""
    whole = _sample_lines(text)
    lines = [line for line in whole if line.strip() and "-DOCSTART-" not in line]
    is_grouped = any(not line.strip() for line in whole[1:-1])
    for skipped in (1, 0):
        body = lines[skipped:]
        if (len(body) < 2 and skipped) or not body or (skipped and not (is_grouped and _names_columns(lines[0]))):
            continue
        tags = [tagged[1] for line in body if (tagged := _TAGGED.fullmatch(line))]
        if len(tags) == len(body) and any(tag != "O" for tag in tags):
            return skipped, ""
        for delimiter in ("\t", ",") if is_grouped else ():
            if _are_words(body, delimiter, len(whole) - len(lines)):
                return skipped, delimiter
    return None


def _names_columns(line: str) -> bool:
    return all(has_usual_name([cell.strip()]) for cell in re.split(r"[\t,]| (?!#)", line))


def _are_words(lines: Sequence[str], delimiter: str, blank: int) -> bool:
    """Say whether each line is a word and its tag, in groups between blank lines, whatever the tags are called."""
    cells = [line.rstrip().split(delimiter) for line in lines]
    if len({len(row) for row in cells}) != 1 or len(cells[0]) < 2 or any(" " in row[0].strip() for row in cells):
        return False
    words, tags = {row[0] for row in cells}, {row[-1] for row in cells}
    few = 1 < len(tags) <= _MOST_TAGS and all(tag and " " not in tag for tag in tags)
    return few and len(lines) >= 2 * blank and ("O" in tags or (delimiter == "\t" and len(words) > 2 * len(tags)))


def _read_tagged(
    path: Path, decoded: Decoded, word: int = 0, tag: int = -1, skipped: int = 0, delimiter: str = ""
) -> Sheet:
    """Read a sentence per row from the text, whose columns `word` and `tag` have a word and its tag a line."""
    # Only tabs and spaces part columns: a no-break space is a word of its own in some files.
    lines = [(number, line.rstrip(" \t")) for number, line in enumerate(_LINE_END.split(decoded.text), start=1)]
    if skipped:
        first = next(place for place, (_, line) in enumerate(lines) if line)
        lines = lines[first + 1 :]
    cells = {
        number: line.split(delimiter or "\t") if delimiter or "\t" in line else re.split(" +", line)
        for number, line in lines
    }
    usual = Counter(len(row) for row in cells.values() if row and any(row)).most_common(1)[0][0]
    if usual < max(2, tag + 1):
        what = f"a word and a tag on every line{f', in columns {word + 1} and {tag + 1}' if tag > 0 else ''}"
        have = "one column" if usual == 1 else f"{usual} columns"
        raise DataError(f"{path.name} has {have}, but a CoNLL file has {what}.")
    sentences: list[list[int]] = [[]]
    for number, line in lines:
        comment = line.startswith("#") and len(cells[number]) != usual
        if not line or line.startswith("-DOCSTART-"):
            sentences.append([])
        elif not comment:
            sentences[-1].append(number)
    sentences = [sentence for sentence in sentences if sentence]
    rows, kept, refused = [], [], []
    for index, sentence in enumerate(sentences):
        wrong = next((number for number in sentence if len(cells[number]) != usual), None)
        texts = itertools.chain.from_iterable(cells[number] for number in sentence)
        broken = find_text_flaw("".join(texts), decoded.encoding)
        if wrong is not None or broken:
            reason = broken if wrong is None else f"line {wrong} has {len(cells[wrong])} instead of {usual} columns"
            refused.append(RefusedRow("", index + 1, reason, sentence[0], sentence[-1]))
            continue
        words, tags = zip(*((cells[number][word], cells[number][tag]) for number in sentence), strict=True)
        rows.append((format_cell(words), format_cell(tags)))
        kept.append(index)
    if not rows:
        raise DataError(f"{path.name} has no sentence of words and tags. Put a word and its tag on every line.")
    table = pd.DataFrame(rows, columns=["tokens", "tags"], index=kept, dtype=str)
    columns = f"columns {word + 1} and {tag % usual + 1} of {usual}"
    reading = f"{decoded.said}, CoNLL: word and tag from {columns}"
    return Sheet(table, tuple(refused), reading, decoded.doubts, decoded.encoding)


def _are_fasttext(head: str) -> bool:
    lines = [line for line in _sample_lines(head) if line.strip()]
    marked = sum(
        _LABEL.match(line.lstrip("\ufeff ")) is not None or _LAST_LABEL.search(line) is not None for line in lines
    )
    return marked >= _NEARLY_ALL * max(1, len(lines))


def _read_fasttext(decoded: Decoded) -> Sheet:
    """Read a text and its labels a line; with several labels in some line, each row has a list of them."""
    found = {}

    def parse(number: int, line: str) -> str:
        found[number] = _LABEL.findall(line)
        return _LABEL.sub("", line).strip()

    sheet = _read_lines(decoded, parse)
    labels = {number: found[number] for number in sheet.table.index}
    several = any(len(each) > 1 for each in labels.values())
    cells = [format_cell(each) if several else "".join(each) for each in labels.values()]
    reading = sheet.reading.replace(
        "one text a line", f"fastText: {'labels' if several else 'a label'} and a text a line"
    )
    return replace(
        sheet, table=sheet.table.assign(label=pd.Series(cells, sheet.table.index, dtype=str)), reading=reading
    )


def _are_questions(head: str) -> bool:
    """Say whether each line begins with one of a few labels and a finer one, `DESC:manner`, as TREC's questions do."""
    lines = [line for line in _sample_lines(head) if line.strip()]
    labels = Counter(found[1] for line in lines if (found := _TWO_LABELS.match(line.lstrip("\ufeff"))))
    return len(lines) >= _FEWEST and labels.total() >= _ALL * len(lines) and 1 < len(labels) <= _MOST_LABELS


def _read_questions(decoded: Decoded) -> Sheet:
    """Read a text a line behind its label and its finer label."""
    found = {}

    def parse(number: int, line: str) -> str:
        labels = _TWO_LABELS.match(line)
        found[number] = (labels[1], labels[0].strip()) if labels else ("", "")
        return line[labels.end() :].strip() if labels else line

    sheet = _read_lines(decoded, parse)
    coarse, fine = ([found[number][place] for number in sheet.table.index] for place in (0, 1))
    table = sheet.table.assign(
        label=pd.Series(coarse, sheet.table.index), fine_label=pd.Series(fine, sheet.table.index)
    )
    return replace(
        sheet, table=table, reading=sheet.reading.replace("one text a line", "a label, a finer one and a text a line")
    )


def _find_rule(lines: Sequence[str], is_markdown: bool) -> int:
    """Find the line of dashes below the names of a Markdown table's columns: its place; 0 where there is none.

    Where a file is not called Markdown it has to be that one table: a cell of a CSV file may hold one, too.
    """
    rules = [
        at for at in range(1, len(lines)) if "|" in lines[at - 1] and "-" in lines[at] and _RULE.fullmatch(lines[at])
    ]
    if not rules:
        return 0
    rule, *others = rules
    width = len(_split_markdown(lines[rule - 1]))
    below = [len(_split_markdown(line)) for line in lines[rule + 1 :] if line.strip()]
    is_alone = not others and width > 1 and below.count(width) >= _NEARLY_ALL * len(below)
    return rule if len(_split_markdown(lines[rule])) == width and (is_markdown or is_alone) else 0


def _split_markdown(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if re.search(r"(?<!\\)\|$", inner) else inner
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _read_markdown(path: Path, decoded: Decoded, rule: int, options: ReadOptions) -> Sheet:
    """Read a Markdown table; the lines above it count as its header, and those below it are no rows."""
    lines = _LINE_END.split(decoded.text.removeprefix("\ufeff"))
    parted = [LONE.join(_split_markdown(line)) if "|" in line else line for line in lines]
    parted[: rule - 1], parted[rule] = [""] * (rule - 1), ""
    asked = replace(options, header=True) if options.header is None else options
    dialect = Dialect(LONE, quote=None)
    sheet = parse_csv(path, replace(decoded, text="\n".join(parted)), options=asked, dialect=dialect)
    if sheet.lines is None:
        return sheet
    count = replace(sheet.lines, header=sheet.lines.header + rule, blank=sheet.lines.blank - rule)
    rows = len(sheet.table)
    reading = sheet.reading.replace(dialect.said, "a Markdown table")
    return replace(sheet, lines=count, reading=reading.replace(sheet.lines.format_sum(rows), count.format_sum(rows)))


def _read_lines(decoded: Decoded, parse: object = None) -> Sheet:
    texts: dict[int, str] = {}
    refused = []
    lines = _LINE_END.split(decoded.text.removeprefix("\ufeff"))
    lines = lines[:-1] if lines and not lines[-1] else lines  # the end of the last line begins no other
    row = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if broken := find_text_flaw(line, decoded.encoding):
            refused.append(RefusedRow("", row + 1, broken, number, number))
        else:
            texts[row] = parse(row, line) if callable(parse) else line
        row += 1
    count = LineCount(0, len(texts), len(refused), len(lines) - row)
    reading = f"{decoded.said}, one text a line, {count.format_sum(len(texts))}"
    table = pd.DataFrame({"text": texts}, dtype=str)
    return Sheet(table, tuple(refused), reading, decoded.doubts, decoded.encoding, lines=count)


def _find_dialect(text: str) -> Dialect | None:
    """Find that lines of a text file are rows of cells: a sign parts nearly all of them alike.

    Of what stands in prose, too, every line has to have it, and a comma be under names of columns.
    """
    lines = [line for line in _sample_lines(text) if line.strip()]
    if len(lines) < 2:
        return None
    for delimiter, share in (("\t", _NEARLY_ALL), ("|", _ALL), (";", _ALL), ("@", 1.0), (",", _NEARLY_ALL)):
        cells = [line.split(delimiter) for line in lines]
        widths = Counter(len(row) for row in cells)
        width, count = max(widths.items(), key=lambda each: each[1])
        alike = [row for row in cells if len(row) == width]
        if delimiter == "," and _has_labels(lines):
            return Dialect(",")
        if width < 2 or (count < share * len(lines) and delimiter != ",") or not _are_filled(alike):
            continue
        if delimiter == "," and not (_has_header(cells[0], width)):
            continue
        if delimiter == "@" and not _ends_in_labels(alike):
            continue
        return Dialect(delimiter)
    return None


def _are_filled(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether most rows have something before the first sign and behind it: no sign that ends or indents lines."""
    filled = sum(bool(row[0].strip()) and any(cell.strip() for cell in row[1:]) for row in rows)
    return filled >= _NEARLY_ALL * len(rows)


def _has_header(first: Sequence[str], width: int) -> bool:
    short = all(0 < len(cell.strip()) <= _SHORT for cell in first)
    return len(first) >= width and short and has_usual_name(cell.strip() for cell in first) and len(first) > 1


def _has_labels(lines: Sequence[str]) -> bool:
    """Say whether the lines are rows of a CSV file, one cell of which is one of a few labels."""
    rows = read_first_rows("\n".join(lines), Dialect(","))
    if len(rows) < _FEWEST or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return False
    columns = [Counter(cell.strip() for cell in column) for column in zip(*rows, strict=True)]
    return any(1 < len(each) <= min(_MOST_LABELS, len(rows) / 3) and max(map(len, each)) <= _SHORT for each in columns)


def _ends_in_labels(rows: Sequence[Sequence[str]]) -> bool:
    ends = Counter(row[-1].strip() for row in rows)
    return len(ends) <= min(_MOST_LABELS, len(rows) / 2) and all(re.fullmatch(r"[\w-]{1,30}", end) for end in ends)
