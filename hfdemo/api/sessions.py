"""What gradio keeps of each page: what is the same for all is made once, and of a closed page all is forgotten."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from gradio.blocks import BlocksConfig
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HEARTBEAT = re.compile(r"/heartbeat/([^/]+)/?$")
RELEASE_SECONDS = 5.0


class SharedConfig(BlocksConfig):
    """The components and functions of the page; what a browser is told of a component is worked out once for all pages.

    gradio does it for each page, and for each call that belongs to none: of a page of this size a tenth of a second in
    which nobody else is answered.
    """

    def __init__(self, before: BlocksConfig) -> None:
        self.__dict__.update(BlocksConfig.__copy__(before).__dict__)
        self._described: dict[int, tuple[Any, dict[str, Any]]] = getattr(before, "_described", {})

    def __copy__(self) -> SharedConfig:
        return SharedConfig(self)

    def config_for_block(self, _id: int, rendered_ids: list[int], block: Any, renderable: Any = None) -> dict[str, Any]:
        """Return what a browser is told of a component; of one that is the whole server's, a copy of what is known."""
        if renderable is not None or not self.root_block.is_running or self.root_block.blocks.get(_id) is not block:
            return dict(BlocksConfig.config_for_block(_id, rendered_ids, block, renderable))
        if _id not in self._described or self._described[_id][0] is not block:
            self._described[_id] = block, BlocksConfig.config_for_block(_id, rendered_ids, block)
        known = self._described[_id][1]
        return {**known, "props": dict(known["props"])}  # a page writes the values that it has into its own


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
