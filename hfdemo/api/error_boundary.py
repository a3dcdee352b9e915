"""The edge to people and clients: what goes wrong becomes a sentence, and a file is what was uploaded here."""

import contextlib
import functools
import inspect
import logging
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
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


def with_plain_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which refuses an argument that is not of the plain type that it is annotated with: gradio hands over
    whatever a client has sent. A whole number may be written as 3.0.

    Raises:
        DemoError: an argument of another type.
    """
    signature, hints = inspect.signature(function), typing.get_type_hints(function)

    def checked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        given = signature.bind(*args, **kwargs).arguments
        return {name: _plain(name, value, hints.get(name)) for name, value in given.items()}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(**checked(args, kwargs))

    @functools.wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from function(**checked(args, kwargs))

    return stream if inspect.isgeneratorfunction(function) else call


_PLAIN: Mapping[type, str] = MappingProxyType(
    {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        dict: "a JSON object",
        list: "a JSON list",
    }
)


def _plain(name: str, value: Any, hint: Any) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = next((each for one in kinds if (each := typing.get_origin(one) or one) in _PLAIN), None)
    if kind is None or (value is None and NoneType in kinds):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int and is_number and value == value // 1:
        return int(value)
    if is_number if kind is float else type(value) is kind:
        return value
    raise DemoError(f"{name} is {value!r:.80}, but must be {_PLAIN[kind]}.")


def uploaded_path(value: Any) -> Path | None:
    """The file behind a file argument, which a caller can forge: only what lies in the upload folder is accepted.

    Raises:
        DemoError: not a file argument, a path outside the upload folder, or a file that is not there.
    """
    if value is None:
        return None
    named = value.get("path") if isinstance(value, dict) else getattr(value, "path", value)
    if not isinstance(named, str):
        raise DemoError("A file argument must be an uploaded file. Send it with `gradio_client.handle_file`.")
    path = Path(named).resolve()
    if not path.is_relative_to(Path(gr.utils.get_upload_folder()).resolve()) or not path.is_file():
        raise DemoError("This file was not uploaded here. Send it with `gradio_client.handle_file`.")
    return path
