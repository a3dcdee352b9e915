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
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import ModelFacts, infer_task, longest_row, model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.benchmark import (
    MOST_FLOPS,
    MOST_FLOPS_PUBLIC,
    MaskEffect,
    Timing,
    measure_mask_effect,
    time_plans,
)
from hfdemo.tokenization.collating import find_tensor_error, run_collators
from hfdemo.tokenization.encoding import Encoding, borrow_pad_token, encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.padding import PaddingPlan, plan_batches, plannable_names
from hfdemo.tokenization.snippets import write_padding_script, write_tokenization_script
from hfdemo.ui import html
from hfdemo.ui.deep_links import render_tokens_link
from hfdemo.ui.event_handling import PRIVATE, QUIET, RunningJobs, draw_errors, follow_job
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
    "Predicted is arithmetic: 24·L·d² + 4·L²·d per layer and row of L slots. Measured is this model on this device; "
    "the strategies take turns, so that noise hits all alike."
)

NO_PAD_TOKEN = (
    "This tokenizer has no pad token, so what is drawn here can't be done as it is. Name a token of its vocabulary "
    "under pad_token: the end-of-text token is usual, and the attention mask hides it."
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


@dataclass(frozen=True)
class BatchPlans:
    """The unpadded rows of a form, the plans over them, and who reads them.

    The rows are cut to `limit` (None: to nothing). `pad_id` is what they are padded with, None where there is nothing;
    `borrowed` is that token where the tokenizer has none of its own.
    """

    rows: Encoding
    plans: tuple[PaddingPlan, ...]
    reader: ModelFacts | None
    side: str
    limit: int | None
    borrowed: str | None
    pad_id: int | None

    @property
    def size(self) -> tuple[int, int] | None:
        return self.reader.size if self.reader else None


def plan_form_batches(app: App, form: BatchForm) -> BatchPlans:
    """Encode a form's rows without padding, cut to max_length or else to what can be read, and plan them.

    Raises:
        DemoError: see `Form.rows`, `encode`, `borrow_pad_token` and `model_facts`.
    """
    texts, pairs = form.rows()
    reader = model_facts(ModelRef.parse(form.model or form.tokenizer), app.settings)
    with app.models.hold_tokenizer(ModelRef.parse(form.tokenizer)) as tokenizer:
        limit = form.max_length or longest_row(reader, tokenizer)
        options = Options(truncation=limit is not None, max_length=limit)
        rows = encode(tokenizer, texts, pairs, options, app.settings.max_tokenized)
        side = form.side or tokenizer.padding_side
        borrowed = _find_borrowed_pad_token(tokenizer, form)
        with borrow_pad_token(tokenizer, borrowed):
            pad_id = tokenizer.pad_token_id
    plans = tuple(plan_batches(rows.lengths, form.batch_size, name, limit) for name in plannable_names(limit))
    return BatchPlans(rows, plans, reader, side, limit, borrowed, pad_id)


def _find_borrowed_pad_token(tokenizer: Any, form: BatchForm) -> str | None:
    return (form.pad_token or None) if tokenizer.pad_token is None else None


def render_drawing(app: App, drawing: str, form: BatchForm) -> tuple[str, str, str]:
    """Return the table of costs, the drawing of one of DRAWINGS, and the code that gives what is drawn."""
    if drawing == TENSORS:
        return "", *_render_tensors(app, form)
    found = plan_form_batches(app, form)
    texts, pairs = form.rows()
    code = write_padding_script(
        form.tokenizer, texts, pairs, form.batch_size, found.limit, found.borrowed, app.settings
    )
    with (
        app.models.hold_tokenizer(ModelRef.parse(form.tokenizer)) as tokenizer,
        borrow_pad_token(tokenizer, found.borrowed),
    ):
        if drawing == COLLATE:
            architecture = found.reader.architecture if found.reader else None
            first = found.rows.head(form.batch_size)
            part = html.about(f"The first batch: {len(first.lengths)} of {len(found.rows.lengths)} rows.")
            return "", part + padding_view.render_collations(run_collators(tokenizer, first, architecture)), code
        error = find_tensor_error(tokenizer, found.rows)
    costs = [each.cost(found.size) for each in found.plans]
    # That unpadded rows are ragged is what the first drawing shows.
    said = [warning for warning in found.rows.warnings if warning.code != "ragged"]
    warnings = html.notes([NO_PAD_TOKEN] if found.pad_id is None else [])
    warnings += html.notes(f"{warning.message} {warning.fix}" for warning in said)
    drawn = padding_view.render_strategies(found.plans, found.rows.rows(), found.side, error)
    return warnings + padding_view.render_costs(costs), drawn, code


def _render_tensors(app: App, form: BatchForm) -> tuple[str, str]:
    """Return the drawing of one call of the tokenizer, and that call."""
    texts, pairs = form.rows()
    options, settings = form.options(), app.settings
    with app.models.hold_tokenizer(ModelRef.parse(form.tokenizer)) as tokenizer:
        drawn = tokens.render_token_rows(encode(tokenizer, texts, pairs, options, settings.max_tokenized))
        used = asdict(replace(options, pad_token=_find_borrowed_pad_token(tokenizer, form)))
    given = {name: value for name, value in used.items() if value != asdict(Options())[name]}
    return drawn, write_tokenization_script(form.tokenizer, texts, pairs, given, settings)


def build(app: App, demo: gr.Blocks, tokenizer: gr.Dropdown, model: gr.Dropdown) -> dict[str, Any]:
    """Lay the view out and return what a link restores."""
    running = RunningJobs()
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            fields, tensor_options = _build_fields(tokenizer, model)
        with gr.Column(scale=7, min_width=320):
            drawing = gr.Radio(DRAWINGS, value=DRAWINGS[0], label="Look at")
            table = gr.HTML(html.placeholder("The batches appear here."))
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
            build_copy_fold(make_records(app), [timings, *inputs])
            with gr.Accordion("Code", open=False):
                code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24)

    def show(request: gr.Request, drawing: str, *values: Any) -> tuple[Any, ...]:
        running.stop(request.session_hash)  # what is being measured is not what stands there any more
        return _show_drawing(app, drawing, dict(zip(fields, values, strict=True)))

    wires: dict[str, Any] = {**QUIET, **HEAVY}
    gr.on(
        [*(widget.change for widget in (drawing, *inputs)), demo.load],
        show,
        [drawing, *inputs],
        [table, view, code, measured, timings, measuring, tensor_options, address],
        trigger_mode="always_last",
        **wires,
    )
    measure.click(
        draw_errors(make_measure(app, running), gr.skip(), gr.skip()), inputs, [measured, table, timings], **wires
    )
    prove.click(draw_errors(make_prove(app, running)), inputs, measured, **wires)
    stop.click(running.on_stop, **PRIVATE, **LIGHT)
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


