"""Whether the caller of a request or an event is still there: what nobody will read is not computed to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from threading import Event
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from gradio import Progress

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEFT: ContextVar[Event | None] = ContextVar("caller left", default=None)


def caller_left() -> Event:
    """Return what is set once the caller of what is being answered has cancelled it or left."""
    return _LEFT.get() or Event()


def caller_progress(unit: str) -> Callable[[int, int], None]:
    """Return what tells the caller of a queued call, and nobody else, how many of all `unit` are done.

    An endpoint that uses it says so in its row, for gradio to send what it is told.
    """
    progress, context = Progress(), copy_context()
    return lambda done, total: context.copy().run(progress, (done, total), unit=unit)


@contextmanager
def waited_for_until(left: Event) -> Iterator[None]:
    """Answer somebody who waits until `left` is set."""
    token = _LEFT.set(left)
    try:
        yield
    finally:
        _LEFT.reset(token)


class QueuedCallers:
    """Who waits for the events of gradio's queue, which handles each in a task that no request belongs to."""

    def __init__(self) -> None:
        self._left: WeakKeyDictionary[Any, Event] = WeakKeyDictionary()  # on the event loop alone

    @contextmanager
    def answering(self, event: Any) -> Iterator[None]:
        """Answer `event`, one of the queue's, or none of it where that is None; gradio ends this where it is cancelled.

        A function that has begun goes on in its thread all the same.
        """
        if event is None:
            yield
            return
        left = self._left.setdefault(event, Event())
        try:
            with waited_for_until(left):
                yield
        except asyncio.CancelledError:
            left.set()
            raise

    def leave_unread(self) -> None:
        """Note that nobody waits any more for the events whose answers gradio has no stream for."""
        for event, left in self._left.items():
            if not event.alive:
                left.set()


class CallerGuard:
    """Watches, once a request has been read, whether its client goes away before it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_stream(scope):
            return await self._follow_stream(scope, receive, send)
        if scope["type"] != "http" or "/run/" not in scope["path"]:
            return await self.app(scope, receive, send)
        left = Event()
        watching: asyncio.Task[Message] | None = None

        async def watch() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                left.set()
            return message

        async def receive_and_watch() -> Message:
            nonlocal watching
            if watching is not None:
                return await asyncio.shield(watching)
            message = await receive()
            if not message.get("more_body", False):
                watching = asyncio.create_task(watch())
            return message

        try:
            with waited_for_until(left):
                await self.app(scope, receive_and_watch, send)
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
        return None

    async def _follow_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand out a stream of answers; when its client has closed it, gradio has marked the events that it was for."""
        try:
            await self.app(scope, receive, send)
        finally:
            scope["app"].get_blocks().callers.leave_unread()


def _is_stream(scope: Scope) -> bool:
    """Return whether the request is for the answers to events: of a page, or of one call."""
    path = scope["path"].rstrip("/")
    return scope["method"] == "GET" and (path.endswith("/queue/data") or "/call/" in path)
