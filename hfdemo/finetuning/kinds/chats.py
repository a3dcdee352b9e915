"""Messages of a chat in a cell -> the text that a model reads, and which of its tokens are answers to learn.

A run's train.py prints most of these functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.kinds.cells import parse_list, shorten
from hfdemo.tables import format_row_numbers

ROLES = ("system", "developer", "user", "assistant", "tool")
# What a message may have besides its role and content: a weight of 0 says that an answer is not learned.
EXTRAS = ("tool_calls", "tool_call_id", "name", "weight")


def parse_messages(cell: str) -> list[dict[str, Any]]:
    """Read the messages of a chat: a JSON list of objects with role and content, both texts, and EXTRAS.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    found = parse_list(cell)
    if not found:
        raise ValueError("the list of messages is empty")
    for each in found:
        if not isinstance(each, dict) or not isinstance(each.get("role"), str):
            raise ValueError(f"{shorten(json.dumps(each, default=str))} is no message with a role and a content")
        if each["role"] not in ROLES:
            raise ValueError(f"the role {each['role']!r} is none of {', '.join(ROLES)}")
        if not isinstance(each.get("content"), str):
            raise ValueError(f"the content of a message of {each['role']!r} is no text")
    return [{key: each[key] for key in ("role", "content", *EXTRAS) if key in each} for each in found]


def read_messages(cell: str) -> list[dict[str, Any]] | None:
    """Return the messages in a cell of a run's data; None of a plain text."""
    try:
        messages = json.loads(cell) if cell.lstrip().startswith("[") else None
    except ValueError:
        return None
    if isinstance(messages, list) and messages and all(isinstance(each, dict) and "role" in each for each in messages):
        return messages
    return None


def render_chat(cell: str, tokenizer: Any) -> tuple[str, list[tuple[int, int]] | None]:
    """Return the text of a cell and, of messages, where the answers stand in it (in characters); of a plain text None.

    What stands between the prompt for an answer and the end of its message is the answer. Where the template doesn't
    tell where that is, everything is learned; where it refuses the messages, nothing.
    """
    messages = read_messages(cell)
    if messages is None:
        return cell, None
    text = write_messages(messages, tokenizer)
    if text is None and messages[0]["role"] in ("system", "developer") and len(messages) > 1:
        # Some templates know no system message: its text then begins the first prompt.
        content = messages[0]["content"] + "\n\n" + messages[1]["content"]
        messages = [{**messages[1], "content": content}, *messages[2:]]
        text = write_messages(messages, tokenizer)
    if text is None:
        return cell, []
    answers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    spans = [find_answer(messages, n, text, tokenizer) for n in answers if messages[n].get("weight") != 0]
    if not answers or None in spans:
        return text, [(0, len(text))]
    return text, [span for span in spans if span]


def write_messages(messages: Sequence[Mapping[str, Any]], tokenizer: Any, prompt: bool = False) -> str | None:
    """Return what the chat template makes of messages, with the beginning of an answer after a `prompt`.

    None where it refuses them.
    """
    from jinja2 import TemplateError

    if not messages:
        return ""
    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=prompt))
    except (TemplateError, TypeError):  # a template may add texts to what is none
        return None


def find_answer(
    messages: Sequence[Mapping[str, Any]], number: int, text: str, tokenizer: Any
) -> tuple[int, int] | None:
    """Return where the answer in a message stands in `text`, what all messages are written as.

    Mostly that is what follows on the messages before it. Some templates write an answer in the middle of a
    conversation differently from the last one: there a mark in its place tells where it stands. None where that fails.
    """
    before = write_messages(messages[:number], tokenizer, prompt=True)
    until = write_messages(messages[: number + 1], tokenizer)
    begin = len(before) if before and text.startswith(before) else None
    if begin is not None and until is not None and text.startswith(until) and begin <= len(until):
        return begin, len(until)
    mark = "\ue000\ue001"
    marked = [*messages[:number], {**messages[number], "content": mark}]
    whole = write_messages([*marked, *messages[number + 1 :]], tokenizer) or ""
    head, found, tail = whole.partition(mark)
    if not found or not text.startswith(head) or not text.endswith(tail) or len(head) + len(tail) > len(text):
        return None
    end = len(text) - len(tail)
    closing = (write_messages(marked, tokenizer) or "").partition(mark)[2]  # such as <|im_end|>
    while closing and text[end : end + 1] == closing[:1]:
        end, closing = end + 1, closing[1:]
    return (len(head) if begin is None else begin), end


