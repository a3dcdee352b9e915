"""Labels as people keep them, taken through the page: all columns of flags are picked, and a guess is undone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import PATIENT, box, fits, open_page, picked, shoot, show, step, tab, upload_rows
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
THINGS = ("sea", "sky", "wall", "road", "leaf", "lamp", "boat", "bird")


def upload(page: Page, path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
    upload_rows(page, path)
    step(page, "Check")


def test_columns_of_flags_are_labels_from_the_upload_to_the_report(
    browser: Browser, app: Server, tmp_path: Path
) -> None:
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    rows = [
        f"{n:04x},the {THINGS[n % 8]} is {'hot' if n % 2 else 'icy'} {n},{n % 2},{int(n % 3 == 0)}," for n in range(48)
    ]
    upload(page, tmp_path / "flags.csv", ["id,comment_text,warm,third,never", *rows])
    expect(picked(page, "Label column")).to_have_text(["warm", "third"], timeout=PATIENT)
    expect(box(page, "Text column")).to_have_value("comment_text")
    expect(page.get_by_text("2 columns of 0 and 1 (or yes and no) are read as labels")).to_be_visible()
    expect(page.locator(".hf-count:visible")).to_have_count(2)
    for mode, width in (("light", 1440), ("dark", 390)):
        show(page, width, mode)
        fits(page)
        shoot(page, f"flags-{width}-{mode}")
    show(page, 1440, "light")
    # One flag alone is one label per row, and the other joins it again.
    page.get_by_label("Remove third").or_(picked(page, "Label column").nth(1).locator(".token-remove")).first.click()
    expect(box(page, "Positive class")).to_have_value("1", timeout=PATIENT)
    box(page, "Label column").click()
    page.get_by_role("option", name="third").click()
    expect(picked(page, "Label column")).to_have_text(["warm", "third"], timeout=PATIENT)
    expect(box(page, "Positive class")).to_have_count(0, timeout=PATIENT)
    page.keyboard.press("Escape")
    step(page, "Train")
    box(page, "Epochs").fill("1")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".hf-run .hf-state")).to_have_text("finished", timeout=2 * PATIENT)
    expect(page.get_by_text("accuracy (all right)").first).to_be_visible(timeout=PATIENT)
    expect(page.locator("table:visible").filter(has_text="third").first).to_contain_text("warm")
    page.close()


def test_what_was_guessed_of_labels_is_undone_by_its_button(browser: Browser, app: Server, tmp_path: Path) -> None:
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    labels = ("pos", "neg", "Pos", "neg", "pos", "N/A")
    lines = [f"the {THINGS[n % 8]} is number {n},{labels[n % 6]}" for n in range(48)]
    upload(page, tmp_path / "guessed.csv", ["text,label", *lines])
    expect(page.get_by_text(re.compile("8 rows have no label \\(8 'N/A'\\)"))).to_be_visible(timeout=PATIENT)
    counted = page.locator(".hf-count:visible")
    expect(counted).to_have_count(2)
    shoot(page, "guessed-labels-1440-light")
    page.get_by_role("button", name="Keep them apart").click()
    expect(counted).to_have_count(3, timeout=PATIENT)
    page.get_by_role("button", name="Take it for a label").click()
    expect(counted).to_have_count(4, timeout=PATIENT)
    for left in (3, 2):
        page.get_by_role("button", name="Undo").last.click()
        expect(counted).to_have_count(left, timeout=PATIENT)
    page.close()
