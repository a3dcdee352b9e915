"""Pages that were closed: what gradio keeps of each, a megabyte for as long as the server lives, is forgotten."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HEARTBEAT = re.compile(r"/heartbeat/([^/]+)/?$")
RELEASE_SECONDS = 5.0


class SessionGuard:
    """Forgets a page some seconds after its last heartbeat ended: until then, it was perhaps the network alone."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app = app
        self.seconds = seconds
        self._beating: Counter[str] = Counter()  # on the event loop alone
        self._releasing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _HEARTBEAT.search(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            return await self.app(scope, receive, send)
        session = found[1]
        self._beating[session] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._beating[session] -= 1
            if self._beating[session] <= 0:
                del self._beating[session]
                asyncio.get_running_loop().call_later(self.seconds, self._forget, session, scope["app"])
        return None

    def _forget(self, session: str, app: Any) -> None:
        if session in self._beating:
            return
        holder = app.state_holder
        with holder.lock:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)
        queue = app.get_blocks()._queue
        if not queue.pending_event_ids_session.get(session):  # else something still answers there
            queue.pending_event_ids_session.pop(session, None)
            queue.pending_messages_per_session.pop(session, None)
        if self._releasing is None or self._releasing.done():
            self._releasing = asyncio.get_running_loop().create_task(_release_memory())


async def _release_memory() -> None:
    """Give memory back to the system, once for many pages that are closed at the same time."""
    await asyncio.sleep(RELEASE_SECONDS)
    await run_in_threadpool(gc.collect)
    if sys.platform == "linux":
        # glibc keeps what was freed for itself until it is asked; other C libraries have no such function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            await run_in_threadpool(trim, 0)
