"""The document and answers come compressed to who can read that, files and streams of events as they are."""

import gzip
import json
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from hfdemo.api.compression import compression
from tests.conftest import Server

BROWSER = {"Accept-Encoding": "gzip, deflate, br"}


def ask(
    server: Server, path: str, headers: dict[str, str], method: str = "GET", body: str | None = None
) -> HTTPResponse:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request(method, path, body, {**headers, "Content-Type": "application/json"})
    return connection.getresponse()


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"], ids=["document", "config", "info"])
def test_the_document_and_json_come_in_a_sixth_of_their_bytes(server: Server, path: str) -> None:
    plain, compressed = ask(server, path, {}), ask(server, path, BROWSER)
    whole, sent = plain.read(), compressed.read()
    assert plain.headers["content-encoding"] is None
    assert compressed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["vary"]
    assert compressed.headers["content-security-policy"]
    assert len(sent) < len(whole) / 6
    assert abs(len(gzip.decompress(sent)) - len(whole)) < 100, "the same, but for what differs from page to page"


def test_the_answer_of_an_endpoint_is_compressed(server: Server) -> None:
    answer = ask(server, "/gradio_api/run/list_tasks", BROWSER, "POST", json.dumps({"data": []}))
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.read()))["data"]


def test_events_come_as_they_happen(server: Server) -> None:
    """The heartbeat is a stream that does not end: its first event arrives all the same."""
    answer = ask(server, "/gradio_api/heartbeat/abc", BROWSER)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["content-encoding"] is None
    assert answer.fp.readline().strip()


def test_a_part_of_a_file_is_that_part(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("0123456789" * 1000, encoding="utf-8")
    files = Starlette(routes=[Route("/rows", lambda request: FileResponse(path))], middleware=[compression()])
    part = TestClient(files).get("/rows", headers={**BROWSER, "Range": "bytes=5-9"})
    assert (part.status_code, part.text) == (206, "56789")
    assert part.headers["content-range"] == "bytes 5-9/10000"
    assert "content-encoding" not in part.headers
