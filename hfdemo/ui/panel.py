"""One task's panel, made from its row: inputs, parameters, the answer and what went on behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from hfdemo.api import HEAVY, Endpoints
from hfdemo.errors import DemoError
from hfdemo.inference import Loading, Partial, Prediction, stream, takes_files
from hfdemo.inference.snippets import prediction_snippets
from hfdemo.models.hub import hub_bytes
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import is_here
from hfdemo.tasks import Task
from hfdemo.ui import answers, drawings, html, writing
from hfdemo.ui.compare import comparison
from hfdemo.ui.filing import filing
from hfdemo.ui.links import link
from hfdemo.ui.widgets import allowed, field_value, field_widget, shown

RUN_BUTTON = "run-now"
HISTORY = 30


def panel(
    endpoints: Endpoints,
    task: Task,
    values: Mapping[str, Any] | None,
    running: Any,
    model: gr.Dropdown,
    loading: tuple[gr.Dropdown, gr.Dropdown],
    typed: gr.State,
    history: gr.BrowserState,
) -> None:
    """Lay the panel of `task` out, filled with `values` or the row's first example, and run it once if it can be."""
    begin = {**_as_turn(task, task.examples[0]), **(values or {})}

    def meant(given: tuple[Any, ...]) -> dict[str, Any]:
        found = {field.name: field_value(field, value) for field, value in zip(task.fields, given, strict=True)}
        return {name: value for name, value in found.items() if value is not None}

    gr.HTML(html.about(task.summary))
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
            parameters: list[Any] = []
            if task.parameters:
                with gr.Accordion("Parameters", open=bool(set(begin) & {each.name for each in task.parameters})):
                    parameters = [field_widget(field, begin.get(field.name)) for field in task.parameters]
            with gr.Row():
                run = gr.Button("Run", variant="primary", elem_id=RUN_BUTTON, scale=3)
                stop = gr.Button("Stop", interactive=False, scale=1, min_width=80)
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
            with gr.Accordion("Code", open=False), gr.Tabs():
                codes = []
                for title in ("pipeline()", "Auto classes", "gradio_client", "curl"):
                    with gr.Tab(title):
                        language: Any = "shell" if title == "curl" else "python"
                        codes.append(
                            gr.Code(language=language, label="The same without this page", lines=1, max_lines=24)
                        )
            latest = gr.State(None)
            comparison(endpoints, task, model, loading, [*inputs, *parameters], meant, latest, running.begin)
    if takes_files(task):
        filing(endpoints, task, model, [*inputs, *parameters], meant, running.begin, running.stop)

    def answer_with(
        request: gr.Request,
        reference: str,
        kind: str,
        how: str,
        plain: bool,
        past: list[dict[str, Any]],
        *given: Any,
    ) -> Iterator[dict[Any, Any]]:
        """What each component of the panel shows, again and again until the answer is complete."""

        wanted = meant(given)
        typed_now = {
            field.name: wanted[field.name] for field in task.inputs if field.name in wanted and not field.media
        }
        yield {stop: gr.update(interactive=True), run: gr.update(interactive=False), typed: typed_now}
        try:
            wanted = _as_chat(endpoints, task, reference, wanted, raw_prompt=plain)
            done: Prediction | None = None
            began = time.perf_counter()
            ending = running.begin(request.session_hash)
            options: Any = {"dtype": kind, "attention": how or None}
            for item in stream(endpoints.models, task, reference, wanted, ending, **options):
                if isinstance(item, Prediction):
                    done = item
                elif isinstance(item, Loading):
                    yield {answer: answers.loading(reference, item)}
                elif item is None:
                    yield {stop: gr.skip()}
                else:
                    yield {
                        answer: _so_far(task, item, wanted, time.perf_counter() - began),
                        odds: writing.odds([vars(step) for step in item.odds]),
                    }
            assert done is not None
            root = str(request.request.base_url).rstrip("/")
            codes_now = prediction_snippets(task, done, wanted, endpoints.settings, root)
        except DemoError as error:  # said where the answer would be: an old one beside it would look like its result
            yield {
                answer: html.notes([str(error)]),
                inside: html.empty("No run, no stages."),
                **dict.fromkeys([raw, *codes], ""),
                stop: gr.update(interactive=False),
                run: gr.update(interactive=True),
            }
            return
        address = link(task, reference, wanted)
        entry = {
            "task": task.title,
            "model": reference,
            "link": address,
            "set": _set(task, wanted),
            "said": answers.gist(done.output),
        }
        yield {
            answer: drawings.drawn(task.output, done) + answers.prediction_facts(done) + answers.link_to(address),
            inside: answers.stages(done.stages, done.seconds),
            odds: writing.odds([vars(step) for step in done.odds])
            if done.odds
            else html.empty("No odds to show: nothing was generated, or by several beams at once."),
            raw: json.dumps(answers.shortened(done.output), indent=2, ensure_ascii=False),
            **dict(zip(codes, (codes_now.pipeline, codes_now.by_hand, codes_now.client, codes_now.curl), strict=True)),
            **dict(zip(parameters, allowed(task.parameters, done.allowed), strict=True)),
            **_next_turn(task, done, inputs),
            latest: done,
            history: [entry, *past][:HISTORY],
            stop: gr.update(interactive=False),
            run: gr.update(interactive=True),
        }

    wires: dict[str, Any] = {
        "fn": answer_with,
        "inputs": [model, *loading, raw_prompt, history, *inputs, *parameters],
        "outputs": [answer, inside, odds, raw, *codes, *inputs, *parameters, latest, history, typed, stop, run],
        "show_progress_on": answer,
        "show_progress": "minimal",
        "api_visibility": "private",
        **HEAVY,
    }
    submits = [widget.submit for widget in inputs if isinstance(widget, gr.Textbox)]
    gr.on([run.click, *submits], **wires)
    examples.click(
        lambda index: [gr.update(value=shown(field, turns[index].get(field.name))) for field in task.fields],
        examples,
        [*inputs, *parameters],
        api_visibility="private",
        show_progress="hidden",
    ).then(**wires)

    def halt(request: gr.Request) -> None:
        running.stop(request.session_hash)

    stop.click(halt, api_visibility="private", show_progress="hidden")
    if fresh is not None:
        kept = next(widget for widget, field in zip(inputs, task.inputs, strict=True) if field.kind == "messages")
        fresh.click(lambda: ([], html.empty("A new conversation.")), outputs=[kept, answer], api_visibility="private")
    # Text that was typed but not run is carried to the next task, too: leaving its box is the last chance to see it.
    for widget, field in zip(inputs, task.inputs, strict=True):
        if isinstance(widget, gr.Textbox):
            widget.blur(
                lambda value, before, name=field.name: {**before, name: value},
                [widget, typed],
                typed,
                api_visibility="private",
                show_progress="hidden",
            )
    _open(endpoints, model, answer, wires)


