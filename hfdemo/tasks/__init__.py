"""What can be run: the rows, in the order in which the page offers them."""

from collections.abc import Mapping
from types import MappingProxyType

from hfdemo.errors import DemoError
from hfdemo.tasks import text
from hfdemo.tasks.task import REQUIRED, Call, Field, Scores, Task, check_text

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in text.TASKS})

__all__ = ["REQUIRED", "TASKS", "Call", "Field", "Scores", "Task", "check_text", "find_task"]


def find_task(name: str) -> Task:
    """The row called `name`.

    Raises:
        DemoError: there is none; the message lists those that exist.
    """
    if name not in TASKS:
        raise DemoError(f"There is no task {name!r}. There are: {', '.join(TASKS)}.")
    return TASKS[name]
