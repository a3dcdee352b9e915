"""No test leaves a page open: what it has running would hold up the next one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser


@pytest.fixture(autouse=True)
def _pages_are_closed(browser: Browser) -> Iterator[None]:
    yield
    for context in browser.contexts:
        context.close()
