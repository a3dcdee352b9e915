"""Long work of a view: its progress while it lasts, its result at the end, or that it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.background import in_background
from hfdemo.errors import Stopped
from hfdemo.models.hub import Progress
from hfdemo.ui import html
from hfdemo.ui.running import Running


def followed(
    running: Running, session: str | None, work: Callable[[Progress, Event], Any]
) -> Iterator[tuple[Any, Any]]:
    """Do `work(tell, stop)` and yield (what to say of it, None) again and again, at last ("", its result).

    `tell` takes what is going on, how much is done and of how much. Whatever the page still had going on is stopped; a
    newer piece of work, or Stop, ends this one without a result.
    """
    stop = running.begin(session)

    def tell_in_full(tell: Callable[[Any], None]) -> Any:
        return "done", work(lambda *state: tell(("so far", state)), stop)

    try:
        for item in in_background(tell_in_full, stop):
            if item is None:
                yield gr.skip(), None
            elif item[0] == "done":
                yield "", item[1]
            else:
                yield progress(*item[1]), None
    except Stopped:
        if running.current(session, stop):
            yield html.about("Stopped."), None


def progress(what: str, done: int, whole: int) -> str:
    return html.bar(done / whole if whole else 0.0) + html.about(f"{what}: {done:,} of {whole:,}")
