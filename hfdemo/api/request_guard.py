"""Who may talk to the server: of a local one, only the machine's own browser tabs that show this page, and programs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware

from hfdemo.api.request_bodies import refuse
from hfdemo.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class RequestGuard:
    """Refuses requests that another web page makes to a local server, whatever their route.

    Binding to the loopback address does not keep web pages out: one whose name resolves to 127.0.0.1 after it was
    loaded (DNS rebinding) has the browser's consent to read every answer. Such a request names that page's host, so a
    local server answers only where Host is an address, localhost, or in `allowed_hosts`; and where there is an
    Origin, it has to be this server's own, or in `allowed_hosts`.
    """

    def __init__(self, app: ASGIApp, *, local: bool, allowed_hosts: Sequence[str] = ()) -> None:
        self.app = app
        self.local = local
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        refused = self.explain_refusal(Headers(scope=scope)) if self.local else None
        if refused is not None:
            return await refuse(403, refused)(scope, receive, send)
        return await self.app(scope, receive, send)

    def explain_refusal(self, headers: Headers) -> str | None:
        """Return why a local server does not answer a request with these headers; None where it does."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_own(host):
            return (
                f"This is a local server, and it was asked for as {host[:200]!r}. Use http://localhost, or allow the "
                "name: HFDEMO_ALLOWED_HOSTS=name,name"
            )
        if origin is None:
            return None
        asking = _netloc_of(origin)
        if asking == host.lower() or _name_of(asking) in self.allowed_hosts:
            return None
        return (
            f"This is a local server, and the web page {origin[:200]!r} asked it for something. Only its own page "
            "may. To allow another: HFDEMO_ALLOWED_HOSTS=name,name"
        )

    def _is_own(self, host: str) -> bool:
        name = _name_of(host)
        return name == "localhost" or name.endswith(".localhost") or name in self.allowed_hosts or _is_address(name)


def _netloc_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as an IPv6 address that does not end
        return ""


def _name_of(netloc: str) -> str:
    """Return the host of "host:port", without the brackets of an IPv6 address; "" of what is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Return whether `name` is an IP address: nobody can make it resolve to another."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def request_guard(settings: Settings) -> Any:
    """Return the middleware for a server with `settings`."""
    return Middleware(RequestGuard, local=not settings.public, allowed_hosts=settings.allowed_hosts)
