"""One task's panel, made from its row: inputs, parameters, the answer and what went on behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY
from hfdemo.api.error_boundary import catch_errors
from hfdemo.errors import Unreachable
from hfdemo.inference import Prediction, can_predict_file
from hfdemo.inference.snippets import RecordedCall, write_snippets
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import UNREACHED, is_local, local_folder
from hfdemo.models.hub import count_download_bytes
from hfdemo.models.offers import name_fitting_models
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.tasks.messages import join_text
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE, QUICK, QUIET, RunningJobs
from hfdemo.ui.page_state import PageState
from hfdemo.ui.tabs.run import prediction_view, stages_view
from hfdemo.ui.tabs.run.batch_predict import BatchPredict, SentRows
from hfdemo.ui.tabs.run.compare import Comparison, keep_answer
from hfdemo.ui.tabs.run.text_map import MapFold
from hfdemo.ui.tabs.run.what_if import WhatIfTab
from hfdemo.ui.tabs.run.why import WhyTab
from hfdemo.ui.tabs.run.widgets import PanelInputs, build_widget, narrow_widgets, to_component_value

RUN_BUTTON = "run-now"
HISTORY = 30


@dataclass(frozen=True)
class PanelContext:
    """What all panels of the tab share: the app, what each page has running, by a click or while somebody types, the
    model and how it is loaded (dtype, attention), the texts that were typed, by their fields' names, the runs of this
    browser, what it keeps of the page, and the rows that go to Fine-tune."""

    app: App
    running: RunningJobs
    typing: RunningJobs
    model: gr.Dropdown
    loading: tuple[gr.Dropdown, gr.Dropdown]
    typed: gr.State
    history: gr.BrowserState
    page: PageState
    rows: SentRows


class TaskPanel:
    """The panel of `task`, filled with `values` or the row's first example, and run once if its model is here.

    `notes` are sentences about why it opens as it does. A `linked` model is one that an address names: where it may be
    foreign, it is not loaded before a person presses Run.
    """

    def __init__(
        self,
        context: PanelContext,
        task: Task,
        values: Mapping[str, Any] | None,
        notes: Sequence[str] = (),
        linked: str | None = None,
    ) -> None:
        self.context, self.task, self.linked = context, task, linked
        self.examples = [_split_conversation(task, example) for example in task.examples]
        begin = {**self.examples[0], **(values or {})}
        # The engine imports what it looks for, and the page must not.
        lacking = context.app.engine.call(Task.list_missing, task) if task.requires else []
        gr.HTML(html.about(task.summary) + html.notes([*notes, *lacking]))
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                self._build_inputs(begin, {name for name, value in (values or {}).items() if value is not None})
            self.panel = PanelInputs(task, context.model, context.loading, [*self.inputs, *self.parameters])
            with gr.Column(scale=6, min_width=320):
                self._build_outputs()
        if can_predict_file(task):
            BatchPredict(context.app, self.panel, context.running, context.rows)
        if task.maps_texts:
            MapFold(context.app, self.panel, context.running)
        self.finished = gr.State(None)
        self._wire()

    def _build_inputs(self, begin: Mapping[str, Any], given: set[str]) -> None:
        """Lay out what a person fills in; the parameters are in sight where one of them is `given`."""
        task = self.task
        self.inputs = [build_widget(field, begin.get(field.name)) for field in task.inputs]
        self.raw_prompt, self.new_conversation = _build_chat_controls(task)
        with gr.Row():
            self.run = gr.Button("Run", variant="primary", elem_id=RUN_BUTTON, scale=3)
            self.stop = gr.Button("Stop", scale=1, min_width=80)
        self.parameters: list[Any] = []
        if task.parameters:
            with gr.Accordion("Parameters", open=any(each.name in given for each in task.parameters)):
                self.parameters = [build_widget(field, begin.get(field.name)) for field in task.parameters]
        listed = [
            (widget, field)
            for widget, field in zip(self.inputs, task.inputs, strict=True)
            if any(field.name in example for example in self.examples) and field.kind not in ("messages", "boxes")
        ]
        self.dataset = gr.Dataset(
            components=[widget for widget, _ in listed],
            samples=[
                [to_component_value(field, each.get(field.name)) for _, field in listed] for each in self.examples
            ],
            type="index",
            label="Examples",
        )

    def _build_outputs(self) -> None:
        """Lay out the answer and what stands around it."""
        context = self.context
        self.answer = gr.HTML(
            html.placeholder("The answer appears here."),
            label="Answer",
            elem_classes="hf-result",
            js_on_load="hfdemo.announce(element)",
        )
        self.try_untrained = gr.Button("Try it with random weights: the answer is noise", size="sm", visible=False)
        self.recorded, self.latest = gr.State(None), gr.State(None)
        # Nothing but views in it: gradio counts what is between them, too. In a panel that takes the place of another
        # none is selected unless it says which.
        with gr.Tabs(selected="inside") as views:
            with gr.Tab("Inside", id="inside"):
                self.inside = gr.HTML(html.placeholder(stages_view.NO_STAGES))
            with gr.Tab("Token probabilities", visible=self.task.partial_output is not None):
                self.odds = gr.HTML(html.placeholder("For each generated token: which others the model considered."))
            if self.task.find_target is not None:
                WhyTab(context.app, self.panel, context.running)
                WhatIfTab(context.app, self.panel, context.running, context.typing)
            with gr.Tab("JSON"):
                self.raw = gr.Code(language="json", label="What the pipeline returns", lines=1, max_lines=24)
            code = CodeTab(context.app, self.recorded)
            Comparison(context.app, self.panel, self.latest, context.running)
        code.close_on([view.select for view in views.children if view is not code.tab])

    def _wire(self) -> None:
        """Wire the panel; it opens on an answer where it can."""
        texts = [
            (widget, field.name)
            for widget, field in zip(self.inputs, self.task.inputs, strict=True)
            if isinstance(widget, gr.Textbox)
        ]
        self._answer_on(functools.partial(gr.on, [self.run.click, *(widget.submit for widget, _ in texts)]))
        self._answer_on(self.dataset.click(self.fill_example, self.dataset, self.panel.fields, **QUIET).then)
        given = [self.context.model, *self.panel.fields]
        self._answer_on(self.try_untrained.click(self.take_untrained_model, outputs=given, **QUIET).then)
        self.stop.click(self.context.running.on_stop, **QUIET)
        if self.new_conversation is not None:
            names = [field.kind for field in self.task.inputs]
            messages = self.inputs[names.index("messages")]
            self.new_conversation.click(
                lambda: ([], html.placeholder("A new conversation.")), outputs=[messages, self.answer], **PRIVATE
            )
        # Text that was typed but not run is carried to the next task, too: leaving its box is the last chance to see
        # it.
        typed = self.context.typed
        for widget, name in texts:
            widget.blur(lambda value, before, name=name: {**before, name: value}, [widget, typed], typed, **QUIET)
        self._run_when_opened()

    def _answer_on(self, on: Callable[..., gr.events.Dependency]) -> None:
        """Answer when this happens.

        In two events, because a message costs the page a search through all its components for each output that the
        event has: with all of them a long answer would leave a slow device no time for clicks.
        """
        history = self.context.history
        around = [self.try_untrained, self.inside, self.raw, self.recorded, *self.panel.fields, self.latest, history]
        on(
            self.stream_answer,
            [self.context.model, *self.context.loading, self.raw_prompt, *self.panel.fields],
            [self.answer, self.odds, self.finished, self.context.typed],
            show_progress_on=self.answer,
            show_progress="minimal",
            **PRIVATE,
            **HEAVY,
        ).then(self.show_finished, [self.finished, history], [self.finished, *around], **QUIET)

    def _run_when_opened(self) -> None:
        """Run once, one tick after the panel is drawn: the tab opens on an answer, not on empty boxes.

        Only where the model is on this machine: nobody's download begins because a page was opened.
        """
        opening, here = gr.Timer(0.2), gr.State(False)
        fields = {field.name: held for field, held in zip(self.task.fields, self.panel.fields, strict=True)}
        self.context.page.keep("run", fields, self.task.name)
        opening.tick(
            catch_errors(self.check_model, self.refuse_model),
            self.context.model,
            [opening, self.answer, self.try_untrained, here],
            **QUIET,
        )
        self._answer_on(here.change)

    def stream_answer(
        self,
        request: gr.Request,
        reference: str,
        dtype: str,
        attention: str,
        raw_prompt: bool,
        *given: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Yield the answer as it grows; `finished` gets the last parts of it, with everything else to show."""
        typed, wanted = self.context.typed, self.panel.values(given)
        inputs = [field.name for field in self.task.inputs if field.name in wanted and not field.is_media]
        yield {typed: {name: wanted[name] for name in inputs}, self.finished: None}
        for step in prediction_view.stream_answer_parts(
            self.context.app,
            self.task,
            reference,
            wanted,
            self.context.running,
            request.session_hash,
            dtype=dtype,
            attention=attention or None,
            raw_prompt=raw_prompt,
        ):
            shows = {part: step[name] for name, part in (("answer", self.answer), ("odds", self.odds)) if name in step}
            if "recorded" in step:
                shows[self.finished] = step
            yield shows or {typed: gr.skip()}

    def show_finished(self, step: dict[str, Any] | None, past: list[dict[str, Any]]) -> dict[Any, Any]:
        """Show what stands around a complete answer."""
        if step is None:  # something newer has begun
            return {self.finished: None}
        shows: dict[Any, Any] = {
            self.finished: None,
            self.inside: step["inside"],
            self.raw: step["raw"],
            self.recorded: step["recorded"],
        }
        if done := step.get("done"):
            shows |= dict(zip(self.parameters, narrow_widgets(self.task.parameters, done.allowed), strict=True))
            shows |= _keep_conversation(self.task, done, self.inputs)
            shows |= {
                self.try_untrained: gr.update(visible=False),
                self.latest: keep_answer(self.task, done),
                self.context.history: [step["entry"], *past][:HISTORY],
            }
        return shows

    def fill_example(self, index: int) -> list[Any]:
        """Fill every field with the example's value or its own default."""
        example = self.examples[index]
        return [gr.update(value=to_component_value(field, example.get(field.name))) for field in self.task.fields]

    def take_untrained_model(self) -> list[Any]:
        """Choose the architecture with random weights, with the example that it reads where it can't read the first."""
        index = self.task.untrained_example
        return [
            self.task.untrained_model,
            *(self.fill_example(index) if index else [gr.skip()] * len(self.task.fields)),
        ]

    def check_model(self, reference: str) -> tuple[Any, Any, Any, bool]:
        """Say whether the model is on this machine, and what Run would download where it is not."""
        app, settings = self.context.app, self.context.app.settings
        ref = ModelRef.parse(reference)
        if reference == self.linked and not app.engine.call(ModelCache.is_trusted, app.models, ref):
            return *self._wait_with(prediction_view.render_linked_model(reference)), False
        if ref.origin.source != "hub":
            local_folder(ref, settings, weights=False)  # or it says what is wrong with it
            return gr.Timer(active=False), gr.skip(), gr.skip(), True
        if is_local(ref, settings):
            return gr.Timer(active=False), gr.skip(), gr.skip(), True
        size = count_download_bytes(ref.origin, settings.public)
        if size is None:
            raise Unreachable(f"{ref} {UNREACHED} {app.engine.call(name_fitting_models, self.task, settings)}")
        return *self._wait_with(prediction_view.render_download_notice(reference, size)), False

    def refuse_model(self, sentence: str) -> tuple[Any, Any, Any, bool]:
        """Say why the panel can't open on an answer."""
        return *self._wait_with(html.notes([sentence])), False

    def _wait_with(self, said: str) -> tuple[Any, Any, Any]:
        """Say why there is no answer yet, and offer one by random weights."""
        return gr.Timer(active=False), said, gr.update(visible=self.task.untrained_model is not None)


