"""The state of the tab See the tokens as the query of an address, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hfdemo.ui.deep_links import MOST_CHARACTERS
from hfdemo.ui.html import about, escape

VIEWS = ("text", "batch", "dataset")


def link(view: str, values: Mapping[str, Any]) -> str | None:
    """The query that opens `view` with these values; None where it would be too long for a browser."""
    kept = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items() if value not in (None, "")}
    query = f"?{urlencode({'tab': 'tokens', 'view': view, **kept})}"
    return query if len(query) <= MOST_CHARACTERS else None


def link_line(view: str, values: Mapping[str, Any]) -> str:
    """The link as it stands below a view."""
    query = link(view, values)
    if query is None:
        return about("Too long for a link: a browser takes no more.")
    return f"<p class='hf-links'><a href='{escape(query)}'>Link to this view</a></p>"


def opened(query: Mapping[str, str], known: Mapping[str, type | tuple[type, ...]]) -> tuple[str, dict[str, Any]] | None:
    """The view and the values that an address asks for; None where it asks for another tab.

    A link can hold anything: a value is kept only under a name in `known`, and only when it is of that type.
    """
    if query.get("tab") != "tokens":
        return None
    view = query.get("view", "")
    found = {}
    for name, kind in known.items():
        try:
            value = json.loads(query.get(name, "null"))
        except (ValueError, RecursionError):
            value = query[name]
        if value is not None and isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
            found[name] = value
    return view if view in VIEWS else VIEWS[0], found
