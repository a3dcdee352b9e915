"""Chats and instructions, laid out as people keep them -> a column of messages, of which the answers are learned."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from hfdemo.finetuning.dataset.layouts.layout import Arranged, Layout, Samples

MESSAGES = "messages"
# A question and its answer in two columns, by the names that data sets give them.
_ANSWERS: Mapping[str, str] = {
    "prompt": "completion",
    "question": "answer",
}


def _find_answer_columns(table: pd.DataFrame) -> tuple[str, str] | None:
    """Return the columns of questions and answers, where the table has no other column but ids."""
    lower = {column.lower(): column for column in table.columns}
    pair = next(((lower[ask], lower[say]) for ask, say in _ANSWERS.items() if ask in lower and say in lower), None)
    others = set(table.columns) - {*(pair or ()), *(lower[name] for name in ("id", "split") if name in lower)}
    return None if others else pair


def _arrange_answers(table: pd.DataFrame) -> Arranged:
    ask, say = _find_answer_columns(table) or ("", "")
    chats = [
        json.dumps(
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], ensure_ascii=False
        )
        for question, answer in zip(table[ask], table[say].str.lstrip(), strict=True)
    ]
    return Arranged(table.drop(columns=[ask, say]).assign(**{MESSAGES: chats}))


def _has_answers(table: pd.DataFrame, samples: Samples) -> bool:
    return _find_answer_columns(table) is not None


PROMPT_AND_ANSWER = Layout(
    "prompt_and_answer", "prompts and their answers, as chats of two messages", (MESSAGES,), _has_answers,
    _arrange_answers,
)  # fmt: skip
