"""Messages -> the string that a chat template renders -> tokens.

A stranger's template is rendered in a process of its own, with bounds on time and memory: `python -m` this, with the
job on stdin.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, Stopped, first_sentence, wrap_library_errors
from hfdemo.scheduler import POLL_SECONDS
from hfdemo.tasks.messages import check_messages, find_control_tokens, flatten_parts, reads_parts
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import Options

MOST_TEMPLATE = 50_000
MOST_CHARACTERS = 100_000
MOST_SECONDS = 2
MOST_BYTES = 128 * 1024**2
# The library's import takes most of a second, and many times that on a busy machine.
PATIENCE_SECONDS = 30
# A template marks with this what the assistant writes.
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
# What the library gives a template by itself, or what stands in a field of its own.
_OWN_ARGUMENTS = {
    *("messages", "conversations", "tools", "documents", "chat_template", "add_generation_prompt"),
    *("continue_final_message", "return_assistant_tokens_mask", "tokenize"),
}
_ROOT = Path(__file__).resolve().parents[2]

# What a tokenizer without a chat template gets: no token of its own but the end of a text after each answer.
PLAIN_NAME = "plain"
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{% for call in message['tool_calls'] or [] %} {{ call['function'] | tojson }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


@dataclass(frozen=True)
class RenderedChat:
    """`text` is what the template made of the messages, `encoding` its one row.

    `prompt` is the end of the text that add_generation_prompt=True appended, "" if nothing; `borrowed` names the
    template that was used because the tokenizer has none of its own, "" where it has.
    `encoding` marks as special what the template or a message wrote and the tokenizer reads as a special token.
    `learned` says of each token whether a training learns it, as `return_assistant_tokens_mask` does; it is empty where
    the template does not mark what the assistant writes, or the tokenizer knows no places. `warnings` are sentences.
    """

    text: str
    prompt: str
    encoding: Encoding
    borrowed: str = ""
    learned: tuple[bool, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatOptions:
    """What a template is given beside the messages: `arguments` are its own, such as enable_thinking."""

    tools: Sequence[Mapping[str, Any]] | None = None
    documents: Sequence[Mapping[str, Any]] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def render_messages(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool,
    template: str | None = None,
    stop: Event | None = None,
    options: ChatOptions | None = None,
) -> RenderedChat:
    """Return what `apply_chat_template` makes of `messages`; `template` (Jinja) wins over the tokenizer's own, and the
    plain one is borrowed where there is none.

    Every template but that one was written by a stranger, and runs in a process of its own. The caller must hold the
    tokenizer for itself.

    Raises:
        DemoError: no messages, one without role or content, or a template that refuses them, can't be read, takes too
            long or needs too much memory.
        Stopped: `stop` was set.
    """
    options = _check_options(options or ChatOptions())
    checked = check_messages("The messages", messages, MOST_CHARACTERS)
    used = _choose_template(tokenizer, template)
    joined = flatten_parts(checked)
    parted = joined != checked and not reads_parts(used)
    job = RenderJob(
        used,
        joined if parted else checked,
        (False, True) if add_generation_prompt else (False,),
        dict(tokenizer.special_tokens_map),
        options.tools,
        options.documents,
        options.arguments,
    )
    found = render_template(job) if used is PLAIN_TEMPLATE else render_in_subprocess(job, stop)
    without, text = found[0].text, found[-1].text
    if not text.strip():
        raise DemoError("The chat template makes an empty text of these messages. Change the messages or the template.")
    # Templates write their own special tokens; apply_chat_template(tokenize=True) adds none either.
    encoding = encode(tokenizer, [text], None, Options(add_special_tokens=False), MOST_CHARACTERS)
    prompt = text[len(without) :] if add_generation_prompt and text.startswith(without) else ""
    return RenderedChat(
        text,
        prompt,
        _mark_special_tokens(tokenizer, encoding),
        PLAIN_NAME if used is PLAIN_TEMPLATE else "",
        _mark_learned(encoding, found[-1].written),
        tuple(_warn(tokenizer, checked, used, options, parted)),
    )


def _check_options(options: ChatOptions) -> ChatOptions:
    """Make sure that tools, documents and arguments have the form that templates take.

    Raises:
        DemoError: one has another.
    """
    for name, given in (("tools", options.tools), ("documents", options.documents)):
        if given is not None and not (
            isinstance(given, list | tuple) and given and all(isinstance(each, Mapping) for each in given)
        ):
            raise DemoError(f"{name} must be a list of objects, but {given!r:.80} was sent. See the example beside it.")
    if not isinstance(options.arguments, Mapping):
        raise DemoError(
            f'The template\'s arguments must be an object such as {{"enable_thinking": false}}, but '
            f"{options.arguments!r:.80} was sent."
        )
    taken = sorted(set(options.arguments) & _OWN_ARGUMENTS)
    if taken:
        raise DemoError(f"{', '.join(taken)} can't be among the template's arguments: it has a field of its own.")
    if len(json.dumps([options.tools, options.documents, dict(options.arguments)], default=str)) > MOST_CHARACTERS:
        raise DemoError(f"Tools, documents and arguments may have {MOST_CHARACTERS:,} characters together.")
    return options


def _mark_learned(encoding: Encoding, written: Sequence[tuple[int, int]] | None) -> tuple[bool, ...]:
    """Say of each token whether it begins in what the assistant has `written`; empty where nobody knows."""
    spans = (encoding.columns.get("offset_mapping") or [None])[0]
    if written is None or spans is None:
        return ()
    return tuple(any(begin < end and start < end and begin < stop for start, stop in written) for begin, end in spans)


def _warn(
    tokenizer: Any, messages: Sequence[Mapping[str, Any]], template: str, options: ChatOptions, parted: bool
) -> Iterator[str]:
    yield from find_control_tokens(messages, tokenizer)
    if parted:
        yield "This template takes content as one text: the parts of each message were joined."
    unread = [name for name in ("tools", "documents") if getattr(options, name) and name not in template]
    unread += [name for name in options.arguments if name not in template]
    if unread:
        yield f"The template does not read {', '.join(unread)}: they change nothing."


def _choose_template(tokenizer: Any, chosen: str | None) -> str:
    """Return the template to render: the chosen one, else the tokenizer's own, else the borrowed one."""
    if chosen is None and not tokenizer.chat_template:
        return PLAIN_TEMPLATE
    with wrap_library_errors("The chat template can't be chosen", "Name one of the tokenizer's templates."):
        used = str(tokenizer.get_chat_template(chosen))
    if len(used) > MOST_TEMPLATE:
        raise DemoError(f"The chat template has {len(used):,} characters; at most {MOST_TEMPLATE:,} are read.")
    return used


