"""The state of the tab Run a model as the query of an address, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hfdemo.errors import DemoError
from hfdemo.tasks import Field, Task, find_task

MOST_CHARACTERS = 6000


def link(task: Task, model: str, values: Mapping[str, Any]) -> str | None:
    """The query that opens the tab with this task, model and values; None where it would be too long for a browser.

    Files are left out: they live on the server for a while only.
    """
    kept = {"task": task.name, "model": model}
    for field in task.fields:
        value = values.get(field.name)
        if not field.media and value not in (None, "", [], field.default):
            kept[_key(field)] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    query = f"?{urlencode(kept)}"
    return query if len(query) <= MOST_CHARACTERS else None


def opened(query: Mapping[str, str]) -> tuple[Task, str, dict[str, Any]] | None:
    """(task, model, values) that the query of an address asks for; None if it asks for no task that there is."""
    try:
        task = find_task(query.get("task", ""))
    except DemoError:
        return None
    values = {field.name: _value(field, query[_key(field)]) for field in task.fields if _key(field) in query}
    return task, query.get("model") or task.default_model, values


def _key(field: Field) -> str:
    """A field's name in a query, where `task` and `model` are taken."""
    return f"{field.name}_" if field.name in ("task", "model") else field.name


def _value(field: Field, text: str) -> Any:
    """What `link` wrote; whatever is wrong with it is found by the field's own check later."""
    if field.kind in ("text", "choice") or field.media:
        return None if field.media else text
    try:
        return json.loads(text)
    except ValueError:
        return text
