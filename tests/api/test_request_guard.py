"""Other web pages get nothing from a local server, whatever they call themselves and whatever they ask for."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers

from hfdemo.api.request_guard import RequestGuard
from tests.conftest import Server

# What a web page can reach: the page, calls with and without the queue, files in both directions, MCP, OpenAPI.
ROUTES = [
    ("GET", "/"),
    ("GET", "/config"),
    ("GET", "/openapi.json"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/runs"),
    ("GET", "/gradio_api/file=requirements.txt"),
    ("GET", "/gradio_api/queue/data?session_hash=x"),
    ("POST", "/gradio_api/run/list_tasks"),
    ("POST", "/gradio_api/call/list_tasks"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/mcp/"),
    ("GET", "/no/such/route"),
]


def ask(server: Server, method: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Ask as any program can, with these headers; return status, the beginning of the body, and headers."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    body = json.dumps({"data": []}) if method == "POST" else None
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    said = answer.read(500).decode(errors="replace")
    connection.close()
    return answer.status, said, dict(answer.getheaders())


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_a_page_that_rebound_its_name_or_asks_from_elsewhere(
    server: Server, method: str, path: str
) -> None:
    status, said, _ = ask(server, method, path, Host="rebound.example:7860")
    assert (status, "asked for as 'rebound.example:7860'" in said) == (403, True)
    for origin in ("https://elsewhere.example", "http://localhost:1", "null"):
        status, said, _ = ask(server, method, path, Origin=origin)
        assert (status, f"the web page {origin!r}" in said) == (403, True)


def test_the_page_itself_and_programs_are_answered_and_nobody_may_frame_it(server: Server) -> None:
    port = urlsplit(server.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"192.168.1.9:{port}"):
        status, _, headers = ask(server, "GET", "/config", Host=host, Origin=f"http://{host}")
        assert status == 200
        assert "frame-ancestors 'self'" in headers["content-security-policy"].split("; ")
    assert ask(server, "POST", "/gradio_api/run/list_tasks")[0] == 200


def test_the_history_of_runs_is_off(server: Server) -> None:
    """gradio's own calls this server with the token of whoever started it."""
    assert json.loads(ask_all(server, "/config"))["run_history"] is False


def ask_all(server: Server, path: str) -> str:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", path)
    said = connection.getresponse().read().decode()
    connection.close()
    return said


@pytest.mark.parametrize(
    ("host", "origin", "answered"),
    [
        ("localhost", None, True),
        ("LOCALHOST:7860", "http://localhost:7860", True),
        ("app.localhost:7860", None, True),
        ("localhost.:7860", None, True),
        ("box.lan", None, True),
        ("box.lan", "https://box.lan", True),
        ("127.0.0.1:7860", "https://box.lan:8443", True),
        ("", None, False),
        ("localhost.evil.example", None, False),
        ("evil.example", "http://evil.example", False),
        ("127.0.0.1.nip.example", None, False),
        ("[::1", None, False),
        ("user@evil.example", None, False),
        ("localhost@evil.example", None, False),
        ("localhost:7860", "http://localhost:7861", False),
        ("localhost:7860", "http://127.0.0.1:7860", False),
        ("localhost:7860", "http://[::1", False),
        ("localhost:7860", "", False),
        ("localhost:7860", "file://", False),
    ],
)
def test_an_address_localhost_and_what_the_owner_allows_are_own_names(
    host: str, origin: str | None, answered: bool
) -> None:
    guard = RequestGuard(lambda *_: None, local=True, allowed_hosts=("Box.lan",))  # type: ignore[arg-type]
    headers = Headers({"host": host} | ({} if origin is None else {"origin": origin}))
    assert (guard.explain_refusal(headers) is None) is answered
