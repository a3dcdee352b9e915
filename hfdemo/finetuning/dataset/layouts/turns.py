"""The turns of a chat as files write them -> messages with a role and a content; a ValueError says why not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.kinds.cells import parse_list, shorten

Message = dict[str, Any]

_ROLE_KEYS = ("role", "from", "speaker", "sender")
_TEXT_KEYS = ("content", "value", "text", "message", "utterance")
# An exchange that is one object: what was asked, and what was answered.
_EXCHANGES = (
    *(("human", "assistant"), ("user", "assistant"), ("human", "gpt"), ("question", "answer")),
    *(("prompt", "response"), ("instruction", "output"), ("input", "output")),
)
_ROLE_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "system": ("system",),
        "developer": ("developer",),
        "user": ("user", "human", "prompter", "customer", "usr"),
        "assistant": (
            *("assistant", "gpt", "bot", "chatgpt", "gpt4", "gpt_4", "bing", "bard", "claude", "model", "ai", "agent"),
            *("chatbot", "llm", "function_call", "tool_call", "response", "answer"),
        ),
        "tool": ("tool", "observation", "function", "function_response", "tool_response", "ipython"),
    }
)
_ROLES = {name: role for role, names in _ROLE_NAMES.items() for name in names}
# What of a message is kept besides its role and content, as chat templates know it; `weight` is OpenAI's.
_KEPT = ("tool_calls", "tool_call_id", "name", "weight")
_BETWEEN_OBJECTS = re.compile(r"\}\s*\n\s*\{")  # numpy prints no comma there; in a text the line end is written \n
_SPOKEN = re.compile(r"(?:\A|\n)\s*(Human|Assistant): ?")
_PLACEHOLDER = re.compile(r"<(image|video|audio)>")
_MEDIA = ("image", "video", "audio", "file")


def parse_turns(cell: str) -> list[Any]:
    """Read a list of turns: JSON, as Python or numpy prints it, an object of equally long lists, or a transcript.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    text = cell.strip()
    if text.startswith("{"):
        found = _parse_object(text)
        columns = list(found.values())
        if columns and all(isinstance(each, list) and len(each) == len(columns[0]) for each in columns):
            return [dict(zip(found, values, strict=True)) for values in zip(*columns, strict=True)]
        return [found]
    if not text.startswith("["):
        if parts := _SPOKEN.split(text)[1:]:
            return [{"role": who, "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]
        raise ValueError(f"{shorten(cell)} is no list of messages")
    try:
        return parse_list(text)
    except ValueError:
        joined = _BETWEEN_OBJECTS.sub("}, {", text)
        if joined == text:
            raise
        return parse_list(joined)


def read_turns(turns: Sequence[Any]) -> list[Message]:
    """Return the messages of turns: objects with a role and a text, exchanges, or texts of two that take turns.

    Raises:
        ValueError: one of them is none of these, its role is unknown, or it holds more than text.
    """
    messages: list[Message] = []
    for number, turn in enumerate(turns):
        if isinstance(turn, Mapping):
            messages += _read_object(turn)
        elif isinstance(turn, list) and len(turn) == 2 and all(isinstance(each, str) for each in turn):
            messages += [make_message("user", turn[0]), make_message("assistant", turn[1])]
        elif isinstance(turn, str):
            messages.append(make_message(("user", "assistant")[number % 2], turn))
        else:
            raise ValueError(f"{shorten(json.dumps(turn, default=str))} is no message with a role and a content")
    return messages


def are_turns(turns: Sequence[Any], role_keys: Sequence[str] = _ROLE_KEYS) -> bool:
    """Return whether `turns` are objects that each say who speaks, by one of `role_keys`, and what."""
    return bool(turns) and all(
        isinstance(turn, Mapping) and _find_key(turn, role_keys) and (_find_key(turn, _TEXT_KEYS) or _calls(turn))
        for turn in turns
    )


def are_exchanges(turns: Sequence[Any]) -> bool:
    """Return whether `turns` are questions with their answers: pairs, or objects of both."""
    return bool(turns) and all(
        (isinstance(turn, Mapping) and _find_exchange(turn) is not None)
        or (isinstance(turn, list) and len(turn) == 2 and all(isinstance(each, str) for each in turn))
        for turn in turns
    )


def are_texts(turns: Sequence[Any]) -> bool:
    """Return whether `turns` are at least two texts."""
    return len(turns) > 1 and all(isinstance(turn, str) for turn in turns)


def make_message(role: str, content: str) -> Message:
    """Return a message."""
    return {"role": role, "content": content}


def without_learning(messages: Sequence[Message]) -> list[Message]:
    """Return messages of a prompt: the answers among them are not learned."""
    return [{**each, "weight": 0} if each["role"] == "assistant" else each for each in messages]


def check_chat(messages: Sequence[Message]) -> list[Message]:
    """Return the messages of a chat in which something is learned, without a blank system message.

    Raises:
        ValueError: there is no answer, or a message is empty; the message is the reason.
    """
    kept = [each for each in messages if each["role"] not in ("system", "developer") or each["content"].strip()]
    for number, each in enumerate(kept, start=1):
        if each["role"] != "tool" and not each["content"].strip() and not each.get("tool_calls"):
            if each["role"] == "assistant":
                raise ValueError("the answer is empty" if len(kept) < 4 else f"the answer in message {number} is empty")
            raise ValueError("the prompt is empty" if len(kept) < 4 else f"message {number} is empty")
    answers = [each for each in kept if each["role"] == "assistant"]
    if not answers:
        raise ValueError("there is no answer in it: no message of the assistant")
    if kept[0] is answers[0]:  # a greeting answers nothing
        kept, answers = [*without_learning(kept[:1]), *kept[1:]], answers[1:]
    if not answers:
        raise ValueError("there is no prompt before its answer")
    if all(each.get("weight") == 0 for each in answers):
        raise ValueError("its weights say that none of its answers is learned")
    return kept


def find_placeholder(messages: Sequence[Message]) -> str:
    """Return which medium a message has a place for, such as <image>; "" where none has."""
    found = (_PLACEHOLDER.search(each["content"]) for each in messages)
    return next((match[1] for match in found if match), "")


def _parse_object(text: str) -> dict[str, Any]:
    (found,) = parse_list(f"[{text}]") or [None]
    if not isinstance(found, dict):
        raise ValueError(f"{shorten(text)} is no message")
    return found


def _find_key(turn: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if key in turn), None)


def _calls(turn: Mapping[str, Any]) -> Any:
    return turn.get("tool_calls") or turn.get("function_call")


def _find_exchange(turn: Mapping[str, Any]) -> tuple[str, str] | None:
    if _find_key(turn, ("role", "from")):
        return None
    return next(((ask, say) for ask, say in _EXCHANGES if {ask, say} <= set(turn)), None)


def _read_object(turn: Mapping[str, Any]) -> list[Message]:
    if pair := _find_exchange(turn):
        ask, say = (_read_content(turn[key]) for key in pair)
        before = [make_message("system", str(turn["system"]))] if turn.get("system") else []
        return [*before, make_message("user", ask), make_message("assistant", say)]
    role_key, text_key = _find_key(turn, _ROLE_KEYS), _find_key(turn, _TEXT_KEYS)
    if role_key is None or not (text_key or _calls(turn)):
        raise ValueError(f"{shorten(json.dumps(turn, default=str))} is no message with a role and a content")
    message = make_message(_read_role(turn[role_key]), _read_content(turn[text_key]) if text_key else "")
    message |= {key: turn[key] for key in _KEPT if turn.get(key) is not None}
    if turn.get("function_call"):  # how OpenAI wrote a tool call until 2023
        message["tool_calls"] = [{"type": "function", "function": turn["function_call"]}]
    if calls := message.get("tool_calls"):
        message["tool_calls"] = _read_calls(calls)
    return [message]


def _read_role(role: Any) -> str:
    name = re.sub(r"[\s-]+", "_", str(role).strip().lower())
    if name not in _ROLES:
        raise ValueError(f"the role {shorten(str(role))} is none of {', '.join(_ROLE_NAMES)}")
    return _ROLES[name]


def _read_content(content: Any) -> str:
    """Return a content as text: a text itself, or the text parts of a list.

    Raises:
        ValueError: a part is no text.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, bool | int | float):
        return str(content)
    parts = content if isinstance(content, list) else [content]
    return "".join(map(_read_part, parts))


def _read_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = str(part.get("type") or "text") if isinstance(part, Mapping) else ""
    if isinstance(part, Mapping) and isinstance(part.get("text"), str) and "text" in kind:
        return str(part["text"])
    medium = next((each for each in _MEDIA if each in kind), None)
    if medium:
        raise ValueError(
            f"a message holds {'an' if medium[0] in 'ai' else 'a'} {medium}, and only text is learned here"
        )
    raise ValueError(f"a message holds {shorten(json.dumps(part, default=str))}, which is no text")


def _read_calls(calls: Any) -> list[Any]:
    """Return tool calls with their arguments as objects, as chat templates expect them; OpenAI writes JSON texts."""
    found = []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise ValueError(f"the tool call {shorten(json.dumps(call, default=str))} names no function")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError:
                raise ValueError(f"the arguments of the tool call {function['name']!r} are no JSON") from None
        found.append({**call, "function": {**function, "arguments": arguments}})
    return found
