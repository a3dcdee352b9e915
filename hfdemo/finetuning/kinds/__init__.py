"""The kinds of answers that can be trained: one row each, and nothing else names them.

kind                 Kind, and the parts that it is made of
single_label         one label per row
multi_label          several labels per row, or none
regression           a number per row
token_tags           a tag per word
next_token           the next token of texts and chats
chats                messages as the text that a model reads, and which of its tokens are answers
text_classification  what the kinds of text-classification share: texts or pairs of them, and a label column
cells                reading the cells of a table; tags of entities, and the order of labels
losses               losses, counts and class weights that several kinds share
descriptions         probabilities, curves and confusion, as a report shows them

A further kind is a file like theirs and its line in KINDS; CONTRIBUTING.md says the rest. The first kind of a task is
the one that a config without a problem_type means; the cells of a table are compared with the last kinds first, which
ask for more. A kind may import what makes a row or reads a cell from the kind that is nearest to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hfdemo.errors import DataError
from hfdemo.finetuning.kinds.kind import Evaluator, Kind
from hfdemo.finetuning.kinds.multi_label import MULTI_LABEL
from hfdemo.finetuning.kinds.next_token import NEXT_TOKEN
from hfdemo.finetuning.kinds.regression import REGRESSION
from hfdemo.finetuning.kinds.single_label import SINGLE_LABEL
from hfdemo.finetuning.kinds.token_tags import TOKEN_TAGS

__all__ = [
    "DEFAULT_KIND",
    "ERROR_NUMBERS",
    "KINDS",
    "LOWER_IS_BETTER",
    "UNIT_METRICS",
    "Evaluator",
    "Kind",
    "find_kind",
    "kinds_of_task",
]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (SINGLE_LABEL, MULTI_LABEL, REGRESSION, TOKEN_TAGS, NEXT_TOKEN)}
)
DEFAULT_KIND = next(iter(KINDS.values()))

_EVALUATORS = tuple(kind.evaluator for kind in KINDS.values())
# By name, because a chart may lay runs of several kinds over each other, and other modules compute the same metrics.
LOWER_IS_BETTER = frozenset({"loss"}).union(*(each.lower_is_better for each in _EVALUATORS))
UNIT_METRICS = frozenset().union(*(each.unit_metrics for each in _EVALUATORS))
ERROR_NUMBERS = frozenset({"row"}).union(*(each.error_numbers for each in _EVALUATORS))


def kinds_of_task(task: str) -> tuple[Kind, ...]:
    """Return the kinds of answers that `task` is trained for: none where it can't be trained here."""
    return tuple(kind for kind in KINDS.values() if kind.task == task)


def find_kind(task: str, problem_type: str | None = None) -> Kind:
    """Return the kind of `task` with `problem_type`; without one, the first kind of the task.

    Raises:
        DataError: it can't be trained here; the message lists what can.
    """
    fitting = kinds_of_task(task)
    if not fitting:
        tasks = dict.fromkeys(kind.task for kind in KINDS.values())
        raise DataError(f"{task!r} can't be fine-tuned here. What can: {', '.join(tasks)}.")
    if problem_type is None:
        return fitting[0]
    found = next((kind for kind in fitting if kind.problem_type == problem_type), None)
    if found is None:
        known = [kind.problem_type for kind in fitting if kind.problem_type]
        said = f"It has: {', '.join(known)}." if known else "Leave it out."
        raise DataError(f"{task} has no problem_type {problem_type!r}. {said}")
    return found