def _mark_special_tokens(tokenizer: Any, encoding: Encoding) -> Encoding:
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    marks = [[int(each in special) for each in ids] for ids in encoding.columns["input_ids"]]
    return replace(encoding, columns={**encoding.columns, "special_tokens_mask": marks})


# --- Rendering, here or in a process of its own. ---


@dataclass(frozen=True)
class RenderJob:
    """A Jinja `template` with what it is rendered from, once for each value of add_generation_prompt in `prompts`.

    `tokens` are the tokenizer's special tokens by their names.
    """

    template: str
    messages: Sequence[Mapping[str, Any]]
    prompts: Sequence[bool]
    tokens: Mapping[str, Any]
    tools: Sequence[Mapping[str, Any]] | None = None
    documents: Sequence[Mapping[str, Any]] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RenderedText:
    """A text, and the places (begin, end) in it that the template marks as written by the assistant; None without."""

    text: str
    written: tuple[tuple[int, int], ...] | None = None


def render_template(job: RenderJob) -> list[RenderedText]:
    """Return the texts, one for each of `job.prompts`, rendered by the library in this process.

    The library's sandbox bounds neither time nor memory: only for templates that we wrote.

    Raises:
        DemoError: the template refuses the messages, can't be read, or makes more than MOST_CHARACTERS.
    """
    from jinja2 import TemplateSyntaxError
    from transformers.utils.chat_template_utils import render_jinja_template

    found = []
    marks = _GENERATION.search(job.template) is not None
    for prompted in job.prompts:
        with wrap_library_errors(
            "The chat template refuses these messages",
            "Change the messages, for example the order of their roles, or the template.",
        ):
            try:
                (text,), written = render_jinja_template(
                    [job.messages],
                    tools=job.tools,
                    documents=job.documents,
                    chat_template=job.template,
                    add_generation_prompt=prompted,
                    return_assistant_tokens_mask=marks,
                    **{**job.tokens, **job.arguments},
                )
            except TemplateSyntaxError as error:
                problem = f"The chat template can't be read: in line {error.lineno}, {first_sentence(error)}"
                raise DemoError(f"{problem} Correct the Jinja template.") from error
            except MemoryError as error:
                raise DemoError(
                    f"The chat template needs more than {MOST_BYTES // 1024**2} MB of memory. Make it shorter."
                ) from error
        if len(text) > MOST_CHARACTERS:
            raise DemoError(
                f"The chat template makes a text of {len(text):,} characters; at most {MOST_CHARACTERS:,} are read. "
                "Send fewer messages, or change the template."
            )
        found.append(RenderedText(text, tuple((begin, end) for begin, end in written[0]) if marks else None))
    return found


