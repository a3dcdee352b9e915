"""What the core raises when a person, a file or a model is at fault; the message is shown to that person.

DemoError              wrong input: what is wrong, what was found, what to do
├── ModelError         a model reference that can't be read, found or loaded
│   └── Unreachable    something on the Hub that can't be reached from here
├── DataError          a data set that can't be used as it is
├── RunError           a run that is not there or not in the right state
└── Stopped            somebody asked this work to stop before it had anything to show

Anything else that is raised is a bug, and is logged as one, unless a library threw it at a file or an input that others
made: `wrap_library_errors` makes a sentence of that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

_LONGEST = 300


class DemoError(Exception):
    """A sentence for the person at the page or behind the API."""


class ModelError(DemoError):
    """A model reference that can't be read, found or loaded."""


class Unreachable(ModelError):
    """Something on the Hub that can't be reached from here right now."""


class DataError(DemoError):
    """A data set that can't be used as it is."""


class RunError(DemoError):
    """A run that does not exist, or is in the wrong state for what was asked."""


class Stopped(DemoError):
    """Somebody asked for this work to stop before it had anything to show."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


@contextmanager
def wrap_library_errors(problem: str, advice: str) -> Iterator[None]:
    """Turn whatever a library raises in this block into "`problem`: what it said. `advice`".

    A checkpoint can hold anything, so that a library can fail on it in any way; the Rust cores of safetensors and
    tokenizers even panic with a BaseException, which `except Exception` lets through and a server leaves unanswered.

    Raises:
        ModelError: whatever was thrown, but for our own sentences and what is meant to end the process.
    """
    try:
        yield
    except (DemoError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        logging.getLogger(__name__).info("%s", problem, exc_info=True)
        raise ModelError(f"{problem}: {first_sentence(error)} {advice}") from error


def wrap_tokenizer_errors() -> AbstractContextManager[None]:
    """Wrap the errors of a tokenizer at work: hopeless input makes its Rust core panic."""
    return wrap_library_errors("The tokenizer can't do this", "Change the text, the length or the stride.")


def first_sentence(error: BaseException) -> str:
    """Return what an exception says in one line with a full stop: all of it, or the sentences that fit."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > _LONGEST:
        head, stop, _ = text[:_LONGEST].rpartition(". ")
        text = head if stop else f"{text[:_LONGEST].rpartition(' ')[0] or text[:_LONGEST]}…"
    return text if text.endswith(("…", "!", "?")) else f"{text.rstrip('.')}."
