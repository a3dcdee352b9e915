"""What the page may load, run and send to in a browser: this server's own, and of inline scripts those that are named.

Whatever a text, a label or a file name may one day become in the page, a script of it does not run, and nothing that it
names is loaded from elsewhere.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware

from hfdemo.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A Space stands in a frame of the Hub's own page.
SPACE_FRAMES = "https://huggingface.co https://*.huggingface.co"

# gradio makes functions of the templates of gr.HTML and of what events do in the browser ('unsafe-eval'); styles are
# attributes of what is drawn ('unsafe-inline'); gradio's document has a base of its own, "./".
DIRECTIVES = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-eval'",
    "script-src-attr": "'none'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}

# What is no document has this one, should somebody open it by itself. gradio's worker for videos imports what the page
# has loaded and compiled for it.
OTHERS = "default-src 'self' blob: 'wasm-unsafe-eval'"

INLINE_SCRIPT = re.compile(rb"<script\b(?![^>]*\bsrc=)[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)


class ContentPolicy:
    """Sends the policy with each document, the hashes of the scripts that stand in it included.

    What is no document gets a stricter one, and is never taken for a script that it is not called.

    `scripts` are those that gradio writes into the page later. What stands in gradio's document is gradio's own: its
    configuration is JSON in which no `<` is left, and nothing else of it depends on who asks.
    """

    def __init__(self, app: ASGIApp, *, scripts: Iterable[str] = (), frames: str = "") -> None:
        self.app = app
        self.frames = f"frame-ancestors 'self' {frames}".strip()
        self.scripts = [hash_script(script.encode()) for script in scripts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start: Message | None = None
        document: list[bytes] = []

        async def send_with_policy(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                    start = message  # its scripts are not known yet
                    return
                write_policy(message, f"{OTHERS}; {self.frames}")
            elif start is not None:
                document.append(message.get("body", b""))
                if message.get("more_body", False):
                    return
                message = {**message, "body": b"".join(document)}
                write_policy(start, self._policy_of(message["body"]))
                await send(start)
            await send(message)

        return await self.app(scope, receive, send_with_policy)

    def _policy_of(self, document: bytes) -> str:
        found = map(hash_script, INLINE_SCRIPT.findall(document))
        allowed = " ".join((DIRECTIVES["script-src"], *self.scripts, *found))
        return "; ".join(
            [*(f"{name} {value}" for name, value in {**DIRECTIVES, "script-src": allowed}.items()), self.frames]
        )


def write_policy(start: Message, policy: str) -> None:
    """Write the policy into the beginning of an answer."""
    headers = MutableHeaders(scope=start)
    headers["Content-Security-Policy"] = policy
    headers["X-Content-Type-Options"] = "nosniff"


def hash_script(script: bytes) -> str:
    """Return the source of a policy that allows the inline script with exactly this text."""
    return f"'sha256-{b64encode(sha256(script).digest()).decode()}'"


def content_policy(settings: Settings, scripts: Iterable[str]) -> Any:
    """Return the middleware for a server with `settings`, whose page runs the inline `scripts`."""
    return Middleware(ContentPolicy, scripts=tuple(scripts), frames=SPACE_FRAMES if settings.public else "")
