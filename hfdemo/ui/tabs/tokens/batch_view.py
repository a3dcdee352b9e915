"""The view A batch: the same texts under every padding strategy, as tensors, collated, and what the mask is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.errors import DemoError, ModelError
from hfdemo.inference import build_need
from hfdemo.models.hub import Progress
from hfdemo.models.loading import Need
from hfdemo.models.model_facts import infer_task
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.batch_lab import (
    BatchOrder,
    BatchPlans,
    PlanTimings,
    collate_rows,
    encode_order,
    plan_order,
    prove_mask,
    time_batches,
)
from hfdemo.tokenization.benchmark import MOST_FLOPS, MOST_FLOPS_PUBLIC, MaskEffect, Timing
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.snippets import write_padding_script, write_tokenization_script
from hfdemo.ui import html
from hfdemo.ui.deep_links import render_tokens_link
from hfdemo.ui.event_handling import PRIVATE, QUIET, RunningJobs, draw_errors, follow_job, follow_look
from hfdemo.ui.renderers import tokens
from hfdemo.ui.tabs.tokens import padding_view
from hfdemo.ui.tabs.tokens.copy_fold import build_copy_fold

TEXTS = """The ferry leaves at seven.
Why?
Unbelievably, tokenizers split rare words like “gastroenterologist” into many pieces.
A short note.
The second ferry of the day was late again, so that we missed the train and waited two hours in the rain.
Yes.
Padding makes rows equally long.
Short rows beside long ones are what padding costs."""
PADDINGS = [("True: to the longest of the batch", True), ("False", False), ('"max_length"', "max_length")]
EVERY_STRATEGY, TENSORS, COLLATE = DRAWINGS = ("Every strategy", "As tensors", "Collate functions")
PREDICTED = (
    "Predicted is arithmetic: 24·L·d² + 4·L²·d per layer and row of L positions. Measured is this model on this "
    "device; the strategies take turns, so that noise hits all alike."
)

NO_PAD_TOKEN = (
    "This tokenizer has no pad token, so what is drawn here can't be done as it is. Name a token of its vocabulary "
    "under pad_token: the end-of-text token is usual, and the attention mask hides it. A model that is trained to end "
    "its texts needs a token of its own for padding, or it never learns where they end."
)


@dataclass(frozen=True)
class BatchForm:
    """What stands in the view's fields, in their order; 0 and "" mean that nothing was said."""

    texts: str
    pairs: str
    tokenizer: str
    model: str
    batch_size: int
    max_length: int
    side: str
    padding: bool | str
    truncation: bool
    special: bool
    multiple: int
    pad_token: str

    def rows(self) -> tuple[list[str], list[str] | None]:
        """Return the lines of both boxes, paired by their line number; empty lines of the first are no rows.

        Raises:
            DemoError: there are none, or only some lines have a second text.
        """
        first, second = (self.texts or "").split("\n"), (self.pairs or "").split("\n")
        if not any(line.strip() for line in first):
            raise DemoError("Type a text on the left: each line becomes a row.")
        if not any(line.strip() for line in second):
            return [line for line in first if line.strip()], None
        lines = list(zip_longest(first, second, fillvalue=""))
        for number, (text, pair) in enumerate(lines, start=1):
            if bool(text.strip()) != bool(pair.strip()):
                missing = "second text" if text.strip() else "text"
                raise DemoError(f"Line {number} has no {missing}. Give every line a pair, or empty the second box.")
        kept = [(text, pair) for text, pair in lines if text.strip()]
        return [text for text, _ in kept], [pair for _, pair in kept]

    def order(self) -> BatchOrder:
        """Return what is to be cut into tokens.

        Raises:
            DemoError: as `rows`, or a reference that can't be read.
        """
        texts, pairs = self.rows()
        return BatchOrder(
            ModelRef.parse(self.tokenizer),
            ModelRef.parse(self.model or self.tokenizer),
            texts,
            pairs,
            self.batch_size,
            self.max_length or None,
            self.side or None,
            self.pad_token or None,
        )

    def options(self) -> Options:
        """Return the arguments of the drawing As tensors."""
        used = self.truncation or self.padding == "max_length"
        return Options(
            self.padding,
            self.truncation,
            (self.max_length or None) if used else None,
            pad_to_multiple_of=self.multiple or None,
            padding_side=self.side or None,
            add_special_tokens=self.special,
            pad_token=self.pad_token or None,
        )


def plan_form_batches(app: App, form: BatchForm, stop: Event | None = None) -> BatchPlans:
    """Encode a form's rows without padding, cut to max_length or else to what can be read, and plan them.

    Raises:
        DemoError: see `BatchForm.order` and `plan_order`.
    """
    return app.engine.call(plan_order, app.models, form.order(), app.settings.max_tokenized, stop)


