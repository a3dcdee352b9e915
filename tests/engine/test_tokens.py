"""See the tokens with its tokenizers in a child: the same page and answers, and what runs wild there is ended."""

import inspect
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hfdemo.api import App
from hfdemo.api.tokens import padding_report, tokenize, train_tokenizer
from hfdemo.engine import InlineEngine, ProcessEngine
from hfdemo.errors import Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings
from hfdemo.ui.event_handling import RunningJobs
from hfdemo.ui.tabs.tokens import LIKE, batch_view, chat_view, dataset_view, inspector_fields, make_train, text_view
from hfdemo.ui.tabs.tokens.inspectors import INSPECTORS, render_inspector
from hfdemo.ui.tabs.tokens.padding_view import cost_records
from tests import forked
from tests.clock import cpu_until_gone
from tests.conftest import ROOT, wait_until
from tests.engine.misbehaving import make_endless_tokenizer

pytestmark = pytest.mark.slow

PAGE, OTHER = gr.Request(session_hash="a page"), gr.Request(session_hash="another page")
BATCH = (
    *("one two three\nfour", "", "embedded:minilm", "", 2, 8),
    *("", True, False, True, 0, ""),
)
DATASET = (None, "", "", "tickets", "", "", "text", dataset_view.NO_COLUMN, "tokenizer:wordpiece", "", 16, None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def engine(home: Settings) -> Iterator[ProcessEngine]:
    """An engine whose zygote is a fork, as the app's is in the tests of the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", forked.popen)
        engine = ProcessEngine(home)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def app(engine: ProcessEngine, home: Settings) -> App:
    return App.create(home, engine)


@pytest.fixture(scope="module")
def here(app: App, models: ModelCache) -> App:
    """The same page with its tokenizers in this process."""
    return App.create(app.settings, InlineEngine(models.settings, models))


def look_at(app: App, text: str, tokenizer: str = "embedded:minilm") -> tuple[str, str, int, int]:
    return text_view.render_text(app, text, "", tokenizer, "", True, False, False, False, 1)


def fields(tokenizer: str = "embedded:minilm", **changes: Any) -> dict[str, Any]:
    return {
        **{"text": text_view.TEXT, "pair": "And back?", "tokenizer": tokenizer, "special": True, "splitting": False},
        **{"word": inspector_fields.WORD, "max_length": 12, "stride": 3, "strategy": "longest_first", "prompt": True},
        **{"messages": json.dumps(chat_view.MESSAGES), "template": "", "others": ["tokenizer:bpe", "owner/none"]},
        **dict.fromkeys(("tools", "documents", "arguments", "query", "ids"), ""),
        **{"merges": 10, "entries": 1, "words": inspector_fields.LABELLED_WORDS},
        **changes,
    }


def test_one_text_is_drawn_as_it_is_in_this_process(app: App, here: App) -> None:
    assert look_at(app, text_view.TEXT) == look_at(here, text_view.TEXT)
    copied = [text_view.make_records(each)("one", "two", "embedded:minilm", True, False) for each in (app, here)]
    assert copied[0] == copied[1] != []
    for inspector in INSPECTORS:
        given = fields("tokenizer:bpe") if inspector == "Learned merges" else fields()
        assert render_inspector(app, inspector, given) == render_inspector(here, inspector, given)


def test_a_batch_is_drawn_and_measured_as_it_is_in_this_process(app: App, here: App) -> None:
    form = batch_view.read_form(*BATCH)
    for drawing in batch_view.DRAWINGS:
        assert batch_view.render_drawing(app, drawing, form) == batch_view.render_drawing(here, drawing, form)
    *_, (said, table, timings) = batch_view.make_measure(app, RunningJobs())(PAGE, *BATCH)
    assert "embedded:minilm" in said
    assert "measured" in table
    rows = batch_view.make_records(app)(timings, *BATCH)
    assert all(row["seconds"] > 0 for row in rows)
    *_, proof = batch_view.make_prove(app, RunningJobs())(PAGE, *BATCH)
    assert "attention_mask" in proof


def test_a_data_set_is_read_and_counted_there(app: App, here: App) -> None:
    there, inline = dataset_view.DatasetEvents(app), dataset_view.DatasetEvents(here)
    asked = (None, "", "", "tickets", "", "")
    assert there.guess_columns(PAGE, *asked) == inline.guess_columns(PAGE, *asked)
    *_, counted = there.count(PAGE, *DATASET)
    *_, same = inline.count(PAGE, *DATASET)
    assert [counted[1], *counted[3:]] == [same[1], *same[3:]]
    assert cost_records(counted[5].strategies)
    *_, mapped = there.measure_map(PAGE, *DATASET)
    assert "times</b> as fast" in mapped


def test_the_endpoints_answer_as_they_do_in_this_process(app: App, here: App, tmp_path: Path) -> None:
    for each in ({"text_pairs": ["x y"], "padding": True}, {"model": "embedded:minilm"}):
        assert tokenize(app, ["Hello there"], **each) == tokenize(here, ["Hello there"], **each)
    assert padding_report(app, dataset="tickets") == padding_report(here, dataset="tickets")


def test_a_tokenizer_is_trained_there_and_known_here(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "harbour.txt"
    path.write_text((ROOT / "examples" / "harbour.txt").read_text() + "\nOne more line.\n")
    for module in ("hfdemo.api.tokens.required_path", "hfdemo.ui.tabs.tokens.uploaded_path"):
        monkeypatch.setattr(module, lambda *_: path)  # what an upload is, is tested where uploads are
    *_, (chosen, said) = make_train(app, RunningJobs())(PAGE, path, "bpe", 400)
    reference = chosen["value"]
    assert f"<code>{reference}</code> has 400 tokens" in said
    assert train_tokenizer(app, path, "bpe", 400)["tokenizer"] == reference
    *_, (alike, _) = make_train(app, RunningJobs())(PAGE, path, LIKE, 400, reference)
    assert alike["value"].startswith("tokenizer:like-")
    again = train_tokenizer(app, path, vocabulary=400, like=reference)
    assert (again["tokenizer"], again["algorithm"]) == (alike["value"], f"like {reference}")
    assert tokenize(app, "the harbour", tokenizer=reference)["input_ids"]


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_endless_tokenizer(tmp_path_factory.mktemp("endless"))


def shown(app: App) -> dict[str, Callable[..., Any]]:
    """The handlers of the views One text and A batch, by what they are called there."""
    with gr.Blocks() as demo:
        text_view.build(app, demo, demo.load, gr.Dropdown(["embedded:minilm"]), gr.Dropdown([""]))
        text, inspector = (each for each in demo.fns.values() if each.name == "show")
    with gr.Blocks() as demo:
        batch_view.build(app, demo, demo.load, gr.Dropdown(["embedded:minilm"]), gr.Dropdown([""]))
        (batch,) = (each for each in demo.fns.values() if each.name == "show")
    # Else gradio takes what they return for the answer.
    assert all(inspect.isgeneratorfunction(each.fn) for each in (text, inspector, batch))
    return {"text": text.fn, "inspector": inspector.fn, "batch": batch.fn}


@pytest.mark.parametrize("view", ["text", "inspector", "batch"])
def test_a_page_that_is_closed_ends_what_never_ends_and_the_others_are_answered(
    app: App, engine: ProcessEngine, endless: str, view: str
) -> None:
    wild, before = "a" * 1000, tokenize(app, "Hello there")
    sent: dict[str, tuple[Any, ...]] = {
        "text": (wild, "", endless, "", True, False, False, False, 1),
        "inspector": ("Stages", *fields(endless, text=wild).values()),
        "batch": (batch_view.TENSORS, wild, "", endless, *BATCH[3:]),
    }
    answers = shown(app)[view](PAGE, *sent[view])
    assert "Stop ends it" in next(answers)[0]
    worker = engine.worker
    assert worker is not None
    with ThreadPoolExecutor() as threads:
        other = threads.submit(tokenize, app, "Hello there")
        assert other.result(timeout=60) == before, "while it goes on"
        closing = threads.submit(answers.close)
        assert cpu_until_gone(worker, 60) < 2.0
        closing.result(timeout=60)
    assert tokenize(app, "Hello there") == before, "and after it"


def test_stop_ends_it_too_and_says_so(app: App, engine: ProcessEngine, endless: str) -> None:
    running = RunningJobs()
    with gr.Blocks() as demo, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_view, "RunningJobs", lambda: running)
        text_view.build(app, demo, demo.load, gr.Dropdown(["embedded:minilm"]), gr.Dropdown([""]))
    show = next(each for each in demo.fns.values() if each.name == "show")
    assert show.fn is not None
    answers = show.fn(PAGE, "a" * 1000, "", endless, "", True, False, False, False, 1)
    assert "Stop ends it" in next(answers)[0]
    worker = engine.worker
    assert worker is not None
    with ThreadPoolExecutor() as threads:
        running.on_stop(PAGE)
        said = threads.submit(list, answers)
        assert cpu_until_gone(worker, 60) < 2.0
        assert "Stopped." in said.result(timeout=60)[-1][0]


def test_a_chat_template_that_loops_is_ended_without_the_others(app: App, engine: ProcessEngine, endless: str) -> None:
    before, worker, stop = tokenize(app, "Hello there"), engine.worker, threading.Event()
    assert worker is not None
    with ThreadPoolExecutor() as threads:
        chat = threads.submit(render_inspector, app, "Chat template", fields(endless, text="x"), stop)
        wait_until(lambda: bool(worker.children()), 60, "the template to be rendered")
        assert tokenize(app, "Hello there") == before, "while it goes on"
        (rendering,) = worker.children()
        stop.set()
        assert cpu_until_gone(rendering, 60) < 2.0
        with pytest.raises(Stopped):
            chat.result(timeout=60)
    assert engine.worker == worker


ALONE = """
import sys
from pathlib import Path
import gradio as gr
from hfdemo.api import App
from hfdemo.api.tokens import padding_report, tokenize, train_tokenizer
from hfdemo.engine import ProcessEngine
from hfdemo.settings import Settings
from tests.engine import test_tokens as tests
import pytest
settings = Settings(home=Path(sys.argv[1]))
app = App.create(settings, ProcessEngine(settings))
with gr.Blocks() as demo, gr.Tabs() as tabs:
    from hfdemo.ui.tabs import tokens
    from hfdemo.ui.page_state import PageState
    tokens.build(app, demo, tabs, demo.load, PageState())
tests.test_one_text_is_drawn_as_it_is_in_this_process(app, app)
tests.test_a_batch_is_drawn_and_measured_as_it_is_in_this_process(app, app)
tests.test_a_data_set_is_read_and_counted_there(app, app)
tests.test_the_endpoints_answer_as_they_do_in_this_process(app, app, None)
with pytest.MonkeyPatch.context() as patch:
    tests.test_a_tokenizer_is_trained_there_and_known_here(app, Path(sys.argv[1]), patch)
app.engine.close()
heavy = {"torch", "transformers", "tokenizers", "datasets"} & set(sys.modules)
print("done with", sorted(heavy), flush=True)
"""


@pytest.mark.slow
def test_nothing_of_the_tab_and_its_endpoints_imports_a_large_library_into_the_page(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "done with []\n", done.stderr[-3000:]
