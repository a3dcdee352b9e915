"""The events of the page cost little, what fails in one is told where its reader looks, and each page has a stop."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from hfdemo.errors import DemoError
from hfdemo.settings import Settings
from hfdemo.ui import build
from hfdemo.ui.event_handling import RunningJobs, draw_errors, read_event, toast_errors

FAILURES = [DemoError("run:<id> is `gone`."), KeyError("<bug>"), SystemExit(1)]


def test_an_event_that_shows_no_progress_gives_no_component_a_state_of_it(settings: Settings) -> None:
    """Gradio would keep one for each output, and search the page for all of them with every message."""
    wired = build(settings).config["dependencies"]
    hidden = [each for each in wired if (each["api_visibility"], each["show_progress"]) == ("private", "hidden")]
    assert len(hidden) > 40
    assert [each["api_name"] for each in hidden if each["outputs"] and each["show_progress_on"] != []] == []


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_a_failure_is_drawn_in_the_first_output_and_the_others_are_as_asked(error: BaseException) -> None:
    def fail() -> tuple[str, str]:
        raise error

    def fail_later() -> Iterator[tuple[str, str]]:
        yield "a", "b"
        raise error

    hidden = gr.update(visible=False)
    drawn, other = draw_errors(fail, hidden)()
    assert "hf-note" in drawn
    assert "<id>" not in drawn
    assert other == hidden
    assert other is not hidden, "gradio takes apart what it is given"
    first, last = draw_errors(fail_later, hidden)()
    assert (first, last) == (("a", "b"), (drawn, hidden))
    assert draw_errors(fail)() == drawn, "one output is no tuple"


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_whatever_a_handler_raises_is_an_error_in_words(error: BaseException) -> None:
    def fail(value: int) -> Any:
        raise error

    with pytest.raises(gr.Error) as raised:
        toast_errors(fail)(1)
    assert raised.value.message.startswith("This failed in a way" if not isinstance(error, DemoError) else "run:<id>")


@pytest.mark.parametrize("sent", [None, [], "x", {}, {"runs": ["a"]}], ids=repr)
def test_an_event_that_anybody_sent_has_what_it_has(sent: Any) -> None:
    event = gr.EventData(target=None, _data=sent)
    assert read_event(event, "runs") == (["a"] if sent == {"runs": ["a"]} else None)
    assert read_event(event, "no such key") is None


def test_a_page_that_is_closed_ends_its_generator() -> None:
    ended = []

    def go_on() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            ended.append(True)

    running = draw_errors(go_on)()
    next(running)
    running.close()
    assert ended == [True]


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