def _open(endpoints: Endpoints, model: gr.Dropdown, answer: gr.HTML, wires: dict[str, Any]) -> None:
    """The tab opens on an answer, not on empty boxes: one tick after the panel is drawn, it is run.

    Only where the model is on this machine: nobody's download begins because a page was opened.
    """
    opening = gr.Timer(0.2)
    here = gr.State(False)

    def ready(reference: str) -> tuple[Any, Any, bool]:
        try:
            ref = ModelRef.parse(reference)
            found = is_here(ref, endpoints.settings)
            said = gr.skip() if found else answers.download(reference, hub_bytes(ref.origin, endpoints.settings.public))
        except DemoError as error:
            found, said = False, html.notes([str(error)])
        return gr.Timer(active=False), said, found

    opening.tick(ready, model, [opening, answer, here], api_visibility="private", show_progress="hidden")
    here.change(**wires)


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


def _as_chat(
    endpoints: Endpoints, task: Task, reference: str, values: dict[str, Any], *, raw_prompt: bool
) -> dict[str, Any]:
    """The text as the next turn of the conversation, where the task takes one and the model has a chat template."""
    names = [field.name for field in task.inputs if field.kind == "messages"]
    if not names:
        return values
    past = values.pop(names[0], [])
    if raw_prompt or "text" not in values:
        return values
    with endpoints.models.tokenizer(ModelRef.parse(reference or task.default_model)) as tokenizer:
        if not tokenizer.chat_template:
            return values
    said = {"role": "user", "content": values.pop("text")}
    return {**values, names[0]: [*past, said]}


def _set(task: Task, values: Mapping[str, Any]) -> str:
    """The parameters that were set, in words."""
    said = ((field.name, values.get(field.name, field.default), field.default) for field in task.parameters)
    return ", ".join(f"{name}={value}" for name, value, default in said if value not in ("", default))


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


def _so_far(task: Task, item: Partial, values: Mapping[str, Any], seconds: float) -> str:
    drawn = drawings.DRAWINGS[task.output](item.result, values)
    return drawn + html.facts([("", f"{seconds:.1f} s so far")])
