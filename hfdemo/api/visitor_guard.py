"""Knows a shared server's visitors by a signed cookie or header, and keeps each from the files of the others."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from hfdemo.api.request_bodies import refuse
from hfdemo.api.visitors import NOBODY, SCOPE_KEY, USER_KEY, FileGrants, Visitor
from hfdemo.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hfdemo_visitor"
HEADER = "X-Hfdemo-Visitor"
KEY_FILE = "visitors.key"
KEPT_SECONDS = 30 * 24 * 3600
_STATIC = ("/assets/", "/static/", "/svelte/")  # what caches on the way may give to others
_FILE_ROUTE = re.compile(r"/file[=/](.*)", re.DOTALL)


class Signatures:
    """Signs the random ids of visitors with a key that only this server has, and that outlives it."""

    def __init__(self, settings: Settings) -> None:
        self._key = read_key(settings.home / KEY_FILE)

    def make_token(self) -> str:
        """Return the token of a new visitor: 128 random bits and their signature."""
        name = secrets.token_hex(16)
        return f"{name}.{self._sign(name)}"

    def read_token(self, token: str) -> str | None:
        """Return the owner that a token stands for; None where it was not made here."""
        name, _, signature = token.partition(".")
        is_genuine = hmac.compare_digest(signature.encode(), self._sign(name).encode())
        return f"visitor-{name}" if is_genuine else None

    def _sign(self, name: str) -> str:
        return hmac.new(self._key, f"visitor {name}".encode(), hashlib.sha256).hexdigest()


def read_key(path: Path) -> bytes:
    """Read the key in `path`, made when it is first asked for; nobody but this user may read it."""
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()


class VisitorGuard:
    """Writes into each request who sent it, and gives who is new a cookie to come back with."""

    def __init__(self, app: ASGIApp, *, signatures: Signatures, files: FileGrants) -> None:
        self.app = app
        self.signatures = signatures
        self.files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        asking = HTTPConnection(scope)
        owner, token = self._identify(asking), ""
        if owner is None:
            token = self.signatures.make_token()
            owner = self.signatures.read_token(token)
        visitor = scope[SCOPE_KEY] = Visitor(str(owner), self.files, scope.get(USER_KEY, ""))
        asked = _FILE_ROUTE.search(scope["path"])
        if asked is not None and not visitor.may_read(asked[1]):
            return await refuse(403, "There is no such file of yours here.")(scope, receive, send)
        is_remembered = bool(token) and _is_from_here(asking) and not scope["path"].startswith(_STATIC)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and is_remembered:
                headers = MutableHeaders(scope=message)
                headers.append("Set-Cookie", write_cookie(COOKIE, token, asking, KEPT_SECONDS))
                headers.setdefault("Cache-Control", "private")
            await send(message)

        if scope["path"].rstrip("/").endswith("/upload"):
            return await self.app(scope, receive, _grant_uploads(visitor, send_with_cookie))
        return await self.app(scope, receive, send_with_cookie)

    def _identify(self, asking: HTTPConnection) -> str | None:
        """Return the owner that a request speaks for: who is signed in, else whose token its header or cookie holds."""
        user = asking.scope.get(USER_KEY)
        if user is not None:
            return f"user-{user}" if user else NOBODY
        token, is_from_here = asking.headers.get(HEADER), _is_from_here(asking)
        signed_in = _find_hub_user(asking) if is_from_here else None
        if signed_in is not None:
            return signed_in
        if token is None and is_from_here:
            token = asking.cookies.get(COOKIE)
        return self.signatures.read_token(token) if token else None


def _grant_uploads(visitor: Visitor, send: Send) -> Send:
    """Return `send` of gradio's answer to an upload: before a list of paths is sent, those files are the visitor's."""
    body = bytearray()

    async def send_and_grant(message: Message) -> None:
        if message["type"] == "http.response.body":
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                for path in _read_paths(bytes(body)):
                    visitor.grant(path)
        await send(message)

    return send_and_grant


def _read_paths(body: bytes) -> list[str]:
    try:
        found = json.loads(body)
    except ValueError:
        return []
    return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []


def _find_hub_user(asking: HTTPConnection) -> str | None:
    """Return the owner that is signed in with the Hub, where gradio keeps that in its session until it expires."""
    info = (asking.scope.get("session") or {}).get("oauth_info") or {}
    subject = (info.get("userinfo") or {}).get("sub")
    is_over = (info.get("expires_at") or float("inf")) < time.time()
    return f"hub-{subject}" if subject and not is_over else None


def _is_from_here(asking: HTTPConnection) -> bool:
    """Return whether a cookie speaks for its visitor: not where another page, or gradio's MCP server, sends it.

    The MCP server calls this server for all its clients with one cookie.
    """
    return asking.headers.get("x-gradio-user") != "mcp" and not is_from_another_page(asking)


def is_from_another_page(asking: HTTPConnection) -> bool:
    """Return whether another web page sends a request, and not only opens an address of this server."""
    is_opened = asking.scope.get("method") == "GET" and asking.headers.get("sec-fetch-mode") == "navigate"
    return asking.headers.get("sec-fetch-site") == "cross-site" and not is_opened


def write_cookie(name: str, value: str, asking: HTTPConnection, seconds: int) -> str:
    """Return the header of a cookie that scripts can't read and other sites can't send; on a Space, in its frame."""
    cookie = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly"
    is_secure = "https" in (asking.scope["scheme"], asking.headers.get("x-forwarded-proto"))
    if is_secure and asking.headers.get("sec-fetch-dest") == "iframe":
        return f"{cookie}; Secure; SameSite=None; Partitioned"  # a Space in the frame of the Hub's page
    return f"{cookie}; SameSite=Lax" + ("; Secure" if is_secure else "")


def visitor_guards(settings: Settings) -> list[Any]:
    """Return the middleware that a server with `settings` needs to know its visitors; none where it has one owner."""
    if not settings.is_shared:
        return []
    return [Middleware(VisitorGuard, signatures=Signatures(settings), files=FileGrants(settings.upload_folder))]
