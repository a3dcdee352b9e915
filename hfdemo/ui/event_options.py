"""How the events of the page are wired: which are told of, which show that they are at work, where errors are said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hfdemo.api.endpoints import LIGHT
from hfdemo.api.error_boundary import catch_errors, raise_to_client
from hfdemo.ui import html

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""An event that is of no use outside the page."""

# With every message of any event, the page searches its whole tree for each component that has ever had a state of
# progress, and without a list of its own an event gives one to all its outputs, shown or not. On a page of this size
# that was 58 ms for each piece of a streamed answer.
QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden", "show_progress_on": []}
"""A private event that shows no progress."""

QUICK: dict[str, Any] = {**QUIET, **LIGHT}
"""A quiet event that computes next to nothing: many of them may run at once."""

LATEST: dict[str, Any] = {**QUICK, "trigger_mode": "always_last"}
"""A quick event that may come again before it is answered: of all that came meanwhile, the last is answered."""


def toast_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return `handler` with its errors said in a toast; all its outputs stay as they are."""
    return catch_errors(handler, lambda sentence: raise_to_client(html.plain(sentence)))


def draw_errors(handler: Callable[..., Any], *others: Any) -> Callable[..., Any]:
    """Return `handler` with its errors drawn in its first output; `others` is what the other outputs get then.

    A toast is gone after a while, and gradio lays an error over every output that an event has.
    """

    def answer(sentence: str) -> Any:
        drawn = html.notes([sentence])
        # gradio takes an update apart while it applies it.
        return (drawn, *(dict(other) if isinstance(other, dict) else other for other in others)) if others else drawn

    return catch_errors(handler, answer)
