"""The messages of a conversation: the forms that a chat template reads, checked in words, and what they hide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfdemo.errors import DemoError

SHAPE = 'a list like [{"role": "user", "content": "Hello"}]'
_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")
# How templates that take content as parts tell it from a text, or go through it.
_READS_PARTS = re.compile(
    r"content(['\"]\])?\s+is\s+(not\s+)?(string|iterable|sequence|mapping)|in\s+\w+(\.content|\[['\"]content['\"]\])"
)


def check_messages(label: str, messages: Any, max_characters: int) -> list[dict[str, Any]]:
    """Return `messages` as the library reads them: content a text, parts of text, or None beside tool calls.

    Raises:
        DemoError: another form, no message, or more than `max_characters`; `label` names them in the sentence.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise DemoError(f"{label} must be {SHAPE}, but a {type(messages).__name__} was sent.")
    if not messages:
        raise DemoError(f"There are no messages in {label.lower()}. Write at least one.")
    checked = [_check_message(label, number, each) for number, each in enumerate(messages, start=1)]
    total = sum(len(text) for each in checked for text in list_texts(each))
    if total > max_characters:
        raise DemoError(f"{label} have {total:,} characters together; one call takes at most {max_characters:,}.")
    try:
        "".join(text for each in checked for text in list_texts(each)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DemoError(f"{label} are not valid Unicode: there is half a surrogate pair in them. Remove it.") from error
    return checked


def _check_message(label: str, number: int, message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise DemoError(f"{label} must be {SHAPE}, but message {number} is a {type(message).__name__}.")
    unknown = [str(key) for key in message if key not in _KEYS]
    if unknown:
        raise DemoError(
            f"Message {number} has the keys {', '.join(unknown)[:200]}. A message takes: {', '.join(_KEYS)}."
        )
    if not isinstance(message.get("role"), str):
        raise DemoError(f"Message {number} has no role. Each needs a role and a content, both texts.")
    content, calls = message.get("content"), message.get("tool_calls")
    if calls is not None:
        _check_calls(number, calls)
    for key in ("name", "tool_call_id", "reasoning_content"):
        if message.get(key) is not None and not isinstance(message[key], str):
            raise DemoError(f"The {key} of message {number} must be a text.")
    if isinstance(content, list | tuple):
        _check_parts(number, content)
    elif not isinstance(content, str) and not (content is None and calls):
        raise DemoError(
            f"Message {number} has no content. Each needs a role and a content, both texts; beside tool_calls the "
            "content may be null, and it may be a list of parts of text."
        )
    return {**message, "content": content}


def _check_parts(number: int, parts: Sequence[Any]) -> None:
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
        if kind != "text" or not isinstance(part.get("text"), str):
            raise DemoError(
                f"Message {number} has a part of the kind {kind!r:.40}. Parts of text are read here: "
                '{"type": "text", "text": "Hello"}. For pictures take a task of pictures and text.'
            )
    if not parts:
        raise DemoError(f"The content of message {number} is an empty list. Write at least one part.")


def _check_calls(number: int, calls: Any) -> None:
    shape = '[{"type": "function", "function": {"name": "look_up", "arguments": {"word": "sea"}}}]'
    good = isinstance(calls, list | tuple) and all(
        isinstance(call, Mapping)
        and isinstance(call.get("function"), Mapping)
        and isinstance(call["function"].get("name"), str)
        for call in calls
    )
    if not good or not calls:
        raise DemoError(f"The tool_calls of message {number} must be a list such as {shape}.")


def list_texts(message: Mapping[str, Any]) -> list[str]:
    """List the texts of a message's content: one, one for each part, or none."""
    content = message.get("content")
    return [content] if isinstance(content, str) else [str(part["text"]) for part in content or ()]


def join_text(message: Mapping[str, Any]) -> str:
    """Return a message's content as one text."""
    return "".join(list_texts(message))


def reads_parts(template: str) -> bool:
    """Return whether a chat template knows content that is a list of parts; others would write it as Python does."""
    return _READS_PARTS.search(template) is not None


def flatten_parts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return `messages` with the parts of each content joined to one text."""
    return [
        {**message, "content": join_text(message)} if isinstance(message["content"], list | tuple) else {**message}
        for message in messages
    ]


def find_control_tokens(messages: Sequence[Mapping[str, Any]], tokenizer: Any) -> Iterator[str]:
    """Yield a sentence for each message that spells a special token out: the tokenizer reads it as if it were one."""
    if not messages:
        return
    special = {*tokenizer.all_special_tokens}
    special |= {str(each) for each in tokenizer.added_tokens_decoder.values() if each.special}
    roles = [token for role, token in tokenizer.special_tokens_map.items() if role != "unk_token"]
    tokens = sorted(token for token in special if token and (token != tokenizer.unk_token or token in roles))
    for number, message in enumerate(messages, start=1):
        held = [token for token in tokens if token in join_text(message)]
        if held and message["role"] != "assistant":
            yield (
                f"Message {number}, of the {message['role']}, holds {', '.join(held[:5])}, and the tokenizer reads it "
                "as a control token: whoever writes it can end the turn and speak as another role. Remove it from "
                "what others write."
            )
