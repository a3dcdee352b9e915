"""Events are values: written as a line, read back as they were."""

import json

import pytest

from hfdemo.finetuning import events
from hfdemo.finetuning.events import Evaluated, Event, Failed, Finished, Saved, Started, StepLogged, Stopped

EVENTS: list[Event] = [
    Started(0, 1.0, total_steps=10, epochs=2.0, device="CPU", rows={"train": 3}, notes=("a note",)),
    StepLogged(1, 2.0, epoch=0.1, loss=0.7, learning_rate=1e-4, grad_norm=None),
    Evaluated(5, 3.0, epoch=1.0, split="validation", metrics={"accuracy": 0.5}),
    Saved(5, 3.5, folder="model"),
    Finished(10, 4.0, metrics={"accuracy": 0.6}, seconds=3.0),
    Stopped(4, 4.0, kept=True),
    Failed(4, 4.0, error="It broke. Mend it."),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_an_event_survives_the_file(event: Event) -> None:
    again = events.parse(json.dumps(event.to_json()))
    assert again == event


def test_a_line_that_is_still_being_written_is_left_for_later() -> None:
    whole = json.dumps(EVENTS[1].to_json()) + "\n"
    assert list(events.parse_all([whole, whole[:20]])) == [EVENTS[1]]


def test_a_damaged_line_does_not_hide_the_others() -> None:
    whole = json.dumps(EVENTS[1].to_json()) + "\n"
    assert list(events.parse_all([whole, whole[:20] + whole, whole])) == [EVENTS[1], EVENTS[1]]


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"event": "danced", "step": 1}', '{"event": "saved", "x": 1}'])
def test_a_line_that_is_no_event_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        events.parse(line)
