"""How the events of the page are wired: which are told of, and which show that they are at work."""

from __future__ import annotations

from typing import Any

from hfdemo.api.endpoints import LIGHT

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
