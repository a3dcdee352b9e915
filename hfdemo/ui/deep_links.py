"""The state of the tab Run a model as the query of an address, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hfdemo.errors import DemoError
from hfdemo.tasks import Field, Task, find_task

MOST_CHARACTERS = 6000


def write_query(task: Task, model: str, values: Mapping[str, Any]) -> str | None:
    """Return the query that opens the tab with this task, model and values; None where it is too long for a browser.

    Files are left out: they live on the server for a while only.
    """
    kept = {"task": task.name, "model": model}
    for field in task.fields:
        value = values.get(field.name)
        if not field.media and value not in (None, "", [], field.default):
            kept[_key(field)] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    query = f"?{urlencode(kept)}"
    return query if len(query) <= MOST_CHARACTERS else None


@dataclass(frozen=True)
class Opening:
    """What an address asks the tab to open with; `model` is None where it names none, `notes` say what was wrong."""

    task: Task
    model: str | None
    values: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_query(query: Mapping[str, str], task_for: Callable[[str], Task], default: Task) -> Opening:
    """Read what the query of an address asks for.

    Where it names a model alone, `task_for(model)` finds the task. A value that its field refuses is left out, with a
    note: a link can hold anything.
    """
    notes = []
    task = default
    try:
        if query.get("task"):
            task = find_task(query["task"])
        elif query.get("model"):
            task = task_for(query["model"])
    except DemoError as error:
        notes.append(f"The link could not be followed as it is. {error}")
    values = {}
    for field in task.fields:
        if field.media or _key(field) not in query:
            continue
        try:
            values[field.name] = field.check(_value(field, query[_key(field)]), MOST_CHARACTERS)
        except DemoError as error:
            notes.append(f"The link's {field.name} was left out. {error}")
    return Opening(task, query.get("model") or None, values, tuple(notes))


def _key(field: Field) -> str:
    """Return the name of a field in a query, where `task` and `model` are taken."""
    return f"{field.name}_" if field.name in ("task", "model") else field.name


def _value(field: Field, text: str) -> Any:
    """Read what `write_query` wrote for a field."""
    if field.kind in ("text", "choice"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
