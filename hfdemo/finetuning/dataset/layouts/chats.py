"""Chats and instructions, laid out as people keep them -> a column of messages, of which the answers are learned."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.finetuning.dataset.layouts.layout import Arranged, Layout
from hfdemo.finetuning.dataset.layouts.questions import (
    AnswerColumns,
    find_answer_columns,
    is_told_apart,
    normalize_name,
    read_first_answer,
)
from hfdemo.finetuning.dataset.layouts.turns import (
    Message,
    are_exchanges,
    are_texts,
    are_turns,
    check_chat,
    find_placeholder,
    make_message,
    parse_turns,
    read_turns,
    without_learning,
)
from hfdemo.finetuning.kinds.kind import Samples
from hfdemo.tables import RefusedRow

MESSAGES = "messages"
_SYSTEM = ("system", "system_prompt", "system_message")
_CHOSEN = {
    "chosen": "rejected",
    "chosen_response": "rejected_response",
    "response_chosen": "response_rejected",
    "accepted": "rejected",
    "preferred": "dispreferred",
    "better": "worse",
}
_TALKS = ("conversations", "conversation", "dialog", "dialogue", "dialogs", "dialogues", "chat", "messages", "data")
_MEDIA = {kind + end: kind for kind in ("image", "video", "audio") for end in ("", "s", "_path", "_paths")}
_TOOLS = ("tools", "functions")
_LOOKED_AT = 200  # cells of a column, to tell what they hold
_MOST_OTHERS = 0.5  # of the cells, what may be refused without the column being of another kind
# What may stand in a cell instead of a list of turns: it begins with what lists and objects begin with.
_LISTED = re.compile(r"\s*(\[\s*\{|\{)")

ReadRow = Callable[[Mapping[str, str]], Sequence[Message]]


def _find_column(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    lower = {normalize_name(column): column for column in table.columns}
    return next((lower[name] for name in names if name in lower), None)


def _arrange(table: pd.DataFrame, used: Sequence[str], read: ReadRow, kept_as: str = MESSAGES) -> Arranged:
    """Return the table with a column of the messages that `read` makes of the cells in the columns `used`.

    The column of system messages is one of `used`, wherever there is one.
    """
    system = _find_column(table, _SYSTEM)
    used = [*used, *([system] if system and system not in used else [])]
    media = {column: _MEDIA[name] for column in table.columns if (name := normalize_name(column)) in _MEDIA}
    looked = [*dict.fromkeys((*used, *media))]
    chats: dict[Any, str] = {}
    refused: list[RefusedRow] = []
    for index, cells in zip(table.index, zip(*(table[column] for column in looked), strict=True), strict=True):
        row = dict(zip(looked, cells, strict=True))
        try:
            messages = list(read(row))
            if system and row[system].strip() and messages[:1] and messages[0]["role"] != "system":
                messages = [make_message("system", row[system]), *messages]
            messages = check_chat(messages)
            _check_media(messages, [kind for column, kind in media.items() if row[column].strip()])
            chats[index] = json.dumps(messages, ensure_ascii=False)
        except ValueError as error:
            refused.append(RefusedRow("", int(index) + 1, f"it is no chat: {error}"))
    rest = table.loc[list(chats), [column for column in table.columns if column not in used]]
    return Arranged(rest.assign(**{kept_as: pd.Series(chats, dtype=str)}), tuple(refused), (*_note_tools(table),))


def _check_media(messages: Sequence[Message], media: Sequence[str]) -> None:
    """Refuse a chat about a picture: it has a place for it, and a column beside it holds it, or the prompt begins so.

    Raises:
        ValueError: it is one.
    """
    place = find_placeholder(messages)
    first = next((each["content"].strip() for each in messages if each["role"] == "user"), "")
    tag = f"<{place}>"
    if place and (place in media or first.startswith(tag) or first.endswith(tag)):
        raise ValueError(f"it is about {'a' if place == 'video' else 'an'} {place}, and only text is learned here")


def _note_tools(table: pd.DataFrame) -> Iterator[str]:
    column = _find_column(table, _TOOLS)
    if column and (table[column].str.strip() != "").any():
        yield f"The model is not shown the column {column!r}: the tools that were offered."


# --- Lists of turns in one column. ---


def _find_turns(samples: Samples, test: Callable[[str, list[Any]], bool]) -> str | None:
    """Return the column whose cells are lists of turns, by `test` of (its name, the turns of a cell).

    Of most of them a chat can be made: turns of people who are no assistant are a column like any other.
    """
    for column, every in samples.items():
        cells = every[:: max(1, len(every) // _LOOKED_AT)]
        name, wrong, others = normalize_name(column), 0, 0
        for cell in cells:
            try:
                turns = parse_turns(cell)
            except ValueError:
                wrong += 1
            else:
                wrong += not (turns and test(name, turns))
                others += not _makes_chat(turns)
            if wrong > 0.1 * len(cells) or others > _MOST_OTHERS * len(cells):
                break
        else:
            if cells:
                return column
    return None


def _makes_chat(turns: Sequence[Any]) -> bool:
    try:
        return bool(check_chat(read_turns(turns)))
    except ValueError as error:
        return "only text" in str(error)


def _have_roles(name: str, turns: list[Any]) -> bool:
    return are_turns(turns, ("role",))


def _are_conversations(name: str, turns: list[Any]) -> bool:
    return are_turns(turns) or (name in _TALKS and (are_exchanges(turns) or are_texts(turns)))


def _turns_layout(name: str, title: str, test: Callable[[str, list[Any]], bool], in_place: bool) -> Layout:
    def find(table: pd.DataFrame) -> str | None:
        return _find_turns({column: _filled(table[column]) for column in table.columns}, test)

    def matches(table: pd.DataFrame, samples: Samples) -> bool:
        return _find_turns(samples, test) is not None

    def arrange(table: pd.DataFrame) -> Arranged:
        column = find(table)
        if column is None:
            return Arranged(table)
        found = _arrange(table, [column], lambda row: _read_turns(row[column]), column if in_place else MESSAGES)
        silent = any(map(_is_silent, _filled(table[column])[:20]))
        said = (
            f"The turns in {column!r} don't say who speaks: the first is taken for the user's, the second for the "
            "assistant's, and so on."
        )
        return Arranged(found.table, found.refused, (*([said] if silent else []), *found.notes))

    return Layout(name, title, (MESSAGES,), matches, arrange)


def _is_silent(cell: str) -> bool:
    """Return whether the turns in a cell are texts alone."""
    try:
        return are_texts(parse_turns(cell))
    except ValueError:
        return False


def _filled(column: pd.Series) -> list[str]:
    return list(column[column.str.strip() != ""])


def _read_turns(cell: str) -> list[Message]:
    if not cell.strip():
        raise ValueError("there is nothing in it")
    return read_turns(parse_turns(cell))


# --- A prompt and its answer in columns of their own. ---


def _read_side(cell: str, role: str) -> list[Message]:
    """Return the messages of a prompt or an answer: a list of them, or one of a text."""
    if _LISTED.match(cell):
        try:
            turns = parse_turns(cell)
        except ValueError:
            turns = []
        if are_turns(turns):
            return read_turns(turns)
    return [make_message(role, cell)]


def _arrange_answers(table: pd.DataFrame, columns: AnswerColumns) -> Arranged:
    parts = [*columns.asks, *columns.context]
    lists = columns.has_lists(table)
    several = 0

    def read(row: Mapping[str, str]) -> list[Message]:
        nonlocal several
        answer = row[columns.answer]
        if lists:
            answer, count = read_first_answer(answer)
            several += count > 1
        # Files for OpenAI's older models begin each completion with a space.
        answer = answer[1:] if answer.startswith(" ") and not answer.startswith("  ") else answer
        asked = [row[column] for column in (*columns.context, *columns.asks) if row[column].strip()]
        prompt = _read_side(asked[0] if len(asked) == 1 else "\n\n".join(asked), "user")
        return [*columns.read_history(row), *without_learning(prompt), *_read_side(answer, "assistant")]

    found = _arrange(table, [*parts, columns.answer, *columns.history], read)
    said = f"{several:,} rows have several answers, of which the first is learned." if several > 1 else ""
    said = "1 row has several answers, of which the first is learned." if several == 1 else said
    return Arranged(found.table, found.refused, (*([said] if said else []), *found.notes))


def _answers_layout(name: str, title: str, **wanted: Any) -> Layout:
    def can_be(table: pd.DataFrame, samples: Samples) -> bool:
        return find_answer_columns(table, **wanted) is not None

    def matches(table: pd.DataFrame, samples: Samples) -> bool:
        columns = find_answer_columns(table, **wanted)
        return columns is not None and is_told_apart(columns, samples, _SYSTEM)

    def arrange(table: pd.DataFrame) -> Arranged:
        columns = find_answer_columns(table, **wanted)
        if columns is None:
            raise DataError(f"The data is not laid out as {title}.")
        return _arrange_answers(table, columns)

    return Layout(name, title, (MESSAGES,), matches, arrange, can_be)


# --- Preference pairs. ---


def _find_pair(table: pd.DataFrame) -> tuple[str, str] | None:
    lower = {normalize_name(column): column for column in table.columns}
    return next(((lower[yes], lower[no]) for yes, no in _CHOSEN.items() if yes in lower and no in lower), None)


def _find_prompt(table: pd.DataFrame) -> list[str]:
    columns = find_answer_columns(table, answer=_find_pair(table))
    if columns:
        return [*columns.asks, *columns.context]
    talk = _find_column(table, _TALKS)
    return [talk] if talk else []


def _read_chosen(cell: str) -> list[Message]:
    """Return the messages of an answer of a pair: an object, a list, a transcript, or a text."""
    try:
        turns = parse_turns(cell)
    except ValueError:
        turns = []
    return read_turns(turns) if are_turns(turns) else [make_message("assistant", cell)]


def _has_pairs(table: pd.DataFrame, samples: Samples) -> bool:
    pair = _find_pair(table)
    if pair is None or not samples[pair[0]]:
        return False
    return bool(_find_prompt(table)) or all(len(_read_chosen(cell)) > 1 for cell in samples[pair[0]][:_LOOKED_AT])


def _arrange_pairs(table: pd.DataFrame) -> Arranged:
    chosen, rejected = _find_pair(table) or ("", "")
    prompts = _find_prompt(table)

    def read(row: Mapping[str, str]) -> list[Message]:
        if not row[chosen].strip():
            raise ValueError(f"there is nothing in {chosen!r}")
        answer, other = _read_chosen(row[chosen]), _read_chosen(row[rejected])
        if answer[0]["role"] != "assistant":  # the prompt stands in it
            both = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(answer[:-1], other, strict=False))
            shared = sum(1 for _ in both)
            return [*without_learning(answer[:shared]), *answer[shared:]]
        asked = [row[column] for column in prompts if row[column].strip()]
        return [*without_learning(_read_side("\n\n".join(asked), "user")), *answer]

    found = _arrange(table, [*prompts, chosen, rejected], read)
    said = f"Of each pair the answer in {chosen!r} is learned. {rejected!r} is never learned."
    return Arranged(found.table, found.refused, (said, *found.notes))


CHATS = (
    Layout(
        "preference_pairs", "preference pairs, of which the chosen answers are learned", (MESSAGES,), _has_pairs,
        _arrange_pairs,
    ),
    _turns_layout("messages", "chats: lists of messages with a role and a content", _have_roles, in_place=True),
    _turns_layout(
        "share_gpt", "conversations in the form of ShareGPT: lists of who speaks and what", _are_conversations,
        in_place=False,
    ),
    _answers_layout(
        "instructions", "instructions with their inputs and answers (Alpaca, Dolly)",
        asks=("instruction", "instructions"), history=("history",),
    ),
    _answers_layout(
        "question_in_context", "questions about a text, with their answers (SQuAD)", needs_context=True,
    ),
    _answers_layout("prompt_and_answer", "prompts and their answers, as chats of two messages"),
)  # fmt: skip
