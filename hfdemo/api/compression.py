"""What is sent is compressed for whoever can read that: the document, its configuration, and answers in JSON.

gradio compresses what has the name of a file: scripts, style sheets, downloads. The document is none, and the largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# A tenth of the document is left in 8 ms; the highest level takes twice as long for 4 KB less.
LEVEL = 5


class AnswerCompression(GZipMiddleware):
    """Compresses answers whose path does not end like a file's; streams of events go out as they come."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "." in scope.get("path", ""):  # gradio's middleware goes by the same
            return await self.app(scope, receive, send)
        return await super().__call__(scope, receive, send)


def compression() -> Any:
    """Return the middleware, which has to stand before all that read or write answers."""
    return Middleware(AnswerCompression, compresslevel=LEVEL)
