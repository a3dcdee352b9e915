"""Bodies that are no JSON, or more of it than can be read, are refused before gradio reads them."""

import contextlib
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from hfdemo.api.request_bodies import MOST_BYTES, MOST_DEPTH, find_refusal
from tests.conftest import Server


def nest(depth: int) -> bytes:
    return b'{"data": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b"x" * 10_000, "is not JSON"),
        (b'{"data": [NaN]}', "holds NaN, which is no number in JSON"),
        (b'{"data": [[-Infinity]]}', "holds -Infinity"),
        (b'{"data": [1e999]}', "the number 1e999, which is too large"),
        (b'{"data": [' + b"9" * 5_000 + b"]}", "is not JSON"),
        (b'{"session_hash": "\\ud800"}', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'["\\ud800"]', "half a surrogate pair"),
        (nest(MOST_DEPTH), "deep. Make it flatter"),
        (b"[" * 100_000, "deep. Make it flatter"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "deep. Make it flatter"),
    ],
)
def test_a_body_that_can_be_no_call_gets_a_sentence(body: bytes, said: str) -> None:
    refusal = find_refusal(body)
    assert refusal is not None
    assert said in refusal
    assert len(refusal.encode()) < 400


@pytest.mark.parametrize(
    "body", [b"", b"null", b'{"data": ["\\ud800"]}', b'{"data": ["\\ud83d\\ude00", -1.5e300]}', nest(MOST_DEPTH - 2)]
)
def test_what_an_endpoint_can_answer_goes_through(body: bytes) -> None:
    assert find_refusal(body) is None


def test_gradios_own_refusals_are_sentences_that_quote_nothing(server: Server) -> None:
    def ask(path: str, body: str) -> tuple[int, str]:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("POST", f"/gradio_api/{path}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        assert said["error"] == said["detail"]
        return answer.status, said["error"]

    status, said = ask("run/tokenize", '{"data": "secret"}')
    assert (status, "has not the right form. body.data:" in said, "secret" in said) == (422, True, False)
    for path, body in (
        ("run/nope", '{"data": []}'),
        ("queue/join", '{"data": [], "fn_index": -1, "session_hash": "a"}'),
    ):
        status, said = ask(path, body)
        assert (status, "no such endpoint" in said) == (404, True)
    status, said = ask("call/v2/run_status", '{"nonsense": 1}')
    assert (status, "`nonsense` is not a valid" in said) == (422, True)
    assert ask("run/tokenize", f'{{"data": ["{"x" * MOST_BYTES}"]}}')[0] == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x", ""])
def test_a_body_of_any_kind_is_bounded_since_gradio_reads_it_whole(server: Server, kind: str) -> None:
    for path in ("run/tokenize", "queue/join", "component_server", "mcp/"):
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.putrequest("POST", f"/gradio_api/{path}")
        connection.putheader("Content-Type", kind)
        connection.putheader("Content-Length", str(10 * MOST_BYTES))
        connection.endheaders()
        with contextlib.suppress(ConnectionError):  # it has answered, and reads no more
            for _ in range(MOST_BYTES // 2**20 + 2):
                connection.send(b"x" * 2**20)
        assert connection.getresponse().status == 413, path
        connection.close()


def test_a_value_that_no_component_of_the_page_can_have_is_refused_and_leaves_no_traceback(server: Server) -> None:
    """Any program can call what the page calls, with what no drop-down offers."""
    config = json.loads(read(server, "GET", "/config"))
    fixed = [each["id"] for each in config["components"] if each["props"].get("allow_custom_value") is False]
    number = next(
        each["id"]
        for each in config["dependencies"]
        if each["backend_fn"] and len(each["inputs"]) == 1 and each["inputs"][0] in fixed
    )
    begin = (server.home / "server.log").stat().st_size
    call = {"data": ["no such choice"], "fn_index": number, "session_hash": "forger"}
    read(server, "POST", "/gradio_api/queue/join", json.dumps(call))
    assert "no such choice is not in the list" in read(server, "GET", "/gradio_api/queue/data?session_hash=forger")
    assert b"Traceback" not in (server.home / "server.log").read_bytes()[begin:]


def read(server: Server, method: str, path: str, body: str | None = None) -> str:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    said = connection.getresponse().read().decode()
    connection.close()
    return said
