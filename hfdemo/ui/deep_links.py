"""The state of a tab as the query of an address, and back: Run a model, See the tokens, and the run of Fine-tune."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hfdemo.errors import DemoError
from hfdemo.tasks import Field, Task, find_task
from hfdemo.ui.html import about, escape

MOST_CHARACTERS = 6000
TOKENS_VIEWS = ("text", "batch", "dataset")


def write_run_query(task: Task, model: str, values: Mapping[str, Any]) -> str | None:
    """Return the query that opens Run a model with this task, model and values; None where it would be too long.

    Files are left out: they live on the server for a while only.
    """
    kept = {"task": task.name, "model": model}
    for field in task.fields:
        value = values.get(field.name)
        if not field.is_media and value not in (None, "", [], field.default):
            kept[_query_key(field)] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _encode_query(kept)


@dataclass(frozen=True)
class RunQuery:
    """What an address asks Run a model for: `model` is None where it names none, `notes` say what was wrong."""

    task: Task
    model: str | None
    values: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_run_query(query: Mapping[str, str], task_for: Callable[[str], Task], default: Task) -> RunQuery:
    """Read what the query of an address asks Run a model for.

    Where it names a model alone, `task_for(model)` finds the task. A value that its field refuses is left out, with a
    note: a link can hold anything.
    """
    notes = []
    task = default
    if query.get("tab") == "tokens" and "task" not in query:  # whose model is another
        return RunQuery(task, None, {})
    try:
        if query.get("task"):
            task = find_task(query["task"])
        elif query.get("model"):
            task = task_for(query["model"])
    except DemoError as error:
        notes.append(f"The link could not be followed as it is. {error}")
    values = {}
    for field in task.fields:
        if field.is_media or _query_key(field) not in query:
            continue
        try:
            values[field.name] = field.check(_parse_value(field, query[_query_key(field)]), MOST_CHARACTERS)
        except DemoError as error:
            notes.append(f"The link's {field.name} was left out. {error}")
    return RunQuery(task, query.get("model") or None, values, tuple(notes))


def _query_key(field: Field) -> str:
    """Return a field's name in a query, where `task` and `model` are taken."""
    return f"{field.name}_" if field.name in ("task", "model") else field.name


def _parse_value(field: Field, text: str) -> Any:
    """Read what `write_run_query` wrote for a field."""
    if field.kind in ("text", "choice"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def write_tokens_query(view: str, values: Mapping[str, Any]) -> str | None:
    """Return the query that opens `view` of See the tokens with these values; None where it would be too long."""
    kept = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items() if value not in (None, "")}
    return _encode_query({"tab": "tokens", "view": view, **kept})


def render_tokens_link(view: str, values: Mapping[str, Any]) -> str:
    """Render the link that stands below a view of See the tokens."""
    query = write_tokens_query(view, values)
    if query is None:
        return about("Too long for a link: a browser takes no more.")
    return f"<p class='hf-links'><a href='{escape(query)}'>Link to this view</a></p>"


def read_tokens_query(
    query: Mapping[str, str], known: Mapping[str, type | tuple[type, ...]]
) -> tuple[str, dict[str, Any]] | None:
    """Read which view of See the tokens an address asks for, and its values; None where it asks for another tab.

    A link can hold anything: a value is kept only under a name in `known`, and only when it is of that type.
    """
    if query.get("tab") != "tokens":
        return None
    view = query.get("view", "")
    found = {}
    for name in known:
        if name == "model" and "task" in query:  # it is the model of that task
            continue
        try:
            found[name] = json.loads(query.get(name, "null"))
        except (ValueError, RecursionError):
            found[name] = query[name]
    return view if view in TOKENS_VIEWS else TOKENS_VIEWS[0], keep_known(found, known)


def keep_known(found: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Return what of `found` has a name in `known` and is of the type that it has there."""
    return {
        name: found[name]
        for name, kind in known.items()
        if isinstance(found.get(name), kind) and not (isinstance(found[name], bool) and kind is not bool)
    }


def read_finetune_query(query: Mapping[str, str]) -> tuple[str | None, bool]:
    """Return (the run that an address asks for, as `/share_run` calls it, or None; whether it leads to Fine-tune)."""
    run, tab = query.get("run") or None, query.get("tab")
    return run, tab == "finetune" or (run is not None and tab is None)


def _encode_query(kept: Mapping[str, str]) -> str | None:
    """Return the query of an address; None where it would be too long for a browser."""
    query = f"?{urlencode(kept)}"
    return query if len(query) <= MOST_CHARACTERS else None
