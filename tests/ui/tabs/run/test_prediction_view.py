"""What a page shows while a model answers, step by step; what stands around the answer says where it came from."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hfdemo.api import App
from hfdemo.engine import InlineEngine
from hfdemo.inference import FilePrediction, Prediction, Stages
from hfdemo.inference.snippets import write_snippets
from hfdemo.models.cache import ModelCache
from hfdemo.tasks import TASKS, Explanation
from hfdemo.ui.event_handling import RunningJobs
from hfdemo.ui.tabs.run import prediction_view
from hfdemo.ui.tabs.run.prediction_view import stream_answer_parts
from hfdemo.ui.tabs.run.stages_view import render_stages
from tests.ui.samples import EVIL, escaped

CARD = {
    **dict.fromkeys(("model", "task", "architecture", "dtype", "device", "attention", "load_report"), EVIL),
    **{"labels": [EVIL], "warnings": [EVIL], "parameters": 1, "bytes": 1, "context": 8, "chat_template": True},
}
CLASSIFY, GENERATE = TASKS["text-classification"], TASKS["text-generation"]


@pytest.mark.parametrize(
    "drawn",
    [
        render_stages(
            Stages(
                (EVIL,),
                (1,),
                (False,),
                (0,),
                ((EVIL, (1,)),),
                ((EVIL, (1,)),),
                Explanation(EVIL, (EVIL,), ((EVIL, 1.0),)),
            ),
            {"preprocess": 0.0, "forward": 0.0, "postprocess": 0.0},
        ),
        prediction_view.render_card(CARD, EVIL),
        prediction_view.render_unloaded({"model": EVIL, "bytes": 1}),
        prediction_view.render_links(f"?task={EVIL}", f"?tab=tokens&text={EVIL}"),
        prediction_view.render_history([{"task": EVIL, "model": EVIL, "said": EVIL, "set": EVIL, "link": f"?{EVIL}"}]),
        prediction_view.render_two_sides((EVIL, ""), (EVIL, ""), ""),
        prediction_view.render_file_facts(FilePrediction(Path("x"), 1, 0, ((1, EVIL),), (EVIL,), (), 1.0, False)),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.com", None])
def test_a_kept_run_links_to_this_page_only(link: str | None) -> None:
    """The browser's storage can be written by anybody who sits at it."""
    assert "<a " not in prediction_view.render_history([{"task": "t", "model": "m", "said": "s", "link": link}])


@pytest.mark.parametrize(
    ("output", "gist"),
    [
        ([{"label": "joy", "score": 0.5}], "joy 0.500"),
        ({"labels": ["sport"], "scores": [0.25]}, "sport 0.250"),
        ([{"summary_text": "short"}], "short"),
        ([{"generated_text": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}], "a"),
        ({"text": "spoken"}, "spoken"),
        ([], "[]"),
        ([{"score": None, "label": "wall", "mask": "data:image/png;base64,xxx"}], "wall"),
    ],
)
def test_the_gist_of_an_answer_is_its_first_words(output: Any, gist: str) -> None:
    assert prediction_view.summarize_output(output) == gist


def test_long_numbers_and_data_urls_are_cut_in_the_json_view() -> None:
    shown = prediction_view.shorten_output([[1.0] * 384, "data:image/png;base64," + "x" * 1000])
    assert shown[0][-1] == "… 376 more"
    assert len(shown[1]) < 100


@pytest.fixture
def app(models: ModelCache) -> App:
    return App.create(models.settings, InlineEngine(models.settings, models))


def steps(app: App, task: Any, model: str, running: RunningJobs | None = None, **values: Any) -> Iterator[Any]:
    return stream_answer_parts(app, task, model, values, running or RunningJobs(), "page")


def test_the_last_step_has_everything_that_the_panel_shows(app: App, tiny: Path) -> None:
    last = list(steps(app, CLASSIFY, str(tiny), text="hello", top_k=2))[-1]
    assert isinstance(last["done"], Prediction)
    assert last["answer"].count("hf-label") == 2
    assert "?task=text-classification" in last["answer"]
    assert "logits" in last["inside"]
    assert re.search(r"<summary>[\d.]+ m?s · CPU · <u>details</u></summary>", last["answer"])
    code = write_snippets(last["recorded"], app.settings, "http://here")
    assert "top_k=2" in code.pipeline
    assert "http://here" in code.client
    assert last["entry"]["set"] == "top_k=2"
    assert last["entry"]["asked"] == "hello"


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        ("owner/none", {"text": "hi"}, "reached"),
        ("embedded:sentiment", {}, "Text is empty"),
        ("embedded:sentiment", {"text": "hi", "top_k": float("inf")}, "whole number"),
        ("", {"text": "hi"}, "hf-label"),
    ],
)
def test_whatever_fails_is_said_where_the_answer_would_be(
    app: App, model: str, values: dict[str, Any], said: str
) -> None:
    assert said in list(steps(app, CLASSIFY, model, **values))[-1]["answer"]


def test_a_bug_is_said_too_and_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    last = list(steps(app, None, "embedded:sentiment", text="hi"))[-1]
    assert "nobody foresaw" in last["answer"]
    assert "nobody foresaw" in caplog.text


def test_a_conversation_uses_the_chat_template_unless_the_raw_prompt_is_asked_for(
    app: App, zoo: Callable[[str], Path]
) -> None:
    folder = str(zoo("text-generation"))
    values = {"text": "And you?", "messages": [{"role": "user", "content": "Hi"}], "max_new_tokens": 2}
    done = list(stream_answer_parts(app, GENERATE, folder, values, RunningJobs(), "page"))[-1]["done"]
    assert [each["content"] for each in done.inputs["messages"]] == ["Hi", "And you?"]
    raw = list(stream_answer_parts(app, GENERATE, folder, values, RunningJobs(), "page", raw_prompt=True))
    assert raw[-1]["done"].inputs["text"] == "And you?"


def test_what_began_later_is_what_the_page_shows(app: App, zoo: Callable[[str], Path]) -> None:
    running = RunningJobs()
    first = steps(app, GENERATE, str(zoo("text-generation")), running, text="A lamp", max_new_tokens=1000)
    next(first)
    second = list(steps(app, GENERATE, str(zoo("text-generation")), running, text="B", max_new_tokens=2))
    assert "done" in second[-1]
    assert all("done" not in step for step in first)


def test_nothing_runs_on_after_a_page_is_closed(app: App, zoo: Callable[[str], Path]) -> None:
    running = RunningJobs()
    talking = steps(app, GENERATE, str(zoo("text-generation")), running, text="A", max_new_tokens=1000)
    next(talking)
    talking.close()  # type: ignore[attr-defined]
    assert "hfdemo background" not in [thread.name for thread in threading.enumerate()]
