"""One task's panel, made from its row: inputs, parameters, the answer and what went on behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.api.error_boundary import catch_errors
from hfdemo.inference import Prediction, takes_files
from hfdemo.inference.snippets import RecordedCall, prediction_snippets
from hfdemo.models.folders import is_here, unreachable
from hfdemo.models.hub import hub_bytes
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.ui import html, prediction_view
from hfdemo.ui.event_options import PRIVATE, QUIET
from hfdemo.ui.jobs import RunningJobs, stream_answer_parts
from hfdemo.ui.tabs.run.batch_predict import filing
from hfdemo.ui.tabs.run.compare import comparison, kept
from hfdemo.ui.tabs.run.widgets import allowed, field_value, field_widget, shown

RUN_BUTTON = "run-now"
HISTORY = 30


def panel(
    app: App,
    task: Task,
    values: Mapping[str, Any] | None,
    running: RunningJobs,
    model: gr.Dropdown,
    loading: tuple[gr.Dropdown, gr.Dropdown],
    typed: gr.State,
    history: gr.BrowserState,
    notes: Sequence[str] = (),
) -> None:
    """Lay the panel of `task` out, filled with `values` or the row's first example, and run it once if it can be.

    `notes` are sentences about why it opens as it does.
    """
    begin = {**_as_turn(task, task.examples[0]), **(values or {})}

    def meant(given: tuple[Any, ...]) -> dict[str, Any]:
        found = {field.name: field_value(field, value) for field, value in zip(task.fields, given, strict=True)}
        return {name: value for name, value in found.items() if value not in (None, "")}

    lacking = [str(each) for each in task.requires if each.missing()]
    gr.HTML(html.about(task.summary) + html.notes([*notes, *lacking]))
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            inputs = [field_widget(field, begin.get(field.name)) for field in task.inputs]
            turns = [_as_turn(task, example) for example in task.examples]
            listed = [
                (widget, field)
                for widget, field in zip(inputs, task.inputs, strict=True)
                if any(field.name in example for example in turns) and field.kind not in ("messages", "boxes")
            ]
            raw_prompt, fresh = _chat_controls(task)
            with gr.Row():
                run = gr.Button("Run", variant="primary", elem_id=RUN_BUTTON, scale=3)
                stop = gr.Button("Stop", scale=1, min_width=80)
            parameters: list[Any] = []
            if task.parameters:
                names = {each.name for each in task.parameters}
                with gr.Accordion("Parameters", open=bool(set(values or {}) & names)):
                    parameters = [field_widget(field, begin.get(field.name)) for field in task.parameters]
            examples = gr.Dataset(
                components=[widget for widget, field in listed],
                samples=[[shown(field, each.get(field.name)) for _, field in listed] for each in turns],
                type="index",
                label="Try one of these",
            )
        with gr.Column(scale=6, min_width=320):
            answer = gr.HTML(html.empty("The answer will stand here."), label="Answer", elem_classes="hf-result")
            with gr.Accordion("Inside the pipeline", open=True):
                inside = gr.HTML(html.empty("The three stages of the run will stand here."))
            with gr.Accordion("Look at the odds", open=False, visible=task.stream is not None):
                odds = gr.HTML(html.empty("For each generated token: what else the model thought of."))
            with gr.Accordion("JSON", open=False):
                raw = gr.Code(language="json", label="What the pipeline returns", lines=1, max_lines=24)
            recorded = gr.State(None)
            _code_fold(app, recorded)
            latest = gr.State(None)
            comparison(app, task, model, loading, [*inputs, *parameters], meant, latest, running)
    if takes_files(task):
        filing(app, task, model, [*inputs, *parameters], meant, running)

    finished = gr.State(None)

    def stream_answer(
        request: gr.Request,
        reference: str,
        dtype: str,
        attention: str,
        raw_prompt: bool,
        *given: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Yield the answer as it grows; `finished` gets the last parts of it, with everything else to show."""
        wanted = meant(given)
        said = {field.name: wanted[field.name] for field in task.inputs if field.name in wanted and not field.media}
        yield {typed: said, finished: None}
        for step in stream_answer_parts(
            app,
            task,
            reference,
            wanted,
            running,
            request.session_hash,
            dtype=dtype,
            attention=attention or None,
            raw_prompt=raw_prompt,
        ):
            shows = {part: step[name] for name, part in (("answer", answer), ("odds", odds)) if name in step}
            if "recorded" in step:
                shows[finished] = step
            yield shows or {typed: gr.skip()}

    def finish(step: dict[str, Any] | None, past: list[dict[str, Any]]) -> dict[Any, Any]:
        """What stands around a complete answer."""
        if step is None:  # something newer has begun
            return {finished: None}
        shows: dict[Any, Any] = {finished: None, inside: step["inside"], raw: step["raw"], recorded: step["recorded"]}
        if done := step.get("done"):
            shows |= dict(zip(parameters, allowed(task.parameters, done.allowed), strict=True))
            shows |= _next_turn(task, done, inputs)
            shows |= {latest: kept(task, done), history: [step["entry"], *past][:HISTORY]}
        return shows

    def answer_on(on: Callable[..., gr.events.Dependency]) -> None:
        """Answer when this happens.

        In two events, because a message costs the page a search through all its components for each output that the
        event has: with all of them a long answer would leave a slow device no time for clicks.
        """
        on(
            stream_answer,
            [model, *loading, raw_prompt, *inputs, *parameters],
            [answer, odds, finished, typed],
            show_progress_on=answer,
            show_progress="minimal",
            **PRIVATE,
            **HEAVY,
        ).then(
            finish,
            [finished, history],
            [finished, inside, raw, recorded, *inputs, *parameters, latest, history],
            **QUIET,
        )

    submits = [widget.submit for widget in inputs if isinstance(widget, gr.Textbox)]
    answer_on(functools.partial(gr.on, [run.click, *submits]))
    answer_on(
        examples.click(
            lambda index: [gr.update(value=shown(field, turns[index].get(field.name))) for field in task.fields],
            examples,
            [*inputs, *parameters],
            **QUIET,
        ).then
    )

    stop.click(running.on_stop, **QUIET)
    if fresh is not None:
        talk = next(widget for widget, field in zip(inputs, task.inputs, strict=True) if field.kind == "messages")
        fresh.click(lambda: ([], html.empty("A new conversation.")), outputs=[talk, answer], **PRIVATE)
    # Text that was typed but not run is carried to the next task, too: leaving its box is the last chance to see it.
    for widget, field in zip(inputs, task.inputs, strict=True):
        if isinstance(widget, gr.Textbox):
            widget.blur(
                lambda value, before, name=field.name: {**before, name: value},
                [widget, typed],
                typed,
                **QUIET,
            )
    _open(app, model, answer, answer_on)


