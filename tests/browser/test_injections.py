"""Nothing that a person, a file, a model or an address supplies becomes markup, style, script or a template."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Locator, Page, expect

from hfdemo.ownership import claim_folder, share_folder
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune.run_actions import LINKED
from hfdemo.ui.tabs.tokens.inspectors import INSPECTORS
from tests.browser.pages import PATIENT, box, fold, open_page, run, step, tab, upload_rows
from tests.conftest import Server
from tests.injections import INJECTIONS, find_foreign
from tests.ui.tabs.finetune.reports import a_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Where a line, or the name of a file, is all that fits.
NAME = "<img src=x data-xss onerror=__xss=1>\"'><x-xss>x<x-xss>${__xss=1}{{'xss'+7*7}}"
IN_A_FILE = tuple(text.replace("\0", "") for text in INJECTIONS)  # with NUL it is no text file
ONE_LINE = tuple(" ".join(text.split()) for text in INJECTIONS)
ALL_IN_ONE = " ".join(ONE_LINE)


def shows_text_alone(page: Page, *signs: Locator) -> None:
    """Wait for signs that what was supplied is on the page, and hold that none of it is more than text."""
    for sign in signs:
        expect(sign.first).to_be_visible(timeout=PATIENT)
    assert find_foreign(page) == []


def write_rows(path: Path, rows: int) -> Path:
    """Write a CSV with `rows` of each injection as text and label, and some of them as names of columns."""
    columns = IN_A_FILE[::4]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", *columns])
        writer.writerows([text, text, *columns] for text in IN_A_FILE for _ in range(rows))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model that calls its labels, its tokens and itself so, and writes so for each role of a conversation."""
    import transformers

    from tests.zoo.parts import BERT, labels, save
    from tests.zoo.tokenizers import wordpiece

    tokenizer = wordpiece()
    tokenizer.add_tokens([text for text in INJECTIONS if text.strip() == text])
    written = NAME.split("${")[0]
    tokenizer.chat_template = (
        f"{{% for m in messages %}}{written}{{{{ m['role'] }}}}{{{{ m['content'] }}}}{{% endfor %}}"
    )
    config = transformers.BertConfig(**{**BERT, "vocab_size": len(tokenizer)}, **labels(*INJECTIONS))
    folder = tmp_path_factory.mktemp("hostile") / NAME
    save(folder, transformers.BertForSequenceClassification(config), tokenizer)
    return str(folder)


def test_what_a_model_calls_its_labels_and_itself_stays_text(
    browser: Browser, app: Server, model: str, tmp_path: Path
) -> None:
    query = urlencode({"model": model, "task": "text-classification", "top_k": 100, "text": ALL_IN_ONE[:2_000]})
    page = open_page(browser, app, query=f"&{query}")
    shows_text_alone(page, page.get_by_text("Nothing of it has been read yet"))
    box(page, "Text").fill(ALL_IN_ONE)
    run(page)
    shows_text_alone(page, page.locator(".hf-label").filter(has_text="data-xss"), page.locator(".hf-stage"))
    for name in (r"History \(this browser only\)", "Model details", "A whole file"):
        fold(page, name)
    for name in ("JSON", "Compare", "Code"):
        tab(page, name)
    for name in ("Auto classes", "gradio_client", "curl", "pipeline()"):
        page.get_by_role("tab", name=name).click()
        shows_text_alone(page, page.locator(".cm-content:visible").filter(has_text="data-xss"))
    page.get_by_role("button", name="Load and show its card").click()
    shows_text_alone(page, page.get_by_text("Every weight came from the checkpoint"))
    table = write_rows(tmp_path / f"{NAME}.csv", rows=1)
    page.locator(".block:visible input[type=file]").first.set_input_files(table)
    expect(box(page, "Text column")).to_have_value("text", timeout=PATIENT)
    page.get_by_role("button", name="Predict all rows").click()
    shows_text_alone(page, page.get_by_text("The file with predictions"))
    box(page, "Model").fill(ONE_LINE[0])
    box(page, "Model").press("Enter")
    run(page)
    shows_text_alone(page, page.get_by_text("is not a model reference"))
    page.close()


