"""Work in a thread that whoever listens can follow, and that ends when nobody listens any more."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

HEARTBEAT_SECONDS = 0.25
# Every item is a message to a page, and a slow device takes up to a quarter of a second to show one. So nobody gets
# news faster than they can be read, and the longer something takes, the less often it is told how far it is.
LEAST_SECONDS, MOST_SECONDS, SHARE_OF_TIME = 0.2, 1.0, 0.04


def run_in_background(work: Callable[[Callable[[Any], None]], Any], stop: Event) -> Iterator[Any]:
    """Do `work(tell)` in a thread: yields the newest of what it tells, and its result as the last item.

    While nothing is new, None comes every quarter of a second, so that a listener gets the chance to leave. Closing
    this generator sets `stop` and waits until the work, which has to look at it, has ended.

    Raises:
        BaseException: whatever `work` raised.
    """
    news: SimpleQueue[Any] = SimpleQueue()
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work(news.put))
        except BaseException as error:
            future.set_exception(error)
        news.put(None)

    # The copied context carries gradio's progress bar into the thread.
    thread = Thread(target=contextvars.copy_context().run, args=(run,), daemon=True, name="hfdemo background")
    began = time.monotonic()
    thread.start()
    try:
        while not future.done():
            found = _take_newest(news)
            yield found
            if found is not None:
                passed = time.monotonic() - began
                wait([future], min(max(LEAST_SECONDS, SHARE_OF_TIME * passed), MOST_SECONDS))
    finally:
        if not future.done():
            stop.set()
        thread.join()
    yield future.result()


def _take_newest(news: SimpleQueue[Any]) -> Any:
    """Take the latest of what has come: older states of the same thing are of no use."""
    found = None
    with contextlib.suppress(Empty):
        found = news.get(timeout=HEARTBEAT_SECONDS)
        while True:
            found = news.get_nowait() or found
    return found
