"""Messages -> the string that a chat template renders -> tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.models.library_errors import wrap_library_errors
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.template_process import MOST_CHARACTERS, Job, rendered, rendered_apart

MOST_TEMPLATE = 50_000

BORROWED = "ChatML"
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Rendered:
    """`text` is what the template made of the messages, `encoding` its one row.

    `prompt` is the end of the text that add_generation_prompt=True appended, "" if nothing; `borrowed` names the
    template that was used because the tokenizer has none of its own, "" where it has.
    `encoding` marks as special what the template or a message wrote and the tokenizer reads as a special token.
    """

    text: str
    prompt: str
    encoding: Encoding
    borrowed: str = ""


def render(
    tokenizer: Any, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool, template: str | None = None
) -> Rendered:
    """Return what `apply_chat_template` makes of `messages`; `template` (Jinja) wins over the tokenizer's own, and the
    plain ChatML form is borrowed where there is none.

    Every template but that one was written by a stranger, and runs in a process of its own. The caller must hold the
    tokenizer for itself.

    Raises:
        DemoError: no messages, one without role or content, or a template that refuses them, can't be read, takes too
            long or needs too much memory.
    """
    _check(messages)
    used = _template(tokenizer, template)
    prompts = (False, True) if add_generation_prompt else (False,)
    job = Job(used, [dict(message) for message in messages], prompts, dict(tokenizer.special_tokens_map))
    without, *prompted = rendered(job) if used is CHATML else rendered_apart(job)
    text = prompted[0] if prompted else without
    if not text.strip():
        raise DemoError("The chat template makes an empty text of these messages. Change the messages or the template.")
    # Templates write their own special tokens; apply_chat_template(tokenize=True) adds none either.
    encoding = encode(tokenizer, [text], None, Options(add_special_tokens=False), MOST_CHARACTERS)
    prompt = text[len(without) :] if text.startswith(without) else ""
    return Rendered(text, prompt, _marked(tokenizer, encoding), BORROWED if used is CHATML else "")


def _check(messages: Sequence[Mapping[str, str]]) -> None:
    shape = 'a list like [{"role": "user", "content": "Hello"}]'
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        raise DemoError(f"The messages must be {shape}, but a {type(messages).__name__} was sent.")
    if not messages:
        raise DemoError("There are no messages. Write at least one.")
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping):
            raise DemoError(f"The messages must be {shape}, but message {number} is a {type(message).__name__}.")
        for key in ("role", "content"):
            if not isinstance(message.get(key), str):
                raise DemoError(f"Message {number} has no {key}. Each needs a role and a content, both texts.")
    total = sum(len(message["content"]) for message in messages)
    if total > MOST_CHARACTERS:
        raise DemoError(f"The messages have {total:,} characters together; at most {MOST_CHARACTERS:,} are rendered.")


def _template(tokenizer: Any, chosen: str | None) -> str:
    """Return the template to render: the chosen one, else the tokenizer's own, else the borrowed one."""
    if chosen is None and not tokenizer.chat_template:
        return CHATML
    with wrap_library_errors("The chat template can't be chosen", "Name one of the tokenizer's templates."):
        used = str(tokenizer.get_chat_template(chosen))
    if len(used) > MOST_TEMPLATE:
        raise DemoError(f"The chat template has {len(used):,} characters; at most {MOST_TEMPLATE:,} are read.")
    return used


def _marked(tokenizer: Any, encoding: Encoding) -> Encoding:
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    marks = [[int(each in special) for each in ids] for ids in encoding.columns["input_ids"]]
    return replace(encoding, columns={**encoding.columns, "special_tokens_mask": marks})
