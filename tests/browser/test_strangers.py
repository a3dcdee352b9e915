"""What another web page, open in the same browser, can do to a local server: nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser.find import REBOUND
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a web page that is not ours."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_whose_name_was_rebound_to_this_machine_reads_and_runs_nothing(browser: Browser, app: Server) -> None:
    page = browser.new_page()
    answer = page.goto(f"http://{REBOUND}:{urlsplit(app.url).port}/")
    assert answer is not None
    assert answer.status == 403
    assert "asked for as" in page.inner_text("body")
    asked = page.evaluate(
        "async () => [(await fetch('/config')).status,"
        " (await fetch('/gradio_api/run/list_tasks', {method: 'POST', body: '{}'})).status]"
    )
    assert asked == [403, 403]


def test_a_page_elsewhere_can_neither_call_nor_frame_this_one(browser: Browser, app: Server, elsewhere: str) -> None:
    page = browser.new_page()
    page.goto(elsewhere)
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if "/run/" in answer.url else None)
    # No preflight: what any form on any page may send, whoever may read the answer.
    page.evaluate(
        "url => fetch(url, {method: 'POST', mode: 'no-cors', body: JSON.stringify({data: []})})",
        f"{app.url}/gradio_api/run/list_tasks",
    )
    assert statuses == [403]
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        "url => new Promise(done => {const frame = document.createElement('iframe'); frame.onload = done;"
        " frame.src = url; document.body.append(frame)})",
        app.url,
    )
    assert any("frame-ancestors" in text for text in refused), refused
