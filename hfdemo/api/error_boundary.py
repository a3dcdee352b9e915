"""The boundary to people and clients: whatever goes wrong behind it reaches them as one sentence."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import gradio as gr

from hfdemo.api.callers import QueuedCallers
from hfdemo.api.component_values import check_event, check_objects, check_values
from hfdemo.api.visitors import check_files, grant_downloads, grant_files, handled_for
from hfdemo.errors import DemoError, first_sentence
from hfdemo.tables import replace_text_flaws

MOST_SAID = 2_000


def describe_error(error: BaseException, where: str) -> str:
    """Return what a person is told of `error`: a DemoError's own words; anything else is a bug, and is logged."""
    if isinstance(error, DemoError):
        return _make_sendable(str(error))
    logging.getLogger(__name__).error("A failure that nobody foresaw, in %s", where, exc_info=error)
    said = f"{type(error).__name__}: {error}"
    return f"This failed in a way that nobody foresaw: {_make_sendable(said)} (the log has more)"


def _make_sendable(sentence: str) -> str:
    """Cut a sentence that quotes too much, and replace what no answer can hold."""
    cut = sentence if len(sentence) <= MOST_SAID else f"{sentence[:MOST_SAID]} …"
    return replace_text_flaws(cut)


def write_toast(sentence: str) -> str:
    """Return a sentence for gradio's own toasts, which draw HTML: `run:<id>` must not become a tag."""
    return html.escape(sentence, quote=False).replace("`", "")


def raise_to_client(sentence: str) -> NoReturn:
    """Raise the sentence as the error that gradio hands to a client, and to the page as a toast."""
    raise gr.Error(sentence, print_exception=False)


def raise_refusal(problem: str, error: Exception) -> NoReturn:
    """Raise what gradio says of values that a component can't read, as a sentence that the log needn't have."""
    said = ValueError(error.message) if isinstance(error, gr.Error) else error  # gradio's own is in quotes as text
    raise_to_client(_make_sendable(f"{problem} {first_sentence(said)}"))


def _name_of(function: Callable[..., Any]) -> str:
    """Return what a callable is called in the log, also one that has no name of its own."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def catch_errors(function: Callable[..., Any], answer: Callable[[str], Any] = raise_to_client) -> Callable[..., Any]:
    """Return `function` with all that it raises told as a sentence: `answer(sentence)` is its result then.

    `function` may be a generator function. What is no Exception is caught, too, such as a panic in Rust or SystemExit:
    gradio would let it through, and the client would wait for ever, or the server end.
    """

    def answer_to(error: BaseException) -> Any:
        if isinstance(error, gr.Error | GeneratorExit):
            raise error
        return answer(describe_error(error, _name_of(function)))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            return answer_to(error)

    @functools.wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from function(*args, **kwargs)
        except BaseException as error:
            yield answer_to(error)

    if not inspect.isgeneratorfunction(function):
        return call
    # gradio drops what a generator yields unless the annotation names the type of one item.
    stream.__signature__ = inspect.signature(function).replace(return_annotation=dict)  # type: ignore[attr-defined]
    return stream


class ServedBlocks(gr.Blocks):
    """A page whose functions get as many values as they take, and only such as their components can read.

    Whoever asks for a function is the current visitor while it is at work, and `callers` know whether they still wait.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.endpoints: gr.Column | None = None
        super().__init__(*args, **kwargs)
        self.callers = QueuedCallers()

    def get_config_file(self) -> Any:
        """Return what clients are told of the page, of which browsers get no argument of an endpoint.

        Each is a component, too, and a browser goes through all of them, again and again; these are 300 of 750.
        `endpoints` holds them.
        """
        config: Any = super().get_config_file()
        if self.endpoints is not None:
            unseen = {self.endpoints._id, *(each._id for each in self.endpoints.children)}
            page = config["page"][""]
            page["components"] = [each for each in page["components"] if each not in unseen]
            layout = page["layout"]
            page["layout"] = {**layout, "children": [each for each in layout["children"] if each["id"] not in unseen]}
        return config

    def get_api_info(self, *args: Any, **kwargs: Any) -> Any:
        """Return what clients are told of the endpoints, and what each argument is for, as its function says."""
        info: Any = super().get_api_info(*args, **kwargs)
        for function in self.fns.values():
            told = info["named_endpoints"].get(f"/{function.api_name}")
            if told is None or function.api_visibility != "public":
                continue
            _, hints, answers = gr.utils.get_function_description(function.fn)
            for each in told["parameters"]:
                hint = hints.get(each["parameter_name"], "")
                each |= {"label": each["parameter_name"], "type": {**each["type"], "description": hint}}
                each["python_type"] = {**each["python_type"], "description": hint}
            for each in told["returns"]:
                each["python_type"] = {**each["python_type"], "description": " ".join(answers)}
        return info

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read what a client sent, call the function and write its answer, for the visitor who sent the request.

        Raises:
            Error: whatever went wrong, as a sentence; for the page, as it is to be drawn.
        """
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        event = self._queue.event_ids_to_events.get(kwargs.get("event_id"))
        with handled_for(kwargs.get("request")), self.callers.answering(event):
            try:
                check_event(kwargs.get("event_data"))
                answer = await super().process_api(function, inputs, *args, **kwargs)
            except Exception as error:
                refusal = error if isinstance(error, gr.Error) else None
                sentence = refusal.message if refusal else describe_error(error, function.api_name or function.name)
                sentence = sentence if function.api_visibility == "public" else write_toast(sentence)
                raise gr.Error(sentence, print_exception=False) from error
            grant_files(answer.get("render_config"))  # examples that a panel draws, for instance
            return answer

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Read what a client sent for a function, component by component.

        Raises:
            Error: too few or too many values, or one that a component can't read, such as a forged file.
        """
        takes, name = len(block_fn.inputs), block_fn.api_name or block_fn.name
        # What cancels others is sent one value more than it takes.
        if len(inputs) < takes or (len(inputs) > takes and not block_fn.cancels):
            raise_to_client(f"{name} takes {takes} values, but {len(inputs)} were sent.")
        try:
            check_objects(inputs)
            check_files(inputs)
            if block_fn.api_visibility != "public":  # an endpoint says itself what its arguments are
                check_values(block_fn.inputs, inputs)
            read = await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except Exception as error:
            raise_refusal(f"These values are not what {name} takes.", error)
        grant_downloads(inputs, read)
        return read

    async def postprocess_data(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Write the answer, component by component; whoever asked may have the files in it."""
        answer = await super().postprocess_data(*args, **kwargs)
        grant_files(answer)
        return answer
