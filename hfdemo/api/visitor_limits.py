"""How much one visitor, and all together, may ask of a server: calls in flight, uploads a minute, bytes on its disk."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware

from hfdemo.api.request_bodies import refuse
from hfdemo.api.sessions import SessionGuard
from hfdemo.api.visitors import SCOPE_KEY
from hfdemo.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Many people can have one address: a school, a company.
PEOPLE_PER_ADDRESS = 8
ABANDONED_SECONDS = 3600  # after which a file that was never received whole is removed
SWEEP_SECONDS = 60
MINUTE = 60.0
LEAST_BYTES = 16 * 1024
# Routes of gradio that write to the disk and that nothing here needs: a page's state as a link, and a recorded screen,
# which a program is run on that reads a hundred formats.
_UNCOUNTED = re.compile(r"/(deep_link|process_recording)/?$")
STREAMS_PER_CALL = 4  # each page has two streams open, and no call while nobody does anything


def list_callers(scope: Mapping[str, Any]) -> dict[str, int]:
    """Return who sends a request, as keys with how many people each may stand for: the visitor, and the address.

    Whoever sends no cookie is a new visitor with each request, so that the address counts as well.
    """
    visitor = scope.get(SCOPE_KEY)
    address = f"address {find_address(scope)}"
    return {address: 1} if visitor is None else {visitor.owner: 1, address: PEOPLE_PER_ADDRESS}


def find_address(scope: Mapping[str, Any]) -> str:
    """Return the address of the client; behind a proxy, what that says."""
    client = (scope.get("client") or ("",))[0]
    said = Headers(raw=list(scope.get("headers") or ())).get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        return said if said and ipaddress.ip_address(client).is_private else client
    except ValueError:
        return client


class CallGuard:
    """Refuses a call of whoever has as many in flight as one may have, waiting ones among them."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self.most = most
        self._open: dict[str, Counter[str]] = {"direct": Counter(), "stream": Counter()}  # on the event loop alone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = _kind_of_call(scope)
        if not kind:
            return await self.app(scope, receive, send)
        callers, most = list_callers(scope), self.most * (STREAMS_PER_CALL if kind == "stream" else 1)
        found = Counter(self._open["stream" if kind == "stream" else "direct"])
        if kind != "stream":
            found.update(key for event in _list_events(scope) for key in list_callers(event.request.scope))
        for key, people in callers.items():
            if found[key] >= most * people:
                what = "open pages or streams" if kind == "stream" else "calls in flight"
                return await refuse(429, f"You have {found[key]} {what}, and that is the most. Wait for one to end.")(
                    scope, receive, send
                )
        if kind == "queued":  # counted there from now on
            return await self.app(scope, receive, send)
        self._open[kind].update(callers.keys())
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[kind].subtract(callers.keys())
            self._open[kind] += Counter()  # without those that have none
        return None


def _kind_of_call(scope: Scope) -> str:
    if scope["type"] != "http":
        return ""
    path = scope["path"]
    if scope["method"] == "GET":
        return "stream" if "/heartbeat/" in path or path.rstrip("/").endswith("/queue/data") else ""
    if path.rstrip("/").endswith("/queue/join") or "/call/" in path:
        return "queued"
    return "direct" if "/run/" in path or "/api/" in path else ""


def _list_events(scope: Scope) -> Iterator[Any]:
    """List the events in gradio's queue, those that wait and those that are being handled."""
    queue = scope["app"].get_blocks()._queue
    for waiting in list(queue.event_queue_per_concurrency_id.values()):
        yield from (event for event in list(waiting.queue) if event.request is not None)
    for job in list(queue.active_jobs):
        yield from (event for event in job or () if event.request is not None)