def _show_drawing(app: App, drawing: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the view shows of the values of its fields, by their names in a link."""
    # While somebody types, a sentence in its place is better than a toast.
    costs, drawn, written = draw_errors(render_drawing, "", "")(app, drawing, read_form(*values.values()))
    return (
        costs,
        drawn,
        written,
        html.about(PREDICTED),
        (),
        gr.Column(visible=drawing == EVERY_STRATEGY),
        gr.Group(visible=drawing == TENSORS),
        render_tokens_link("batch", {**values, "batch_look": drawing}),
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

    def write(timings: Sequence[Timing], *values: Any) -> list[dict[str, Any]]:
        found = plan_form_batches(app, read_form(*values))
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


def load_with_head(app: App, ref: ModelRef, tell: Progress) -> LoadedModel:
    """Return the model with the head that it was saved with: what comes out of that is what people look at."""
    task, _ = infer_task(ref, app.settings)
    return app.models.get(ref, build_need(task), tell)


def make_measure(app: App, running: RunningJobs) -> Callable[..., Iterator[tuple[Any, Any, Any]]]:
    """Return a handler that runs every plan through the model, and puts what it measures beside what was predicted."""

    def measure(request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any, Any]]:
        form = read_form(*values)
        found, ref = plan_form_batches(app, form), runnable_model(form.tokenizer, form.model)
        most = MOST_FLOPS_PUBLIC if app.settings.public else MOST_FLOPS

        def work(tell: Progress, stop: Event) -> tuple[LoadedModel, Sequence[Timing]]:
            loaded = load_with_head(app, ref, tell)
            rows = found.rows.columns["input_ids"]
            with app.models.scheduler.exclusive():
                return loaded, time_plans(loaded, rows, found.plans, stop, tell, pad_id=found.pad_id, most_flops=most)

        for said, result in follow_job(running, request.session_hash, work):
            if result is None:
                yield said, gr.skip(), gr.skip()
                continue
            loaded, timings = result
            costs = padding_view.render_costs([each.cost(found.size) for each in found.plans], timings)
            runs = f"{timings[0].runs} runs after {timings[0].warmups} to warm up"
            yield html.facts([("model", str(ref)), ("device", str(loaded.device)), ("each", runs)]), costs, timings

    return measure


def make_prove(app: App, running: RunningJobs) -> Callable[..., Iterator[Any]]:
    """Return a handler that shows what padding does to the shortest row, with the mask and without."""

    def prove(request: gr.Request, *values: Any) -> Iterator[Any]:
        form = read_form(*values)
        found, ref = plan_form_batches(app, form), runnable_model(form.tokenizer, form.model)
        rows = found.rows.columns["input_ids"]
        width = max(batch.width for each in found.plans for batch in each.batches)

        def work(tell: Progress, stop: Event) -> MaskEffect:
            loaded = load_with_head(app, ref, tell)
            with app.models.scheduler.exclusive():
                return measure_mask_effect(loaded, min(rows, key=len), width, found.side, found.pad_id)

        for said, result in follow_job(running, request.session_hash, work):
            yield said if result is None else padding_view.render_proof(result)

    return prove
