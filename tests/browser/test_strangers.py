"""What another web page, open in the same browser, can do to a local server: nothing."""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.find import REBOUND
from tests.browser.pages import PATIENT, box, open_page, run
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


def test_an_address_fills_the_form_and_loads_no_model_before_run_is_pressed(
    browser: Browser, app: Server, zoo: Callable[[str], Path]
) -> None:
    folder = zoo("text-classification")
    page = open_page(browser, app, query=f"&model={quote(str(folder))}&text=Hello")
    expect(page.get_by_text("Nothing of it has been read yet")).to_be_visible(timeout=PATIENT)
    expect(box(page, "Model")).to_have_value(str(folder))
    expect(box(page, "Text")).to_have_value("Hello")
    expect(page.get_by_text(f"The task of {folder} is not known before it is read")).to_be_visible()
    assert page.locator(".hf-label").count() == 0
    run(page)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    # It is loaded now, because somebody here asked for it.
    page = open_page(browser, app, query=f"&model={quote(str(folder))}&text=Hello")
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)


def test_an_address_opens_see_the_tokens_without_the_files_that_it_names(
    browser: Browser, app: Server, zoo: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = zoo("fill-mask")
    (tmp_path / "mine.csv").write_text("text,label\nprivate,a\n")
    query = f"&tab=tokens&view=text&tokenizer={quote(str(folder))}&dataset={quote(str(tmp_path / 'mine.csv'))}&text=Hi"
    page = open_page(browser, app, query=query)
    expect(page.get_by_text(re.compile(f"names the tokenizer {folder} and the data set"))).to_be_visible(
        timeout=PATIENT
    )
    expect(page.locator(".hf-slot:visible").first).to_be_visible(timeout=PATIENT)
    expect(box(page, "Tokenizer")).to_have_value("embedded:minilm")
    page.get_by_role("button", name="Use what the address names").click()
    expect(box(page, "Tokenizer")).to_have_value(str(folder), timeout=PATIENT)
    expect(page.get_by_text("Nothing of it has been read yet")).to_be_hidden()
