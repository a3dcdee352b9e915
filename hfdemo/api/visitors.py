"""Who asks a shared server for the event that is being handled, and which files they sent or were given.

gradio handles an event in a task of its own, long after the request that asked for it. So `visitor_guard` writes who
asks into the request, and what handles the event takes it from there: see `handled_for`.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from hfdemo.errors import DemoError

NOBODY = "nobody"
"""The owner of nothing: who asks where no request is being handled."""
MOST_FILES = 200_000
NOT_YOURS = "This file was not uploaded here. Send it with `gradio_client.handle_file`."
SCOPE_KEY = "hfdemo.visitor"
USER_KEY = "hfdemo.user"
"""Who has signed in; "" where the server calls itself."""
_current: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


class FileGrants:
    """Which files in `folder`, which is gradio's, were sent by whom, or given to whom.

    Who has a file's path has not the file. The oldest of very many are forgotten, and so are all by a restart.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self._granted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = Lock()

    def add(self, owner: str, path: str) -> None:
        """Let `owner` have the file."""
        key = (owner, os.path.realpath(path))
        with self._lock:
            self._granted[key] = None
            self._granted.move_to_end(key)
            while len(self._granted) > MOST_FILES:
                self._granted.popitem(last=False)

    def holds(self, owner: str, path: str) -> bool:
        """Return whether `owner` may have the file; what lies elsewhere is for gradio to refuse."""
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):  # no path at all
            return False
        if os.path.commonpath([real, self.folder]) != self.folder:
            return True
        with self._lock:
            return (owner, real) in self._granted


@dataclass(frozen=True)
class Visitor:
    """Whoever asks: `owner` is what stands in the files of what is theirs, `files` is what everybody was given.

    `user` is the name with which they have signed in at this server; "" where nobody has to.
    """

    owner: str
    files: FileGrants
    user: str = ""

    def may_read(self, path: str) -> bool:
        """Return whether a file in gradio's folder was sent by this visitor, or given to them."""
        return self.files.holds(self.owner, path)

    def grant(self, path: str) -> None:
        """Give this visitor a file in gradio's folder."""
        self.files.add(self.owner, path)


def current_visitor() -> Visitor | None:
    """Return who asked for the event that is being handled; None on a server with one owner, and outside of events."""
    return _current.get()


@contextmanager
def handled_for(request: Any) -> Iterator[None]:
    """Handle what `request`, gradio's or starlette's, asks for: whoever sent it is the current visitor meanwhile."""
    scope = getattr(getattr(request, "request", request), "scope", None) or {}
    token = _current.set(scope.get(SCOPE_KEY))
    try:
        yield
    finally:
        _current.reset(token)


def check_files(values: Any) -> None:
    """Check that no file that a client names in the values of a call is somebody else's.

    Raises:
        DemoError: one is.
    """
    visitor = current_visitor()
    if visitor is not None and not all(map(visitor.may_read, list_files(values))):
        raise DemoError(NOT_YOURS)


def grant_files(values: Any) -> None:
    """Give the current visitor every file that an answer, as gradio sends it, names."""
    visitor = current_visitor()
    if visitor is not None:
        for path in list_files(values, only_marked=True):
            visitor.grant(path)


def grant_downloads(sent: list[Any], read: list[Any]) -> None:
    """Give the current visitor what gradio fetched for them where they `sent` addresses; `read` is what came of it."""
    visitor = current_visitor()
    for one, made in zip(sent, read, strict=False):
        if visitor is not None and any(path.startswith(("http://", "https://")) for path in list_files(one)):
            named = getattr(made, "path", made)
            for path in [named] if isinstance(named, str) else list_files(named):
                visitor.grant(path)


def list_files(value: Any, *, only_marked: bool = False) -> Iterator[str]:
    """Yield every path in plain JSON values that may name a file; `only_marked` those that gradio says are files.

    Texts of a visitor's data can be under a key called path, too.
    """
    if isinstance(value, dict):
        path, meta = value.get("path"), value.get("meta")
        is_marked = isinstance(meta, dict) and meta.get("_type") == "gradio.FileData"
        if isinstance(path, str) and (is_marked or not only_marked):
            yield path
        for item in value.values():
            yield from list_files(item, only_marked=only_marked)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from list_files(item, only_marked=only_marked)
