"""Two people at a public server in two browsers: each sees what is theirs, and what belongs to the page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hfdemo.api.visitor_guard import COOKIE
from hfdemo.ownership import OWNER_FILE
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune.run_actions import LINKED
from tests.browser.pages import PATIENT, box, choose_task, open_page, step, tab, upload_rows
from tests.conftest import Server
from tests.ui.tabs.finetune.reports import a_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUN, SHARED = "20260101-120000-hers", "20260102-120000-shown"


def give_run(page: Page, public: Server, name: str) -> Path:
    """Make a finished run that belongs to whoever has the page open, and return its folder."""
    (token,) = (each["value"] for each in page.context.cookies() if each.get("name") == COOKIE)
    run = a_run(Settings(home=public.home), "single_label", name)
    (run.folder / OWNER_FILE).write_text(f"visitor-{token.partition('.')[0]}")
    return run.folder


def test_each_visitor_s_page_shows_their_runs_and_files_alone(browser: Browser, public: Server, colours: Path) -> None:
    page = open_page(browser, public)
    give_run(page, public, RUN)
    tab(page, "Fine-tune")
    expect(page.locator(".hf-run").first).to_contain_text(RUN, timeout=PATIENT)
    # What a visitor sends is read for them, and what the page itself shows is there for everybody.
    upload_rows(page, colours)
    expect(box(page, "Data set")).to_have_value("colours", timeout=PATIENT)
    step(page, "Check")
    expect(page.get_by_text("down × 23")).to_be_visible(timeout=PATIENT)

    other = browser.new_context().new_page()
    other.goto(public.url)
    choose_task(other, "Image classification")
    examples = other.locator("img[src*='file=']:visible")
    expect(examples.first).to_be_visible(timeout=PATIENT)
    assert examples.evaluate_all("found => found.every(each => each.complete && each.naturalWidth > 0)")
    tab(other, "Fine-tune")
    step(other, "Result")
    expect(other.get_by_text("No run yet").first).to_be_visible(timeout=PATIENT)
    expect(other.get_by_text(RUN)).to_have_count(0)


def test_a_link_of_its_owner_shows_a_run_to_others_who_can_do_nothing_with_it(browser: Browser, public: Server) -> None:
    page = open_page(browser, public)
    give_run(page, public, SHARED)
    page.goto(f"{public.url}/?run={SHARED}")
    copy, stop = (page.get_by_role("button", name=name) for name in ("Copy a link to this run", "Stop sharing"))
    expect(copy).to_be_visible(timeout=PATIENT)
    expect(stop).to_be_hidden()
    copy.click()
    expect(box(page, "Link to this run")).to_have_value(re.compile(rf"^{public.url}/\?run={SHARED}\.\w{{32}}$"))
    expect(stop).to_be_visible()

    other = browser.new_context().new_page()
    other.goto(box(page, "Link to this run").input_value())
    expect(other.get_by_text(LINKED)).to_be_visible(timeout=PATIENT)
    expect(other.locator(".hf-run").first).to_contain_text(SHARED)
    expect(other.locator(".hf-chart:visible").first).to_be_visible(timeout=PATIENT)
    expect(box(other, "Notes")).to_be_disabled()
    for name in (
        "Stop and keep model",
        "Resume",
        "Delete",
        "Use it in Run a model",
        "Train more epochs",
        "Model (zip)",
    ):
        expect(other.get_by_role("button", name=name)).to_have_count(0)
    files = re.compile("^Download(?!.* as (SVG|PNG|CSV)$)")  # the charts, which anybody sees, can be saved
    for hidden in ("Copy a link to this run", "Continue", files, "Where it is wrong on validation"):
        expect(other.get_by_role("button", name=hidden)).to_have_count(0)

    stop.click()
    expect(stop).to_be_hidden()
    expect(other.get_by_text("No run yet").first).to_be_visible(timeout=PATIENT)
    expect(other.get_by_text(SHARED)).to_have_count(0)
