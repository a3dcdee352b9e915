"""A file without a header, in an encoding that it does not name, in a real browser: said, and read the other way."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import PATIENT, box, fold, open_page, picked, shoot, step, tab, upload_rows
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
READINGS = Path(__file__).parents[1] / "data_sources" / "readings"


def upload(page: Page, path: Path, rows: int) -> None:
    tab(page, "Fine-tune")
    upload_rows(page, path)
    expect_rows(page, rows)


def expect_rows(page: Page, rows: int) -> None:
    expect(page.locator(".hf-facts:visible").filter(has_text="read as").first).to_contain_text(
        re.compile(rf"rows\s*{rows}\s*columns"), timeout=PATIENT
    )


def choose_encoding(page: Page, name: str) -> None:
    field = page.get_by_label("Encoding", exact=True).locator("visible=true")
    field.click()
    field.fill(name)
    field.press("Enter")


def test_a_first_line_like_the_others_is_a_row_and_one_click_makes_it_a_header(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    upload(page, READINGS / "sms_no_header.tsv", 48)
    page.get_by_role("button", name="Go to Check").click()
    card = page.locator(".hf-problem").filter(has_text="looks like the others")
    expect(card).to_be_visible(timeout=PATIENT)
    expect(picked(page, "Label column")).to_have_text(["column 1"], timeout=PATIENT)
    shoot(page, "finetune-no-header")
    card.get_by_role("button", name="Fix it").click()
    step(page, "Data")
    expect_rows(page, 47)
    step(page, "Check")
    expect(picked(page, "Label column")).to_have_text(["ham"], timeout=PATIENT)
    page.locator(".hf-mended").get_by_role("button", name="Undo").click()
    step(page, "Data")
    expect_rows(page, 48)


def test_an_encoding_can_be_chosen_and_what_is_chosen_is_gone_by(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    upload(page, READINGS / "windows_1251.csv", 48)
    facts = page.locator(".hf-facts:visible").filter(has_text="read as").first
    expect(facts).to_contain_text("Windows-1251 (likely)")
    fold(page, "How it is read")
    shoot(page, "finetune-encoding")
    choose_encoding(page, "koi8-r")
    expect(facts).to_contain_text("koi8-r, as asked for", timeout=PATIENT)
    choose_encoding(page, "nonsense")
    expect(page.get_by_text("There is no encoding").first).to_be_visible(timeout=PATIENT)


def test_a_file_to_be_predicted_or_counted_is_read_as_asked(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    fold(page, "A whole file")
    facts = page.locator(".hf-facts:visible").filter(has_text="read as").first
    page.locator(".block:visible input[type=file]").first.set_input_files(READINGS / "windows_1251.csv")
    expect(facts).to_contain_text("Windows-1251 (likely)", timeout=PATIENT)
    choose_encoding(page, "koi8-r")
    expect(facts).to_contain_text("koi8-r, as asked for", timeout=PATIENT)
    shoot(page, "run-whole-file-encoding")
    page.get_by_role("button", name="Predict all rows").click()
    expect(page.get_by_text("The file with predictions")).to_be_visible(timeout=PATIENT)
    tab(page, "See the tokens")
    tab(page, "A data set")
    page.locator(".block:visible input[type=file]").first.set_input_files(READINGS / "sms_no_header.tsv")
    expect(facts).to_contain_text(re.compile(r"rows\s*48"), timeout=PATIENT)
    expect(page.get_by_text("looks like the others").locator("visible=true")).to_be_visible(timeout=PATIENT)
    fold(page, "How it is read")
    box(page, "The first line is").click()
    page.get_by_role("option", name="the names of the columns").locator("visible=true").click()
    expect(facts).to_contain_text(re.compile(r"rows\s*47"), timeout=PATIENT)
    shoot(page, "tokens-set-reading")
    page.close()
