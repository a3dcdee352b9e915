"""The page draws whoever opens it, however many do so at once: gradio lays components out while others are made."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.async_api import Browser, async_playwright

from hfdemo.ui.tabs.run.task_panel import RUN_BUTTON
from tests.browser.find import launch_options
from tests.browser.pages import PATIENT
from tests.conftest import Server

VISITORS = 8


def open_at_once(url: str, openings: int) -> list[str]:
    """Open the page in VISITORS browsers that share the openings; return what went wrong, page by page."""
    # In a thread without a loop of its own: the one of the tests has that of their browser.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _open_all(url, openings)).result()


async def _open_all(url: str, openings: int) -> list[str]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(**launch_options())
        found = await asyncio.gather(*(_open_some(browser, url, openings // VISITORS) for _ in range(VISITORS)))
        await browser.close()
    return [each for visitor in found for each in visitor]


async def _open_some(browser: Browser, url: str, openings: int) -> list[str]:
    context, wrong = await browser.new_context(), []
    for _ in range(openings):
        page = await context.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        await page.goto(url, timeout=PATIENT)
        try:
            # What a task brings is the part that is laid out anew for each page.
            await page.locator(f"#{RUN_BUTTON}").wait_for(timeout=PATIENT)
        except Exception as error:  # which of them it was is what is to be known
            said.append(f"{type(error).__name__}: {await page.inner_text('body')}"[:300])
        wrong += said
        await page.close()
    await context.close()
    return wrong


@pytest.mark.browser
@pytest.mark.slow
def test_forty_openings_by_eight_browsers_at_once_all_draw(app: Server) -> None:
    assert open_at_once(app.url, 40) == []


@pytest.mark.soak
def test_two_hundred_openings_by_eight_browsers_at_once_all_draw(app: Server) -> None:
    assert open_at_once(app.url, 200) == []
