"""What goes over the wire between the page's process and the worker.

The page asks with `Call` and `Cancel`; the worker answers with any number of `Item`s and one `Result` or `Failure`.
All of it is pickled. What comes from the worker is read by `read_answer`, which makes plain values, arrays, pictures
and the dataclasses of this package of it, and calls nothing else: a worker that somebody has taken over can't run code
here.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import io
import pickle
import traceback
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from hfdemo.errors import DemoError

WORKER, PROGRAM = b"w", b"p"  # what the zygote is asked to fork


@dataclasses.dataclass(frozen=True)
class Hello:
    """The worker is ready; `pid` is its process."""

    pid: int


@dataclasses.dataclass(frozen=True)
class Call:
    """The call `number` of `function`, named as "module:qualified name"."""

    number: int
    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Cancel:
    """The stop of the call `number` is set."""

    number: int


@dataclasses.dataclass(frozen=True)
class Item:
    """The call `number` calls its callback `name`; `args` are written."""

    number: int
    name: str
    args: bytes


@dataclasses.dataclass(frozen=True)
class Result:
    """What the call `number` returned, written."""

    number: int
    value: bytes


@dataclasses.dataclass(frozen=True)
class Failure:
    """What the call `number` raised, written: a sentence, or the traceback of a bug."""

    number: int
    error: bytes


class WorkerError(Exception):
    """A bug over there: what was raised, and its traceback in words."""

    def __init__(self, said: str, written: str) -> None:
        super().__init__(said, written)

    @property
    def said(self) -> str:
        return str(self.args[0])

    def __str__(self) -> str:
        return "\n".join(self.args)


@dataclasses.dataclass(frozen=True)
class Callback:
    """Stands for a function of the page's process among the arguments of a call."""

    name: str


class Stop:
    """Stands for the event that stops a call."""


@dataclasses.dataclass(frozen=True)
class Held:
    """Stands for what the worker holds: the one value that the class called `name` makes of its settings there, as
    `owner` may use it."""

    name: str
    owner: str = ""

    def of_owner(self, owner: str) -> Held:
        """Return what stands for the same as `owner` may use it."""
        return dataclasses.replace(self, owner=owner)


def sendable_error(error: BaseException) -> BaseException:
    """Return `error` as it may go to the page: a DemoError as it is, of anything else its words."""
    if isinstance(error, DemoError):
        return error
    written = "".join(traceback.format_exception(error))
    return WorkerError(f"{type(error).__name__}: {error}", written)


def find_function(name: str) -> Callable[..., Any]:
    """Return the function called "module:qualified name"."""
    module, _, qualified = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    return found


def name_function(function: Callable[..., Any]) -> str:
    """Return the name by which `find_function` finds `function`."""
    name = f"{function.__module__}:{function.__qualname__}"
    assert find_function(name) is function, f"{name} can't be found by its name"
    return name


def write(message: object) -> bytes:
    """Return `message` as bytes, with tensors as arrays and pictures without what a file said of them."""
    written = io.BytesIO()
    _Writer(written, protocol=5).dump(message)
    return written.getvalue()


def read_call(written: bytes) -> Any:
    """Return the message of the page that `written` holds. The page is trusted."""
    return pickle.loads(written)


def read_answer(written: bytes) -> Any:
    """Return what a worker has written.

    Raises:
        WorkerError: it holds what no answer may.
    """
    try:
        return _AnswerReader(io.BytesIO(written)).load()
    except Exception as error:
        raise sendable_error(error) from error


class _Writer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, MappingProxyType):
            return dict, (dict(value),)
        if isinstance(value, BaseException):
            return _error, (type(value), value.args)
        library = type(value).__module__.partition(".")[0]
        if library == "torch" and hasattr(value, "detach"):
            found = value.detach().cpu()
            return (found.float() if str(found.dtype) == "torch.bfloat16" else found).numpy().__reduce_ex__(5)
        if library == "pandas" and hasattr(value, "columns"):
            cells = [(str(column.dtype), column.tolist()) for _, column in value.items()]
            return _table, (value.columns.tolist(), value.index.to_numpy(), cells)
        if library == "PIL" and hasattr(value, "tobytes"):
            return _picture, (
                value.mode,
                value.size,
                value.tobytes(),
                value.getpalette() if value.mode == "P" else None,
            )
        return NotImplemented


def _error(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """Return an error without its constructor, which may want something else than what the error says."""
    found = kind.__new__(kind, *args)
    found.args = args
    return found


def _table(names: list[Any], index: Any, cells: list[tuple[str, list[Any]]]) -> Any:
    import pandas as pd

    columns = [pd.Series(values, index=index, dtype=dtype) for dtype, values in cells]
    found = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    return found.set_axis(names, axis=1)


def _picture(mode: str, size: tuple[int, int], pixels: bytes, palette: list[int] | None) -> Any:
    from PIL import Image

    found = Image.frombytes(mode, size, pixels)
    if palette is not None:
        found.putpalette(palette)
    return found


# What an answer may name beside the dataclasses, named tuples, enums and errors of this package.
_NAMED = frozenset(
    {
        *(("builtins", name) for name in ("set", "frozenset", "complex", "slice", "range", "bytearray", "dict")),
        *(("collections", name) for name in ("OrderedDict", "deque")),
        *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(("pathlib", name) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
        *(("pathlib._local", name) for name in ("PosixPath", "WindowsPath")),
        *(("numpy", name) for name in ("ndarray", "dtype")),
        ("numpy._core.numeric", "_frombuffer"),
        *(("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar")),
        *(("hfdemo.engine.messages", name) for name in ("_error", "_picture", "_table")),
        ("hfdemo.tasks", "find_task"),
        ("hfdemo.tasks.field", "REQUIRED"),
    }
)


class _AnswerReader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMED:
            return super().find_class(module, name)
        if module.partition(".")[0] == "hfdemo":
            found = super().find_class(module, name)
            if isinstance(found, type) and (
                dataclasses.is_dataclass(found)
                or issubclass(found, enum.Enum | DemoError | WorkerError)
                or (issubclass(found, tuple) and hasattr(found, "_fields"))
            ):
                return found
        raise pickle.UnpicklingError(f"an answer may not hold {module}.{name}")
