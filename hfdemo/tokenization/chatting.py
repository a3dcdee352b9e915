"""Messages -> the string that a chat template renders -> tokens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.models.foreign import first_sentence, foreign
from hfdemo.tokenization.encoding import Encoding, Options, encode

MOST_CHARACTERS = 100_000
MOST_TEMPLATE = 50_000
MOST_SECONDS = 2.0

BORROWED = "ChatML"
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Rendered:
    """`text` is what the template made of the messages, `encoding` its one row; `borrowed` names the template that was
    used because the tokenizer has none of its own, "" where it has.

    `encoding` marks as special what the template or a message wrote and the tokenizer reads as a special token.
    """

    text: str
    encoding: Encoding
    borrowed: str = ""


def render(
    tokenizer: Any, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool, template: str | None = None
) -> Rendered:
    """What `apply_chat_template` makes of `messages`; `template` (Jinja) wins over the tokenizer's own, and the plain
    ChatML form is borrowed where there is none.

    The library renders in a sandbox, and here for at most MOST_SECONDS. Neither bounds memory or a single huge
    number, so a shared server should not let visitors type a `template`. The caller must hold the tokenizer for itself.

    Raises:
        DemoError: no messages, one without role or content, or a template that refuses them or can't be read.
    """
    _check(messages)
    used = _template(tokenizer, template)
    text = _rendered(tokenizer, messages, add_generation_prompt, used)
    if not text.strip():
        raise DemoError("The chat template makes an empty text of these messages. Change the messages or the template.")
    # Templates write their own special tokens; apply_chat_template(tokenize=True) adds none either.
    encoding = encode(tokenizer, [text], None, Options(add_special_tokens=False), MOST_CHARACTERS)
    return Rendered(text, _marked(tokenizer, encoding), BORROWED if used is CHATML else "")


def generation_prompt(tokenizer: Any, messages: Sequence[Mapping[str, str]], template: str | None = None) -> str:
    """What add_generation_prompt=True appends to the rendered text; "" where it appends nothing.

    Raises:
        DemoError: as `render`, but for what only encoding finds.
    """
    _check(messages)
    used = _template(tokenizer, template)
    without, prompted = (_rendered(tokenizer, messages, asked, used) for asked in (False, True))
    return prompted[len(without) :] if prompted.startswith(without) else ""


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


def _template(tokenizer: Any, template: str | None) -> str | None:
    """What to hand to the library: None is the tokenizer's own."""
    if template is not None and len(template) > MOST_TEMPLATE:
        raise DemoError(f"The chat template has {len(template):,} characters; at most {MOST_TEMPLATE:,} are read.")
    return template if template is not None or tokenizer.chat_template else CHATML


def _rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]], prompted: bool, template: str | None) -> str:
    from jinja2 import TemplateSyntaxError

    advice = "Change the messages, for example the order of their roles, or the template."
    with foreign("The chat template refuses these messages", advice), _deadline(MOST_SECONDS):
        try:
            return str(
                tokenizer.apply_chat_template(
                    [dict(message) for message in messages],
                    chat_template=template,
                    add_generation_prompt=prompted,
                    tokenize=False,
                )
            )
        except TemplateSyntaxError as error:
            problem = f"The chat template can't be read: in line {error.lineno}, {first_sentence(error)}"
            raise DemoError(f"{problem} Correct the Jinja template.") from error


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Stop the Python code in this block after `seconds`; nested loops of a template can otherwise run for years.

    A trace function is the one way to end work in this thread from within; it looks at the lines of templates only.
    """
    end = time.monotonic() + seconds

    def look(frame: FrameType, event: str, _: Any) -> Any:
        if time.monotonic() > end:
            raise DemoError(
                f"The chat template was still rendering after {seconds:g} s. Look for an endless loop in it."
            )
        return look if frame.f_code.co_filename == "<template>" else None

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


def _marked(tokenizer: Any, encoding: Encoding) -> Encoding:
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    marks = [[int(each in special) for each in ids] for ids in encoding.columns["input_ids"]]
    return replace(encoding, columns={**encoding.columns, "special_tokens_mask": marks})
