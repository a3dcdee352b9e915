"""The table of all endpoints: what gradio_client, MCP and curl can call, within which limits and with which types."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import get_blocks_context

from hfdemo.api import App, finetuning, tasks, tokens
from hfdemo.api.argument_types import check_types
from hfdemo.api.error_boundary import catch_errors
from hfdemo.serialization import spell_out
from hfdemo.tasks import TASKS

HEAVY: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}
LIGHT: dict[str, Any] = {"concurrency_limit": 16}
# Training a tokenizer uses every core for seconds, and nothing can stop it.
TRAINING: dict[str, Any] = {"concurrency_id": "train_tokenizer", "concurrency_limit": 1}


@dataclass(frozen=True)
class Endpoint:
    """One endpoint and MCP tool. Name, arguments, defaults and description are those of `function`, without its `app`.

    Of what it answers nothing but files is a file to clients: an object of data with a text under "path" is a list of
    [key, value].

    `limits` says how many calls run at once. An argument of another type than its annotation's is refused here, but
    for the fields of a task (`is_task`), which read and check what clients send themselves. `tells_progress` says that
    a queued call hears how far it is.
    """

    function: Callable[..., Any]
    limits: dict[str, Any]
    is_task: bool = False
    tells_progress: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def hints(self) -> dict[str, str]:
        """What each argument is for."""
        return gr.utils.get_function_description(self.function)[1]

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
            return given if self.is_task else check_types(self.function, given)

        @functools.wraps(self.function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return spell_out(self.function(**arguments(args, kwargs)))

        @functools.wraps(self.function)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            for item in self.function(**arguments(args, kwargs)):
                yield spell_out(item)

        bound: Any = stream if self.streams else call
        bound.__signature__ = signature.replace(parameters=parameters)
        bound.__annotations__ = {name: hint for name, hint in call.__annotations__.items() if name != first.name}
        return bound


ENDPOINTS: tuple[Endpoint, ...] = (
    *(Endpoint(tasks.task_endpoint(task), HEAVY, is_task=True) for task in TASKS.values()),
    Endpoint(tasks.load_model, HEAVY),
    Endpoint(tasks.predict_file, HEAVY, tells_progress=True),
    Endpoint(tasks.explain, HEAVY),
    Endpoint(tasks.attention, HEAVY),
    Endpoint(tasks.embedding_map, HEAVY, tells_progress=True),
    Endpoint(tokens.tokenize, HEAVY),
    Endpoint(tokens.decode_ids, HEAVY),
    Endpoint(tokens.align_words, HEAVY),
    Endpoint(tokens.search_vocabulary, HEAVY),
    Endpoint(tokens.padding_report, HEAVY),
    Endpoint(tasks.list_tasks, LIGHT),
    Endpoint(tasks.list_models, LIGHT),
    Endpoint(tasks.unload_model, LIGHT),
    Endpoint(finetuning.inspect_dataset, LIGHT),
    Endpoint(finetuning.training_fields, LIGHT),
    Endpoint(finetuning.start_run, LIGHT),
    Endpoint(finetuning.run_status, LIGHT),
    Endpoint(finetuning.run_events, LIGHT),
    Endpoint(finetuning.watch_run, LIGHT),
    Endpoint(finetuning.run_report, LIGHT),
    Endpoint(finetuning.run_epoch, LIGHT),
    Endpoint(finetuning.label_errors, HEAVY),
    Endpoint(finetuning.run_script, LIGHT),
    Endpoint(finetuning.stop_run, LIGHT),
    Endpoint(finetuning.resume_run, LIGHT),
    Endpoint(finetuning.duplicate_run, LIGHT),
    Endpoint(finetuning.train_more, LIGHT),
    Endpoint(finetuning.compare_runs, LIGHT),
    Endpoint(finetuning.set_run_notes, LIGHT),
    Endpoint(finetuning.share_run, LIGHT),
    Endpoint(finetuning.unshare_run, LIGHT),
    Endpoint(finetuning.list_runs, LIGHT),
    Endpoint(finetuning.delete_run, LIGHT),
    Endpoint(finetuning.download_run, LIGHT),
    Endpoint(finetuning.start_search, LIGHT),
    Endpoint(finetuning.search_status, LIGHT),
    Endpoint(finetuning.stop_search, LIGHT),
    Endpoint(finetuning.list_searches, LIGHT),
    Endpoint(tokens.train_tokenizer, TRAINING),
    Endpoint(tokens.import_tokenizer, LIGHT),
    Endpoint(tokens.download_tokenizer, LIGHT),
)


def register_endpoints(app: App) -> None:
    """Add every endpoint to the Blocks that is being built."""
    blocks = get_blocks_context()
    for endpoint in ENDPOINTS:
        gr.api(catch_errors(endpoint.bind(app)), api_name=endpoint.name, **endpoint.limits)
        if endpoint.tells_progress and blocks is not None:
            # gradio sets this for a parameter that holds a gr.Progress, which gr.api takes for one of the clients'.
            blocks.fns[max(blocks.fns)].tracks_progress = True
