"""The HTML of one text cut into tokens: the text itself, its tokens and their ids, each linked with the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.ui.html import about, escape
from hfdemo.ui.renderers.tokens import joins_previous, render_characters

SHOWN_TOKENS = 600
# A letter with thousands of marks on it is one group for ever; a page has to end somewhere.
LARGEST_GROUP = 64
SHOWN_CHARACTERS = 240
SHOWN_BYTES = 16
HUES = 4
# How a vocabulary without a character writes each of its bytes.
_FALLBACK = re.compile(r"<0x[0-9A-Fa-f]{2}>")


@dataclass(frozen=True)
class Group:
    """Slots that stand on the same characters `start` to `end` of text number `sequence`, or one that stands on none.

    `number` counts the slots of the row before it: it links what is drawn of the group. `hue` differs from its
    neighbours'.
    """

    number: int
    hue: int
    cells: tuple[Cell, ...]
    sequence: int | None
    start: int
    end: int


def count_pages(encoding: Encoding, row: int) -> int:
    """Return the number of pages that the row takes, at least 1."""
    return max(1, -(-len(encoding.columns["input_ids"][row]) // SHOWN_TOKENS))


def render_linked_tokens(
    encoding: Encoding, row: int, texts: Sequence[str], page: int, white_space: bool, readings: Sequence[str] = ()
) -> str:
    """Render one page (counted from 1) of a row: the texts that it came from, coloured by token, above its tokens and
    ids.

    `texts` are the text and, for a row that has one, its pair. `white_space` makes spaces and control characters
    visible in the text; in the tokens they always are. With `readings`, one a slot, tokens are drawn as what they read
    as; parts of characters and special tokens stay as they are written.
    """
    slots = len(encoding.columns["input_ids"][row])
    first, last = (_page_start(encoding, row, texts, start * SHOWN_TOKENS) for start in (page - 1, page))
    found = list(_group_slots(encoding, row, texts, first, last))
    paired = len(texts) > 1
    roles = _special_roles(encoding.columns["sequence_ids"], row, first, last) if paired else {}
    if encoding.columns["offset_mapping"]:
        above = _render_texts(encoding, row, texts, found, (first, last), white_space)
    else:
        shown = _render_text(texts[0], white_space)
        above = about("This tokenizer knows no offsets: nothing says which characters a token came from.") + (
            f"<div class='hf-cut-text'>{shown}</div>"
        )
    told = f" {first + 1:,} to {last:,} of {slots:,}" if slots > SHOWN_TOKENS else ""
    slots_drawn = "".join(_render_slots(found, texts, roles, readings))
    hint = "Point at a token, or go through them with Tab and the arrow keys."
    return (
        f"<div class='hf-linked'><div class='hf-roll'>{above}</div>"
        f"<div class='hf-info' aria-live='polite'><p>{hint}</p><div></div></div>"
        f"<div class='hf-row-title'>Tokens{told} and their ids</div>"
        f"<div class='hf-roll hf-slots' role='list' aria-label='Tokens'>{slots_drawn}</div></div>"
    )


def _page_start(encoding: Encoding, row: int, texts: Sequence[str], slot: int) -> int:
    """Return the first slot from `slot` on that begins a group: a page cuts none in two, but for one that seems
    endless.
    """
    length, furthest = len(encoding.columns["input_ids"][row]), slot + LARGEST_GROUP
    while 0 < slot < min(length, furthest) and _continues_group(encoding, row, texts, slot):
        slot += 1
    return min(slot, length)


def _continues_group(encoding: Encoding, row: int, texts: Sequence[str], slot: int) -> bool:
    """Say whether a slot stands on characters of the slot before it, or on the marks that belong to its last one."""
    if not encoding.columns["offset_mapping"]:
        return False
    sequences, spans = encoding.columns["sequence_ids"][row], encoding.columns["offset_mapping"][row]
    sequence, (start, end), (before, before_end) = sequences[slot], spans[slot], spans[slot - 1]
    if sequence is None or sequence != sequences[slot - 1] or start == end or before == before_end:
        return False
    return bool(start < before_end or (start == before_end and joins_previous(texts[sequence], start)))


def _group_slots(encoding: Encoding, row: int, texts: Sequence[str], first: int, last: int) -> Iterator[Group]:
    """Return the slots `first` to `last` as groups; each ends where its last character's combining marks do."""
    part = {name: [column[row][first:last]] for name, column in encoding.columns.items() if _is_per_slot(column, row)}
    spans = part.setdefault("offset_mapping", [])
    for name in ("word_ids", "sequence_ids"):
        part.setdefault(name, [])
    cells = Encoding(part, ()).rows()[0]
    start, count = 0, 0
    for stop in range(1, len(cells) + 1):
        goes_on = stop < len(cells) and _continues_group(encoding, row, texts, first + stop)
        if goes_on and stop - start < LARGEST_GROUP:
            continue
        sequence = cells[start].sequence
        begin, end = 0, 0
        if spans and sequence is not None:
            begin, end = min(at for at, _ in spans[0][start:stop]), max(at for _, at in spans[0][start:stop])
            furthest = end + LARGEST_GROUP
            while (
                not goes_on
                and begin < end < min(len(texts[sequence]), furthest)
                and joins_previous(texts[sequence], end)
            ):
                end += 1
        yield Group(first + start, count % HUES, tuple(cells[start:stop]), sequence, begin, end)
        start, count = stop, count + 1


