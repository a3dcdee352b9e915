"""Whether the caller of a request is still there: what nobody will read is not computed to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEFT: ContextVar[Event | None] = ContextVar("caller left", default=None)


def caller_left() -> Event:
    """Return what is set once the caller of the request that is being answered has left."""
    return _LEFT.get() or Event()


class CallerGuard:
    """Watches, once a request has been read, whether its client goes away before it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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

        token = _LEFT.set(left)
        try:
            await self.app(scope, receive_and_watch, send)
        finally:
            _LEFT.reset(token)
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
        return None