def test_what_is_typed_or_in_a_vocabulary_stays_text_in_see_the_tokens(
    browser: Browser, app: Server, model: str, tmp_path: Path
) -> None:
    page = open_page(browser, app, query="&tab=tokens&view=text")
    box(page, "Text").fill(ALL_IN_ONE)
    shows_text_alone(page, page.locator(".hf-linked:visible").filter(has_text="onerror"))
    box(page, "Tokenizer").fill(model)
    box(page, "Tokenizer").press("Enter")
    shows_text_alone(page, page.locator(".hf-slot:visible bdi").filter(has_text="data-xss"))
    page.locator(".hf-slot:visible").filter(has_text="data-xss").first.hover()
    shows_text_alone(page, page.locator(".hf-info:visible").filter(has_text="data-xss"))
    page.get_by_label("Vocabulary", exact=True).check()
    box(page, "Search").fill("data-xss")
    shows_text_alone(page, page.locator("table:visible .hf-piece").filter(has_text="data-xss"))
    for look in ("Truncation", "Chat template", "Several tokenizers", "Decode", "Stages"):
        page.get_by_label(look, exact=True).check()
        shows_text_alone(page, page.get_by_text(INSPECTORS[look].about.split(". ")[0]))
    tab(page, "A batch")
    box(page, "Texts").fill("\n".join(ONE_LINE))
    for look, sign in (("As tensors", ".hf-tokens"), ("Collate functions", ".hf-ids"), ("Every strategy", ".hf-plan")):
        page.get_by_label(look, exact=True).check()
        shows_text_alone(page, page.locator(f"{sign}:visible"))
    tab(page, "A data set")
    table = write_rows(tmp_path / f"{NAME}.csv", rows=3)
    page.locator(".block:visible input[type=file]").first.set_input_files(table)
    shows_text_alone(page, page.get_by_text(f"over all {3 * len(INJECTIONS)} rows"))
    # Token strings that are markup: a tokenizer trained on nothing else.
    words = tmp_path / "words.txt"
    words.write_text("\n".join(IN_A_FILE * 9), encoding="utf-8")
    client = Client(app.url, verbose=False)
    trained = client.predict(handle_file(str(words)), "unigram", 400, api_name="/train_tokenizer")["tokenizer"]
    tab(page, "One text")
    for reference, sign in ((trained, ".hf-slot:visible bdi"), (ONE_LINE[0], ".hf-note:visible")):
        box(page, "Tokenizer").fill(reference)
        box(page, "Tokenizer").press("Enter")
        shows_text_alone(page, page.locator(sign).filter(has_text="xss"))
    page.close()


def test_what_a_file_calls_its_rows_labels_columns_and_itself_stays_text(
    browser: Browser, app: Server, tmp_path: Path
) -> None:
    page = open_page(browser, app)
    tab(page, "Fine-tune")
    step(page, "Check")
    shows_text_alone(page, page.locator(".hf-counts:visible"))
    upload_rows(page, write_rows(tmp_path / f"{NAME}.csv", rows=3))
    shows_text_alone(page, page.locator("td:visible").filter(has_text="data-xss"))
    step(page, "Check")
    shows_text_alone(page, page.locator(".hf-count").filter(has_text="<svg data-xss"), page.locator(".hf-problem"))
    box(page, "Label column").click()
    shows_text_alone(page, page.get_by_role("option").filter(has_text="data-xss"))
    page.get_by_role("option").filter(has_text="data-xss").first.click()
    shows_text_alone(page, page.locator(".hf-problem, .hf-count"))
    page.get_by_role("button", name="Start", exact=True).click()
    shows_text_alone(page, page.locator(".hf-note:visible"))
    # Told in a toast: a config that is none.
    step(page, "Train")
    fold(page, "config.json and the shell command")
    config = tmp_path / f"{NAME}.json"
    config.write_text(f'{{"dataset": "tickets", "{NAME.replace(chr(34), "")}": 1}}')
    page.locator("input[type=file][accept='.json']").set_input_files(config)
    shows_text_alone(page, page.get_by_test_id("toast-text").filter(has_text="data-xss"))
    page.close()


