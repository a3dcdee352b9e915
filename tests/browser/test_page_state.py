"""A page that is loaded again, as gradio does after a lost connection, is as it was: address, texts, form, run."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import PATIENT, box, choose_task, fold, open_page, step, tab, upload_rows
from tests.conftest import Server, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items() if name != "__theme"}


def is_kept(page: Page, text: str) -> None:
    """Wait until the browser keeps `text`: a page is not loaded again in the moment of a key."""
    page.wait_for_function("text => JSON.stringify({...sessionStorage}).includes(text)", arg=text, timeout=PATIENT)


def is_selected(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true", timeout=PATIENT)


def boats(folder: Path) -> Path:
    file = folder / "boats.csv"
    file.write_text("text,label\n" + "".join(f"boat {row} leaves,{'ab'[row % 2]}\n" for row in range(40)))
    return file


def test_the_task_its_texts_and_its_tab_come_back(browser: Browser, app: Server, tmp_path: Path) -> None:
    page = open_page(browser, app)
    choose_task(page, "Feature extraction")
    expect(page.get_by_text("texts × tokens × hidden size")).to_be_visible(timeout=PATIENT)
    fold(page, "Parameters")
    box(page, "tokenize_kwargs").fill('{"max_length": 6}')
    box(page, "Text").fill("The boat was late.\nThe tea was cold.")
    is_kept(page, "The tea was cold.")
    assert address(page)["task"] == "feature-extraction"
    assert address(page)["model"] == "embedded:minilm"
    assert address(page)["tab"] == "run"
    page.reload()
    expect(box(page, "Text")).to_have_value("The boat was late.\nThe tea was cold.", timeout=PATIENT)
    expect(box(page, "tokenize_kwargs")).to_have_value('{"max_length": 6}')
    expect(page.locator(".hf-result:visible").first).to_contain_text("The tea was cold", timeout=PATIENT)

    tab(page, "See the tokens")
    tab(page, "A data set")
    page.locator(".block:visible input[type=file]").first.set_input_files(boats(tmp_path))
    expect(page.get_by_text("over all 40 rows")).to_be_visible(timeout=PATIENT)
    tab(page, "One text")
    box(page, "Text").fill("tokens that stay")
    expect(page.locator(".hf-slot:visible").filter(has_text="stay").first).to_be_visible(timeout=PATIENT)
    is_kept(page, "tokens that stay")
    entries = page.evaluate("history.length")
    page.reload()
    is_selected(page, "See the tokens")
    expect(box(page, "Text")).to_have_value("tokens that stay", timeout=PATIENT)
    tab(page, "A data set")
    expect(page.get_by_text("over all 40 rows")).to_be_visible(timeout=PATIENT)
    tab(page, "One text")
    assert page.evaluate("history.length") == entries, "a page that is loaded again is no step"
    page.go_back()
    is_selected(page, "Run a model")
    assert address(page)["task"] == "feature-extraction"
    expect(box(page, "Text")).to_have_value("The boat was late.\nThe tea was cold.", timeout=PATIENT)
    page.go_forward()
    is_selected(page, "See the tokens")


def test_the_first_steps_are_ticked_as_they_are_done_and_dismissed_for_good(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    strip = page.get_by_role("navigation", name="First steps")
    expect(strip).to_be_visible(timeout=PATIENT)
    expect(strip.locator(".hf-done")).to_have_count(0)
    box(page, "Text").fill("A fine day.")
    box(page, "Text").press("Control+Enter")
    expect(strip.locator(".hf-done")).to_have_text(["1 · Classify a text"])
    strip.get_by_role("button", name="See its tokens").click()
    is_selected(page, "See the tokens")
    expect(strip.locator(".hf-done")).to_have_count(2)
    page.reload()
    expect(strip.locator(".hf-done")).to_have_count(2, timeout=PATIENT)
    strip.get_by_role("button", name="Hide the first steps").click()
    expect(strip).to_have_count(0)
    page.reload()
    is_selected(page, "See the tokens")
    expect(page.get_by_role("navigation", name="First steps")).to_have_count(0)


def test_a_link_goes_before_what_was_typed(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    box(page, "Text").fill("typed before")
    is_kept(page, "typed before")
    page.goto(f"{app.url}/?task=text-classification&text=linked")
    expect(box(page, "Text")).to_have_value("linked", timeout=PATIENT)
    assert address(page)["text"] == "linked"
    page.reload()
    expect(box(page, "Text")).to_have_value("linked", timeout=PATIENT)


def test_the_form_comes_back_with_its_file_and_what_is_no_config_yet(browser: Browser, tmp_path: Path) -> None:
    file = boats(tmp_path)
    with serve(tmp_path / "home", forking=True) as server:
        page = open_page(browser, server)
        tab(page, "Fine-tune")
        upload_rows(page, file)
        expect(page.locator(".hf-ready:visible")).to_contain_text("32 rows", timeout=PATIENT)
        step(page, "Train")
        box(page, "Epochs").fill("7")
        box(page, "Batch size").fill("4")
        fold(page, "Every other field of TrainingArguments")
        box(page, "TrainingArguments").fill('{"optim":')
        expect(page.locator(".hf-refused:visible")).to_contain_text("is not JSON", timeout=PATIENT)
        is_kept(page, "optim")
        page.reload()
        is_selected(page, "Fine-tune")
        is_selected(page, "Train")
        expect(page.locator(".file-preview")).to_contain_text("boats", timeout=PATIENT)
        expect(box(page, "Epochs")).to_have_value("7", timeout=PATIENT)
        expect(box(page, "Batch size")).to_have_value("4")
        fold(page, "Every other field of TrainingArguments")
        expect(box(page, "TrainingArguments")).to_have_value('{"optim":')
        box(page, "TrainingArguments").fill("")
        expect(page.locator(".hf-ready:visible")).to_contain_text("32 rows", timeout=PATIENT)
        expect(page.locator(".hf-ready:visible")).to_contain_text("56 steps")
        port = urlsplit(server.url).port
    # The page hears of the new server by itself; gradio removed what was uploaded when the old one ended.
    with serve(tmp_path / "home", port, forking=True):
        expect(page.locator(".hf-refused:visible")).to_contain_text("upload it again", timeout=PATIENT)
        expect(box(page, "Epochs")).to_have_value("7", timeout=PATIENT)


def test_an_answers_tokens_are_a_link_away_and_the_way_back_is_too(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    box(page, "Text").fill("Unbelievably good.")
    box(page, "Text").press("Control+Enter")
    link = page.get_by_role("link", name="See its tokens")
    expect(link).to_have_attribute("href", re.compile("Unbelievably"), timeout=PATIENT)
    link.click()
    is_selected(page, "See the tokens")
    expect(box(page, "Text")).to_have_value("Unbelievably good.", timeout=PATIENT)
    expect(box(page, "Tokenizer")).to_have_value("embedded:sentiment")
    page.go_back()
    is_selected(page, "Run a model")
    expect(box(page, "Text")).to_have_value("Unbelievably good.", timeout=PATIENT)


def test_files_are_asked_for_by_the_enter_key_too(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    with page.expect_file_chooser(timeout=PATIENT) as asked:
        page.locator("button.upload-container:visible").first.press("Enter")
    assert ".csv" in (asked.value.element.get_attribute("accept") or "")
    page.close()
