"""What clients send, read once before gradio does: what no call can be is refused with a sentence."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NoReturn

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from hfdemo.api.argument_types import check_texts
from hfdemo.api.callers import CallerGuard
from hfdemo.api.error_boundary import describe_error
from hfdemo.errors import DemoError, first_sentence

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 32 * 1024**2  # files come by another way
MOST_DEPTH = 100  # gradio and pydantic go into values by recursion
LONGEST_SESSION = 128


class BodyGuard:
    """Refuses bodies that are too large, and of those called JSON what is none, is too deep, or has NaN or broken text.

    gradio reads a body whole, whatever it is called; files come by a route of their own. Python reads NaN and Infinity,
    which are no JSON, and gradio fails where it has to write them back. The values of a call (`data`) may hold lone
    surrogates: their endpoint knows better what they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(raw=list(scope.get("headers") or ()))
        has_body = "content-length" in headers or "transfer-encoding" in headers
        if scope["type"] != "http" or not has_body or scope["path"].rstrip("/").endswith("/upload"):
            return await self.app(scope, receive, send)
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has left
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
            if size > MOST_BYTES:
                sentence = f"This request is larger than {MOST_BYTES // 1024**2} MiB. Send large data as a file."
                return await refuse(413, sentence)(scope, receive, send)
        body = b"".join(chunks)
        refusal = find_refusal(body) if _is_json(headers.get("content-type", "")) else None
        if refusal is not None:
            return await refuse(400, refusal)(scope, receive, send)
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return await self.app(scope, replay, send)


class FailureGuard:
    """Ends what a route of gradio raised as an answer: a sentence, or the end of a stream that has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http":
                raise
            # gradio raises this within a stream of events whose session it does not know, after it has said so.
            is_refusal = isinstance(error, HTTPException) or isinstance(error.__cause__, HTTPException)
            sentence = str(error) if is_refusal else describe_error(error, scope["path"])
            if begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await refuse(500, sentence)(scope, receive, send)


def body_guards() -> list[Any]:
    """Return the middleware, the outer one first."""
    return [Middleware(FailureGuard), Middleware(BodyGuard), Middleware(CallerGuard)]


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def find_refusal(body: bytes) -> str | None:
    """Return why `body` is no JSON that can be read, written again and gone into; None where it is, or is empty."""
    try:
        if body:
            _check_body(body)
    except DemoError as error:
        return str(error)
    return None


def _check_body(body: bytes) -> None:
    try:
        found = json.loads(body, parse_constant=_refuse_constant, parse_float=_parse_float)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise DemoError(f"This request is not JSON: {error!s:.200}.") from error
    _check_depth(found)
    if isinstance(found, dict):
        _check_session(found.get("session_hash"))
        check_texts("The request", {key: value for key, value in found.items() if key != "data"})
    else:
        check_texts("The request", found)


def _refuse_constant(text: str) -> NoReturn:
    raise DemoError(f"This request holds {text}, which is no number in JSON. Send null, or leave it out.")


def _parse_float(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise DemoError(f"This request holds the number {text:.40}, which is too large.")
    return number


def _check_session(session: Any) -> None:
    """Refuse a session that gradio would take for none, or keep for long although nobody can have been given it."""
    if isinstance(session, str) and not 0 < len(session) <= LONGEST_SESSION:
        raise DemoError(f"session_hash must be a text of 1 to {LONGEST_SESSION} characters. Leave it out for none.")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> DemoError:
    return DemoError(f"This request holds lists or objects in each other more than {MOST_DEPTH} deep. Make it flatter.")


# --- What gradio's own routes raise at a request that fits none of them. ---


def refuse(status: int, sentence: str) -> JSONResponse:
    """Return the answer to a request that can't be one, for all who read one of gradio's two ways to say it."""
    return JSONResponse({"error": sentence, "detail": sentence}, status)


async def _refuse_shape(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong without what was sent: that may be no JSON."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
    return refuse(422, f"This request has not the right form. {'; '.join(problems)}.")


async def _refuse_arguments(request: Request, error: Exception) -> JSONResponse:
    """Say which named arguments are missing or unknown; gradio has no error of its own for that."""
    if "/call/v2/" not in request.url.path:
        raise error
    return refuse(422, f"These arguments do not fit. {first_sentence(error)}")


async def _refuse_name(request: Request, error: Exception) -> JSONResponse:
    logging.getLogger(__name__).warning("%s asks for what is not there: %r", request.url.path[:200], error)
    return refuse(404, "There is no such endpoint or component here. GET /gradio_api/info lists the endpoints.")


EXCEPTION_HANDLERS: dict[type[Exception], Any] = {
    RequestValidationError: _refuse_shape,
    TypeError: _refuse_arguments,
    FnIndexInferError: _refuse_name,
    KeyError: _refuse_name,  # how gradio looks up functions and components by number
}
