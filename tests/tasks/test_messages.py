"""The forms of a conversation that a chat template reads, what is said of others, and what a message may hide."""

import json
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.tasks.messages import check_messages, flatten_parts, reads_parts

USER = {"role": "user", "content": "When is high tide?"}
CALL = {"type": "function", "function": {"name": "tide", "arguments": {"day": "Monday"}}}


@pytest.mark.parametrize(
    "message",
    [
        USER,
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "07:10", "name": "tide", "tool_call_id": "1"},
        {"role": "assistant", "content": "At seven.", "reasoning_content": "Tables say so."},
    ],
    ids=json.dumps,
)
def test_every_form_that_a_template_reads_is_taken(message: dict[str, Any]) -> None:
    assert check_messages("Messages", [USER, message], 1000) == [USER, {"content": None, **message}]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user"}, "Message 2 has no content"),
        ({"role": "user", "content": None}, "may be null"),
        ({"role": "user", "content": []}, "empty list"),
        ({"role": "user", "content": [{"type": "image", "url": "x"}]}, "a part of the kind 'image'"),
        ({"role": "user", "content": ["one"]}, "a part of the kind 'str'"),
        ({"role": "user", "content": [{"type": "text"}]}, "a part of the kind 'text'"),
        ({"role": "user", "content": "x", "colour": "red"}, "has the keys colour. A message takes"),
        ({"role": 1, "content": "x"}, "has no role"),
        ({"role": "assistant", "tool_calls": []}, "tool_calls of message 2 must be a list such as"),
        ({"role": "assistant", "tool_calls": [{"name": "tide"}]}, "tool_calls of message 2"),
        ({"role": "tool", "content": "x", "name": 5}, "The name of message 2"),
        ("Hello", "message 2 is a str"),
    ],
    ids=str,
)
def test_any_other_form_gets_a_sentence(message: Any, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        check_messages("Messages", [USER, message], 1000)


def test_parts_count_as_text_and_are_joined_for_templates_that_take_one() -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "a" * 600}, {"type": "text", "text": "b" * 600}]}]
    with pytest.raises(DemoError, match="1,200 characters together"):
        check_messages("Messages", parts, 1000)
    assert flatten_parts(parts)[0]["content"] == "a" * 600 + "b" * 600
    assert not reads_parts("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    assert not reads_parts("{{ messages[0].content }}")
    assert reads_parts("{% if message.content is string %}{{ message.content }}{% endif %}")
    assert reads_parts("{% for part in message['content'] %}{{ part.text }}{% endfor %}")