def find_learned_tokens(
    text: str,
    learned: Sequence[tuple[int, int]],
    ids: Sequence[int],
    spans: Sequence[tuple[int, int]] | None,
    tokenizer: Any,
) -> list[bool]:
    """Return of each token whether it is learned: whether it has a part in what stands at `learned` in the text.

    `spans` is where each token stands; a tokenizer in Python doesn't know (None), but the tokens that a beginning of
    the text has in common with the whole are those before the rest.
    """
    if spans is not None:
        return [any(start < end_at and begin < end for start, end in learned) for begin, end_at in spans]

    def count_tokens_of(beginning: str, overlapping: bool) -> int:
        own = list(tokenizer(beginning, add_special_tokens=False)["input_ids"])
        most = min(len(own), len(ids))
        same = next((n for n in range(most) if own[n] != ids[n]), most)
        return same + (overlapping and same < most)

    bounds = [(count_tokens_of(text[:start], False), count_tokens_of(text[:end], True)) for start, end in learned]
    return [any(first <= n < last for first, last in bounds) for n in range(len(ids))]


def choose_chat_template(cells: Sequence[str], tokenizer: Any, template: str) -> str | None:
    """Return the chat template by which the messages in `cells` are written; None where there are none.

    A tokenizer that has none is given `template`.
    """
    if not any(read_messages(cell) for cell in cells):
        return None
    if not getattr(tokenizer, "chat_template", None):
        tokenizer.chat_template = template
    return str(tokenizer.get_chat_template())


def find_whole_chats(
    split: str, rows: Mapping[str, Sequence[str]], labels: Sequence[Sequence[int]], tokenizer: Any, cut: int | None
) -> list[str]:
    """Say which rows of messages are learned with all that was asked in them, and which the template doesn't write."""
    whole, refused, lacking = [], [], []
    for row, (cell, own) in enumerate(zip(rows["text"], labels, strict=True), start=1):
        is_special = any(f'"{word}"' in cell for word in ("system", "developer", "tool", "tool_calls"))
        if -100 in own and any(each != -100 for each in own) and not is_special:
            continue
        text, learned = render_chat(cell, tokenizer)
        if learned == []:
            refused.append(row)
        elif learned == [(0, len(text))]:
            whole.append(row)
        elif learned and is_special and _find_unwritten(cell, text):
            lacking.append(row)
    done = "learned" if split == "train" else "evaluated"
    notes = []
    if whole:
        many = len(whole) > 1
        notes.append(
            f"{split}: {len(whole):,} row{'s' if many else ''} of messages {'are' if many else 'is'} {done} whole, not "
            "the answers alone: there are none, or the chat template doesn't tell where they stand "
            f"({format_row_numbers(whole)})."
        )
    if refused:
        many = len(refused) > 1
        notes.append(
            f"{split}: {len(refused):,} row{'s' if many else ''} of messages {'are' if many else 'is'} refused by the "
            f"model's chat template, so nothing of {'them' if many else 'it'} is {done}: mostly the order of the roles "
            f"is another than the template knows ({format_row_numbers(refused)})."
        )
    if lacking:
        many = len(lacking) > 1
        notes.append(
            f"{split}: {len(lacking):,} row{'s have' if many else ' has'} a system message, a tool's answer or a tool "
            f"call that the model's chat template leaves out ({format_row_numbers(lacking)})."
        )
    return notes


def _find_unwritten(cell: str, text: str) -> bool:
    """Return whether a message of the system or of a tool, or a call of one, is not in the text of a chat."""
    for message in read_messages(cell) or ():
        if message["role"] not in ("user", "assistant") and str(message.get("content", "")).strip() not in text:
            return True
        if any(call["function"]["name"] not in text for call in message.get("tool_calls") or ()):
            return True
    return False
