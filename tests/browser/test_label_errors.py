"""Labels that were changed on purpose are found after a run, decided on, and mended in the next, in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hfdemo.tables import read_table
from tests.browser.pages import PATIENT, box, fits, fold, open_page, shoot, show, step, tab, upload_rows
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
THINGS = ("sea", "sky", "wall", "road", "leaf", "lamp", "boat", "bird")
MOODS = (("is warm and sunny", "up"), ("is cold and icy", "down"))


def test_wrong_labels_are_found_decided_on_and_mended_in_the_next_run(
    browser: Browser, app: Server, tmp_path: Path
) -> None:
    rows = [
        (f"the {thing} {words} on day {day}", label) for day in range(4) for thing in THINGS for words, label in MOODS
    ]
    wrong = (8, 21, 45)  # the last is among the rows that are held out, so that a row there is wrong
    other = {"up": "down", "down": "up"}
    given = [(text, other[label] if row in wrong else label) for row, (text, label) in enumerate(rows)]
    path = tmp_path / "noisy.csv"
    path.write_text("text,label\n" + "\n".join(",".join(row) for row in given) + "\n")
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    upload_rows(page, path)
    expect(page.locator(".hf-facts:visible").filter(has_text="read as").first).to_contain_text(
        re.compile(r"rows\s*64"), timeout=PATIENT
    )
    step(page, "Train")
    box(page, "Epochs").fill("1")  # what fits so few rows is suggested about now, for another value
    page.get_by_role("button", name="Start", exact=True).click()
    state = page.locator(".hf-run .hf-state")
    expect(state).to_have_text(re.compile("starting|running|queued"), timeout=PATIENT)
    expect(state).to_have_text("finished", timeout=PATIENT)
    why = page.get_by_role("button", name="Why?").first
    expect(why).to_be_visible(timeout=PATIENT)
    why.click()
    expect(page.locator(".hf-why ins, .hf-why del").first).to_be_visible(timeout=PATIENT)
    told = page.get_by_text(re.compile(r"Row \d+: why (up|down), and not (up|down)"))
    expect(told).to_be_visible(timeout=PATIENT)
    fold(page, "Labels that may be wrong")
    page.get_by_role("button", name="Look for them").click()
    menus = page.locator("select[data-correction]:visible")
    expect(menus.first).to_be_visible(timeout=PATIENT)
    listed = page.locator(".hf-label-errors tr")
    found = [listed.nth(n).locator("td").nth(1).inner_text() for n in (1, 2, 3)]
    assert set(found) == {rows[row][0] for row in wrong}
    for mode, width in (("light", 1440), ("dark", 390)):
        show(page, width, mode)
        fits(page)
        place = menus.first.bounding_box()
        assert place is not None
        assert place["x"] + place["width"] <= width, "what becomes of a row is on the screen"
        shoot(page, f"label-errors-{width}-{mode}")
    show(page, 1440, "light")
    for number, words in enumerate(("relabel as", "relabel as", "drop the row")):
        menu = menus.nth(number)
        menu.select_option(menu.locator("option").filter(has_text=words).first.get_attribute("value"))
    expect(page.get_by_text("2 relabelled, 1 dropped", exact=False).first).to_be_visible(timeout=PATIENT)
    page.get_by_role("button", name="Correct them in a new run").click()
    step(page, "Check")
    mended = page.locator(".hf-mended")
    expect(mended).to_contain_text("Rows corrected one by one: 2 relabelled, 1 dropped", timeout=PATIENT)
    expect(page.locator(".hf-ready")).to_contain_text("Trains on", timeout=PATIENT)
    shoot(page, "label-errors-mended-1440-light")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(state).to_have_text(re.compile("starting|running|queued"), timeout=PATIENT)
    expect(state).to_have_text("finished", timeout=PATIENT)
    newest = max(each for each in (app.home / "runs").iterdir() if each.name.startswith("2"))
    tables = [read_table(newest / "data" / f"{split}.csv") for split in ("train", "validation")]
    mended_rows = {(row.text, row.label) for table in tables for row in table.itertuples()}
    right = [rows[row] in mended_rows for row in wrong]
    assert sum(right) == 2, "two have their right label again"
    assert len(mended_rows) == 63, "one is dropped"
    assert len(json.loads((newest / "config.json").read_text())["fixes"]) == 3
    # All of them are undone at once.
    step(page, "Check")
    mended.get_by_role("button", name="Undo").click()
    expect(mended).to_have_count(0, timeout=PATIENT)
    page.close()
