"""Run a model in a real browser: answers of every kind, streaming and its stop, files, comparisons, links, history."""

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, expect

from tests.browser.pages import (
    PATIENT,
    box,
    choose_task,
    fits,
    fold,
    is_accessible,
    open_page,
    run,
    shoot,
    show,
    step,
    tab,
)
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Zoo = Callable[[str], Path]
Link = Callable[..., str]

KINDS = [
    ("token-classification", ".hf-span", "in London in 1833."),
    ("object-detection", "figure", "car"),
    ("depth-estimation", "input[type=range]", None),
    ("automatic-speech-recognition", "audio", "lamp"),
    ("table-question-answering", ".hf-cells", "Rhine"),
    ("question-answering", "mark", None),
    ("keypoint-matching", ".hf-matches", None),
    ("image-segmentation", "input[type=checkbox]", None),
]


@pytest.fixture(scope="module")
def at(app: Server) -> Callable[..., str]:
    """Return the query of a link that opens a task with a model, which somebody here has loaded."""
    client = Client(app.url, verbose=False)

    def query(task: str, model: Path, made_for: str = "", **values: str) -> str:
        client.predict(str(model), made_for or task, api_name="/load_model")
        said = {"task": task, "model": str(model), **values}
        return "".join(f"&{name}={quote(value)}" for name, value in said.items())

    return query


@pytest.mark.parametrize(("task", "sign", "text"), KINDS, ids=[kind[0] for kind in KINDS])
def test_an_answer_is_drawn_as_what_it_is(
    browser: Browser, app: Server, at: Link, zoo: Zoo, task: str, sign: str, text: str | None
) -> None:
    """Each by a link, at the width of a desk and of a hand; nothing is wider than the screen, no script fails.

    Every other one is opened at a hand's width first.
    """
    looks = [(1440, "light"), (390, "dark")]
    if [kind[0] for kind in KINDS].index(task) % 2:
        looks.reverse()
    page = open_page(browser, app, *looks[0], at(task, zoo(task)))
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    answer = page.locator(".block.hf-result")
    expect(answer.locator(sign).first).to_be_attached(timeout=PATIENT)
    if text:
        expect(answer).to_contain_text(text)
    expect(page.locator(".hf-stage")).to_have_count(3)
    expect(page.locator(".hf-facts").first).to_be_hidden()
    page.locator(".hf-took summary").filter(has_text=re.compile(r"^[\d.]+ m?s · \S.* · details$")).click()
    expect(page.locator(".hf-facts").first).to_contain_text("preprocess + forward + postprocess")
    expect(page.locator(".hf-facts").first).to_be_visible()
    for width, mode in looks:
        show(page, width, mode)
        shoot(page, f"{task}-{width}-{mode}")
        fits(page)
    assert broken == []
    page.close()


@pytest.fixture(scope="module")
def talker(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that talks slowly enough to be interrupted, and never stops by itself."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("talker")
    tokenizer = AutoTokenizer.from_pretrained(zoo("text-generation"))
    tokenizer.model_max_length = 4096
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=16,
        num_attention_heads=8,
        max_position_embeddings=4096,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_conversation_streams_stops_and_goes_on(browser: Browser, app: Server, at: Link, talker: Path) -> None:
    page = open_page(browser, app, query=at("text-generation", talker, max_new_tokens="2000"))
    bubbles = page.locator(".block.hf-result .hf-bubble")
    expect(bubbles.nth(1)).not_to_be_empty(timeout=PATIENT)
    stop = page.get_by_role("button", name="Stop", exact=True).first
    stop.click()
    expect(page.get_by_text("Stopped: this is what there was by then.")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".hf-facts").first).to_contain_text(re.compile(r"[\d,]+ tokens, [\d.]+ a second"))
    tab(page, "Token probabilities")
    expect(page.locator(".hf-odd").first).to_be_visible()
    page.locator(".hf-odd").nth(3).hover()
    shoot(page, "conversation-1440-light")
    box(page, "max_new_tokens").fill("5")
    box(page, "Text").fill("And now <b>you</b>?")
    run(page)
    expect(bubbles).to_have_count(4, timeout=PATIENT)
    expect(bubbles.nth(2)).to_contain_text("And now <b>you</b>?")
    expect(page.locator(".hf-odd")).to_have_count(5)
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_text("A new conversation.")).to_be_visible()
    box(page, "Text").fill("A lamp")
    page.get_by_label("Raw prompt").check()
    run(page)
    expect(page.locator(".block.hf-result")).to_contain_text("A lamp", timeout=PATIENT)
    expect(bubbles).to_have_count(0)
    page.close()


