"""The newcomer's story in a real browser: classify, see the tokens, fine-tune, watch, use the result."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.pages import (
    PATIENT,
    box,
    choose_task,
    is_accessible,
    open_page,
    picked,
    said_aloud,
    shoot,
    shoot_tabs,
    step,
    tab,
    upload_rows,
)
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def lines_drawn(page: Page) -> Locator:
    """The lines of the charts that have two points or more."""
    return page.locator(".hf-chart .hf-series[points*=' ']:visible")


def test_the_whole_story(browser: Browser, app: Server, tmp_path: Path) -> None:
    page = open_page(browser, app)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))

    # Run a model: the tab opens on an answer, and answers what is typed.
    answer = page.locator(".hf-label").first
    expect(answer).to_contain_text("positive", timeout=PATIENT)
    box(page, "Text").fill("Dull, loud and far too long.")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(answer).to_contain_text("negative", timeout=PATIENT)
    said_aloud(page, "negative")
    stages = page.locator(".hf-stage")
    expect(stages).to_have_count(3)
    expect(stages.nth(0)).to_contain_text("[CLS]")
    expect(stages.nth(1)).to_contain_text("logits")
    expect(stages.nth(2)).to_contain_text("softmax")
    expect(page.locator(".hf-facts").first).to_contain_text("Every weight came from the checkpoint")
    shoot(page, "run-1440-light")

    # A technical word is explained where it first stands: to who points at it, goes to it by the keyboard, or taps it.
    word, card = page.locator(".hf-term:visible").get_by_text("logit", exact=True), page.locator("#hf-definition")
    for reach in (word.hover, word.focus, word.click):
        reach()
        expect(card).to_contain_text("raw scores")
        expect(card.get_by_role("link")).to_have_text("Hugging Face course, chapter 2: Behind the pipeline")
        expect(word).to_have_accessible_description(re.compile("^The raw scores"))
        is_accessible(page)
        page.keyboard.press("Escape")
        expect(card).to_be_hidden()
        word.blur()
    words = [each.get_attribute("aria-describedby") for each in page.locator(".hf-term:visible").all()]
    assert len(words) == len(set(words)) > 5, "each once in a tab"

    # See the tokens: live while typing.
    tab(page, "See the tokens")
    box(page, "Text").fill("Hi <b>there</b>")
    expect(page.locator(".hf-slot:visible bdi").nth(2)).to_have_text("<", timeout=PATIENT)
    tab(page, "A batch")
    page.get_by_label("As tensors").check()
    box(page, "Texts").fill("unbelievable\nHi <b>there</b>")
    box(page, "Second texts").fill("yes\nno")
    words = page.locator(".hf-tokens:visible td.hf-token")
    expect(words.first).to_have_text("[CLS]", timeout=PATIENT)
    expect(page.locator(".hf-tokens:visible td.hf-second")).to_have_text(["yes", "no"], timeout=PATIENT)
    expect(page.locator(".hf-tokens:visible td.hf-pad").first).to_have_text("[PAD]")
    expect(page.locator(".hf-tensor-name:visible").filter(has_text="token_type_ids [2, ")).to_have_count(1)
    page.get_by_label("False").check()
    expect(page.get_by_text("These rows are ragged")).to_be_visible(timeout=PATIENT)
    shoot(page, "tokens-1440-light")

    # Fine-tune: upload a CSV, mend it, choose, start, watch, compare, and use the result in the first tab.
    tab(page, "Fine-tune")
    expect(page.get_by_title("The device that models run")).to_contain_text(re.compile("CPU|GPU|NVIDIA|Apple|XPU"))
    path = tmp_path / "colours.csv"
    things = ("sea", "sky", "wall", "road", "leaf", "lamp", "boat", "bird")
    moods = (("warm today", "up"), ("cold today", "down"), ("hot now", "up"), ("icy now", "down"))
    rows = [f"the {thing} is {mood},{label}" for thing in things for mood, label in moods]
    path.write_text("note,mood\n" + "\n".join([*rows, ",up", rows[0]]) + "\n")
    upload_rows(page, path)
    start = page.get_by_role("button", name="Start", exact=True).bounding_box()
    assert start is not None
    assert start["y"] + start["height"] <= 900, "in sight, wherever in the form one is"
    page.get_by_role("button", name="Go to Check").first.click()
    expect(picked(page, "Label column")).to_have_text(["mood"], timeout=PATIENT)
    expect(box(page, "Text column")).to_have_value("note")
    # The doctor found a row without a text and one that is there twice: Start would be refused.
    expect(page.get_by_text(re.compile("Row 33 has nothing in the column 'note'"))).to_be_visible(timeout=PATIENT)
    for left in (2, 1):
        mend = page.locator("[data-do^='fix']:visible")
        expect(mend).to_have_count(left, timeout=PATIENT)
        mend.first.click()
    expect(page.locator("[data-do^='fix']:visible")).to_have_count(0, timeout=PATIENT)
    expect(page.get_by_text("Row 33 has nothing")).to_have_count(0)
    shoot(page, "finetune-mended-1440-light")
    step(page, "Train")
    box(page, "Epochs").fill("6")
    page.get_by_role("button", name="Start", exact=True).click()
    state = page.locator(".hf-run .hf-state")
    expect(state).to_have_text(re.compile("starting|running"), timeout=PATIENT)
    expect(state).to_have_text("running", timeout=PATIENT)
    said_aloud(page, "running")
    expect(page.get_by_text(re.compile(r"step \d+ of \d+"))).to_be_visible(timeout=PATIENT)
    expect(lines_drawn(page).first).to_be_visible(
        timeout=PATIENT
    )  # while it trains, on a page that began without a run

    step(page, "Train")
    box(page, "Epochs").fill("2")
    page.get_by_role("button", name="Start", exact=True).click()  # another one, which waits for the first
    expect(state).to_have_text(re.compile("queued|starting|running"), timeout=PATIENT)

    # Closing the tab loses nothing: a new page shows the same run.
    page.close()
    page = open_page(browser, app)
    page.on("pageerror", lambda error: broken.append(str(error)))
    tab(page, "Fine-tune")
    step(page, "Result")
    state = page.locator(".hf-run .hf-state")
    expect(state).to_have_text("finished", timeout=PATIENT)
    expect(page.locator(".hf-score").first).to_contain_text("accuracy")
    expect(page.locator(".hf-confusion:visible")).to_contain_text("up")
    expect(lines_drawn(page)).to_have_count(4)  # loss of train and validation, accuracy and f1
    shoot(page, "finetune-1440-light")
    # Two runs over each other, and what was different.
    for run in (0, 1):
        page.locator("input[aria-label^='compare']").nth(run).check()
    expect(page.get_by_text("Settings that differ")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".hf-differs")).to_contain_text("num_train_epochs")
    shoot(page, "finetune-compared-1440-light")
    tab(page, "Run a model")  # on another task, so that the run has to bring its own
    choose_task(page, "Feature extraction")
    expect(page.get_by_text("texts × tokens × hidden size")).to_be_visible(timeout=PATIENT)
    tab(page, "Fine-tune")
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete").click()  # and change one's mind: nothing happens
    page.get_by_role("button", name="Use it in Run a model").click()
    expect(box(page, "Model")).to_have_value(re.compile("^run:.*colours$"), timeout=PATIENT)
    expect(page.get_by_text("which it has not learned from. Its label is:")).to_be_visible(timeout=PATIENT)
    # The run answers by itself; only then is the panel the one to type in.
    expect(page.locator(".hf-label").first).to_contain_text(re.compile("up|down"), timeout=PATIENT)
    box(page, "Text").fill("the road is cold today")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".hf-label").first).to_contain_text("down", timeout=PATIENT)
    shoot(page, "run-of-a-run-1440-light")
    is_accessible(page)
    assert broken == []
    page.close()
    loaded = Path(f"/proc/{app.process.pid}/maps").read_text()
    assert "pandas" in loaded
    assert not re.search("libtorch|tokenizers|matplotlib", loaded), "a child of the page's process did all that"


@pytest.mark.parametrize(("mode", "widths"), [("dark", (1440, 390)), ("light", (390,))], ids=["dark", "light"])
def test_every_tab_fits_the_screen_and_has_something_on_it(
    browser: Browser, app: Server, mode: str, widths: tuple[int, ...]
) -> None:
    page = open_page(browser, app, widths[0], mode)
    tabs = {
        "run": ("Run a model", ".hf-label"),
        "see": ("See the tokens", ".hf-slot"),
        "fine-tune": ("Fine-tune", ".hf-facts"),
    }
    shoot_tabs(page, tabs, widths, mode)
    shown = {"check": ".hf-counts", "model": "#field-model", "train": "#field-epochs", "result": ".hf-run, .hf-empty"}
    shoot_tabs(page, {f"fine-tune-{name}": (name.capitalize(), sign) for name, sign in shown.items()}, widths, mode)
    page.close()


def test_bad_input_becomes_a_sentence_on_the_page_and_the_page_goes_on(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    model = box(page, "Model")
    model.fill("owner/no-such-model")
    model.press("Enter")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("can't be reached from here")).to_be_visible(timeout=PATIENT)
    model.fill("embedded:sentiment")
    model.press("Enter")
    box(page, "Text").fill("<img src=x onerror=alert(1)> wonderful")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".hf-stage").first).to_contain_text("wonderful", timeout=PATIENT)
    assert page.locator(".hf-stage img").count() == 0
    page.close()


def test_a_file_that_is_no_table_is_said_so_in_place_of_the_last_data(
    browser: Browser, app: Server, tmp_path: Path
) -> None:
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    step(page, "Check")
    expect(page.get_by_text("delivery × 124")).to_be_visible(timeout=PATIENT)
    (tmp_path / "empty.csv").write_text("")
    upload_rows(page, tmp_path / "empty.csv")
    expect(page.get_by_text("empty.csv is empty")).to_be_visible(timeout=PATIENT)
    expect(page.get_by_text("delivery × 124")).to_have_count(0)
    page.get_by_label("Clear").or_(page.get_by_label("Remove")).first.click()
    step(page, "Check")
    expect(page.get_by_text("delivery × 124")).to_be_visible(timeout=PATIENT)
    page.close()


def test_pairs_are_made_line_by_line(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    tab(page, "See the tokens")
    tab(page, "A batch")
    page.get_by_label("As tensors").check()
    box(page, "Texts").fill("alpha\nbeta\ngamma")
    box(page, "Second texts").fill("first\n\nthird")
    expect(page.get_by_text("Line 2 has no second text")).to_be_visible(timeout=PATIENT)
    box(page, "Second texts").fill("first\nsecond\nthird")
    expect(page.locator(".hf-tokens:visible td.hf-second")).to_have_text(["first", "second", "third"], timeout=PATIENT)
    page.close()


def test_another_task_brings_its_own_panel_and_answer(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    choose_task(page, "Feature extraction")
    expect(page.get_by_text("texts × tokens × hidden size")).to_be_visible(timeout=PATIENT)
    expect(box(page, "Second text")).to_have_count(0)
    shoot(page, "features-1440-light")
    page.close()
