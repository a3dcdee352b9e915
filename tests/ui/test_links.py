"""A link holds all that was typed, and opens the tab with it."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from hfdemo.tasks import TASKS
from hfdemo.ui.links import link, opened


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("text-classification", {"text": "a & b = c? # 100% +é🙂\n<b>", "top_k": 2}),
        ("text-classification", {"text": "123"}),
        ("zero-shot-classification", {"text": "true", "candidate_labels": ["a, b", "c"], "multi_label": True}),
        ("text-generation", {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}),
        ("table-question-answering", {"table": {"city": ["Oslo"], "n": ["1"]}, "question": "where?"}),
        ("automatic-speech-recognition", {"task": "translate", "language": "french"}),
    ],
)
def test_what_a_link_holds_is_what_it_opens(task: str, values: dict[str, Any]) -> None:
    address = link(TASKS[task], "owner/name@v1", values)
    assert address is not None
    found = opened(dict(parse_qsl(address.removeprefix("?"))))
    assert found is not None
    assert (found[0].name, found[1], found[2]) == (task, "owner/name@v1", values)


def test_files_and_defaults_are_left_out_and_what_is_too_long_has_no_link() -> None:
    address = link(TASKS["image-classification"], "a/b", {"image": "/tmp/secret.png", "top_k": None})
    assert address == "?task=image-classification&model=a%2Fb"
    assert link(TASKS["text-classification"], "a/b", {"text": "x" * 10_000}) is None


def test_a_query_without_a_known_task_opens_nothing() -> None:
    assert opened({}) is None
    assert opened({"task": "mind-reading"}) is None
    found = opened({"task": "feature-extraction", "image": "/etc/passwd", "nonsense": "1"})
    assert found is not None
    assert found[1:] == ("embedded:minilm", {})
