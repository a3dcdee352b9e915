"""What a page would lose when it is loaded again, kept by the browser: its place in the address, and what was typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from hfdemo.api.uploads import uploaded_path
from hfdemo.errors import DemoError
from hfdemo.ui.event_handling import PRIVATE


class PageState:
    """What the open page keeps in its browser.

    gradio loads a page again when it has lost its server for some seconds, and knows nothing of the one before.
    """

    def __init__(self) -> None:
        # What is recalled arrives in its place: a state's value would be taken from the server instead.
        self.recalled = gr.Textbox(visible=False)

    def keep(self, tab: str, fields: Mapping[str, Any], about: str = "") -> None:
        """Keep what `fields` of `tab` hold, whenever one of them changes.

        `about` says what they are fields of, where that is not always the same.
        """
        call = f"hfdemo.keep({json.dumps(tab)}, {json.dumps(about)}, {json.dumps(list(fields))})"
        changes = [field.change for field in fields.values()]
        gr.on(changes, None, list(fields.values()), js=call, **PRIVATE)

    def recall(self, tab: str) -> str:
        """Return the script of an event whose last input is `recalled`: it gets what was kept of `tab`."""
        return f"hfdemo.recall({json.dumps(tab)})"


def read_kept(text: str | None) -> tuple[str, dict[str, Any]]:
    """Return (about, values) of what a browser kept; ("", {}) where it is nothing or not of this page."""
    try:
        found = json.loads(text or "null")
        return str(found["about"]), dict(found["values"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", {}


def find_upload(held: Any) -> tuple[str | None, str]:
    """Return (the path of a file that the page had, or None; the sentence that it is gone, or "")."""
    if held is None:
        return None, ""
    try:
        path = uploaded_path(held)
    except DemoError:
        name = held.get("orig_name") if isinstance(held, dict) else None
        return None, f"{name or 'The file of this page'} is no longer on this server. Upload it again."
    return (None if path is None else str(path)), ""
