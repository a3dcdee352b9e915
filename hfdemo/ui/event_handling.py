"""How the events of the page are handled: what gradio tells of them, where errors are said, how jobs are stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event, Lock
from typing import Any

import gradio as gr

from hfdemo.api.endpoints import LIGHT
from hfdemo.api.error_boundary import catch_errors, raise_to_client
from hfdemo.background import run_in_background
from hfdemo.errors import Stopped
from hfdemo.models.hub import Progress
from hfdemo.ui import html

UNSAID_SECONDS = 1.0

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


# gradio 6.31 answers an event that was put off with the data of the one before it: of two ticks the first one twice.
EACH: dict[str, Any] = {**QUICK, "trigger_mode": "multiple", "concurrency_limit": 1}
"""A quick event that has data of its own, and may come again before it is answered: each is, in their order."""


def when_opened(tab: gr.Tab) -> Any:
    """Return the event that a tab is shown for the first time, by a click, a link or another tab.

    What is drawn then need not be computed for a page of which another tab is looked at.
    """
    opened = gr.State(False)
    tab.select(lambda: True, outputs=opened, **QUICK)
    return opened.change


def toast_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return `handler` with its errors said in a toast; all its outputs stay as they are."""
    return catch_errors(handler, raise_to_client)


def read_event(event: gr.EventData, key: str) -> Any:
    """Return what the page's script sent with an event under `key`; None where it is not there, as anybody may do."""
    sent = event._data
    return sent.get(key) if isinstance(sent, dict) else None


def draw_errors(handler: Callable[..., Any], *others: Any) -> Callable[..., Any]:
    """Return `handler` with its errors drawn in its first output; `others` is what the other outputs get then.

    A toast is gone after a while, and gradio lays an error over every output that an event has.
    """

    def answer(sentence: str) -> Any:
        drawn = html.notes([sentence])
        # gradio takes an update apart while it applies it.
        return (drawn, *(dict(other) if isinstance(other, dict) else other for other in others)) if others else drawn

    return catch_errors(handler, answer)


class RunningJobs:
    """The computation that each open page has going on, so that it can be stopped from elsewhere on the page."""

    def __init__(self) -> None:
        self._stops: dict[str | None, Event] = {}
        self._lock = Lock()

    def begin(self, session: str | None) -> Event:
        """Stop what this page still has going on, and return the stop of what begins now."""
        stop = Event()
        with self._lock:
            before = self._stops.get(session)
            self._stops[session] = stop
        if before is not None:
            before.set()
        return stop

    def is_current(self, session: str | None, stop: Event) -> bool:
        """Return whether nothing newer has begun: an older computation has nothing to show any more."""
        with self._lock:
            return self._stops.get(session) is stop

    def stop(self, session: str | None) -> None:
        """Stop what this page has going on."""
        with self._lock:
            stop = self._stops.get(session)
        if stop is not None:
            stop.set()

    def on_stop(self, request: gr.Request) -> None:
        """Stop what the page of a Stop button has going on."""
        self.stop(request.session_hash)

    def on_unload(self, request: gr.Request) -> None:
        """Forget a page that is closed."""
        self.forget(request.session_hash)

    def forget(self, session: str | None) -> None:
        """Stop what the page has going on, and keep nothing of it."""
        self.stop(session)
        with self._lock:
            self._stops.pop(session, None)


def follow_job(
    running: RunningJobs, session: str | None, work: Callable[[Progress, Event], Any]
) -> Iterator[tuple[Any, Any]]:
    """Do `work(tell, stop)` and yield (what to say of it, None) again and again, at last ("", its result).

    `tell` takes what is going on, how much is done and of how much. Whatever the page still had going on is stopped; a
    newer piece of work, or Stop, ends this one without a result.
    """
    stop = running.begin(session)

    def tell_in_full(tell: Callable[[Any], None]) -> Any:
        return "done", work(lambda *state: tell(("so far", state)), stop)

    try:
        for item in run_in_background(tell_in_full, stop):
            if item is None:
                yield gr.skip(), None
            elif item[0] == "done":
                yield "", item[1]
            else:
                yield render_progress(*item[1]), None
    except Stopped:
        if running.is_current(session, stop):
            yield html.about("Stopped."), None


def follow_look(
    running: RunningJobs, session: str | None, work: Callable[[Event], Any]
) -> Iterator[tuple[Any, Any, bool]]:
    """Do `work(stop)` as `follow_job` does, for what is answered at once almost always.

    Yields (what to say, the result or None, whether there is something to stop). In the first second nothing is said.
    """
    began = time.monotonic()
    for now, result in follow_job(running, session, lambda _, stop: work(stop)):
        passed = time.monotonic() - began
        if result is not None or isinstance(now, str):
            yield now, result, False
        elif passed > UNSAID_SECONDS:
            yield html.about(f"At work for {passed:.0f} s. Stop ends it."), None, True


def render_progress(what: str, done: int, whole: int) -> str:
    """Draw how much of a piece of work is done."""
    return html.progress_bar(done / whole if whole else 0.0) + html.about(f"{what}: {done:,} of {whole:,}")