def test_what_a_run_is_called_was_trained_on_and_noted_for_stays_text(browser: Browser, app: Server) -> None:
    settings = Settings(home=app.home)
    labels = {"20260201-120000-few": INJECTIONS[:12], "20260202-120000-all": INJECTIONS}
    more: dict[str, Any] = {"dataset": NAME, "model": f"./{NAME}", "positive_label": None}
    for name, given in labels.items():
        made = a_run(settings, name=name, labels=given, training={"learning_rate": 1 / len(given)}, **more)
        made.set_notes(ALL_IN_ONE)
    try:
        page = open_page(browser, app)
        tab(page, "Fine-tune")
        shows_text_alone(page, page.locator(".hf-runs .hf-written-down").filter(has_text="<svg data-xss"))
        page.locator("[data-open$='few']").click()  # which opens its result
        shows_text_alone(page, page.locator(".hf-confusion:visible"))
        for name in ("Epoch by epoch", "More curves", "Continue"):
            fold(page, name)
        for name in labels:
            page.locator(f"input[aria-label='compare {name}']").check()
        shows_text_alone(page, page.locator(".hf-differs"))
        page.get_by_role("button", name="Duplicate settings").click()
        shows_text_alone(page, page.locator(".hf-note:visible"))
        step(page, "Result")
        page.get_by_role("button", name="Use it in Run a model").click()
        expect(box(page, "Model")).to_have_value("run:20260201-120000-few", timeout=PATIENT)
        shows_text_alone(page, page.locator(".hf-note:visible"))
        page.close()
    finally:
        for name in labels:
            shutil.rmtree(settings.runs / name)


ADDRESSES = {
    "task": ({"task": NAME, "model": NAME, "text": ALL_IN_ONE[:2_000], "view": NAME}, ".hf-note:visible"),
    "run": ({"run": NAME}, ".toast-body"),
    "values": ({"task": "text-classification", "top_k": NAME, "text": NAME, "model": NAME}, ".hf-note:visible"),
    "tokens": (
        {"tab": "tokens", "view": NAME, "text": ALL_IN_ONE[:2_000], "tokenizer": NAME, "dataset": NAME, "texts": NAME},
        ".hf-note:visible",
    ),
}


@pytest.mark.parametrize("asked", ADDRESSES)
def test_what_stands_in_an_address_stays_text(browser: Browser, app: Server, asked: str) -> None:
    query, sign = ADDRESSES[asked]
    page = open_page(browser, app, query=f"&{urlencode(query)}#{NAME}")
    shows_text_alone(page, page.locator(sign).filter(has_text="xss"))
    page.close()


def test_what_a_run_failed_of_is_measured_by_and_suspects_of_its_labels_stays_text(
    browser: Browser, app: Server
) -> None:
    settings = Settings(home=app.home)
    failed = a_run(settings, name="20260203-120000-failed", dataset="x")
    events = (failed.folder / "events.jsonl").read_text().splitlines()[:-1]
    named = json.dumps({"event": "evaluated", "step": 41, "time": 50.5, "epoch": 2.5, "metrics": {NAME: 0.5}})
    told = json.dumps({"event": "failed", "step": 41, "time": 51.0, "error": ALL_IN_ONE})
    (failed.folder / "events.jsonl").write_text("\n".join([*events, named, told]) + "\n")
    labelled = a_run(settings, name="20260204-120000-labels", labels=INJECTIONS[:2], positive_label=None, dataset="x")
    try:
        page = open_page(browser, app, query="&run=20260203-120000-failed")
        shows_text_alone(page, page.locator(".hf-failure").filter(has_text="data-xss"))
        for name in ("More curves", "Epoch by epoch"):
            fold(page, name)
        box(page, "Metrics on the chart").click()
        page.get_by_role("option").filter(has_text="x-xss").click()
        shows_text_alone(page, page.locator(".token:visible").filter(has_text="x-xss"))
        page.close()
        page = open_page(browser, app, query="&run=20260204-120000-labels")
        fold(page, "Labels that may be wrong")
        page.get_by_role("button", name="Look for them").click()
        shows_text_alone(page, page.get_by_text("rows judged"))
        page.close()
    finally:
        for run in (failed, labelled):
            shutil.rmtree(run.folder)


