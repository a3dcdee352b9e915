"""The code that people copy: each function runs from its own source, and has a name that says what it does."""

import builtins
import dis
import inspect
from types import CodeType
from typing import Any

import pytest

from hfdemo.tasks import TASKS, Task

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def looked_up(code: CodeType) -> set[str]:
    """The globals that a function asks for, with those of the comprehensions and functions inside it."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(looked_up(each) for each in code.co_consts if isinstance(each, CodeType)))


@each_task
def test_the_source_alone_makes_the_function_and_asks_for_nothing_around_it(task: Task) -> None:
    copied: dict[str, Any] = {"Any": Any}
    exec(inspect.getsource(task.auto_class_form), copied)
    found = copied[task.auto_class_form.__name__]
    assert list(inspect.signature(found).parameters) == list(inspect.signature(task.auto_class_form).parameters)
    assert looked_up(task.auto_class_form.__code__) <= set(dir(builtins))


def test_functions_live_in_one_package_under_names_of_their_own() -> None:
    functions = {task.auto_class_form for task in TASKS.values()}
    assert {each.__module__.rpartition(".")[0] for each in functions} == {"hfdemo.tasks.auto_classes"}
    assert len({each.__name__ for each in functions}) == len(functions) == len(TASKS)