@dataclass
class UploadLedger:
    """Which files there are in gradio's folder, whose they are, and when each of them sent something."""

    settings: Settings
    _files: dict[str, dict[str, int]] = field(default_factory=dict)
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _coming: Counter[str] = field(default_factory=Counter)
    _total: int = 0
    _swept: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def find_refusal(self, callers: Mapping[str, int], size: int) -> tuple[int, str] | None:
        """Return status and sentence where `callers` may not send `size` more bytes; else note that they come."""
        settings, now = self.settings, time.monotonic()
        with self._lock:
            for key, people in callers.items():
                times = self._times.setdefault(key, deque())
                while times and times[0] < now - MINUTE:
                    times.popleft()
                if len(times) >= settings.uploads_per_minute * people:
                    return 429, (
                        f"You have sent {len(times)} files within a minute, and that is the most. Wait a little."
                    )
                kept = self._files.setdefault(key, {})
                for path in [path for path in kept if not os.path.exists(path)]:  # noqa: PTH110 (thousands of them)
                    del kept[path]
                if sum(kept.values()) + self._coming[key] + size > settings.visitor_upload_bytes * people:
                    most, hours = _write_size(settings.visitor_upload_bytes), settings.upload_seconds / 3600
                    return 413, (
                        f"With this your uploads would take more than {most}, and that is the most. They are removed "
                        f"{hours:g} hours after they came."
                    )
            if self._total + self._coming.total() // max(1, len(callers)) + size > settings.upload_bytes:
                return 507, (
                    f"The uploads of all visitors take {_write_size(self._total)}, and there is no room for more. Come "
                    "back later."
                )
            for key in callers:
                self._times[key].append(now)
                self._coming[key] += size
        return None

    def settle(self, callers: Mapping[str, int], size: int, paths: list[str]) -> None:
        """Note what became of bytes that came: the files at `paths`, the same again being the same file."""
        with self._lock:
            for key in callers:
                self._coming[key] -= size
                for path in paths:
                    if path not in self._files.setdefault(key, {}) and Path(path).exists():
                        self._files[key][path] = found = count_file(Path(path).stat().st_size)
                        self._total += found // len(callers)
            self._coming += Counter()

    def sweep(self, kept: set[str]) -> None:
        """Remove what is too old, and count what is left; not what gradio `kept` for its components."""
        with self._lock:
            if time.monotonic() < self._swept + SWEEP_SECONDS:
                return
            self._swept = time.monotonic()
        total = sweep_folder(self.settings.upload_folder, self.settings.upload_seconds, kept)
        with self._lock:
            self._total, recent = total, time.monotonic() - MINUTE
            self._files = {key: files for key, files in self._files.items() if any(map(os.path.exists, files))}
            self._times = {key: times for key, times in self._times.items() if times and times[-1] > recent}


def count_file(size: int) -> int:
    """Count what a file of `size` bytes takes: a folder of its own and an entry here, however small it is."""
    return max(size, LEAST_BYTES)


def sweep_folder(folder: Path, seconds: float, kept: set[str]) -> int:
    """Remove files older than that from gradio's folder, and folders without any; return the bytes that are left.

    gradio removes those that it remembers, which is nothing of before it was started. A file of its own that was never
    received whole has no folder.
    """
    total, now = 0, time.time()
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(parent) / name
            try:
                found = path.stat()
                age = now - max(found.st_mtime, found.st_ctime)
                limit = min(seconds, ABANDONED_SECONDS) if Path(parent) == folder else seconds
                if age > limit and str(path) not in kept:
                    path.unlink()
                else:
                    total += count_file(found.st_size)
            except OSError:  # somebody else was faster
                continue
        if not folders and not files and Path(parent) != folder:
            _remove_empty(Path(parent))
    return total


def _remove_empty(folder: Path) -> None:
    try:
        if time.time() - folder.stat().st_mtime > MINUTE:  # else something is about to come into it
            folder.rmdir()
    except OSError:
        return


class UploadGuard:
    """Counts what is uploaded, refuses what is too much, and leaves nothing of what did not come whole.

    On a shared server nothing comes to the disk by another route.
    """

    def __init__(self, app: ASGIApp, *, ledger: UploadLedger) -> None:
        self.app = app
        self.ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.ledger.settings.is_shared and _UNCOUNTED.search(scope["path"]):
            return await refuse(404, "A shared server keeps neither pages nor recordings.")(scope, receive, send)
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].rstrip("/").endswith("/upload"):
            return await self.app(scope, receive, send)
        blocks = scope["app"].get_blocks()
        kept = {str(path) for block in list(blocks.blocks.values()) for path in getattr(block, "keep_in_cache", ())}
        await run_in_threadpool(self.ledger.sweep, kept)
        callers = list_callers(scope)
        said = Headers(scope=scope).get("content-length", "")
        # What says no size may send as much as the largest file has.
        size = int(said) if said.isdigit() else self.ledger.settings.max_upload_bytes
        refusal = self.ledger.find_refusal(callers, size)
        if refusal is not None:
            return await refuse(*refusal)(scope, receive, send)
        body, came = bytearray(), 0

        async def receive_some() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.disconnect":  # gradio removes what it has of a body that it can't read
                raise MultiPartException("The client has left.")
            came += len(message.get("body", b""))
            if came > size:
                raise MultiPartException("File size exceeded maximum allowed size of a request.")
            return message

        async def send_and_read(message: Message) -> None:
            if message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive_some, send_and_read)
        finally:
            self.ledger.settle(callers, size, _read_paths(bytes(body)))
        return None


def _read_paths(body: bytes) -> list[str]:
    try:
        found = json.loads(body)
    except ValueError:
        return []
    return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []


def _write_size(size: int) -> str:
    return f"{size / 1024**3:.1f} GB" if size >= 1024**3 else f"{size / 1024**2:.0f} MB"


def visitor_limits(settings: Settings) -> list[Any]:
    """Return the middleware that bounds what visitors ask for; who they are has to be known before it."""
    return [
        Middleware(SessionGuard, seconds=settings.session_seconds),
        Middleware(CallGuard, most=settings.calls_in_flight),
        Middleware(UploadGuard, ledger=UploadLedger(settings)),
    ]