def render_in_subprocess(job: RenderJob, stop: Event | None = None) -> list[RenderedText]:
    """Render the same in a process of its own, which ends after MOST_SECONDS of work or at MOST_BYTES more than it
    began with.

    A template is a program, and one operation of it can take hours or fill the memory: no thread can stop it.

    Raises:
        DemoError: as `render_template`, or it takes too long.
        Stopped: `stop` was set.
    """
    order = json.dumps({"job": asdict(job), "seconds": MOST_SECONDS, "bytes": MOST_BYTES})
    done = _run_interpreter(["-m", __name__], order.encode(), stop)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _timeout_error()
    if done.returncode:
        logging.getLogger(__name__).info("A rendering process failed: %s", done.stderr.decode(errors="replace"))
        raise DemoError(
            f"The chat template broke the process that rendered it (exit code {done.returncode}). Change the template."
        )
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise DemoError(answer["refused"])
    return [
        RenderedText(str(text), None if written is None else tuple((begin, end) for begin, end in written))
        for text, written in answer["texts"]
    ]


def _run_interpreter(arguments: Sequence[str], order: bytes, stop: Event | None) -> subprocess.CompletedProcess[bytes]:
    """Run an interpreter with `order` on its stdin, until it ends, takes too long or `stop` is set."""
    command = [sys.executable, *arguments]
    deadline = time.monotonic() + PATIENCE_SECONDS
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
    ) as child:
        given: bytes | None = order
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    out, error = child.communicate(given, timeout=POLL_SECONDS)
                    return subprocess.CompletedProcess(command, child.returncode, out, error)
                given = None
                if stop is not None and stop.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise _timeout_error()
        finally:
            child.kill()


def _timeout_error() -> DemoError:
    return DemoError(f"The chat template was still rendering after {MOST_SECONDS} s. Look for an endless loop in it.")


def main() -> None:
    """Read a job from stdin, render it within its bounds, and write {"texts"} or {"refused"} to stdout."""
    order = json.load(sys.stdin)
    import jinja2  # noqa: F401
    import transformers.utils.chat_template_utils  # noqa: F401

    _limit_resources(order["seconds"], order["bytes"])
    try:
        rendered = render_template(RenderJob(**order["job"]))
        answer: dict[str, object] = {"texts": [(each.text, each.written) for each in rendered]}
    except DemoError as error:
        answer = {"refused": str(error)}
    json.dump(answer, sys.stdout)


def _limit_resources(seconds: int, size: int) -> None:
    """Let the system end this process after so many more seconds of computing, and refuse it so many more bytes."""
    import resource

    import psutil

    most = int(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
    room = psutil.Process().memory_info().vms + size
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


if __name__ == "__main__":
    main()
