"""Events are values: written as a line, read back as they were."""

import json
from pathlib import Path

import pytest

from hfdemo.finetuning import events
from hfdemo.finetuning.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Probed,
    Resumed,
    Saved,
    Started,
    StepLogged,
    Stopped,
    Stopping,
)

EVENTS: list[Event] = [
    Started(0, 1.0, total_steps=10, epochs=2.0, device="CPU", rows={"train": 3}, notes=("a note",)),
    StepLogged(1, 2.0, epoch=0.1, loss=0.7, learning_rate=1e-4, grad_norm=None),
    Evaluated(5, 3.0, epoch=1.0, split="validation", metrics={"accuracy": 0.5}),
    Saved(5, 3.5, folder="model"),
    Probed(0, 1.5, seconds_per_step=0.2, estimated_seconds=9.0, peak_bytes=1, available_bytes=None),
    Resumed(3, 3.7, notes=("a damaged one was passed over",)),
    Stopping(4, 3.9),
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


def test_an_event_is_not_swallowed_by_the_half_line_of_a_process_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events.append(path, EVENTS[0])
    with path.open("a") as file:
        file.write('{"event": "step_lo')
    events.append(path, EVENTS[1])
    events.append(path, EVENTS[2])
    with path.open() as lines:
        assert list(events.parse_all(lines)) == EVENTS[:3]


def test_what_came_after_the_checkpoint_that_a_run_went_on_from_does_not_count_any_more() -> None:
    first = [StepLogged(step, float(step)) for step in (1, 2, 3)]
    again = [Resumed(2, 8.0), StepLogged(3, 9.0), Failed(3, 9.5), Resumed(1, 10.0), StepLogged(2, 11.0)]
    assert events.valid([*first, Stopped(2, 7.0)]) == [*first, Stopped(2, 7.0)]
    assert events.valid([*first, Stopped(2, 7.0), *again[:2]]) == [*first[:2], *again[:2]]
    assert events.valid([*first, Stopped(2, 7.0), *again]) == [first[0], *again[3:]]
