"""hfdemo: what a shell can ask for, by the functions that clients call."""

from __future__ import annotations

import argparse
import inspect
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hfdemo import __version__, launch
from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, find_task

if TYPE_CHECKING:
    from hfdemo.api.endpoints import Endpoint

USAGE = """usage: hfdemo [COMMAND] [--help]

  hfdemo                              open the page
  hfdemo predict TASK INPUT ...       run a model: hfdemo predict text-classification "What a day!"
  hfdemo tokenize TEXT ...            show what a tokenizer makes of texts
  hfdemo finetune CONFIG | RUN_DIR    train: a config.json begins a run, the folder of a run goes on with it
  hfdemo runs [RUN]                   list the runs, or show one
  hfdemo call ENDPOINT                call any endpoint: hfdemo call padding_report --dataset tickets

Each takes --help, and all but the page and finetune --json."""
_WIDEST = 60  # characters of a cell


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; return the exit code: 0 done, 1 failed, 2 wrong usage."""
    command, *others = [*(sys.argv[1:] if arguments is None else arguments)] or ["page"]
    if command in ("-h", "--help", "--version"):
        print(f"hfdemo {__version__}" if command == "--version" else USAGE)
        return 0
    if command == "page" and not others:
        launch.main()
        return 0
    if command == "finetune":
        from hfdemo.finetuning.__main__ import main as train

        return train(others)
    try:
        if command not in COMMANDS:
            raise UsageError(f"hfdemo has no command {command!r}.\n\n{USAGE}")
        name, rest = COMMANDS[command](others)
        return _call(name, rest, f"hfdemo {command}", positional=command != "call")
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1


class UsageError(DemoError):
    """A command that can't be understood."""


def _predict(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(f"usage: hfdemo predict TASK INPUT ... [--help]\nThe tasks are {', '.join(TASKS)}.")
    return find_task(arguments[0]).endpoint, arguments[1:]


def _runs(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    named = bool(arguments) and not arguments[0].startswith("-")
    return "run_status" if named else "list_runs", arguments


def _named(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not arguments or arguments[0].startswith("-"):
        raise UsageError("usage: hfdemo call ENDPOINT [--help]\nThe endpoints are those of the page's API.")
    return arguments[0].lstrip("/"), arguments[1:]


# What a command's arguments ask for: an endpoint and what it is called with.
COMMANDS = MappingProxyType(
    {
        "predict": _predict,
        "tokenize": lambda arguments: ("tokenize", arguments),
        "runs": _runs,
        "call": _named,
    }
)


def _call(name: str, arguments: Sequence[str], command: str, *, positional: bool) -> int:
    settings = launch.prepare_process()
    from hfdemo.api import App
    from hfdemo.api.endpoints import ENDPOINTS
    from hfdemo.api.error_boundary import describe_error

    endpoint = next((each for each in ENDPOINTS if each.name == name), None)
    if endpoint is None:
        raise UsageError(f"There is no endpoint {name!r}. There are {', '.join(each.name for each in ENDPOINTS)}.")
    parser = build_parser(endpoint, command, positional=positional)
    values = vars(parser.parse_args(arguments))
    as_json = values.pop("json")
    try:
        given = {each: _read(endpoint, each, value) for each, value in values.items() if value is not None}
        answered = endpoint.bind(App.create(settings))(**given)
        last = [*answered][-1] if endpoint.streams else answered
    except Exception as error:
        raise DemoError(describe_error(error, name)) from error
    print(json.dumps(last, ensure_ascii=False) if as_json else "\n".join(write_plain(last)))
    return 0


def build_parser(endpoint: Endpoint, command: str, *, positional: bool) -> argparse.ArgumentParser:
    """Return what reads the arguments of an endpoint; those that it can't do without have no name if `positional`."""
    parser = argparse.ArgumentParser(command, description=(inspect.getdoc(endpoint.function) or "").split("\n\n")[0])
    hints = endpoint.hints
    for name, parameter in _list_parameters(endpoint).items():
        hint = hints.get(name, "").replace("%", "%%")
        required = parameter.default is parameter.empty
        several = "list" in str(parameter.annotation)
        if required and positional:
            parser.add_argument(name, nargs="+" if several else None, help=hint, metavar=name.upper())
        else:
            default = "" if required or parameter.default is None else f" ({json.dumps(parameter.default)})"
            parser.add_argument(
                f"--{name.replace('_', '-')}", dest=name, required=required, help=hint + default, metavar="VALUE"
            )
    parser.add_argument("--json", action="store_true", help="answer in JSON, whole")
    return parser


def _list_parameters(endpoint: Endpoint) -> dict[str, inspect.Parameter]:
    """List the arguments of an endpoint, without its app."""
    return dict(list(inspect.signature(endpoint.function).parameters.items())[1:])


def _read(endpoint: Endpoint, name: str, value: Any) -> Any:
    """Return an argument as a client would send it: a path as a file, and what is no text as JSON."""
    annotation = str(_list_parameters(endpoint)[name].annotation)
    if "FileData" in annotation:
        return {"path": _bring(Path(value))}
    if isinstance(value, list) or annotation in ("<class 'str'>", "str | None"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _bring(path: Path) -> str:
    """Copy a file to where those lie that clients upload, which alone an endpoint reads."""
    from hfdemo.api.uploads import served_folder

    if not path.is_file():
        raise DemoError(f"There is no file {str(path)!r}.")
    return shutil.copy(path, tempfile.mkdtemp(dir=served_folder("shell")))


def write_plain(answer: Any, indent: str = "") -> Iterator[str]:
    """Write an answer for people, line by line: rows of the same keys as a table, other objects as names and values."""
    if isinstance(answer, Mapping):
        for name, value in answer.items():
            if isinstance(value, Mapping | list) and value:
                yield f"{indent}{name}:"
                yield from write_plain(value, f"{indent}  ")
            else:
                yield f"{indent}{name}: {_cell(value)}"
    elif isinstance(answer, list) and _is_table(answer):
        yield from _table([[*answer[0]], *([_cell(value) for value in row.values()] for row in answer)], indent)
    elif isinstance(answer, list) and any(isinstance(each, Mapping | list) for each in answer):
        for each in answer:
            yield from write_plain(each, indent)
    else:
        yield indent + _cell(answer)


def _is_table(rows: Sequence[Any]) -> bool:
    def is_flat(row: Any) -> bool:
        return isinstance(row, Mapping) and not any(isinstance(value, Mapping | list) for value in row.values())

    return bool(rows) and all(is_flat(row) and row.keys() == rows[0].keys() for row in rows)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST or isinstance(value, str) else f"{text[: _WIDEST - 1]}…"


def _table(rows: Sequence[Sequence[str]], indent: str) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


if __name__ == "__main__":
    sys.exit(main())
