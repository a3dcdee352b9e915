"""Which columns hold prompts, what they are about, and answers; and whether the others leave no doubt of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.finetuning.dataset.layouts.turns import Message, parse_turns, read_turns
from hfdemo.finetuning.kinds.cells import are_nearly_all, parse_list, parse_number
from hfdemo.finetuning.kinds.kind import Samples

# The names that data sets give them, the surest first. Those before None leave no doubt of what they are.
_ASKS = (
    *("prompt", "instruction", "problem", "user", "human", "user_prompt", "user_message", None),
    *("question", "query", "input", "inputs", "request", "q"),
)
_ANSWERS = (
    *("completion", "response", "reply", "assistant", "assistant_response", "model_response", "bot", "gpt", None),
    *("output", "outputs", "answer", "answers", "solution", "target", "best_answer", "expected_output", "a"),
)
_SURE = {name for names in (_ASKS, _ANSWERS) for name in names[: names.index(None)] if name}
_CONTEXTS = ("context", "passage", "paragraph", "document", "article", "background")
_INPUTS = ("input", "inputs", "context")
# Columns that say something of a row, and are nothing to learn.
_BESIDE = re.compile(
    r"(.*_)?(id|ids|idx|uuid|guid|hash|url|link|date|time|timestamp)|index|no|nr|number|row|split|set|fold|subset"
    r"|partition|source|origin|dataset|data_source|title|created(_at)?|author|lang(uage)?|locale|model(_name)?|license"
    r"|version|meta(data)?|unnamed.*|column_\d+|is_impossible|answer_start|tools|functions|images?|explanation"
    r"|rationale|reasoning|thinking|text"
)
_LABELS = re.compile(
    r"(.*_)?(labels?|class|score|stars|ratings?|similarity|sentiment|intent|target|relevance|quality|correct|verdict"
    r"|preference|winner)|(is|has)_.*"
)
_KINDS = re.compile(r"category|categories|topic|type|level|subject|task|task_type|domain|difficulty|tags?")
_FEW_ROWS = 8
_LONGEST_CLASS = 60


@dataclass(frozen=True)
class AnswerColumns:
    """The columns of prompts (an instruction and its input are two), of what they are about, and of answers."""

    asks: tuple[str, ...]
    answer: str
    context: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    def has_lists(self, table: pd.DataFrame) -> bool:
        """Return whether the answers are lists of several, or objects that hold such a list."""
        cells = table[self.answer][table[self.answer].str.strip() != ""]
        first = [cell for cell in cells.iloc[:200] if not _is_answer_list(cell)]
        return len(cells) > 0 and len(first) == 0

    def read_history(self, row: Mapping[str, str]) -> list[Message]:
        """Return the messages of the exchanges before a prompt."""
        cells = [row[column] for column in self.history if row[column].strip()]
        return [message for cell in cells for message in read_turns(parse_turns(cell))]


def normalize_name(column: str) -> str:
    """Return the name of a column as it is compared: in small letters, with _ between its words."""
    return re.sub(r"[\s\-]+", "_", column.strip().lower())


def find_answer_columns(
    table: pd.DataFrame,
    asks: Sequence[str] = (),
    answer: Sequence[str] | None = None,
    history: Sequence[str] = (),
    needs_context: bool = False,
) -> AnswerColumns | None:
    """Return the columns of prompts and answers by their names, or None; `answer` are columns that are known.

    With `asks` the prompts are in a column of one of these names, and a column of inputs belongs to them.
    """
    lower = {normalize_name(column): column for column in table.columns}
    ask = next((lower[name] for name in (asks or _ASKS) if name and name in lower), None)
    known = answer[0] if answer else None
    say = known or next((lower[name] for name in _ANSWERS if name and name in lower and lower[name] != ask), None)
    if ask is None or say is None:
        return None
    is_instruction = normalize_name(ask).startswith("instruction")
    inputs = [lower[name] for name in _INPUTS if is_instruction and name in lower][:1]
    context = [] if is_instruction else [lower[name] for name in _CONTEXTS if name in lower][:1]
    if needs_context and not context:
        return None
    before = [lower[name] for name in history if name in lower]
    return AnswerColumns((ask, *inputs), say, tuple(context), tuple(before))


def is_told_apart(columns: AnswerColumns, samples: Samples, known: Sequence[str] = ()) -> bool:
    """Return whether a table with these columns can be nothing else than prompts and answers.

    It can where another column holds labels, or where what is called an answer is one of a few classes.
    """
    sure = bool({normalize_name(columns.asks[0]), normalize_name(columns.answer)} & _SURE)
    if not sure and _are_classes(samples[columns.answer]):
        return False
    used = {*columns.asks, columns.answer, *columns.context, *columns.history}
    others = [column for column in samples if column not in used and normalize_name(column) not in known]
    return all(_is_beside(normalize_name(column), samples[column], sure) for column in others)


def read_first_answer(cell: str) -> tuple[str, int]:
    """Return the first of the answers in a cell, and how many different ones it has.

    Raises:
        ValueError: it has none.
    """
    found = _parse_answers(cell)
    if not found:
        raise ValueError("it has no answer")
    return found[0], len(set(found))


def _parse_answers(cell: str) -> list[str]:
    (value,) = parse_list(f"[{cell}]") or [None]
    value = _open(value)
    texts = [_open(each) for each in (value if isinstance(value, list) else [value])]
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("it is no list of answers")
    return [each for each in texts if each.strip()]


def _open(value: Any) -> Any:
    """Return the answer or answers in an object; another value as it is."""
    if not isinstance(value, Mapping):
        return value
    return next((value[key] for key in ("text", "answer", "answers", "value") if key in value), None)


def _is_answer_list(cell: str) -> bool:
    if not cell.lstrip().startswith(("[", "{")):
        return False
    try:
        _parse_answers(cell)
    except ValueError:
        return False
    return True


def _are_classes(cells: Sequence[str]) -> bool:
    """Return whether cells are a few short ones again and again."""
    return len(cells) >= _FEW_ROWS and 2 * len(set(cells)) <= len(cells) and max(map(len, cells)) <= _LONGEST_CLASS


def _is_beside(name: str, cells: Sequence[str], sure: bool) -> bool:
    """Return whether a column is nothing that a table of prompts and answers would be there to predict."""
    if _LABELS.fullmatch(name):
        return not cells
    if _BESIDE.fullmatch(name) or len(set(cells)) <= 1:
        return True
    if _KINDS.fullmatch(name):
        return sure
    if are_nearly_all(cells, parse_number):
        return False
    return sure or not _are_classes(cells)
