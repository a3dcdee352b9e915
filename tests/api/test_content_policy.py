"""The page may run the scripts that stand in gradio's document and its own, and load nothing from elsewhere."""

import json
import re
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from hfdemo.api.content_policy import content_policy, hash_script
from hfdemo.settings import Settings
from hfdemo.ui.appearance import SCRIPTS
from tests.conftest import Server

DOCUMENT = "<head><script>one()</script><script type=module src=a.js></script></head><SCRIPT\nid=x>two()\n</SCRIPT >"


def policy_of(answer: Response, settings: Settings) -> tuple[dict[str, list[str]], bytes]:
    """Return the directives that the answer gets on a server with these settings, and its body."""
    app = Starlette(routes=[Route("/", lambda request: answer)], middleware=[content_policy(settings, ["own()"])])
    got = TestClient(app).get("/")
    assert got.headers["x-content-type-options"] == "nosniff"
    parts = (part.split() for part in got.headers["content-security-policy"].split(";"))
    return {name: sources for name, *sources in parts}, got.content


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_document_runs_the_scripts_in_it_and_the_pages_own_and_no_other(settings: Settings, pieces: int) -> None:
    size = -(-len(DOCUMENT) // pieces)
    parts = [DOCUMENT[start : start + size] for start in range(0, len(DOCUMENT), size)]
    directives, body = policy_of(StreamingResponse(iter(parts), media_type="text/html"), settings)
    assert body.decode() == DOCUMENT
    hashes = [source for source in directives["script-src"] if source.startswith("'sha256-")]
    assert hashes == [hash_script(script) for script in (b"own()", b"one()", b"two()\n")]
    assert set(directives["script-src"]) - set(hashes) == {"'self'", "'unsafe-eval'"}
    assert directives["script-src-attr"] == directives["object-src"] == directives["frame-src"] == ["'none'"]


def test_nothing_is_loaded_from_elsewhere_and_nothing_sent_there(settings: Settings) -> None:
    directives, _ = policy_of(HTMLResponse(DOCUMENT), settings)
    known = {"'self'", "'none'", "data:", "blob:", "'unsafe-inline'", "'unsafe-eval'"}
    assert {source for name, sources in directives.items() for source in sources if "sha256" not in source} <= known
    assert [name for name, sources in directives.items() if "'unsafe-inline'" in sources] == ["style-src"]
    assert {"base-uri", "form-action", "connect-src", "default-src"} <= set(directives)


def test_what_is_no_document_runs_nothing_and_only_the_hub_may_frame_a_space(settings: Settings) -> None:
    directives, body = policy_of(JSONResponse({"a": 1}), settings)
    assert directives == {"default-src": ["'self'", "blob:", "'wasm-unsafe-eval'"], "frame-ancestors": ["'self'"]}
    assert body == b'{"a":1}'
    for answer in (JSONResponse({}), HTMLResponse(DOCUMENT)):
        framed, _ = policy_of(answer, Settings(home=settings.home, public=True))
        assert framed["frame-ancestors"] == ["'self'", "https://huggingface.co", "https://*.huggingface.co"]


def test_nobody_who_asks_for_the_page_gets_a_script_into_it(server: Server) -> None:
    """Whatever stands in the document is allowed to run, so nothing of a request may stand in it as markup."""
    evil = '"></script><script>hacked()</script>'
    policies = []
    for path, headers in (
        ("/", {}),
        ("/?__theme=dark&deep_link=" + "%3C/script%3E%3Cscript%3Ehacked()%3C/script%3E", {}),
        ("/?view=%22%3E%3Cscript%3Ehacked()%3C/script%3E", {"X-Forwarded-Host": evil, "X-Forwarded-Proto": evil}),
        ("/", {"X-Forwarded-Server": evil, "X-Forwarded-Prefix": evil, "Forwarded": f"host={evil}", "Referer": evil}),
    ):  # fmt: skip
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == 200
        assert "<script>hacked" not in body
        policies.append(re.findall("'sha256-[^']+'", answer.getheader("Content-Security-Policy", "")))
    assert {len(hashes) for hashes in policies} == {5 + len(SCRIPTS)}, (
        "five scripts in gradio's document, and the page's"
    )


def test_an_upload_is_neither_shown_as_a_page_nor_taken_for_a_script(server: Server) -> None:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    hostile = (
        'x\\".html',
        "a;filename=b.html",
        "a\u202elmth.html",
        "é\u2028.svg",
        "a%22%0d%0aX-Evil: 1.html",
        "a'b.html",
    )
    for name in ("a.html", "a.js", "a.svg", "a.xml", "a.mjs", "a.css", *hostile):
        part = (
            f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\nalert(1)\r\n--edge--\r\n'
        )
        form = {"Content-Type": "multipart/form-data; boundary=edge"}
        connection.request("POST", "/gradio_api/upload", part.encode(), form)
        (path,) = json.loads(connection.getresponse().read())
        connection.request("GET", f"/gradio_api/file={quote(path)}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert (answer.getheader("content-type"), answer.getheader("x-content-type-options")) == (
            "application/octet-stream",
            "nosniff",
        )
        named = answer.getheader("content-disposition") or ""
        assert re.fullmatch(r"""attachment; filename(="[^"\\\x00-\x1f]*"|\*=utf-8''[\w.%-]*)""", named), named
        assert answer.getheader("x-evil") is None
    connection.close()
