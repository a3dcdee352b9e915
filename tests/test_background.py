"""Work in a thread: what it tells is heard, its result comes last, and it ends when nobody listens."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from threading import Event
from typing import Any

import pytest

from hfdemo.background import run_in_background
from tests.conftest import wait_until

WHERE: ContextVar[str] = ContextVar("WHERE", default="nowhere")


def test_the_result_comes_last_and_news_before_it() -> None:
    silent = Event()

    def work(tell: Callable[[Any], None]) -> str:
        tell("half")
        assert silent.wait(30), "a heartbeat comes while nothing is new"
        return "whole"

    found = []
    for item in run_in_background(work, Event()):
        if item is None and "half" in found:
            silent.set()
        found.append(item)
    assert found[-1] == "whole"
    assert [item for item in found if item is not None] == ["half", "whole"]


def test_news_comes_at_once_then_no_faster_than_it_can_be_shown_and_the_result_without_delay() -> None:
    """A thousand steps in half a second: the first and the last count, not the thousand."""
    heard = Event()

    def work(tell: Callable[[Any], None]) -> str:
        tell(0)
        assert heard.wait(10), "the first news does not wait for others"
        for step in range(1, 1000):
            tell(step)
            time.sleep(0.0005)
        return "done"

    began = time.monotonic()
    found = []
    for item in run_in_background(work, Event()):
        found.append(item)
        if item == 0:
            heard.set()
    steps = [item for item in found if isinstance(item, int)]
    assert len(steps) <= 1 + (time.monotonic() - began) / 0.2
    assert steps == sorted(steps)
    assert found[-1] == "done"


def test_what_the_work_raises_reaches_the_listener_even_a_panic() -> None:
    class Panic(BaseException):
        pass

    def work(tell: Callable[[Any], None]) -> None:
        raise Panic

    with pytest.raises(Panic):
        list(run_in_background(work, Event()))


def test_closing_stops_the_work_and_waits_for_its_end() -> None:
    stop, ended = Event(), Event()

    def work(tell: Callable[[Any], None]) -> None:
        while not stop.is_set():
            time.sleep(0.01)
        ended.set()

    listening = run_in_background(work, stop)
    next(listening)
    listening.close()  # type: ignore[attr-defined]
    assert ended.is_set()


def test_a_listener_that_is_forgotten_stops_the_work_too() -> None:
    stop, ended = Event(), Event()

    def work(tell: Callable[[Any], None]) -> None:
        stop.wait(30)
        ended.set()

    listening = run_in_background(work, stop)
    next(listening)
    del listening
    wait_until(ended.is_set, 10, "the work's end")


def test_the_thread_sees_the_callers_context() -> None:
    WHERE.set("here")
    assert list(run_in_background(lambda tell: WHERE.get(), Event()))[-1] == "here"
