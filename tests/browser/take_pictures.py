"""Take the pictures of README.md from the page as it is: `make pictures`."""

import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.find import launch_options
from tests.browser.pages import PATIENT, box, tab
from tests.conftest import ROOT, serve

FOLDER = ROOT / "docs" / "pictures"
SIZE, SMALL = (1280, 800), (800, 500)  # of a picture, and of the moving one
COLOURS = 128
FRAME_MILLISECONDS = 1800
SIGNS = {"run": ".hf-label", "tokens": ".hf-slot:visible", "finetune": ".hf-chart:visible svg"}
TEXT = "My parcel arrived open and half of it is missing."


def main() -> None:
    """Take a picture of each tab by day and by night, and the moving one of the path through them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    frames: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as home, serve(Path(home)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.goto(f"{app.url}/?__theme=light")
        walk(page, lambda: frames.append(look(page)), lambda name: keep(page, name))
        browser.close()
    small = [frame.resize(SMALL, Image.Resampling.LANCZOS).quantize(COLOURS) for frame in frames]
    small[0].save(
        FOLDER / "path.gif", save_all=True, append_images=small[1:], duration=FRAME_MILLISECONDS, loop=0, optimize=True
    )


def walk(page: Page, frame: Callable[[], None], take: Callable[[str], None]) -> None:
    """Go the way of a first visit; `frame` is called for the moving picture, `take` with the name of a tab."""
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    frame()
    take("run")
    tab(page, "See the tokens")
    expect(page.locator(".hf-slot:visible").first).to_be_visible(timeout=PATIENT)
    page.wait_for_timeout(1500)
    frame()
    take("tokens")
    tab(page, "Fine-tune")
    expect(page.locator(".hf-ready:visible")).to_be_visible(timeout=PATIENT)
    frame()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".hf-phases [aria-current]")).to_have_text("training", timeout=PATIENT)
    expect(page.locator(".hf-chart .hf-series[points*=' ']:visible").first).to_be_visible(timeout=PATIENT)
    frame()
    expect(page.locator(".hf-run .hf-state")).to_have_text("finished", timeout=5 * PATIENT)
    expect(page.locator(".hf-headline")).to_be_visible(timeout=PATIENT)
    page.wait_for_timeout(2500)  # for the charts
    frame()
    take("finetune")
    page.get_by_role("button", name="Use it in Run a model").click()
    expect(page.get_by_text("which it has not learned from")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".hf-label:visible").first).to_be_visible(timeout=PATIENT)
    box(page, "Text").fill(TEXT)
    box(page, "Text").press("Control+Enter")
    page.wait_for_timeout(2500)
    frame()


def look(page: Page) -> Image.Image:
    """Return what is in sight."""
    return Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")


def keep(page: Page, tab_name: str) -> None:
    """Keep what is in sight by day and by night, as the page is when it is opened so."""
    for mode, other in (("light", "dark"), ("dark", "light")):
        look(page).quantize(COLOURS).save(FOLDER / f"{tab_name}-{mode}.png", optimize=True)
        page.goto(page.url.replace(f"__theme={mode}", f"__theme={other}"))
        expect(page.locator(SIGNS[tab_name]).first).to_be_visible(timeout=PATIENT)
        page.wait_for_timeout(3000)
        if tab_name == "finetune":
            page.locator(".hf-headline").scroll_into_view_if_needed()


if __name__ == "__main__":
    main()
