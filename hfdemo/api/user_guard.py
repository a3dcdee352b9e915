"""Who is answered by a server with users: whoever has signed in, by a form or with each request, and nobody else."""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hfdemo.api.mcp_calls import LOOPBACK_KEY
from hfdemo.api.request_bodies import refuse
from hfdemo.api.sign_ins import SESSION_SECONDS, Sessions, SignIns, TooManyTries
from hfdemo.api.visitor_guard import KEY_FILE, is_from_another_page, read_key, write_cookie
from hfdemo.api.visitor_limits import find_address
from hfdemo.api.visitors import USER_KEY
from hfdemo.settings import Settings
from hfdemo.users import Users, read_users

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SERVER_HEADER = "x-hfdemo-server"
REALM = "hfdemo"
MOST_FORM_BYTES = 16 * 1024
WRONG = "The name or the password is wrong."
ASKED = (
    "This server answers its users alone. Sign in at /login, or send a name and a password with each request (HTTP "
    "Basic; gradio_client: auth=(name, password))."
)
SignInPage = Callable[[str, str, str], str]
"""Writes the form: what is to be said, where the form goes, and where its reader goes afterwards."""


class UserGuard:
    """Answers a request only where it says which user sends it, whatever it asks for.

    A program says so by HTTP Basic, a browser by a cookie that it gets for a form, `gradio_client` by either.
    """

    def __init__(self, app: ASGIApp, *, sign_ins: SignIns, page: SignInPage) -> None:
        self.app = app
        self.sign_ins = sign_ins
        self.page = page
        self._secret = secrets.token_hex(32)  # with which this server calls itself

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        asking = HTTPConnection(scope)
        route = _find_own_route(asking)
        if route == "login":
            return await (await self._answer_login(asking, receive))(scope, receive, send)
        try:
            user = await self._identify(asking)
        except TooManyTries as error:
            return await _refuse_tries(error)(scope, receive, send)
        if route == "logout":
            return await (await self._answer_logout(asking))(scope, receive, send)
        if user is None and not _is_start(asking):
            return await self._refuse(asking)(scope, receive, send)
        scope[USER_KEY] = user or ""
        scope[LOOPBACK_KEY] = {SERVER_HEADER: self._secret}
        return await self.app(scope, receive, send)

    async def _identify(self, asking: HTTPConnection) -> str | None:
        """Return the user who sends a request, "" for this server itself, None for nobody that is known.

        Raises:
            TooManyTries: a password is not looked at.
        """
        user = None
        if not is_from_another_page(asking):
            user = await self._identify_by_password(asking)
            user = user or self.sign_ins.sessions.read_token(self._find_token(asking))
        if user is None and hmac.compare_digest(asking.headers.get(SERVER_HEADER, "").encode(), self._secret.encode()):
            return ""
        return user

    def _find_token(self, asking: HTTPConnection) -> str:
        return asking.cookies.get(self.sign_ins.sessions.cookie, "")

    async def _identify_by_password(self, asking: HTTPConnection) -> str | None:
        name, colon, password = _read_basic(asking.headers.get("authorization", "")).partition(":")
        if colon and await self.sign_ins.check_password(name, password, find_address(asking.scope)):
            return name
        return None

    def _refuse(self, asking: HTTPConnection) -> Response:
        """Return the form for a person who opens an address, and a sentence for a program."""
        if asking.scope["type"] == "http" and asking.scope["method"] == "GET" and _is_read_by_a_person(asking):
            return self._write_form(asking, "", _write_target(asking))
        answer = refuse(401, ASKED)
        if not asking.headers.get("user-agent", "").startswith("Mozilla/"):  # a browser would ask for it by itself
            answer.headers["WWW-Authenticate"] = f'Basic realm="{REALM}", charset="UTF-8"'
        return answer

    def _write_form(self, asking: HTTPConnection, said: str, target: str, status: int = 401) -> Response:
        depth = asking.scope["path"].count("/") - 1
        page = self.page(said, f"{'../' * depth}login", target)
        return HTMLResponse(page, status, {"Cache-Control": "no-store"})

    async def _answer_login(self, asking: HTTPConnection, receive: Receive) -> Response:
        if asking.scope["method"] in ("GET", "HEAD"):
            return self._write_form(asking, "", "./", 200)
        if asking.scope["method"] != "POST":
            return refuse(405, "Send the name and the password of a user by POST.")
        form = await _read_form(receive)
        name, password, target = (form.get(key, "") for key in ("username", "password", "target"))
        is_person = _is_read_by_a_person(asking)
        try:
            if asking.headers.get("sec-fetch-site") == "cross-site":
                return refuse(403, "Another web page sent this form.")
            if not await self.sign_ins.check_password(name.strip(), password, find_address(asking.scope)):
                return self._write_form(asking, WRONG, target) if is_person else refuse(401, WRONG)
        except TooManyTries as error:
            return self._write_form(asking, str(error), target, 429) if is_person else _refuse_tries(error)
        answer: Response = JSONResponse({"success": True})
        if is_person:  # "./" in front of it, an address leads nowhere but here
            answer = RedirectResponse(f"./{target.removeprefix('./')}", 303)
        token = self.sign_ins.sessions.make_token(name.strip())
        answer.headers["Set-Cookie"] = write_cookie(self.sign_ins.sessions.cookie, token, asking, SESSION_SECONDS)
        return answer

    async def _answer_logout(self, asking: HTTPConnection) -> Response:
        if asking.headers.get("sec-fetch-site") == "cross-site":
            return refuse(403, "Another web page sent this request.")
        await run_in_threadpool(self.sign_ins.sessions.end, self._find_token(asking))
        answer = RedirectResponse("./login", 303)
        answer.headers["Set-Cookie"] = write_cookie(self.sign_ins.sessions.cookie, "", asking, 0)
        return answer