def render_drawing(app: App, drawing: str, form: BatchForm, stop: Event | None = None) -> tuple[str, str, str]:
    """Return the table of costs, the drawing of one of DRAWINGS, and the code that gives what is drawn."""
    if drawing == TENSORS:
        return "", *_render_tensors(app, form, stop)
    order, settings = form.order(), app.settings
    found = plan_form_batches(app, form, stop)
    code = app.engine.call(
        write_padding_script,
        *(form.tokenizer, order.texts, order.pairs, form.batch_size, found.limit, found.borrowed, settings),
    )
    if drawing == COLLATE:
        architecture = found.reader.architecture if found.reader else None
        first = found.rows.head(form.batch_size)
        part = html.about(f"The first batch: {len(first.lengths)} of {len(found.rows.lengths)} rows.")
        collated = app.engine.call(collate_rows, app.models, order, first, architecture, stop)
        return "", part + padding_view.render_collations(collated), code
    costs = [each.cost(found.size) for each in found.plans]
    # That unpadded rows are ragged is what the first drawing shows.
    said = [warning for warning in found.rows.warnings if warning.code != "ragged"]
    warnings = html.notes([NO_PAD_TOKEN] if found.pad_id is None else [])
    warnings += html.notes(f"{warning.message} {warning.fix}" for warning in said)
    drawn = padding_view.render_strategies(found.plans, found.rows.rows(), found.side, found.ragged_error)
    return warnings + padding_view.render_costs(costs), drawn, code


def _render_tensors(app: App, form: BatchForm, stop: Event | None) -> tuple[str, str]:
    """Return the drawing of one call of the tokenizer, and that call."""
    order, options, settings = form.order(), form.options(), app.settings
    found = app.engine.call(encode_order, app.models, order, options, settings.max_tokenized, stop)
    used = asdict(replace(options, pad_token=found.borrowed))
    given = {name: value for name, value in used.items() if value != asdict(Options())[name]}
    code = app.engine.call(write_tokenization_script, form.tokenizer, order.texts, order.pairs, given, settings)
    return tokens.render_token_rows(found.encoding), code