def test_closing_the_tab_ends_the_computation(browser: Browser, app: Server, at: Link, talker: Path) -> None:
    """The device is free at once: the next call does not wait for 2,000 tokens of a page that is gone."""
    page = open_page(browser, app, query=at("text-generation", talker, max_new_tokens="2000"))
    expect(page.locator(".block.hf-result .hf-bubble").nth(1)).not_to_be_empty(timeout=PATIENT)
    page.close()
    client = Client(app.url, verbose=False)
    began = time.monotonic()
    short = client.predict("Next", model=str(talker), max_new_tokens=20, api_name="/text_generation")
    waited = time.monotonic() - began
    assert waited < 20 * short["seconds"]["run"], "2,000 tokens are a hundred times as many"


def test_a_task_is_searched_for_and_chosen_from_the_keyboard(browser: Browser, app: Server) -> None:
    """Arrow keys only move: the task on view stays until Enter is pressed, and is chosen again where one leaves."""
    page = open_page(browser, app, 390, "dark")
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    now, checked = page.locator(".hf-task-now"), page.locator(".hf-task input:checked")
    page.locator(".hf-tasks > summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    is_accessible(page)
    fits(page)
    shoot(page, "tasks-390-dark")
    page.keyboard.type("picture box")
    expect(page.locator(".hf-task:visible")).to_have_count(2)
    expect(page.get_by_role("status").filter(has_text="2 tasks")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(checked).to_have_value("zero-shot-object-detection")
    expect(now).to_contain_text("Text classification")
    page.keyboard.press("Escape")
    expect(checked).to_have_value("text-classification")
    expect(page.locator(".hf-tasks > summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    page.keyboard.press("Tab")  # to the one that is chosen: the list is one stop
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(now).to_contain_text("Feature extraction")
    expect(box(page, "Model")).to_have_value("embedded:minilm", timeout=PATIENT)
    expect(page).to_have_url(re.compile("task=feature-extraction"))
    page.close()


def test_another_task_stops_what_runs_and_takes_the_text_along(
    browser: Browser, app: Server, at: Link, talker: Path
) -> None:
    page = open_page(browser, app, query=at("text-generation", talker, max_new_tokens="2000"))
    expect(page.locator(".block.hf-result .hf-bubble").nth(1)).not_to_be_empty(timeout=PATIENT)
    box(page, "Text").fill("A joy from beginning to end.")
    choose_task(page, "Text classification")
    expect(page.locator(".hf-label").first).to_contain_text("positive", timeout=PATIENT)
    expect(box(page, "Text")).to_have_value("A joy from beginning to end.")
    page.close()


def test_two_models_stand_side_by_side_with_their_difference(browser: Browser, app: Server, tiny: Path) -> None:
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    tab(page, "Compare")
    second = box(page, "Second model")
    second.fill("untrained:embedded:minilm")
    second.press("Enter")
    page.get_by_role("button", name="Run both models").click()
    sides = page.locator(".hf-sides")
    expect(sides).to_contain_text("A: embedded:sentiment", timeout=PATIENT)
    expect(sides).to_contain_text("B: untrained:embedded:minilm")
    expect(sides).to_contain_text("The output is noise")
    page.get_by_role("button", name="Against its base model").click()
    expect(sides).to_contain_text("A: embedded:minilm", timeout=PATIENT)
    expect(sides).to_contain_text("B: embedded:sentiment")
    expect(page.locator(".hf-changes")).to_contain_text("positive")  # the same labels, so there is a difference
    shoot(page, "compare-1440-light")
    page.get_by_role("button", name="Pin this answer").click()
    expect(page.get_by_text("Pinned. Change something")).to_be_visible()
    box(page, "Text").fill("Dull, loud and far too long.")
    run(page)
    expect(page.locator(".hf-changes")).to_contain_text("negative", timeout=PATIENT)
    page.close()


def test_the_code_in_its_view_is_that_of_the_answer_on_view(browser: Browser, app: Server) -> None:
    """It is written when the view is opened, follows what is run while it is open, and is gone with a failure."""
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    code = page.locator(".cm-content:visible")
    tab(page, "Code")
    expect(code.first).to_contain_text("It starts slowly", timeout=PATIENT)
    box(page, "Text").fill("A joy from beginning to end.")
    run(page)
    expect(code.first).to_contain_text("A joy from beginning", timeout=PATIENT)
    tab(page, "JSON")
    box(page, "Text").fill("Dull, loud and far too long.")
    run(page)
    expect(page.locator(".hf-label").first).to_contain_text("negative", timeout=PATIENT)
    tab(page, "Code")
    expect(code.first).to_contain_text("Dull, loud", timeout=PATIENT)
    page.get_by_role("tab", name="gradio_client").click()
    expect(code.first).to_contain_text(f"Client('{app.url}')")
    box(page, "Text").fill(" ")
    run(page)
    expect(page.locator(".block.hf-result")).to_contain_text("only white space", timeout=PATIENT)
    expect(code.first).not_to_contain_text("Dull")
    page.close()


def test_a_file_is_answered_row_by_row(browser: Browser, app: Server, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("id,review\n1,A joy from beginning to end.\n2,  \n3,Dull and far too long.\n")
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    fold(page, "A whole file")
    page.locator("input[type=file]").first.set_input_files(path)
    expect(box(page, "Text column")).to_have_value("review", timeout=PATIENT)
    page.get_by_role("button", name="Predict all rows").click()
    expect(page.get_by_text("Row 2: Text holds only white space")).to_be_visible(timeout=PATIENT)
    expect(page.get_by_text("reviews.predictions")).to_be_visible()
    shoot(page, "file-1440-light")
    with page.expect_download() as download:
        page.locator("a[download]:visible").last.click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        header, first, _, third = csv.reader(file)
    assert header == ["id", "review", "label", "score", "error"]
    assert first[:3] == ["1", "A joy from beginning to end.", "positive"]
    assert third[:3] == ["3", "Dull and far too long.", "negative"]
    page.get_by_role("button", name="Use these rows in Fine-tune").click()
    expect(page.get_by_role("tab", name="Fine-tune")).to_have_attribute("aria-selected", "true")
    read = page.locator(".hf-facts:visible").filter(has_text="read as").first
    expect(read).to_contain_text(re.compile(r"rows\s*3"), timeout=PATIENT)
    step(page, "Check")
    expect(box(page, "Text column")).to_have_value("review", timeout=PATIENT)
    page.close()


def test_the_models_card_is_shown_and_unloading_frees_it(browser: Browser, app: Server, at: Link, zoo: Zoo) -> None:
    page = open_page(browser, app, query=at("image-classification", zoo("image-classification")))
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    fold(page, "Model details")
    box(page, "dtype").click()
    page.get_by_role("option", name="bfloat16").click()
    page.get_by_role("button", name="Load and show its card").click()
    card = page.locator(".hf-wrap")
    expect(card).to_contain_text("bfloat16", timeout=PATIENT)
    expect(card).to_contain_text("its config names the architecture ViTForImageClassification")
    shoot(page, "card-1440-light")
    page.get_by_role("button", name="Unload", exact=True).click()
    expect(page.get_by_text("was unloaded")).to_be_visible()
    page.get_by_role("button", name="Unload", exact=True).click()
    expect(page.get_by_text("is not loaded")).to_be_visible()
    page.close()


def test_a_link_opens_the_tab_in_its_state_and_the_browser_remembers_its_runs(browser: Browser, app: Server) -> None:
    said = f"&task=text-classification&text={quote('Dull <b>&</b> long.')}&top_k=1"
    page = open_page(browser, app, query=said)
    kept = page.locator(".hf-history li")

    def remembered(runs: int) -> None:
        """A run is written down after its answer has come: whoever leaves in between is not remembered."""
        fold(page, "History")
        expect(kept).to_have_count(runs, timeout=PATIENT)

    expect(page.locator(".hf-label")).to_have_count(1, timeout=PATIENT)
    expect(box(page, "Text")).to_have_value("Dull <b>&</b> long.")
    remembered(1)
    page.get_by_role("link", name="Link to this").click()
    expect(kept).to_have_count(0, timeout=PATIENT)  # a page of its own, with its fold closed
    expect(page.locator(".hf-label")).to_have_count(1, timeout=PATIENT)
    expect(box(page, "Text")).to_have_value("Dull <b>&</b> long.")
    remembered(2)
    page.goto(f"{app.url}/?task=no-such-task")
    expect(page.locator(".hf-label")).to_have_count(2, timeout=PATIENT)
    remembered(3)
    expect(kept.last).to_contain_text("negative")
    kept.last.get_by_role("link").click()
    expect(box(page, "Text")).to_have_value("Dull <b>&</b> long.", timeout=PATIENT)
    page.close()


def test_a_model_that_is_not_here_is_not_downloaded_because_a_page_was_opened(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    choose_task(page, "Image classification")
    expect(page.get_by_text("What works without a network")).to_be_visible(timeout=PATIENT)
    run(page)
    expect(page.get_by_text("What works without a network")).to_be_visible(timeout=PATIENT)
    page.get_by_role("button", name="Try it with random weights").click()
    answer = page.locator(".block.hf-result")
    expect(answer).to_contain_text("The output is noise until it is trained", timeout=PATIENT)
    expect(answer.locator(".hf-label").first).to_be_visible()
    expect(box(page, "Model")).to_have_value("untrained:embedded:tiny-vit")
    expect(page.get_by_role("button", name="Try it with random weights")).to_have_count(0)
    expect(page.locator(".hf-stage:visible")).to_have_count(3)  # a panel in the place of another shows a view, too
    box(page, "Model").click()
    offered = page.get_by_role("option")
    expect(offered.filter(has_text="embedded:sentiment")).to_have_attribute(
        "data-against", re.compile("^made for text")
    )
    expect(offered.filter(has_text="google/vit")).to_have_attribute("data-against", "on the Hub, not on this machine")
    page.close()


def test_an_example_fills_the_panel_and_runs(browser: Browser, app: Server, at: Link, zoo: Zoo) -> None:
    page = open_page(browser, app, query=at("table-question-answering", zoo("table-question-answering")))
    expect(page.locator(".block.hf-result .hf-cells")).to_contain_text("Rhine", timeout=PATIENT)
    page.locator(".gallery tr, tbody tr").filter(has_text="Oslo").last.click()
    expect(page.locator(".block.hf-result .hf-cells").first).to_contain_text("Lisbon", timeout=PATIENT)
    page.close()


def test_a_link_that_can_not_be_followed_is_said_and_the_tab_opens_all_the_same(browser: Browser, app: Server) -> None:
    page = open_page(browser, app, query="&task=table-question-answering&table=5&question=Where?")
    expect(page.get_by_text("The link's table was left out.")).to_be_visible(timeout=PATIENT)
    expect(box(page, "Question")).to_have_value("Where?")
    page.close()


def test_a_model_that_was_made_for_another_task_names_it(browser: Browser, app: Server, at: Link, zoo: Zoo) -> None:
    page = open_page(browser, app, query=at("image-classification", zoo("object-detection"), "object-detection"))
    expect(page.get_by_text("It fits the task object-detection").first).to_be_visible(timeout=PATIENT)
    fold(page, "Model details")
    page.get_by_role("button", name="Load and show its card").click()
    expect(page.get_by_text("It fits the task object-detection")).to_have_count(2, timeout=PATIENT)
    page.close()


def test_why_is_drawn_on_the_text_and_follows_what_is_asked(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    box(page, "Text").fill("A joy from beginning to end.")
    tab(page, "Why?")
    explain = page.get_by_role("button", name="Explain", exact=True)
    explain.click()
    joy = page.locator(".hf-why ins").filter(has_text="joy")
    expect(joy).to_be_visible(timeout=PATIENT)
    box(page, "What is explained").fill("negative")
    page.get_by_label("Leave one out").check()
    explain.click()
    expect(page.locator(".hf-why del").filter(has_text="joy")).to_be_visible(timeout=PATIENT)
    page.get_by_label("Attention", exact=True).check()
    box(page, "Layer").fill("99")
    explain.click()
    expect(page.get_by_text("There is no layer 99: this model has 6")).to_be_visible(timeout=PATIENT)
    box(page, "Layer").fill("0")
    explain.click()
    expect(page.locator(".hf-attention tbody tr")).to_have_count(9, timeout=PATIENT)
    for mode in ("light", "dark"):
        for width in (1440, 390):
            show(page, width, mode)
            fits(page)
            shoot(page, f"why-{width}-{mode}")
    page.close()


def test_an_edited_word_moves_the_scores_beside_the_first_answer(browser: Browser, app: Server) -> None:
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    box(page, "Text").fill("The last half hour is wonderful.")
    tab(page, "What if?")
    expect(box(page, "Edited text")).to_have_value("The last half hour is wonderful.", timeout=PATIENT)
    box(page, "Edited text").fill("The last half hour is dreadful.")
    changes = page.locator(".hf-changes:visible")
    expect(changes).to_contain_text("negative", timeout=PATIENT)
    expect(page.locator(".hf-difference:visible").first.locator("ins")).to_have_text(" dreadful")
    for label, sign in (("positive", "-"), ("negative", "+")):
        row = changes.locator("tr").filter(has_text=label)
        expect(row.locator("td").nth(3)).to_have_text(re.compile(rf"^\{sign}"))
    # As it is typed, without a click; and what is as above has nothing beside it.
    box(page, "Edited text").fill("The last half hour is wonderful.")
    expect(page.get_by_text("Change a word: both answers appear here.")).to_be_visible(timeout=PATIENT)
    for width, mode in ((1440, "light"), (390, "dark")):
        box(page, "Edited text").fill(f"The last half hour is dreadful{'.' * (1 + width % 4)}")
        expect(changes).to_be_visible(timeout=PATIENT)
        show(page, width, mode)
        shoot(page, f"what-if-{width}-{mode}")
        fits(page)
    page.close()


def test_the_texts_of_a_file_are_drawn_as_points(browser: Browser, app: Server, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    texts = {"A joy.": "positive", "Wonderful and warm.": "positive", "Dull.": "negative", "A waste.": "positive"}
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *texts.items()])
    page = open_page(browser, app)
    expect(page.locator(".hf-label").first).to_be_visible(timeout=PATIENT)
    fold(page, "A map of the texts of a file")
    page.locator(".block:visible input[type=file]").last.set_input_files(path)
    expect(page.get_by_text("Press Draw the map.")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".hf-facts:visible").filter(has_text="read as").last).to_contain_text(re.compile(r"rows\s*4"))
    expect(box(page, "Labels")).to_have_value("label")
    page.get_by_role("button", name="Draw the map").click()
    points = page.locator(".hf-map g")
    expect(points).to_have_count(4, timeout=PATIENT)
    expect(page.locator(".hf-map-legend")).to_contain_text("positive 3")
    points.first.locator("circle").dispatch_event("mouseover")
    expect(page.locator(".hf-map-told")).to_have_text("row 1 · positive · model: positive · A joy.")
    page.get_by_label("right or wrong").check()
    expect(page.locator(".hf-map-legend")).to_contain_text("wrong 1", timeout=PATIENT)
    expect(page.locator(".hf-map path")).to_have_count(1)
    expect(page.get_by_text("Where the model is wrong")).to_be_visible()
    for width, mode in ((1440, "light"), (390, "dark")):
        show(page, width, mode)
        fits(page)
        shoot(page, f"text-map-{width}-{mode}")
    page.close()
