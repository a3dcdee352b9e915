"""See the tokens in a real browser: one text, a batch under every strategy, a data set, and on to Fine-tune."""

import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from hfdemo.tokenization.padding import strategy_names
from tests.browser.pages import PATIENT, box, fold, open_page, picked, shoot, shoot_tabs, step
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_tokens(browser: Browser, app: Server, view: str, width: int = 1440, mode: str = "light") -> Page:
    page = open_page(browser, app, width, mode, f"&tab=tokens&view={view}")
    expect(page.get_by_role("tab", name="See the tokens")).to_have_attribute("aria-selected", "true", timeout=PATIENT)
    return page


def test_tokens_are_linked_by_pointing_and_by_the_keyboard(browser: Browser, app: Server) -> None:
    page = open_tokens(browser, app, "text")
    slots = page.locator(".hf-slot:visible")
    expect(slots.first).to_have_text(re.compile(r"\[CLS\]"), timeout=PATIENT)
    slots.nth(1).hover()
    info = page.locator(".hf-info:visible")
    for fact in ("un", "id 4895", "0", "word 0"):
        expect(info).to_contain_text(fact)
    expect(page.locator(".hf-linked:visible mark.hf-lit")).to_have_text("Un")
    slots.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hf-linked:visible mark.hf-lit")).to_have_text("bel")
    assert page.locator(".hf-slot:visible[tabindex='0']").count() == 1, "one stop of the Tab key, however many tokens"

    # The stages are linked by the characters that their pieces came from.
    page.locator(".hf-linked-stages .hf-piece").filter(has_text=re.compile("^naive$")).hover()
    expect(page.locator(".hf-linked-stages .hf-piece.hf-lit").first).to_have_text("naïve")
    page.get_by_label("One word", exact=True).check()
    expect(page.locator(".hf-steps li").first).to_be_visible(timeout=PATIENT)
    fold(page, "Copy")
    expect(page.locator(".cm-content:visible").first).to_contain_text("| position |", timeout=PATIENT)
    page.get_by_label("CSV", exact=True).check()
    expect(page.locator(".cm-content:visible").first).to_contain_text("position,token,id", timeout=PATIENT)

    # A link brings another page to the same state.
    box(page, "Text").fill("linked “text” & more")
    link = page.get_by_role("link", name="Link to this view").locator("visible=true")
    expect(link).to_have_attribute("href", re.compile("linked"), timeout=PATIENT)
    page.goto(f"{app.url}/{link.get_attribute('href')}")
    expect(box(page, "Text")).to_have_value("linked “text” & more", timeout=PATIENT)
    expect(page.get_by_label("One word", exact=True)).to_be_checked(timeout=PATIENT)
    page.close()


def test_ids_words_merges_and_the_vocabulary_are_looked_at(browser: Browser, app: Server) -> None:
    page = open_tokens(browser, app, "text")
    box(page, "Tokenizer").fill("tokenizer:bpe")
    box(page, "Tokenizer").press("Enter")
    slots = page.locator(".hf-slot:visible bdi")
    expect(slots.filter(has_text="Ġthe").first).to_be_visible(timeout=PATIENT)
    page.get_by_label("Show tokens as text").check()
    expect(slots.filter(has_text="␣the").first).to_be_visible(timeout=PATIENT)

    page.get_by_label("Learned merges", exact=True).check()
    expect(page.get_by_text("64 of 343")).to_be_visible(timeout=PATIENT)
    merges = page.get_by_role("slider").locator("visible=true")
    expect(merges).to_have_attribute("max", "343", timeout=PATIENT)
    merges.focus()
    page.keyboard.press("End")
    expect(page.get_by_text("343 of 343")).to_be_visible(timeout=PATIENT)
    page.get_by_label("Vocabulary", exact=True).check()
    expect(page.get_by_text("1 to 100 of 600 found")).to_be_visible(timeout=PATIENT)
    box(page, "Page").fill("6")
    expect(page.get_by_text("501 to 600 of 600 found")).to_be_visible(timeout=PATIENT)
    box(page, "Search").fill(" the")
    expect(page.get_by_text("1 to 5 of 5 found")).to_be_visible(timeout=PATIENT)
    page.get_by_label("Decode", exact=True).check()
    box(page, "Ids").fill("tensor([262, 599])")
    expect(page.locator(".hf-piece:visible").filter(has_text="Ġthe")).to_be_visible(timeout=PATIENT)
    box(page, "Ids").fill("1 -100")
    expect(page.get_by_text("what the loss leaves out")).to_be_visible(timeout=PATIENT)

    page.get_by_label("Words and labels", exact=True).check()
    strip = page.locator(".hf-tokens:visible").filter(has_text="word_ids")
    expect(strip).to_contain_text("-100", timeout=PATIENT)
    # What goes on beyond the edge fades there, and no more at the end of it.
    around = strip.locator("xpath=..")
    fade = "each => getComputedStyle(each).getPropertyValue('--hf-fade-right')"
    assert around.evaluate(fade) == "40px"
    around.evaluate("each => { each.scrollLeft = each.scrollWidth }")
    page.wait_for_function(
        "each => parseFloat(getComputedStyle(each).getPropertyValue('--hf-fade-right')) < 1",
        arg=around.element_handle(),
    )
    page.close()