def build(app: App, demo: gr.Blocks, opened: Any, tokenizer: gr.Dropdown, model: gr.Dropdown) -> dict[str, Any]:
    """Lay the view out, to be drawn when it is `opened`, and return what a link restores."""
    running = RunningJobs()
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            fields, tensor_options = _build_fields(tokenizer, model)
        with gr.Column(scale=7, min_width=320):
            drawing = gr.Radio(DRAWINGS, value=DRAWINGS[0], label="Look at")
            table = gr.HTML(html.placeholder("The batches appear here."))
            halt = gr.Button("Stop", size="sm", min_width=70, visible=False)
            with gr.Column() as measuring:
                with gr.Row():
                    measure = gr.Button("Measure forward passes", size="md", min_width=190)
                    prove = gr.Button("Prove the mask", size="md", min_width=140)
                    stop = gr.Button("Stop", size="md", min_width=70)
                measured = gr.HTML(html.about(PREDICTED))
            view = gr.HTML()
            address = gr.HTML()
            inputs = list(fields.values())
            timings = gr.State(())
            build_copy_fold(demo, make_records(app), [timings, *inputs])
            with gr.Accordion("Code", open=False):
                code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24)

    def show(request: gr.Request, drawing: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        # What is being measured is not what stands there any more: it ends when this begins.
        given = dict(zip(fields, values, strict=True))
        yield from _show_drawing(app, running, request.session_hash, drawing, given)

    wires: dict[str, Any] = {**QUIET, **HEAVY}
    gr.on(
        [*(widget.change for widget in (drawing, *inputs)), opened],
        show,
        [drawing, *inputs],
        [table, view, code, measured, timings, measuring, tensor_options, address, halt],
        trigger_mode="always_last",
        **wires,
    )
    measure.click(
        draw_errors(make_measure(app, running), gr.skip(), gr.skip()), inputs, [measured, table, timings], **wires
    )
    prove.click(draw_errors(make_prove(app, running)), inputs, measured, **wires)
    gr.on([stop.click, halt.click], running.on_stop, **PRIVATE, **LIGHT)
    demo.unload(running.on_unload)
    linked = {**fields, "batch_look": drawing}
    return {name: component for name, component in linked.items() if name not in ("tokenizer", "model")}


def _build_fields(tokenizer: gr.Dropdown, model: gr.Dropdown) -> tuple[dict[str, Any], gr.Group]:
    """Lay out what a batch is made of; return the fields in the order of Form, and those of the drawing As tensors."""
    texts = gr.Textbox(TEXTS, label="Texts", info="one per line: each line is a row", lines=8, max_lines=16)
    pairs = gr.Textbox(label="Second texts", info="optional, one per line: the pair of each text", lines=2)
    with gr.Row():
        size = gr.Slider(1, 16, 4, step=1, label="Batch size", min_width=140)
        length = gr.Number(32, label="max_length", info="0: the model's limit", precision=0, min_width=120)
    side = gr.Radio([("as the tokenizer says", ""), "left", "right"], value="", label="padding_side")
    pad_token = gr.Textbox(label="pad_token", info="for a tokenizer that has none of its own", max_lines=1)
    with gr.Group(visible=False) as tensor_options:
        padding = gr.Radio(PADDINGS, value=True, label="padding")
        truncation = gr.Checkbox(False, label="truncation")
        special = gr.Checkbox(True, label="add_special_tokens")
        multiple = gr.Number(0, label="pad_to_multiple_of", info="8 or 64 suit some accelerators", precision=0)
    fields = {
        **{"texts": texts, "text_pairs": pairs, "tokenizer": tokenizer, "model": model, "batch_size": size},
        **{"batch_max_length": length, "padding_side": side, "padding_to": padding, "truncation": truncation},
        **{"add_special_tokens": special, "pad_to_multiple_of": multiple, "pad_token": pad_token},
    }
    return fields, tensor_options


def _show_drawing(
    app: App, running: RunningJobs, session: str | None, drawing: str, values: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield what the view shows of the values of its fields, by their names in a link."""
    # While somebody types, a sentence in its place is better than a toast.
    look = draw_errors(follow_look, None, False)(
        running, session, lambda stop: render_drawing(app, drawing, read_form(*values.values()), stop)
    )
    for said, result, busy in look:
        yield (
            *((said, "", "") if result is None else result),
            html.about(PREDICTED),
            (),
            gr.Column(visible=drawing == EVERY_STRATEGY),
            gr.Group(visible=drawing == TENSORS),
            render_tokens_link("batch", {**values, "batch_look": drawing}),
            gr.Button(visible=busy),
        )


def read_form(*values: Any) -> BatchForm:
    """Return the values of the fields, empty ones as what they mean."""
    texts, pairs, tokenizer, model, size, length, side, padding, truncation, special, multiple, pad_token = values
    return BatchForm(
        *(texts or "", pairs or "", tokenizer or "", model or "", int(size), int(length or 0), side or ""),
        *(padding, truncation, special, int(multiple or 0), pad_token or ""),
    )


def make_records(app: App) -> Callable[..., list[dict[str, Any]]]:
    """Return a handler that gives the cost table as rows, with the seconds where they were measured."""

    def write(timings: Sequence[Timing], *values: Any, stop: Event | None = None) -> list[dict[str, Any]]:
        found = plan_form_batches(app, read_form(*values), stop)
        return padding_view.cost_records([each.cost(found.size) for each in found.plans], timings)

    return write


def runnable_model(tokenizer: str, model: str | None) -> ModelRef:
    """Return the model that reads the tokens, where it has to be run.

    Raises:
        ModelError: there is none.
    """
    ref = ModelRef.parse(model or tokenizer)
    if ref.source == "tokenizer":
        raise ModelError(
            "This needs a model to run, and the tokenizer belongs to none. Choose one under “Model that reads the "
            "tokens”: embedded:minilm, for one."
        )
    return ref


def need_of_head(app: App, ref: ModelRef) -> Need:
    """Return the need of a model with the head that it was saved with: what comes out of it is what people look at."""
    task, _ = app.engine.call(infer_task, ref, app.settings)
    return build_need(task)


def make_measure(app: App, running: RunningJobs) -> Callable[..., Iterator[tuple[Any, Any, Any]]]:
    """Return a handler that runs every plan through the model, and puts what it measures beside what was predicted."""

    def measure(request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any, Any]]:
        form = read_form(*values)
        most = MOST_FLOPS_PUBLIC if app.settings.public else MOST_FLOPS

        def work(tell: Progress, stop: Event) -> tuple[ModelRef, BatchPlans, PlanTimings]:
            found, ref = plan_form_batches(app, form, stop), runnable_model(form.tokenizer, form.model)
            need = need_of_head(app, ref)
            return ref, found, app.engine.call(time_batches, app.models, ref, need, found, stop, tell, most)

        for said, result in follow_job(running, request.session_hash, work):
            if result is None:
                yield said, gr.skip(), gr.skip()
                continue
            ref, found, measured = result
            timings = measured.timings
            costs = padding_view.render_costs([each.cost(found.size) for each in found.plans], timings)
            runs = f"{timings[0].runs} runs after {timings[0].warmups} to warm up"
            yield html.facts([("model", str(ref)), ("device", measured.device), ("each", runs)]), costs, timings

    return measure


def make_prove(app: App, running: RunningJobs) -> Callable[..., Iterator[Any]]:
    """Return a handler that shows what padding does to the shortest row, with the mask and without."""

    def prove(request: gr.Request, *values: Any) -> Iterator[Any]:
        form = read_form(*values)

        def work(tell: Progress, stop: Event) -> MaskEffect:
            found, ref = plan_form_batches(app, form, stop), runnable_model(form.tokenizer, form.model)
            return app.engine.call(prove_mask, app.models, ref, need_of_head(app, ref), found, stop, tell)

        for said, result in follow_job(running, request.session_hash, work):
            yield said if result is None else padding_view.render_proof(result)

    return prove
