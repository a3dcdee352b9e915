"""What libraries throw at files and inputs that others made, as sentences."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from hfdemo.errors import DemoError, ModelError


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


def readable_panics() -> AbstractContextManager[None]:
    """Wrap the errors of a tokenizer at work: hopeless input makes its Rust core panic."""
    return wrap_library_errors("The tokenizer can't do this", "Change the text, the length or the stride.")


def first_sentence(error: BaseException) -> str:
    """Return the beginning of what an exception says, without its line breaks and with a full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    head = text.split(". ")[0].rstrip(".")
    return f"{head[:300]}."