def test_the_lab_draws_measures_proves_and_can_be_stopped(browser: Browser, app: Server) -> None:
    page = open_tokens(browser, app, "batch")
    plans = page.locator(".hf-plan:visible")
    expect(plans).to_have_count(len(strategy_names()), timeout=PATIENT)
    expect(plans.first).to_contain_text("ragged")
    box(page, "Texts").fill("one two three\n" + "word " * 30 + "\nyes")
    expect(page.locator(".hf-plan:visible .hf-line").first).to_have_attribute("title", re.compile("Row 1: 1 special"))
    expect(plans.first.locator(".hf-line")).to_have_count(3, timeout=PATIENT)

    page.get_by_role("button", name="Prove the mask").click()
    expect(page.get_by_text(re.compile("With the mask the first token"))).to_be_visible(timeout=PATIENT)
    page.get_by_role("button", name="Measure forward passes").click()
    expect(page.locator(".hf-costs:visible th").filter(has_text="measured")).to_be_visible(timeout=PATIENT)
    shoot(page, "tokens-batch-measured-1440-light")
    # Measured numbers belong to what was measured. These texts take so long that Stop always comes in time.
    box(page, "Texts").fill("\n".join("word " * 100 + str(row) for row in range(24)))
    expect(page.locator(".hf-costs:visible th").filter(has_text="measured")).to_have_count(0, timeout=PATIENT)
    expect(plans.nth(1).locator(".hf-line").nth(10)).to_be_attached(timeout=PATIENT)
    page.get_by_role("button", name="Measure forward passes").click()
    expect(page.get_by_text(re.compile(r": \d+ of \d+")).first).to_be_visible(timeout=PATIENT)
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible(timeout=PATIENT)
    page.close()


def test_a_data_set_is_counted_and_its_setting_is_trained_with(browser: Browser, app: Server, tmp_path: Path) -> None:
    page = open_tokens(browser, app, "dataset")
    expect(page.locator(".hf-histogram:visible")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".hf-advice:visible")).to_be_visible()
    path = tmp_path / "notes.csv"
    path.write_text(
        "note,mood\n" + "".join(f"{'word ' * (1 + row % 40)},{'up' if row % 2 else 'down'}\n" for row in range(200))
    )
    page.locator("input[type=file]:visible, .block:visible input[type=file]").first.set_input_files(path)
    expect(box(page, "Text column")).to_have_value("note", timeout=PATIENT)
    expect(page.get_by_text("over all 200 rows")).to_be_visible(timeout=PATIENT)
    fold(page, r"map\(batched=True\)")
    page.get_by_role("button", name="Measure on this data").click()
    expect(page.get_by_text(re.compile(r"batched is .* as fast"))).to_be_visible(timeout=PATIENT)
    shoot(page, "tokens-dataset-1440-light")
    advised = page.locator(".hf-advice b:visible").first.inner_text()
    page.get_by_role("button", name="Use this in Fine-tune").click()
    expect(page.get_by_role("tab", name="Fine-tune")).to_have_attribute("aria-selected", "true", timeout=PATIENT)
    step(page, "Model")
    expect(box(page, "Padding")).to_have_value(advised, timeout=PATIENT)
    step(page, "Check")
    expect(picked(page, "Label column")).to_have_text(["mood"], timeout=PATIENT)
    page.close()


@pytest.mark.parametrize(("mode", "widths"), [("light", (1440, 390)), ("dark", (390, 1440))], ids=["light", "dark"])
def test_every_view_opens_on_something_and_fits_the_screen(
    browser: Browser, app: Server, mode: str, widths: tuple[int, ...]
) -> None:
    page = open_tokens(browser, app, "text", widths[0], mode)
    views = {
        "tokens-text": ("One text", ".hf-linked"),
        "tokens-batch": ("A batch", ".hf-plan"),
        "tokens-set": ("A data set", ".hf-histogram"),
    }
    shoot_tabs(page, views, widths, mode)
    page.close()


def test_a_hundred_thousand_characters_leave_the_page_responsive(browser: Browser, app: Server) -> None:
    page = open_tokens(browser, app, "text")
    expect(page.locator(".hf-slot:visible").first).to_be_visible(timeout=PATIENT)
    text = "The ferry leaves at seven, unbelievably. " * 2500
    inspector = page.context.new_cdp_session(page)
    inspector.send("Performance.enable", {"timeDomain": "threadTicks"})

    def drew() -> float:
        """The seconds that the page has computed; those in which others had the core are left out."""
        told = {each["name"]: each["value"] for each in inspector.send("Performance.getMetrics")["metrics"]}
        return float(told["TaskDuration"])

    def computed() -> float:
        """The seconds that the page and the app have computed."""
        app_took = psutil.Process(app.process.pid).cpu_times()
        return drew() + app_took.user + app_took.system

    def draw_frames() -> float:
        """The seconds that the page computes while it draws eight times two frames, the better of two tries."""
        found = []
        for _ in range(2):
            started = drew()
            page.evaluate(
                "(async () => {for (let turn = 0; turn < 8; turn++)"
                "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))})()"
            )
            found.append(drew() - started)
        return min(found)

    with_a_sentence = draw_frames()
    started = computed()
    box(page, "Text").fill(text[:100_000])
    expect(page.get_by_text(re.compile("page 1 of"))).to_be_visible(timeout=PATIENT)
    seconds = computed() - started
    assert seconds < 10, f"typed to drawn took {seconds:.1f} s"
    assert page.evaluate("document.querySelectorAll('.hf-linked *').length") < 5000, "one page of it is drawn"
    # The browser itself is free: the text makes two frames less than a fifth of a second dearer.
    assert draw_frames() - with_a_sentence < 8 * 0.2
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(re.compile("page 2 of"))).to_be_visible(timeout=PATIENT)
    page.close()