def _is_per_slot(column: Sequence[object], row: int) -> bool:
    return row < len(column) and isinstance(column[row], list)


def _render_texts(
    encoding: Encoding,
    row: int,
    texts: Sequence[str],
    found: Sequence[Group],
    page: tuple[int, int],
    white_space: bool,
) -> str:
    """Render the characters of the page, one block per text, with the special tokens where they were put in."""
    whole, spans = encoding.columns["sequence_ids"][row], encoding.columns["offset_mapping"][row]
    blocks: dict[int, list[str]] = {}
    waiting: list[str] = []
    current: int | None = None
    cursor = 0
    last_of = {group.sequence: group.number for group in found if group.sequence is not None}
    for group in found:
        if group.sequence is None:
            token = render_characters(group.cells[0].token, visible=True)
            chip = f"<bdi class='hf-inserted' data-g='{group.number}'>{token}</bdi>"
            (waiting if current is None else blocks[current]).append(chip)
            continue
        text = texts[group.sequence]
        if group.sequence != current:
            current = group.sequence
            blocks[current], waiting = [*waiting], []
            cursor = next((spans[slot][1] for slot in range(page[0] - 1, -1, -1) if whole[slot] == current), 0)
            # The marks after the last character of the page before were drawn there.
            while 0 < cursor < group.start and joins_previous(text, cursor):
                cursor += 1
        block = blocks[current]
        begin = max(group.start, cursor)
        if begin < group.end:
            block.append(_render_text(text[cursor:begin], white_space))
            shown = _render_text(text[begin : group.end], white_space)
            block.append(f"<mark class='hf-hue{group.hue}' data-g='{group.number}'>{shown}</mark>")
            cursor = group.end
        if group.number == last_of[current] and current not in whole[page[1] :]:
            block.append(_render_text(text[cursor:], white_space))
    for sequence, text in enumerate(texts):
        if page[0] == 0 and sequence not in whole:  # none of it became a token
            blocks[sequence] = [*waiting[:1], _render_text(text, white_space), *waiting[1:]]
            waiting = []
    types = _describe_type_ids(found)
    heads = {
        sequence: f"<div class='hf-row-title'>{_text_name(sequence)}{types.get(sequence, '')}</div>"
        if len(texts) > 1
        else ""
        for sequence in blocks
    }
    return "".join(
        f"{heads[sequence]}<div class='hf-cut-text'>{''.join(parts)}</div>"
        for sequence, parts in sorted(blocks.items())
    )


def _text_name(sequence: int) -> str:
    return f"Text {sequence + 1} · sequence_ids {sequence}"


def _describe_type_ids(found: Sequence[Group]) -> dict[int, str]:
    """Return what the slots of each text carry in token_type_ids, where the tokenizer returns them."""
    said = {}
    for group in found:
        if group.sequence is not None and group.cells[0].type_id is not None:
            said[group.sequence] = f" · token_type_ids {group.cells[0].type_id}"
    return said


def _render_text(text: str, white_space: bool) -> str:
    """Render characters as they stand; of very many in one piece only the first are drawn, and the rest is counted."""
    left = len(text) - SHOWN_CHARACTERS
    more = f"<bdi class='hf-control'>… {left:,} more characters</bdi>" if left > 0 else ""
    return render_characters(text[:SHOWN_CHARACTERS], visible=white_space) + more


def _special_roles(sequence_ids: Sequence[Sequence[int | None]], row: int, first: int, last: int) -> dict[int, str]:
    """Return what each inserted token does for the two texts of a pair, by slot."""
    if not sequence_ids:
        return {}
    whole = sequence_ids[row]
    said = {}
    for slot in range(first, last):
        before = whole[slot - 1] if slot else None
        after = whole[slot + 1] if slot + 1 < len(whole) else None
        if whole[slot] is None and before is not None:
            said[slot] = f"closes text {before + 1}"
        elif whole[slot] is None and after is not None:
            said[slot] = f"opens text {after + 1}"
    return said


