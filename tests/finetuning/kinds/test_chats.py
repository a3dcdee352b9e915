"""Of a chat the answers are learned and nothing else, to the token, whatever the chat template and the tokenizer."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
import transformers

from hfdemo.finetuning.kinds.chats import choose_chat_template, find_whole_chats, render_chat
from hfdemo.finetuning.kinds.next_token import encode_next_tokens
from hfdemo.tokenization.chat_templates import PLAIN_TEMPLATE
from tests.zoo.tokenizers import CHAT_TEMPLATE, chat_tokenizer

ROLES_ALTERNATE = (
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}"
)
# Like Llama 2, Gemma, Qwen 3 and Mistral: what each does that another doesn't.
TEMPLATES = {
    "ChatML": CHAT_TEMPLATE,
    "plain": PLAIN_TEMPLATE,
    "brackets": (
        f"{ROLES_ALTERNATE}{{% for message in messages %}}{{% if message['role'] == 'user' %}}"
        "[INST] {{ message['content'] | trim }} [/INST]{% else %} {{ message['content'] | trim }} <end>{% endif %}"
        "{% endfor %}"
    ),
    "no system": (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        f"{ROLES_ALTERNATE}{{% for message in messages %}}"
        "<{{ 'model' if message['role'] == 'assistant' else 'user' }}>{{ message['content'] | trim }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<model>{% endif %}"
    ),
    "thoughts in the last answer": (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% if loop.last and message['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
        "{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "the system in the last prompt": (
        "{% set system = messages[0]['content'] if messages[0]['role'] == 'system' else '' %}"
        "{% set last = (messages | selectattr('role', 'equalto', 'user') | list)[-1] %}"
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        "[INST]{% if message == last %}{{ system }}{% endif %}{{ message['content'] }}[/INST]"
        "{% elif message['role'] == 'assistant' %}{{ message['content'] }}<end>{% endif %}{% endfor %}"
    ),
}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "who are you"},
    {"role": "assistant", "content": "a harbour, a"},
    {"role": "user", "content": "where"},
    {"role": "assistant", "content": "by the sea"},
]
# What is learned of that: the answers, and what says that they end.
LEARNED = {
    "ChatML": ["a harbour, a<|im_end|>\n", "by the sea<|im_end|>\n"],
    "plain": [" a harbour, a{eos}\n", " by the sea{eos}\n"],
    "brackets": [" a harbour, a <end>", " by the sea <end>"],
    "no system": ["a harbour, a<end>", "by the sea<end>"],
    "thoughts in the last answer": ["a harbour, a<|im_end|>\n", "<think>\n\n</think>\n\nby the sea<|im_end|>\n"],
    "the system in the last prompt": ["a harbour, a<end>", "by the sea<end>"],
}


@functools.cache
def fast() -> Any:
    return chat_tokenizer()


@functools.cache
def slow() -> Any:
    """A tokenizer in Python, which knows no offsets."""
    return transformers.ByT5Tokenizer()


def encode(tokenizer: Any, *cells: str) -> dict[str, Any]:
    return encode_next_tokens({"text": list(cells)}, tokenizer, None, ())


def learned(tokenizer: Any, cell: str) -> str:
    (labels,) = encode(tokenizer, cell)["labels"]
    return str(tokenizer.decode([token for token in labels if token != -100]))


@pytest.mark.parametrize("make", [fast, slow])
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_answers_are_learned_to_the_token_by_any_template(make: Any, template: str) -> None:
    tokenizer = make()
    tokenizer.chat_template = TEMPLATES[template]
    cell = json.dumps(TALK)
    expected = [each.format(eos=tokenizer.eos_token) for each in LEARNED[template]]
    text, spans = render_chat(cell, tokenizer)
    assert spans is not None
    assert [text[start:end] for start, end in spans] == expected
    # ByT5 takes the white space after its </s> for a part of it.
    assert learned(tokenizer, cell) == "".join(expected).replace("</s>\n", "</s>")
    made = encode(tokenizer, cell)
    assert made["input_ids"][0] == tokenizer(text, add_special_tokens=False)["input_ids"]
    rest = [token for token, own in zip(made["input_ids"][0], made["labels"][0], strict=True) if own == -100]
    assert "who are you" in tokenizer.decode(rest)
    assert "Be brief." in tokenizer.decode(rest)


@pytest.mark.parametrize("make", [fast, slow])
def test_an_answer_with_a_weight_of_zero_is_read_and_not_learned(make: Any) -> None:
    tokenizer = make()
    tokenizer.chat_template = CHAT_TEMPLATE
    talk = [{**each, **({"weight": 0} if each["content"].startswith("a harbour") else {})} for each in TALK]
    assert learned(tokenizer, json.dumps(talk)) == "by the sea<|im_end|>\n"
    assert encode(tokenizer, json.dumps(talk))["input_ids"] == encode(tokenizer, json.dumps(TALK))["input_ids"]


def test_a_greeting_is_no_answer_and_a_chat_may_begin_with_one() -> None:
    tokenizer = fast()
    tokenizer.chat_template = CHAT_TEMPLATE
    greeting = {"role": "assistant", "content": "welcome", "weight": 0}
    assert learned(tokenizer, json.dumps([greeting, *TALK[1:3]])) == "a harbour, a<|im_end|>\n"


def test_tool_calls_are_learned_with_the_answer_that_makes_them() -> None:
    tokenizer = fast()
    tokenizer.chat_template = PLAIN_TEMPLATE
    call = {"type": "function", "function": {"name": "sum_up", "arguments": {"a": 3}}}
    talk = [
        {"role": "user", "content": "add"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "6"},
        {"role": "assistant", "content": "it is 6"},
    ]
    expected = '  {"name": "sum_up", "arguments": {"a": 3}}<|im_end|>\n it is 6<|im_end|>\n'
    assert learned(tokenizer, json.dumps(talk)) == expected
    assert find_whole_chats("train", {"text": [json.dumps(talk)]}, [[1, -100]], tokenizer, None) == []
    tokenizer.chat_template = CHAT_TEMPLATE
    (note,) = find_whole_chats(
        "train", {"text": [json.dumps(TALK), json.dumps(talk)]}, [[1, -100]] * 2, tokenizer, None
    )
    assert note == (
        "train: 1 row has a system message, a tool's answer or a tool call that the model's chat template leaves out "
        "(row 2)."
    )


def test_of_messages_that_a_template_refuses_nothing_is_learned_and_that_is_said() -> None:
    tokenizer = fast()
    tokenizer.chat_template = TEMPLATES["no system"]
    twice = json.dumps([TALK[1], TALK[1], TALK[2]])
    made = encode(tokenizer, twice, json.dumps(TALK))
    assert set(made["labels"][0]) == {-100}
    assert made["input_ids"][0]
    (note,) = find_whole_chats("train", {"text": [twice, json.dumps(TALK)]}, made["labels"], tokenizer, None)
    assert note.startswith(
        "train: 1 row of messages is refused by the model's chat template, so nothing of it is learned"
    )
    assert note.endswith("(row 1).")


def test_a_tokenizer_without_a_template_gets_a_plain_one_where_there_are_messages() -> None:
    tokenizer = chat_tokenizer()
    assert choose_chat_template([json.dumps(TALK)], tokenizer, PLAIN_TEMPLATE) == CHAT_TEMPLATE
    tokenizer.chat_template = None
    assert choose_chat_template(["a text", "[1]"], tokenizer, PLAIN_TEMPLATE) is None
    assert tokenizer.chat_template is None
    assert choose_chat_template(["a text", json.dumps(TALK)], tokenizer, PLAIN_TEMPLATE) == PLAIN_TEMPLATE
    text, _ = render_chat(json.dumps(TALK[:3]), tokenizer)
    assert text == "System: Be brief.\nUser: who are you\nAssistant: a harbour, a<|im_end|>\n"
    assert tokenizer.apply_chat_template(TALK[:2], tokenize=False, add_generation_prompt=True).endswith("\nAssistant:")