class CodeTab:
    """The view Code: the code of the newest answer, written when the view is opened and while it is open."""

    def __init__(self, app: App, recorded: gr.State) -> None:
        self.app = app
        self.codes = []
        with gr.Tab("Code") as self.tab:
            self.is_open = gr.State(False)
            with gr.Tabs(selected="pipeline()"):
                for title in ("pipeline()", "Auto classes", "gradio_client", "curl"):
                    with gr.Tab(title, id=title):
                        language: Any = "shell" if title == "curl" else "python"
                        code = gr.Code(language=language, label="The same without this page", lines=1, max_lines=24)
                        self.codes.append(code)
        self.tab.select(lambda: True, outputs=self.is_open, **QUICK)
        gr.on([self.is_open.change, recorded.change], self.write_code, [recorded, self.is_open], self.codes, **QUIET)

    def close_on(self, events: Sequence[Any]) -> None:
        """Write no more code once one of `events` has happened."""
        gr.on(events, lambda: False, outputs=self.is_open, **QUICK)

    def write_code(self, request: gr.Request, recorded: RecordedCall | None, is_open: bool) -> tuple[Any, ...]:
        """Write the code of the recorded call, in each of its forms."""
        if not is_open:
            return (gr.skip(),) * len(self.codes)
        if recorded is None:
            return ("",) * len(self.codes)
        url = str(request.request.base_url).rstrip("/")
        snippets = write_snippets(recorded, self.app.settings, url)
        return snippets.pipeline, snippets.auto_classes, snippets.client, snippets.curl


def _build_chat_controls(task: Task) -> tuple[Any, gr.Button | None]:
    """Lay out, for a task that takes a conversation, a switch to the bare prompt and a way to begin anew."""
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


def _split_conversation(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` as the panel holds them: a conversation's last message stands in the box, the others are past."""
    if not values.get("messages") or "text" in values:
        return dict(values)
    *past, last = values["messages"]
    return {**values, "messages": past, "text": join_text(last)}


def _keep_conversation(task: Task, done: Prediction, inputs: list[Any]) -> dict[Any, Any]:
    """Keep the conversation after an answer, and empty the box for the next message."""
    talked = done.inputs.get("messages")
    if not talked or not isinstance(done.result, list):
        return {}
    said = done.result[0].get("generated_text")
    widgets = {field.name: widget for widget, field in zip(inputs, task.inputs, strict=True)}
    return {widgets["messages"]: said, widgets["text"]: ""} if isinstance(said, list) else {}
