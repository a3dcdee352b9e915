"""Calls by MCP: which of them is still waited for, and the client with which gradio's MCP server makes them here."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from threading import Event
from typing import TYPE_CHECKING, Any

from gradio_client import Client
from gradio_client.client import Job
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders

from hfdemo.api.callers import waited_for_until
from hfdemo.api.request_bodies import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_HEADER = "mcp-session-id"
LOOPBACK_KEY = "hfdemo.loopback"
"""Where a guard leaves the headers by which this server knows its own calls."""
JOINING_SECONDS = 10.0
_NO_STREAM = refuse(405, "This server sends nothing by itself. Send a POST; its answer is a stream of its own.")


class McpCall:
    """A tool that is being called, and the job that was made of it; `left` is set once nobody waits for its answer."""

    def __init__(self) -> None:
        self.left = Event()
        self.job: Job | None = None

    def cancel(self) -> None:
        """Cancel the job's event in the queue, as soon as it is there."""
        deadline = time.monotonic() + JOINING_SECONDS
        while self.job is not None and not self.job.done() and time.monotonic() < deadline:
            if self.job.communicator is not None and self.job.communicator.event_id is not None:
                self.job.cancel()
                return
            time.sleep(0.05)


_CALL: ContextVar[McpCall | None] = ContextVar("MCP call", default=None)


class LoopbackClient(Client):
    """The client of gradio's MCP server; the call of a tool knows what was joined to the queue for it."""

    def submit(self, *args: Any, **kwargs: Any) -> Job:
        job = super().submit(*args, **kwargs)
        call = _CALL.get()
        if call is not None:
            call.job = job
        return job


class McpGuard:
    """Ends the call of a tool whose client says that it is cancelled, or has gone.

    gradio's MCP server knows no sessions, and the ids of requests are unique within a client alone: so each client is
    given a session's id here that nobody can guess. There is nothing to follow by GET in such a session.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._calls: dict[tuple[str, str], McpCall] = {}  # on the event loop alone
        self._ending: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/gradio_api/mcp" not in scope["path"]:
            return await self.app(scope, receive, send)
        session = Headers(scope=scope).get(SESSION_HEADER, "")
        if scope["method"] == "GET" and session:
            return await _NO_STREAM(scope, receive, send)
        if scope["method"] != "POST":
            return await self.app(scope, receive, send)
        pending = [await receive()]  # the whole body: the guard of bodies has put it together
        told = _read_message(pending[0].get("body", b""))

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        if told.get("method") == "tools/call":
            return await self._follow_call((session, json.dumps(told.get("id"))), scope, replay, send)
        if told.get("method") == "notifications/cancelled" and isinstance(told.get("params"), dict):
            self._end(self._calls.get((session, json.dumps(told["params"].get("requestId")))))
        hand_out = told.get("method") == "initialize" and not session
        return await self.app(scope, replay, _hand_out_session(send) if hand_out else send)

    async def _follow_call(self, key: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Let a tool be called, and end that when its client goes; `key` is by what it may be cancelled meanwhile."""
        call = McpCall()
        if key[0]:
            self._calls[key] = call

        async def receive_and_note() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._end(call)
            return message

        await self._open_loopback(scope)
        token = _CALL.set(call)
        try:
            with waited_for_until(call.left):
                await self.app(scope, receive_and_note, send)
        finally:
            _CALL.reset(token)
            if self._calls.get(key) is call:
                del self._calls[key]

    def _end(self, call: McpCall | None) -> None:
        if call is not None and not call.left.is_set():
            call.left.set()
            ending = asyncio.create_task(run_in_threadpool(call.cancel))
            self._ending.add(ending)  # the loop itself keeps none
            ending.add_done_callback(self._ending.discard)

    async def _open_loopback(self, scope: Scope) -> None:
        """Give gradio's MCP server, which calls this one, a client whose calls can be ended.

        A call has the headers of who asked for it, too, so it is that visitor's.
        """
        server = scope["app"].get_blocks().mcp_server_obj
        async with self._opening:
            if server is not None and server._client_instance is None:
                headers = scope.get(LOOPBACK_KEY, {})
                server._client_instance = await run_in_threadpool(_make_client, server.local_url, headers)


def _make_client(url: str, headers: Mapping[str, str]) -> LoopbackClient:
    return LoopbackClient(
        url,
        download_files=False,
        verbose=False,
        analytics_enabled=False,
        ssl_verify=False,
        _skip_components=False,
        headers={"x-gradio-user": "mcp", **headers},
    )


def _read_message(body: bytes) -> dict[str, Any]:
    """Return a message of JSON-RPC; an empty one where it is something else, which the server behind this refuses."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hand_out_session(send: Send) -> Send:
    async def send_with_session(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message)[SESSION_HEADER] = secrets.token_urlsafe(32)
        await send(message)

    return send_with_session