def test_what_a_search_tried_and_ended_by_stays_text(browser: Browser, app: Server) -> None:
    folder = Settings(home=app.home).home / "searches" / "20260205-120000-tried"
    folder.mkdir(parents=True)
    space = {"learning_rate": [1e-5, 1e-3], "batch_sizes": [8], "epochs": [1, 2]}
    described = {"data": NAME, "space": space, "trials": 3, "metric": NAME, "greater_is_better": True, "seed": 1}
    (folder / "search.json").write_text(json.dumps(described))
    (folder / "end.json").write_text(json.dumps({"state": "failed", "error": ALL_IN_ONE}))
    values = {"learning_rate": 1e-4, "per_device_train_batch_size": 8, "num_train_epochs": 1}
    with (folder / "trials.jsonl").open("w") as file:
        for number in range(2):
            trial = {"number": number, "run": NAME, "parameters": values, "state": "finished", "value": number / 2}
            file.write(json.dumps(trial) + "\n")
    try:
        page = open_page(browser, app)
        tab(page, "Fine-tune")
        step(page, "Train")
        fold(page, "Search for better values")
        shows_text_alone(
            page,
            page.locator(".hf-trials td").filter(has_text="data-xss"),
            page.locator(".hf-parallel text").filter(has_text="data-xss"),
            page.locator(".hf-note:visible").filter(has_text="<svg data-xss"),
        )
        page.close()
    finally:
        shutil.rmtree(folder)


def test_what_another_visitor_shows_by_a_link_stays_text(browser: Browser, public: Server) -> None:
    settings = Settings(home=public.home, public=True)
    run = a_run(settings, name="20260206-120000-shown", labels=INJECTIONS[:12], dataset=NAME, positive_label=None)
    run.set_notes(ALL_IN_ONE)
    claim_folder(run.folder, settings.of_owner("visitor-another"))
    page = open_page(browser, public, query=f"&run={run.id}.{share_folder(run.folder)}")
    expect(box(page, "Notes")).to_have_value(re.compile("^<img src=x data-xss"), timeout=PATIENT)
    page.locator(".hf-fold summary").filter(has_text="All scores").click()
    shows_text_alone(page, page.get_by_text(LINKED), page.locator(".hf-confusion:visible"))
    page.close()


def test_what_is_said_in_a_conversation_and_in_the_box_of_arguments_stays_text(
    browser: Browser, app: Server, zoo: Callable[[str], Path]
) -> None:
    page = open_page(browser, app, query=f"&{urlencode({'task': 'text-generation', 'model': zoo('text-generation')})}")
    box(page, "Text").fill(ALL_IN_ONE[:1_500])
    run(page)
    shows_text_alone(page, page.locator(".hf-bubble").filter(has_text="data-xss"))
    tab(page, "Fine-tune")
    step(page, "Train")
    fold(page, "Every other field of TrainingArguments")
    arguments = box(page, "TrainingArguments")
    for typed, said in ((json.dumps({NAME: 1}), "x-xss"), (ALL_IN_ONE, "is not JSON")):
        arguments.fill(typed)
        arguments.blur()
        shows_text_alone(page, page.locator(".hf-note:visible").filter(has_text=said))
    page.close()