def _open(app: App, model: gr.Dropdown, answer: gr.HTML, answer_on: Callable[..., None]) -> None:
    """The tab opens on an answer, not on empty boxes: one tick after the panel is drawn, it is run.

    Only where the model is on this machine: nobody's download begins because a page was opened.
    """
    opening = gr.Timer(0.2)
    here = gr.State(False)

    def ready(reference: str) -> tuple[Any, Any, bool]:
        ref = ModelRef.parse(reference)
        found, said = is_here(ref, app.settings), gr.skip()
        if not found:
            size = hub_bytes(ref.origin, app.settings.public)
            if size is None:
                raise unreachable(ref, app.settings)
            said = prediction_view.download(reference, size)
        return gr.Timer(active=False), said, found

    def refused(sentence: str) -> tuple[Any, Any, bool]:
        return gr.Timer(active=False), html.notes([sentence]), False

    opening.tick(catch_errors(ready, refused), model, [opening, answer, here], **QUIET)
    answer_on(here.change)


def _code_fold(app: App, recorded: gr.State) -> None:
    """Lay out the fold Code: the code of the newest answer, written when the fold is opened and while it is open."""
    codes = []
    with gr.Accordion("Code", open=False) as fold, gr.Tabs():
        for title in ("pipeline()", "Auto classes", "gradio_client", "curl"):
            with gr.Tab(title):
                language: Any = "shell" if title == "curl" else "python"
                codes.append(gr.Code(language=language, label="The same without this page", lines=1, max_lines=24))
    is_open = gr.State(False)

    def write_code(request: gr.Request, recorded: RecordedCall | None, is_open: bool) -> tuple[Any, ...]:
        if not is_open:
            return (gr.skip(),) * len(codes)
        if recorded is None:
            return ("",) * len(codes)
        url = str(request.request.base_url).rstrip("/")
        snippets = prediction_snippets(recorded, app.settings, url)
        return snippets.pipeline, snippets.auto_classes, snippets.client, snippets.curl

    fold.expand(lambda: True, outputs=is_open, **QUIET)
    fold.collapse(lambda: False, outputs=is_open, **QUIET)
    gr.on([is_open.change, recorded.change], write_code, [recorded, is_open], codes, **QUIET)


def _chat_controls(task: Task) -> tuple[Any, gr.Button | None]:
    """For a task that takes a conversation: a switch to the bare prompt, and a way to begin anew."""
    chats = any(field.kind == "messages" for field in task.inputs)
    with gr.Row(visible=chats):
        raw_prompt = gr.Checkbox(
            False,
            label="Raw prompt",
            info="send the text as it is, without the model's chat template",
            interactive=True,
        )
        fresh = gr.Button("New conversation", size="sm")
    return raw_prompt, fresh if chats else None


def _as_turn(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as the panel holds them: the last message of a conversation stands in the box, the others are past."""
    if not values.get("messages") or "text" in values:
        return dict(values)
    *past, last = values["messages"]
    return {**values, "messages": past, "text": last["content"]}


def _next_turn(task: Task, done: Prediction, inputs: list[Any]) -> dict[Any, Any]:
    """After an answer in a conversation: the conversation is kept, and the box is empty for the next message."""
    talked = done.inputs.get("messages")
    if not talked or not isinstance(done.result, list):
        return {}
    said = done.result[0].get("generated_text")
    widgets = {field.name: widget for widget, field in zip(inputs, task.inputs, strict=True)}
    return {widgets["messages"]: said, widgets["text"]: ""} if isinstance(said, list) else {}
