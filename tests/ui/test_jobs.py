"""What a page shows while a model answers, step by step, and which of two computations may still show something."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hfdemo.api import App
from hfdemo.inference import Prediction
from hfdemo.inference.snippets import prediction_snippets
from hfdemo.models.cache import ModelCache
from hfdemo.tasks import TASKS
from hfdemo.ui.event_handling import RunningJobs
from hfdemo.ui.tabs.run.prediction_view import stream_answer_parts

CLASSIFY, GENERATE = TASKS["text-classification"], TASKS["text-generation"]


@pytest.fixture
def app(models: ModelCache) -> App:
    return App.create(models.settings, models)


def steps(app: App, task: Any, model: str, running: RunningJobs | None = None, **values: Any) -> Iterator[Any]:
    return stream_answer_parts(app, task, model, values, running or RunningJobs(), "page")


def test_the_last_step_has_everything_that_the_panel_shows(app: App, tiny: Path) -> None:
    last = list(steps(app, CLASSIFY, str(tiny), text="hello", top_k=2))[-1]
    assert isinstance(last["done"], Prediction)
    assert last["answer"].count("hf-label") == 2
    assert "?task=text-classification" in last["answer"]
    assert "logits" in last["inside"]
    code = prediction_snippets(last["recorded"], app.settings, "http://here")
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
    last = list(steps(app, CLASSIFY, 7, text="hi"))[-1]  # type: ignore[arg-type]
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


def test_a_page_that_is_left_is_stopped_and_forgotten() -> None:
    running = RunningJobs()
    stop = running.begin("page")
    other = running.begin("another")
    running.forget("page")
    assert (stop.is_set(), other.is_set()) == (True, False)
    assert not running.is_current("page", stop)
    running.stop("another")
    assert other.is_set()
    assert running.is_current("another", other), "it may still show what there is"


def test_nothing_runs_on_after_a_page_is_closed(app: App, zoo: Callable[[str], Path]) -> None:
    running = RunningJobs()
    talking = steps(app, GENERATE, str(zoo("text-generation")), running, text="A", max_new_tokens=1000)
    next(talking)
    talking.close()  # type: ignore[attr-defined]
    assert "hfdemo background" not in [thread.name for thread in threading.enumerate()]
