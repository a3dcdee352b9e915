"""The edge to people and clients: what goes wrong becomes a sentence, and a file is what was uploaded here."""

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from hfdemo.errors import DemoError


def sentence(error: BaseException, where: str) -> str:
    """What a person is told of `error`: a DemoError's own words; anything else is a bug, and is logged as one."""
    if isinstance(error, DemoError):
        return str(error)
    logging.getLogger(__name__).error("A failure that nobody foresaw, in %s", where, exc_info=error)
    return f"This failed in a way that nobody foresaw: {type(error).__name__}: {error} (the log has more)"


def at_the_edge(function: Callable[..., Any], words: Callable[[str], str] = str) -> Callable[..., Any]:
    """Turn whatever `function` (a function or a generator function) raises into the gr.Error that a person sees.

    A DemoError is shown as it is. Anything else is a bug: it is logged, and said to be one. That holds for what is no
    Exception, too, such as a panic in Rust or SystemExit, which gradio would let through: the client would wait for
    ever, or the server end. `words` prepares the sentence: a client gets it as it is, but the page draws it as HTML.
    """

    @contextlib.contextmanager
    def edge() -> Iterator[None]:
        try:
            yield
        except (gr.Error, GeneratorExit):
            raise
        except BaseException as error:
            raise gr.Error(words(sentence(error, function.__name__)), print_exception=False) from error

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with edge():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with edge():
            yield from function(*args, **kwargs)

    if not inspect.isgeneratorfunction(function):
        return call
    # gradio drops what a generator yields unless the annotation names the type of one item.
    stream.__signature__ = inspect.signature(function).replace(return_annotation=dict)  # type: ignore[attr-defined]
    return stream
