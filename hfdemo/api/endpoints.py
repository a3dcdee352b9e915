"""The table of all endpoints: what gradio_client, MCP and curl can call, within which limits and with which types."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import Any

import gradio as gr

from hfdemo.api import App, finetuning, tasks, tokens
from hfdemo.api.error_boundary import catch_errors
from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS

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


def check_types(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `arguments` of `function`, each of the plain type that its annotation names; 3.0 is a whole number, too.

    Raises:
        DemoError: an argument of another type.
    """
    hints = typing.get_type_hints(function)
    return {name: _check_type(name, value, hints.get(name)) for name, value in arguments.items()}


def _check_type(name: str, value: Any, hint: Any) -> Any:
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


HEAVY: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}
LIGHT: dict[str, Any] = {"concurrency_limit": 16}
# Training a tokenizer uses every core for seconds, and nothing can stop it.
TRAINING: dict[str, Any] = {"concurrency_id": "train_tokenizer", "concurrency_limit": 1}


@dataclass(frozen=True)
class Endpoint:
    """One endpoint and MCP tool. Name, arguments, defaults and description are those of `function`, without its `app`.

    `limits` says how many calls run at once. With `checks_types`, an argument of another type than its annotation's is
    refused here; without, the function itself reads what clients send.
    """

    function: Callable[..., Any]
    limits: dict[str, Any]
    checks_types: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def streams(self) -> bool:
        """Whether an answer comes piece by piece."""
        return inspect.isgeneratorfunction(self.function)

    def bind(self, app: App) -> Callable[..., Any]:
        """Return the function that clients call: it takes what they send, and its errors are not sentences yet."""
        signature = inspect.signature(self.function)
        first, *parameters = signature.parameters.values()

        def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
            given = signature.bind(app, *args, **kwargs).arguments
            return check_types(self.function, given) if self.checks_types else given

        @functools.wraps(self.function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.function(**arguments(args, kwargs))

        @functools.wraps(self.function)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            yield from self.function(**arguments(args, kwargs))

        bound: Any = stream if self.streams else call
        bound.__signature__ = signature.replace(parameters=parameters)
        bound.__annotations__ = {name: hint for name, hint in call.__annotations__.items() if name != first.name}
        return bound


ENDPOINTS: tuple[Endpoint, ...] = (
    *(Endpoint(tasks.task_endpoint(task), HEAVY) for task in TASKS.values()),
    Endpoint(tasks.load_model, HEAVY),
    Endpoint(tasks.predict_file, HEAVY),
    Endpoint(tokens.tokenize, HEAVY),
    Endpoint(tokens.padding_report, HEAVY),
    Endpoint(tasks.list_tasks, LIGHT),
    Endpoint(tasks.list_models, LIGHT),
    Endpoint(tasks.unload_model, LIGHT),
    Endpoint(finetuning.inspect_dataset, LIGHT, checks_types=True),
    Endpoint(finetuning.training_fields, LIGHT, checks_types=True),
    Endpoint(finetuning.start_run, LIGHT, checks_types=True),
    Endpoint(finetuning.run_status, LIGHT, checks_types=True),
    Endpoint(finetuning.run_events, LIGHT, checks_types=True),
    Endpoint(finetuning.watch_run, LIGHT, checks_types=True),
    Endpoint(finetuning.run_report, LIGHT, checks_types=True),
    Endpoint(finetuning.run_epoch, LIGHT, checks_types=True),
    Endpoint(finetuning.run_script, LIGHT, checks_types=True),
    Endpoint(finetuning.stop_run, LIGHT, checks_types=True),
    Endpoint(finetuning.resume_run, LIGHT, checks_types=True),
    Endpoint(finetuning.duplicate_run, LIGHT, checks_types=True),
    Endpoint(finetuning.train_more, LIGHT, checks_types=True),
    Endpoint(finetuning.compare_runs, LIGHT, checks_types=True),
    Endpoint(finetuning.set_run_notes, LIGHT, checks_types=True),
    Endpoint(finetuning.list_runs, LIGHT, checks_types=True),
    Endpoint(finetuning.delete_run, LIGHT, checks_types=True),
    Endpoint(finetuning.download_run, LIGHT, checks_types=True),
    Endpoint(finetuning.start_search, LIGHT, checks_types=True),
    Endpoint(finetuning.search_status, LIGHT, checks_types=True),
    Endpoint(finetuning.stop_search, LIGHT, checks_types=True),
    Endpoint(finetuning.list_searches, LIGHT, checks_types=True),
    Endpoint(tokens.train_tokenizer, TRAINING),
)


def register_endpoints(app: App) -> None:
    """Add every endpoint to the Blocks that is being built."""
    for endpoint in ENDPOINTS:
        gr.api(catch_errors(endpoint.bind(app)), api_name=endpoint.name, **endpoint.limits)