def _render_slots(
    found: Sequence[Group], texts: Sequence[str], roles: dict[int, str], readings: Sequence[str]
) -> Iterator[str]:
    """Return each token above its id, the tokens of a group held together."""
    before: Cell | None = None
    stop = " tabindex='0'"
    for group in found:
        drawn = []
        byte_lists = _token_bytes(group, texts)
        for index, cell in enumerate(group.cells):
            slot = group.number + index
            kinds = ["hf-slot", f"hf-{cell.kind}" if cell.kind != "token" else f"hf-hue{group.hue}"]
            if before is not None and cell.word is not None and cell.word == before.word:
                kinds += ["hf-continued"] if cell.sequence == before.sequence else []
            role = f"<em>{roles[slot]}</em>" if slot in roles else ""
            facts = "|".join(
                f"{name}={value}" for name, value in _list_facts(slot, cell, group, index, byte_lists, roles)
            )
            drawn.append(
                f"<span class='{' '.join(kinds)}' role='listitem'{stop} data-g='{group.number}' "
                f"data-f='{escape(facts)}'><bdi>{_render_text(_choose_name(cell, slot, readings), True)}</bdi>"
                f"<small>{cell.id}</small>{role}</span>"
            )
            before, stop = cell, ""
        yield f"<span class='hf-bound' role='presentation'>{''.join(drawn)}</span>" if len(drawn) > 1 else drawn[0]


def _choose_name(cell: Cell, slot: int, readings: Sequence[str]) -> str:
    """Return what a token is drawn as."""
    reading = readings[slot] if readings and cell.kind == "token" else ""
    return reading if reading and "\ufffd" not in reading else cell.token


def _list_facts(
    slot: int, cell: Cell, group: Group, index: int, byte_lists: Sequence[bytes], roles: dict[int, str]
) -> Iterator[tuple[str, str]]:
    """Return what the panel tells of a token, besides its string; nothing in here was typed by anybody."""
    yield "id", str(cell.id)
    yield "position", str(slot)
    if len(group.cells) > 1:
        yield "shares its characters", f"{index + 1} of {len(group.cells)} tokens"
    if cell.start is not None and cell.end is not None and cell.sequence is not None:
        yield "offsets", f"{cell.start}:{cell.end}"
    if cell.word is not None:
        yield "word", str(cell.word)
    if cell.sequence is not None:
        yield "sequence", f"{cell.sequence} (text {cell.sequence + 1})"
    if cell.type_id is not None:
        yield "type id", str(cell.type_id)
    yield "attention", str(cell.attention)
    if cell.kind != "token":
        yield "special", roles.get(slot, "added by the tokenizer")
    if byte_lists[index]:
        shown = byte_lists[index][:SHOWN_BYTES].hex(" ").upper()
        more = f" … {len(byte_lists[index])} bytes" if len(byte_lists[index]) > SHOWN_BYTES else ""
        yield "UTF-8", shown + more


def _token_bytes(group: Group, texts: Sequence[str]) -> list[bytes]:
    """Return the bytes of each token of a group: its own share where the tokens are made of bytes, else the
    characters'.
    """
    if group.sequence is None:
        return [b""] * len(group.cells)
    raw = texts[group.sequence][group.start : group.end].encode("utf-8", "surrogatepass")
    own = [_own_bytes(cell.token) for cell in group.cells]
    if any(_FALLBACK.fullmatch(cell.token) for cell in group.cells):
        # Beside these a mark such as ▁ stands for a space that the text may not have.
        return [
            (own[index] or b"") if _FALLBACK.fullmatch(cell.token) else raw[: len(raw) - len(raw.lstrip())]
            for index, cell in enumerate(group.cells)
        ]
    shares = [share for share in own if share is not None]
    if len(shares) == len(own) and b"".join(shares).strip() == raw.strip():
        return shares
    return [
        texts[group.sequence][cell.start : cell.end].encode("utf-8", "surrogatepass") if cell.start is not None else b""
        for cell in group.cells
    ]


def _own_bytes(token: str) -> bytes | None:
    """Return the bytes a token stands for in byte-level BPE's alphabet, or as a fallback like <0xF0>; else None."""
    if _FALLBACK.fullmatch(token):
        return bytes([int(token[3:5], 16)])
    alphabet = _byte_alphabet()
    return bytes(alphabet[each] for each in token) if all(each in alphabet for each in token) else None


@cache
def _byte_alphabet() -> dict[str, int]:
    """Return the letters that byte-level BPE writes bytes with: printable ones stand for themselves, the rest from
    U+0100.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(rest)}
