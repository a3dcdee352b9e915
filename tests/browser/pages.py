"""What the browser tests have in common: ways to find things on the page."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import ROOT, Server

SHOTS = ROOT / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# gradio's own: its footer, the box of its code, its place for files, the speed of its player.
NOT_OURS = ("footer", ".cm-scroller", ".upload-container", ".playback")
# Not among the ones that axe-core asks by default: what can be pressed is at least 24 pixels wide and high.
FIND_BARRIERS = """
async others => (await axe.run({exclude: others},
  {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})).violations.flatMap(
  found => found.nodes.map(node => `${found.id} at ${node.target.join(" ")}: ${node.failureSummary}`))
"""
PATIENT = 120_000  # milliseconds: the first answer loads torch, a run trains


def open_page(browser: Browser, app: Server, width: int = 1440, mode: str = "light", query: str = "") -> Page:
    page = browser.contexts[0].new_page()
    resize(page, width)
    page.goto(f"{app.url}/?__theme={mode}{query}")
    return page


def resize(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})


def show(page: Page, width: int, mode: str) -> None:
    """Make the page that is open as wide as `width`, and light or dark as gradio does while it loads."""
    resize(page, width)
    page.evaluate("mode => document.body.classList.toggle('dark', mode === 'dark')", mode)


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def step(page: Page, name: str) -> None:
    """Open a step of Fine-tune."""
    page.locator("[role=tablist][aria-label='Steps of fine-tuning']").get_by_role("tab", name=name).click()


def upload_rows(page: Page, path: Path) -> None:
    """Have Fine-tune read a file."""
    step(page, "Data")
    page.locator("#field-file input[type=file]").set_input_files(path)


def field(page: Page, label: str) -> Locator:
    """The visible blocks with exactly this label: each the nearest around its label, folds are blocks, too."""
    title = page.get_by_test_id("block-info").filter(has_text=re.compile(rf"^\s*{label}\s*$"))
    return title.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' block ')][1]").locator(
        "visible=true"
    )


def box(page: Page, label: str) -> Locator:
    """The visible text box, number or dropdown with exactly this label."""
    return field(page, label).locator("textarea, input").first


def picked(page: Page, label: str) -> Locator:
    """What is picked in the dropdown with this label, of which there may be several."""
    return field(page, label).locator(".token")


def fold(page: Page, title: str) -> None:
    """Open the fold with this title."""
    page.locator("button.label-wrap:visible").filter(has_text=re.compile(rf"^\s*{title}\s*")).first.click()


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def choose_task(page: Page, title: str) -> None:
    page.locator(".hf-tasks > summary").click()
    page.locator(".hf-task").filter(has=page.get_by_text(title, exact=True)).click()


def shoot(page: Page, name: str) -> None:
    """Take a picture of the page, which keeps nobody out as it is now."""
    is_accessible(page)
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True, animations="disabled")  # each at its end


def shoot_tabs(page: Page, tabs: Mapping[str, tuple[str, str]], widths: Sequence[int], mode: str) -> None:
    """At each width open each tab, wait for what it shows, and take its picture: shot -> (tab, selector of a sign)."""
    for width in widths:
        resize(page, width)
        for shot, (name, sign) in tabs.items():
            tab(page, name)
            expect(page.locator(f"{sign}:visible").first).to_be_visible(timeout=PATIENT)
            shoot(page, f"{shot}-{width}-{mode}")
            fits(page)


def is_accessible(page: Page) -> None:
    """axe-core finds nothing on the page, as it is now, that keeps people out."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for _ in range(20):  # what is being computed again is faint meanwhile
        found = page.evaluate(FIND_BARRIERS, [[each] for each in NOT_OURS])
        if not found:
            return
        page.wait_for_timeout(500)
    raise AssertionError("\n".join(found))


def said_aloud(page: Page, words: str) -> None:
    """Wait until those who can't see the page are told `words`."""
    said = "words => document.querySelector('.hf-aloud')?.said.some(each => each.includes(words))"
    page.wait_for_function(said, arg=words)


def fits(page: Page) -> None:
    """Nothing on the page is wider than the screen."""
    size = page.viewport_size
    assert size is not None
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


__all__ = [
    "PATIENT",
    "box",
    "choose_task",
    "expect",
    "fits",
    "fold",
    "is_accessible",
    "open_page",
    "picked",
    "resize",
    "run",
    "said_aloud",
    "shoot",
    "shoot_tabs",
    "show",
    "step",
    "tab",
    "upload_rows",
]
