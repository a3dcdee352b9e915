"""What can be run: the rows, in the order in which the page offers them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hfdemo.errors import DemoError
from hfdemo.tasks import text
from hfdemo.tasks.task import REQUIRED, Call, Field, Scores, Task, check_text

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in text.TASKS})

__all__ = ["REQUIRED", "TASKS", "Call", "Field", "Scores", "Task", "check_text", "find_task", "task_of"]


def task_of(architectures: Sequence[str]) -> tuple[Task, str]:
    """The task that a checkpoint with these `config.architectures` was made for, and why.

    An architecture without a head that any row knows gives its hidden states: feature-extraction.
    """
    for task in TASKS.values():
        head = task.model_class.removeprefix("AutoModel")
        for architecture in architectures:
            if head and architecture.endswith(head):
                return task, f"its config names the architecture {architecture}"
    named = ", ".join(architectures) or "none"
    return TASKS["feature-extraction"], f"its config names no architecture with a known head ({named})"


def find_task(name: str) -> Task:
    """The row called `name`.

    Raises:
        DemoError: there is none; the message lists those that exist.
    """
    if name not in TASKS:
        raise DemoError(f"There is no task {name!r}. There are: {', '.join(TASKS)}.")
    return TASKS[name]
