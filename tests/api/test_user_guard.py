"""A server with users answers nobody else, on no route, and keeps what is each user's: tried with real clients."""

import asyncio
import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx as mcp_http  # which the MCP client takes
import httpx2 as httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AuthenticationError
from starlette.routing import BaseRoute, Mount, Route

from hfdemo.api.sign_ins import TRIES_OF_NAME
from hfdemo.engine import InlineEngine
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from hfdemo.ui import build, launch_options
from hfdemo.ui.serving import explain_taken_port
from hfdemo.users import make_line, write_user
from tests.conftest import free_port

pytestmark = pytest.mark.slow
ANNA, BOB = ("anna", "correct horse"), ("bob", "battery staple")
BROWSER = {"Accept": "text/html,*/*", "User-Agent": "Mozilla/5.0"}


class GuardedServer:
    """The app with two users, in this process, so that its table of routes can be read."""

    def __init__(self, home: Path) -> None:
        self.home, file = home, home / "users"
        home.mkdir()
        for name, password in (ANNA, BOB):
            write_user(file, make_line(name, password))
        self.settings = Settings(home=home, auth=file, uploads=Path(os.environ["GRADIO_TEMP_DIR"]))
        self.demo = build(self.settings, InlineEngine(self.settings))
        _, self.url, _ = self.demo.launch(
            prevent_thread_lock=True, quiet=True, server_port=free_port(), **launch_options(self.settings)
        )
        self.url = self.url.rstrip("/")

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask, and return the answer without the body of a stream, which may have no end."""
        with httpx.stream(method, f"{self.url}{path}", timeout=60, **options) as answer:
            if "event-stream" not in answer.headers.get("content-type", ""):
                answer.read()
            return answer

    def call(self, name: str, **options: Any) -> Any:
        answer = httpx.post(f"{self.url}/gradio_api/run/{name}", json={"data": []}, timeout=60, **options)
        return answer.raise_for_status().json()["data"][0]

    def sign_in(self, name: str, password: str, **options: Any) -> Any:
        return self.ask("POST", "/login", data={"username": name, "password": password}, **options)

    def cookies(self, user: tuple[str, str]) -> dict[str, str]:
        return dict(self.sign_in(*user).cookies)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    server = GuardedServer(tmp_path_factory.mktemp("guarded") / "home")
    yield server
    server.demo.close(verbose=False)


def address(number: int) -> dict[str, str]:
    """What a proxy says of a client: each test guesses from an address of its own."""
    return {"X-Forwarded-For": f"203.0.113.{number}"}


def list_addresses(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield method and address of every route, mounted ones included."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        included = getattr(route, "original_router", None)  # of FastAPI, with the prefix in its own routes
        if included is not None or isinstance(route, Mount):
            yield from [] if included else [("GET", path)]
            inner: Any = included or route
            yield from list_addresses(list(inner.routes), path)
        else:
            assert isinstance(route, Route), f"how is a {type(route).__name__} asked for?"
            for name, convertor in route.param_convertors.items():
                suffix = {"StringConvertor": "", "PathConvertor": ":path"}.get(type(convertor).__name__, "")
                path = path.replace(f"{{{name}{suffix}}}", "x")
            yield from ((method, path) for method in sorted(route.methods or ()))


def test_no_route_answers_who_has_not_signed_in(guarded: GuardedServer) -> None:
    routes = sorted(set(list_addresses(guarded.demo.app.routes)))
    assert len(routes) > 80
    assert {path for _, path in routes} >= {
        *("/", "/config", "/theme.css", "/static/x", "/assets/x", "/robots.txt", "/gradio_api/info"),
        *("/gradio_api/openapi.json", "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/cancel"),
        *("/gradio_api/upload", "/gradio_api/run/x", "/gradio_api/call/x", "/gradio_api/file=x", "/gradio_api/reset"),
        *("/gradio_api/heartbeat/x", "/gradio_api/mcp", "/gradio_api/mcp/schema", "/gradio_api/startup-events"),
    }
    elsewhere = ["/docs", "/redoc", "/openapi.json", "/no/such/route", "//", "/./config", "/gradio_api/file=/login/x"]
    routes += [("GET", path) for path in elsewhere] + [("DELETE", "/"), ("OPTIONS", "/config"), ("TRACE", "/")]
    for method, path in routes:
        if path.rstrip("/") not in ("/login", "/logout"):
            answer = guarded.ask(method, path)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"].startswith('Basic realm="hfdemo"')
            assert "set-cookie" not in answer.headers
            if method != "HEAD":
                assert "answers its users alone" in answer.json()["error"]
    refused = [
        path for method, path in routes if method == "GET" and guarded.ask(method, path, auth=ANNA).status_code == 401
    ]
    assert refused == [], "a user is answered"
    assert guarded.ask("GET", "/config", auth=ANNA).json()["title"] == "hfdemo"


def test_a_web_socket_is_refused_as_well(guarded: GuardedServer) -> None:
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    assert guarded.ask("GET", "/gradio_api/queue/join", headers=asked).status_code in (401, 403)


@pytest.mark.parametrize(
    "sent",
    [
        *(f"Basic {b64encode(each).decode()}" for each in (b"anna:wrong horse", b"zoe:correct horse", b":", b"anna")),
        *(
            f"Basic {b64encode(each).decode()}"
            for each in (b"\xff:\xff", b"anna:correct horse\0", b"ANNA:correct horse")
        ),
        *(
            "Basic",
            "Basic !",
            "Bearer YW5uYTpjb3JyZWN0IGhvcnNl",
            "anna:correct horse",
        ),
    ],
)
def test_what_is_not_name_and_password_of_a_user_is_refused(sent: str, guarded: GuardedServer) -> None:
    headers = {"Authorization": sent, **address(1)}
    assert guarded.ask("GET", "/config", headers=headers).status_code == 401
    for name in ("x-hfdemo-server", "X-Hfdemo-Visitor", "X-Gradio-User"):
        assert guarded.ask("GET", "/config", headers={name: sent}).status_code == 401


def test_a_browser_is_shown_a_form_and_goes_on_to_where_it_wanted(guarded: GuardedServer) -> None:
    asked = guarded.ask("GET", "/?task=text-classification&text=%3Cb%3E", headers=BROWSER)
    assert (asked.status_code, "www-authenticate" in asked.headers) == (401, False)
    assert asked.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert 'value="./?task=text-classification&amp;text=%3Cb%3E"' in asked.text
    assert 'action="login"' in asked.text
    assert 'action="../login"' in guarded.ask("GET", "/gradio_api/info", headers=BROWSER).text
    form = {"username": "anna", "password": "correct horse", "target": "./?task=x&text=%3Cb%3E"}
    answer = guarded.ask("POST", "/login", data=form, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "./?task=x&text=%3Cb%3E")
    assert "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
    page = guarded.ask("GET", "/", headers=BROWSER, cookies=dict(answer.cookies))
    assert (page.status_code, "gradio" in page.text) == (200, True)
    # What a script of the page asks for is no form, and the browser must not ask for a password by itself.
    script = guarded.ask("GET", "/config", headers={**BROWSER, "Accept": "*/*"})
    assert (script.status_code, "www-authenticate" in script.headers) == (401, False)


def test_a_form_leads_nowhere_else_and_says_what_is_wrong_as_text(guarded: GuardedServer) -> None:
    form = {"username": "anna", "password": "correct horse"}
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\r\nX: y", ""):
        answer = guarded.ask("POST", "/login", data={**form, "target": target}, headers=BROWSER)
        assert answer.headers["location"].startswith("./"), target
        assert str(answer.url.join(answer.headers["location"])).startswith(f"{guarded.url}/")
    wrong = {"username": "anna", "password": "<b>", "target": '"><script>alert(1)</script>'}
    said = guarded.ask("POST", "/login", data=wrong, headers={**BROWSER, **address(2)})
    assert said.status_code == 401
    assert "The name or the password is wrong." in said.text
    assert "<script>" not in said.text
    assert guarded.ask("POST", "/login", data={"password": "x" * 100_000}, headers=address(2)).status_code == 401
    assert guarded.ask("PUT", "/login").status_code == 405


def test_another_web_page_is_not_answered_and_signs_nobody_in_or_out(guarded: GuardedServer) -> None:
    cookies, elsewhere = guarded.cookies(ANNA), {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    for sent in ({"cookies": cookies}, {"auth": ANNA}):
        assert guarded.ask("POST", "/gradio_api/run/list_runs", headers=elsewhere, json={}, **sent).status_code == 401
    assert guarded.sign_in(*ANNA, headers=elsewhere).status_code == 403
    assert guarded.ask("GET", "/logout", headers=elsewhere, cookies=cookies).status_code == 403
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert guarded.ask("GET", "/config", headers=opened, cookies=cookies).status_code == 200
    assert guarded.ask("GET", "/logout", headers=opened, cookies=cookies).status_code == 403


def test_who_signs_out_is_asked_again(guarded: GuardedServer) -> None:
    here, elsewhere = guarded.cookies(ANNA), guarded.cookies(ANNA)
    assert guarded.ask("GET", "/config", cookies=here).status_code == 200
    answer = guarded.ask("GET", "/logout", cookies=here)
    assert (answer.status_code, answer.headers["location"]) == (303, "./login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert guarded.ask("GET", "/config", cookies=here).status_code == 401
    assert guarded.ask("GET", "/config", cookies=elsewhere).status_code == 200
    assert guarded.ask("GET", "/logout").status_code == 303


def test_who_guesses_is_slowed_down_and_who_is_in_stays_in(guarded: GuardedServer) -> None:
    cookies = guarded.cookies(BOB)
    said = [guarded.sign_in("bob", f"guess {i}", headers=address(10 + i)) for i in range(TRIES_OF_NAME + 1)]
    assert [each.status_code for each in said] == [401] * TRIES_OF_NAME + [429]
    assert 0 < int(said[-1].headers["retry-after"]) <= 60
    assert "Try again in" in said[-1].json()["error"]
    form = {"username": "bob", "password": "another guess"}
    refused = guarded.ask("POST", "/login", data=form, headers={**BROWSER, **address(30)})
    assert (refused.status_code, "Try again in" in refused.text) == (429, True)
    assert guarded.ask("GET", "/config", auth=("bob", "guess"), headers=address(31)).status_code == 429
    assert guarded.ask("GET", "/config", cookies=cookies).status_code == 200
    assert guarded.ask("GET", "/config", auth=BOB).status_code == 200, "found right before"


# --- What real clients do. ---


def basic(user: tuple[str, str]) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(':'.join(user).encode()).decode()}"}


def clients(url: str, user: tuple[str, str]) -> list[Client]:
    ways: list[dict[str, Any]] = [{"auth": user}, {"headers": basic(user)}, {"httpx_kwargs": {"auth": user}}]
    return [Client(url, verbose=False, **way) for way in ways]


def call_by_mcp(url: str, name: str, arguments: Mapping[str, Any], **options: Any) -> str:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def call() -> str:
        async with (
            mcp_http.AsyncClient(timeout=60, **options) as http,
            streamable_http_client(f"{url}/gradio_api/mcp/", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            answer = await session.call_tool(name, dict(arguments))
            return str(answer.content[0].text) if answer.content else ""

    return asyncio.run(call())


def test_gradio_s_own_client_signs_in_by_each_of_its_ways(guarded: GuardedServer, colours: Path) -> None:
    for client in clients(guarded.url, ANNA):
        found = client.predict(file=handle_file(str(colours)), api_name="/inspect_dataset")
        assert found["rows"] == 46
        client.close()
    with pytest.raises(AuthenticationError, match="Please login"):
        Client(guarded.url, verbose=False)
    with pytest.raises(AuthenticationError, match="Invalid credentials"):
        Client(guarded.url, verbose=False, auth=("zoe", "wrong horse"))


def test_each_user_has_their_own_runs_whatever_client_they_use(guarded: GuardedServer, colours: Path) -> None:
    owned = RunStore(guarded.settings.of_owner("user-anna"))
    run = owned.create(RunConfig("colours"), colours).id
    nobodys = RunStore(guarded.settings).create(RunConfig("colours"), colours).id
    for user, theirs in ((ANNA, [run]), (BOB, [])):
        assert [each["run"] for each in guarded.call("list_runs", auth=user)] == theirs
        assert [each["run"] for each in guarded.call("list_runs", cookies=guarded.cookies(user))] == theirs
        for client in clients(guarded.url, user)[:2]:  # one with a cookie, one with a password
            assert [each["run"] for each in client.predict(api_name="/list_runs")] == theirs
            client.close()
        for sent in ({"auth": user}, {"cookies": guarded.cookies(user)}):
            told = re.findall(r"\b\d{8}-\d{6}-[\w-]+", call_by_mcp(guarded.url, "list_runs", {}, **sent))
            assert set(told) & {run, nobodys} == set(theirs)
    assert "no such run" in call_by_mcp(guarded.url, "run_status", {"run": run}, auth=BOB)
    # A header or a cookie of visitors says nothing where there are users.
    for name in ("X-Hfdemo-Visitor", "Cookie"):
        assert guarded.call("list_runs", auth=BOB, headers={name: "hfdemo_visitor=user-anna"}) == []


def test_an_upload_is_read_by_its_user_alone(guarded: GuardedServer) -> None:
    sent = httpx.post(f"{guarded.url}/gradio_api/upload", files=[("files", ("a.csv", b"text\nhers"))], auth=ANNA)
    path = f"/gradio_api/file={sent.json()[0]}"
    assert guarded.ask("GET", path, auth=ANNA).text == "text\nhers"
    assert guarded.ask("GET", path, auth=BOB).status_code == 403


def test_mcp_without_a_user_is_refused(guarded: GuardedServer) -> None:
    with pytest.raises(ExceptionGroup):
        call_by_mcp(guarded.url, "list_runs", {})


def test_a_second_server_knows_the_first_though_it_is_not_answered(guarded: GuardedServer) -> None:
    said = explain_taken_port("127.0.0.1", int(guarded.url.rpartition(":")[2]))
    assert str(said).startswith(f"hfdemo is running at {guarded.url} already")
