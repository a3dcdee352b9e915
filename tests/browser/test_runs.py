"""The run panel and the data step in a real browser: what is on view is of the run and the file that were chosen."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from hfdemo.finetuning.events import StepLogged
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings
from tests.browser.pages import (
    PATIENT,
    box,
    fits,
    fold,
    open_page,
    picked,
    said_aloud,
    shoot,
    show,
    step,
    tab,
    upload_rows,
)
from tests.conftest import Server
from tests.ui.tabs.finetune.reports import a_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUNS = {"20260101-120000-classes": "single_label", "20260102-120000-numbers": "regression"}
RUNS |= {"20260103-120000-tags": "tokens", "20260104-120000-flags": "multi_label"}


F1 = re.compile(r"^f1 of “<img src=x")  # of which class it is stands beside it


@pytest.fixture(scope="module")
def runs(app: Server) -> Iterator[Server]:
    for name, kind in RUNS.items():
        a_run(Settings(home=app.home), kind, name)
    yield app
    for name in RUNS:
        shutil.rmtree(app.home / "runs" / name)


def view(page: Page, run: str) -> None:
    """Choose a run, and wait for it."""
    field = box(page, "Run")
    field.click()
    field.fill(run)
    page.get_by_role("option").filter(has_text=re.compile(run)).first.click()
    expect(page.locator(".hf-run").first).to_contain_text(run, timeout=PATIENT)


def chart(page: Page, name: str) -> Locator:
    return page.locator(f".hf-chart[data-name={name}]:visible")


def test_the_chart_of_metrics_is_of_the_run_on_view(browser: Browser, runs: Server) -> None:
    page = open_page(browser, runs)
    tab(page, "Fine-tune")
    step(page, "Result")
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    for run, names in (
        ("classes", ("accuracy", F1)),
        ("numbers", ("spearmanr", "pearson")),
        ("tags", ("f1", "accuracy")),
        ("flags", ("f1 (macro)", "f1_micro")),
        ("numbers", ("spearmanr", "pearson")),
        ("classes", ("accuracy", F1)),
    ):
        view(page, run)
        drawn = chart(page, "metrics").locator(".hf-key span")
        expect(drawn).to_have_text(list(names), timeout=PATIENT)
    # Its own metrics can be picked also after runs of other kinds were on view, and the fold stays as it is.
    fold(page, "More curves")
    picked = page.get_by_label("Metrics on the chart")
    expect(picked).to_be_visible()
    picked.click()
    page.get_by_role("option", name="f1_weighted").click()
    expect(drawn).to_have_text(["accuracy", F1, "f1_weighted"], timeout=PATIENT)
    for run in ("numbers", "tags"):
        view(page, run)
    expect(page.locator(".toast-body")).to_have_count(0)
    assert broken == []


def test_what_is_pointed_at_is_shown_in_every_chart_while_they_are_drawn_anew_and_a_wrong_cell_shows_its_rows(
    browser: Browser, runs: Server
) -> None:
    page = open_page(browser, runs)
    tab(page, "Fine-tune")
    step(page, "Result")
    view(page, "classes")
    loss, metrics = chart(page, "loss").locator(":scope > svg"), chart(page, "metrics").locator(":scope > svg")
    loss.focus()
    for key in ("End", "ArrowLeft"):
        page.keyboard.press(key)
    pointed = page.locator(".hf-chart:visible .hf-cursor text")
    expect(pointed).to_have_text(["step 30", "step 40"])  # of the metrics the nearest evaluation
    said_aloud(page, "step 30: train 0.03333")
    # Drawn anew by another step: the focus and what is pointed at stay.
    log = runs.home / "runs" / "20260101-120000-classes" / "events.jsonl"
    before = log.read_text()
    *told, finished = before.splitlines(keepends=True)
    log.write_text("".join([*told, json.dumps(StepLogged(80, 99.0, 4.0, 0.02).to_json()) + "\n", finished]))
    expect(loss).to_have_attribute("aria-label", re.compile("0.02 at the end"), timeout=PATIENT)
    expect(loss).to_be_focused()
    expect(pointed).to_have_text(["step 30", "step 40"])
    page.get_by_label("X axis").locator("visible=true").first.select_option("epoch")
    expect(metrics.locator(".hf-axes")).to_contain_text("Epoch", timeout=PATIENT)
    with page.expect_download() as saved:
        chart(page, "loss").get_by_role("button", name="Download Loss as CSV").click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0] == "series,step,epoch,seconds,value"
    assert "train,80,4,98,0.02" in lines
    log.write_text(before)
    # The rows of a cell, and back.
    rows = page.locator("#wrong-rows button[data-why]")
    every = rows.count()
    cell = page.locator("button[data-truth]:visible").first
    count = int(cell.inner_text())
    cell.click()
    expect(page.locator(".hf-of-cell")).to_contain_text(f"{count} of “", timeout=PATIENT)
    expect(rows).to_have_count(count)
    page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(every, timeout=PATIENT)
    page.close()


def test_the_epochs_can_be_gone_through_and_the_fold_stays_open(browser: Browser, runs: Server) -> None:
    page = open_page(browser, runs)
    tab(page, "Fine-tune")
    step(page, "Result")
    view(page, "classes")
    fold(page, "Epoch by epoch")
    slider = page.get_by_label(re.compile("range slider for After epoch"))
    told = page.get_by_text("validation after step 40")
    expect(told).to_be_visible(timeout=PATIENT)
    slider.press("ArrowLeft")
    expect(page.get_by_text("validation after step 20")).to_be_visible(timeout=PATIENT)
    slider.press("ArrowLeft")
    expect(page.get_by_text("validation after step 0")).to_be_visible(timeout=PATIENT)
    shoot(page, "epochs-1440-light")


def test_leaving_the_box_of_the_data_set_keeps_the_upload_and_what_was_chosen_for_it(
    browser: Browser, app: Server, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"note {i},{'ab'[i % 2]},{'xyz'[i % 3]}" for i in range(24)]
    path.write_text("note,first,second\n" + "\n".join(rows) + "\n")
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    upload_rows(page, path)
    data, label = box(page, "Data set"), box(page, "Label column")
    expect(data).to_have_value("mine", timeout=PATIENT)
    step(page, "Check")
    labels = picked(page, "Label column")
    expect(labels).to_have_text(["second"])
    label.click()
    page.get_by_role("option", name="first").click()  # which takes the place of the other: neither is a flag
    expect(box(page, "Positive class")).to_have_value("b", timeout=PATIENT)
    step(page, "Data")
    data.click()
    data.press("Tab")
    page.get_by_text("The first rows", exact=True).click()
    page.wait_for_timeout(1500)
    expect(data).to_have_value("mine")
    uploaded = page.locator(".file-preview:visible")
    expect(uploaded).to_have_count(1)
    step(page, "Check")
    expect(labels).to_have_text(["first"])
    # Another label column has labels of its own: the positive one of the last is none of them.
    label.click()
    page.get_by_role("option", name="second").click()
    expect(box(page, "Positive class")).to_have_count(0, timeout=PATIENT)
    expect(page.get_by_text("is not a label")).to_have_count(0)
    # An example takes the place of the upload.
    step(page, "Data")
    data.click()
    page.get_by_role("option", name="tickets").click()
    expect(uploaded).to_have_count(0, timeout=PATIENT)
    expect(data).to_have_value("tickets")
    step(page, "Check")
    expect(labels).to_have_text(["label"], timeout=PATIENT)


def test_a_tick_stays_while_the_table_of_runs_is_drawn_anew(browser: Browser, runs: Server) -> None:
    page = open_page(browser, runs)
    tab(page, "Fine-tune")
    first, second = (page.locator(f"input[aria-label$='{name}']") for name in ("classes", "tags"))
    first.check()
    Run(runs.home / "runs" / "20260101-120000-classes").set_notes("written meanwhile")
    expect(page.locator(".hf-written-down")).to_have_text("written meanwhile", timeout=PATIENT)
    expect(first).to_be_checked()
    second.check()
    expect(page.locator(".hf-differs")).to_contain_text("20260103-120000-tags", timeout=PATIENT)
    expect(page.locator(".hf-differs")).to_contain_text("20260101-120000-classes")
    page.close()


def test_share_gpt_goes_through_the_page_to_a_run(
    browser: Browser, app: Server, tmp_path: Path, zoo: Callable[[str], Path]
) -> None:
    path = tmp_path / "talks.jsonl"
    turns = [[("human", f"say {n}"), ("gpt", f"it is {n}")] for n in range(24)]
    rows = [{"conversations": [{"from": who, "value": said} for who, said in each]} for each in turns]
    path.write_text("\n".join(map(json.dumps, rows)))
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    upload_rows(page, path)
    # Fields of a step that is not in sight are still there.
    column, layout = page.locator("#field-text input"), page.get_by_label("The rows are")
    expect(column).to_have_value("messages", timeout=PATIENT)
    expect(page.get_by_text("conversations in the form of ShareGPT").first).to_be_visible()
    expect(page.locator("#field-kind input")).to_have_value("the next token (text or chat)")
    # The table as it stands has another column, and the way back is the same box.
    fold(page, "How it is read")
    for option, value in (("as the table stands", "conversations"), ("as they look", "messages")):
        layout.click()
        page.get_by_role("option", name=option).click()
        expect(column).to_have_value(value, timeout=PATIENT)
    step(page, "Model")
    model = box(page, "Base model")
    model.fill(str(zoo("text-generation")))
    model.press("Tab")
    step(page, "Check")
    page.get_by_role("button", name="Count the tokens").click()
    expect(page.locator(".hf-as-read .hf-learned").first).to_be_visible(timeout=PATIENT)
    marked = "".join(page.locator(".hf-as-read .hf-learned").all_text_contents())
    assert re.fullmatch(r"it is \d+<\|im_end\|>\s*", marked), marked
    page.locator(".hf-as-read").scroll_into_view_if_needed()
    for width, mode in ((1440, "light"), (390, "dark")):
        show(page, width, mode)
        shoot(page, f"chat-row-{width}-{mode}")
        fits(page)
    show(page, 1440, "light")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".hf-run").first).to_contain_text("talks", timeout=PATIENT)
    expect(page.locator(".hf-run .hf-state")).to_have_text("finished", timeout=PATIENT)
    # Other data is read as it looks.
    step(page, "Data")
    layout.click()
    page.get_by_role("option", name="as the table stands").click()
    expect(column).to_have_value("conversations", timeout=PATIENT)
    box(page, "Data set").click()
    page.get_by_role("option", name="tickets").click()
    expect(column).to_have_value("text", timeout=PATIENT)
    expect(layout).to_have_value("as they look")
    for run in (app.home / "runs").glob("*talks*"):
        shutil.rmtree(run)
