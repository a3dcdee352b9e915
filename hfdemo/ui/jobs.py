"""What each open page has going on: how far it is, its result, and how it is stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event, Lock
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.error_boundary import catch_errors
from hfdemo.background import in_background
from hfdemo.errors import Stopped
from hfdemo.inference import SPEECH_RATE, Loading, Partial, Prediction, stream
from hfdemo.inference.snippets import RecordedCall
from hfdemo.models.hub import Progress
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.ui import html, prediction_view
from hfdemo.ui.deep_links import write_run_query
from hfdemo.ui.renderers import RENDERERS, generated_text, render_prediction

NO_STAGES = "Run the model to see its three stages."


class RunningJobs:
    """The computation that each open page has going on, so that it can be stopped from elsewhere on the page."""

    def __init__(self) -> None:
        self._stops: dict[str | None, Event] = {}
        self._lock = Lock()

    def begin(self, session: str | None) -> Event:
        """Stop what this page still has going on, and return the stop of what begins now."""
        stop = Event()
        with self._lock:
            before = self._stops.get(session)
            self._stops[session] = stop
        if before is not None:
            before.set()
        return stop

    def is_current(self, session: str | None, stop: Event) -> bool:
        """Return whether nothing newer has begun: an older computation has nothing to show any more."""
        with self._lock:
            return self._stops.get(session) is stop

    def stop(self, session: str | None) -> None:
        """Stop what this page has going on."""
        with self._lock:
            stop = self._stops.get(session)
        if stop is not None:
            stop.set()

    def on_stop(self, request: gr.Request) -> None:
        """Stop what the page of a Stop button has going on."""
        self.stop(request.session_hash)

    def on_unload(self, request: gr.Request) -> None:
        """Forget a page that is closed."""
        self.forget(request.session_hash)

    def forget(self, session: str | None) -> None:
        """Stop what the page has going on, and keep nothing of it."""
        self.stop(session)
        with self._lock:
            self._stops.pop(session, None)


def stream_answer_parts(
    app: App,
    task: Task,
    reference: str,
    values: Mapping[str, Any],
    running: RunningJobs,
    session: str | None,
    *,
    dtype: str = "auto",
    attention: str | None = None,
    raw_prompt: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield what the panel of `task` shows while a model answers, by the names of its parts; the last has "done".

    "answer", "inside" and "odds" are HTML, "raw" is JSON, "recorded" what code is written from, "entry" what the
    history keeps, "done" the Prediction. Whatever fails is said in "answer". Once the page has begun something newer,
    nothing more comes.
    """
    stop = running.begin(session)
    steps = catch_errors(_answer, _render_failure)
    for step in steps(app, task, reference, values, stop, dtype=dtype, attention=attention, raw_prompt=raw_prompt):
        if not running.is_current(session, stop):
            return
        yield step


def _answer(
    app: App,
    task: Task,
    reference: str,
    values: Mapping[str, Any],
    stop: Event,
    *,
    dtype: str,
    attention: str | None,
    raw_prompt: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the steps of `stream_answer_parts`; raises what fails."""
    began = time.perf_counter()
    ref = ModelRef.parse(reference or task.default_model)
    wanted = _add_user_turn(app, task, ref, dict(values), raw_prompt=raw_prompt)
    for item in stream(app.models, task, ref, wanted, stop, dtype=dtype, attention=attention):
        if isinstance(item, Prediction):
            yield _render_answer(task, item, wanted, write_run_query(task, reference or task.default_model, wanted))
        elif isinstance(item, Loading):
            yield {"answer": prediction_view.render_loading(reference, item)}
        elif isinstance(item, Partial):
            yield {
                "answer": _render_partial(task, item, wanted, time.perf_counter() - began),
                "odds": generated_text.render_token_probabilities([vars(step) for step in item.token_probabilities]),
            }
        else:
            yield {}


def _render_failure(sentence: str) -> dict[str, Any]:
    """Return what the panel shows of a failure: an old answer beside it would look like its result."""
    return {
        "answer": html.notes([sentence]),
        "inside": html.empty(NO_STAGES),
        "raw": "",
        "recorded": None,
    }


def _render_answer(task: Task, done: Prediction, values: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    """Return what the panel shows of a complete answer."""
    probabilities = html.empty("No token probabilities: nothing was generated, or by several beams at once.")
    if done.token_probabilities:
        probabilities = generated_text.render_token_probabilities([vars(step) for step in done.token_probabilities])
    return {
        "answer": render_prediction(task.output, done)
        + prediction_view.render_prediction_facts(done)
        + prediction_view.render_link(address),
        "inside": prediction_view.render_stages(done.stages, done.seconds),
        "odds": probabilities,
        "raw": json.dumps(prediction_view.shorten_output(done.output), indent=2, ensure_ascii=False),
        "recorded": RecordedCall.of(task, done, values),
        "entry": _history_entry(task, done, values, address),
        "done": done,
    }


def _add_user_turn(app: App, task: Task, ref: ModelRef, values: dict[str, Any], *, raw_prompt: bool) -> dict[str, Any]:
    """Return `values` with the text as the next turn, where the task takes messages and the model has a template."""
    names = [field.name for field in task.inputs if field.kind == "messages"]
    if not names:
        return values
    past = values.pop(names[0], [])
    if raw_prompt or not values.get("text"):
        return values
    with app.models.tokenizer(ref) as tokenizer:
        if not tokenizer.chat_template:
            return values
    said = {"role": "user", "content": values.pop("text")}
    return {**values, names[0]: [*past, said]}


def _render_partial(task: Task, item: Partial, values: Mapping[str, Any], seconds: float) -> str:
    drawn = RENDERERS[task.output](item.result, {**values, "sampling_rate": SPEECH_RATE})
    return drawn + html.facts([("", f"{seconds:.1f} s so far")])


def _history_entry(task: Task, done: Prediction, values: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    """Return what the browser keeps of an answer."""
    asked = next((str(values[each.name]) for each in task.inputs if not each.media and values.get(each.name)), "")
    chosen = ((each.name, values.get(each.name, each.default), each.default) for each in task.parameters)
    return {
        "task": task.title,
        "model": done.model,
        "link": address,
        "set": ", ".join(f"{name}={value}" for name, value, default in chosen if value not in ("", default)),
        "asked": asked[:100] or "a file, which the link does not bring back",
        "said": prediction_view.summarize_output(done.output)[:160],
    }


def follow_job(
    running: RunningJobs, session: str | None, work: Callable[[Progress, Event], Any]
) -> Iterator[tuple[Any, Any]]:
    """Do `work(tell, stop)` and yield (what to say of it, None) again and again, at last ("", its result).

    `tell` takes what is going on, how much is done and of how much. Whatever the page still had going on is stopped; a
    newer piece of work, or Stop, ends this one without a result.
    """
    stop = running.begin(session)

    def tell_in_full(tell: Callable[[Any], None]) -> Any:
        return "done", work(lambda *state: tell(("so far", state)), stop)

    try:
        for item in in_background(tell_in_full, stop):
            if item is None:
                yield gr.skip(), None
            elif item[0] == "done":
                yield "", item[1]
            else:
                yield render_progress(*item[1]), None
    except Stopped:
        if running.is_current(session, stop):
            yield html.about("Stopped."), None


def render_progress(what: str, done: int, whole: int) -> str:
    """Draw how much of a piece of work is done."""
    return html.bar(done / whole if whole else 0.0) + html.about(f"{what}: {done:,} of {whole:,}")