def _find_own_route(asking: HTTPConnection) -> str:
    """Return "login" or "logout" where one of these two addresses is asked for, "" elsewhere."""
    folder, _, name = asking.scope["path"].rstrip("/").rpartition("/")
    is_own = asking.scope["type"] == "http" and name in ("login", "logout") and "gradio_api" not in folder
    return name if is_own else ""


def _is_start(asking: HTTPConnection) -> bool:
    """Return whether gradio may be asking for its own start, which it does once without saying who it is.

    It says that it has been launched by setting whether it is monitored. All that there is to learn is that it starts.
    """
    is_asked = asking.scope["path"] == "/gradio_api/startup-events"
    return is_asked and asking.scope["app"].get_blocks().enable_monitoring is None


def _is_read_by_a_person(asking: HTTPConnection) -> bool:
    return "text/html" in asking.headers.get("accept", "")


def _read_basic(header: str) -> str:
    """Return "name:password" of an Authorization header; "" where it is of another kind, or can't be read."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def _write_target(asking: HTTPConnection) -> str:
    """Return the address that is asked for as one that leads there from the form's."""
    path, query = asking.scope["path"].lstrip("/"), asking.scope.get("query_string", b"").decode("latin-1")
    return f"./{quote(path)}{f'?{query}' if query else ''}"


async def _read_form(receive: Receive) -> dict[str, str]:
    """Return the fields of a form, the first of each name; none where it is larger than any of this server's."""
    body, more = bytearray(), True
    while more and len(body) <= MOST_FORM_BYTES:
        message = await receive()
        body.extend(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    if len(body) > MOST_FORM_BYTES:
        return {}
    return {name: found[0] for name, found in parse_qs(body.decode("latin-1")).items()}


def _refuse_tries(error: TooManyTries) -> Response:
    answer = refuse(429, str(error))
    answer.headers["Retry-After"] = f"{error.seconds:.0f}"
    return answer


def make_sign_ins(settings: Settings, users: Users) -> SignIns:
    """Return what knows the users of a server with `settings`."""
    return SignIns(users, Sessions(users, read_key(settings.home / KEY_FILE), settings.home))


def user_guards(settings: Settings, page: SignInPage) -> list[Any]:
    """Return the middleware that asks who sends a request; none where `settings` name no users.

    Raises:
        ValueError: the file of users can't be read.
    """
    if settings.auth is None:
        return []
    return [Middleware(UserGuard, sign_ins=make_sign_ins(settings, read_users(settings.auth)), page=page)]
