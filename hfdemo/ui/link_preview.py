"""What others show of a link to the page: its title, a sentence and a picture, in place of gradio's own."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradio.route_utils import get_root_url
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from hfdemo.ui.appearance import ABOUT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TITLE = "hfdemo"
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "run-light.png"
PICTURE_PATH = "/preview.png"
# gradio's document has two sets of them, of which the first calls the page Gradio. Whoever shows links runs no script.
GRADIOS = re.compile(rb"""<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*""")


class LinkPreview:
    """Writes the page's own title, sentence and picture into the head of its document."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            return await self.app(scope, receive, send)
        start: Message | None = None
        document: list[bytes] = []

        async def send_with_preview(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                    start = message  # its length is not known yet
                    return
            elif start is not None:
                document.append(message.get("body", b""))
                if message.get("more_body", False):
                    return
                body = write_preview(b"".join(document), get_root_url(Request(scope), "/", None))
                MutableHeaders(scope=start)["Content-Length"] = str(len(body))
                message = {**message, "body": body}
                await send(start)
            await send(message)

        return await self.app(scope, receive, send_with_preview)


def write_preview(document: bytes, root: str) -> bytes:
    """Return gradio's document with the page's own preview; `root` is the address that the page is asked for at."""
    elements = "".join(
        f'<meta {attribute}="{name}" content="{escape(content)}">'
        for attribute, name, content in (
            ("name", "description", ABOUT),
            ("property", "og:type", "website"),
            ("property", "og:url", f"{root}/"),
            ("property", "og:title", TITLE),
            ("property", "og:description", ABOUT),
            ("property", "og:image", f"{root}{PICTURE_PATH}"),
            ("name", "twitter:card", "summary_large_image"),
        )
    )
    return GRADIOS.sub(b"", document).replace(b"<head>", b"<head>" + elements.encode(), 1)


def link_preview() -> Any:
    """Return the middleware."""
    return Middleware(LinkPreview)


def picture_route() -> Route:
    """Return the route of the picture."""
    return Route(PICTURE_PATH, lambda request: FileResponse(PICTURE, media_type="image/png"))
