"""One browser and one app for all these tests; none leaves a page open: what it has running would hold the next up."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request, expect, sync_playwright

from tests.browser.find import launch_options
from tests.conftest import Server, serve

expect.set_options(timeout=60_000)  # milliseconds: whatever else this machine does


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="package")
def browser(app: Server) -> Iterator[Browser]:
    """A browser with one page of the app that stays: its process keeps the scripts compiled for all others."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        browser.new_context().new_page().goto(f"{app.url}/theme.css")
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _page_keeps_to_its_policy(browser: Browser, app: Server) -> Iterator[None]:
    """No page of the app asks anything of another server, or tries what its own policy forbids."""
    broken: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text and "frame-ancestors" not in message.text:
            broken.append(message.text)

    def on_request(request: Request) -> None:
        asking = request.headers.get("referer", "")
        if asking.startswith(app.url) and not request.url.startswith((app.url, "data:", "blob:")):
            broken.append(f"asked for {request.url}")

    def on_failure(request: Request) -> None:  # a worker has no console
        if request.failure == "csp":
            broken.append(f"was refused {request.url}")

    context = browser.contexts[0]
    context.on("console", on_console)
    context.on("request", on_request)
    context.on("requestfailed", on_failure)
    yield
    context.remove_listener("console", on_console)
    context.remove_listener("request", on_request)
    context.remove_listener("requestfailed", on_failure)
    assert broken == []


@pytest.fixture(autouse=True)
def _next_test_meets_a_new_browser(browser: Browser) -> Iterator[None]:
    yield
    context, *others = browser.contexts
    for other in others:
        other.close()
    kept, *pages = context.pages
    for page in pages:
        page.close()
    kept.evaluate("localStorage.clear()")
    context.clear_cookies()
