"""The Hub as a sign-in sees it: an OpenID provider on this machine, and browsers that sign in with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET, SPACE_HOST = "hfdemo-space", "the secret of the Space", "someone-space.hf.space"


class Provider:
    """Says who somebody is to a Space that sends them here: whoever the code of the answer names."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048)
        self.nonces: dict[str, str] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a Space with `hf_oauth: true` finds in its environment."""
        return {
            "SYSTEM": "spaces",
            "SPACE_ID": "someone/space",
            "SPACE_HOST": SPACE_HOST,
            "OAUTH_CLIENT_ID": CLIENT,
            "OAUTH_CLIENT_SECRET": SECRET,
            "OAUTH_SCOPES": "openid profile",
            "OPENID_PROVIDER_URL": self.url,
        }

    def authorize(self, address: str, user: str) -> str:
        """Answer the address to which a Space sent a browser as `user` who agrees; return where it goes next."""
        asked = {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        self.nonces[user] = asked["nonce"]
        return f"{asked['redirect_uri']}&code={user}&state={asked['state']}"

    def describe(self, user: str) -> dict[str, Any]:
        return {
            "sub": f"id-of-{user}",
            "name": user.title(),
            "preferred_username": user,
            "profile": f"https://huggingface.co/{user}",
            "picture": "",
        }

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            named = {name: f"{self.url}/{path}" for name, path in paths.items()}
            return {"issuer": self.url, **named, "id_token_signing_alg_values_supported": ["RS256"]}
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        assert path == "/token"
        user, now = form["code"], int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 3600, "nonce": self.nonces[user]}
        token = jwt.encode({"alg": "RS256"}, {**claims, **self.describe(user)}, self.key)
        return {"access_token": "x", "token_type": "bearer", "expires_in": 3600, "id_token": token}

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                form = {name: found[0] for name, found in parse_qs(body).items()}
                said = json.dumps(provider.answer(urlsplit(self.path).path, form)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def hub() -> Iterator[Provider]:
    """A provider that answers."""
    provider = Provider()
    thread = Thread(target=provider.server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join()


class HubBrowser:
    """A browser at a Space; it sends all of its cookies, also those that are for HTTPS alone."""

    def __init__(self, url: str, provider: Provider) -> None:
        self.url = url
        self.provider = provider
        self.cookies: dict[str, str] = {}
        self.get("/config")

    def get(self, path: str) -> Any:
        headers = {"X-Forwarded-Proto": "https", "Sec-Fetch-Mode": "navigate"}
        answer = httpx.get(f"{self.url}{path}", cookies=self.cookies, headers=headers, timeout=60)
        for said in answer.headers.get_list("set-cookie"):
            name, _, value = said.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def sign_in(self, user: str) -> Any:
        """Sign in with the Hub, and return the answer that the browser ends with."""
        sent = self.get("/login/huggingface?_target_url=/")
        assert sent.headers["location"].startswith(self.provider.url)
        back = self.provider.authorize(sent.headers["location"], user)
        assert back.startswith(f"https://{SPACE_HOST}/login/callback?")
        return self.get(back.removeprefix(f"https://{SPACE_HOST}"))

    def call(self, name: str, *values: Any, **headers: str) -> Any:
        """Return the answer of an endpoint, or its error in words."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked: dict[str, Any] = {"json": {"data": values}, "cookies": self.cookies, "headers": named}
        answer = httpx.post(f"{self.url}/gradio_api/run/{name}", timeout=120, **asked).json()
        return answer["data"][0] if "data" in answer else answer.get("error", answer)
