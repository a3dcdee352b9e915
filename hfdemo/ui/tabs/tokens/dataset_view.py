"""The view A data set: how long its rows are, what padding costs over all of it, and what to take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES, DatasetSource, outline_dataset
from hfdemo.data_sources.formats import FORMATS
from hfdemo.errors import DataError
from hfdemo.models.hub import Progress
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.dataset_map import MapTiming, time_dataset_map
from hfdemo.tokenization.length_report import DatasetReport, LengthReport, report_dataset
from hfdemo.tokenization.padding import LONGEST_IN_BATCH, trainable_names
from hfdemo.ui import html
from hfdemo.ui.deep_links import render_tokens_link
from hfdemo.ui.event_handling import LATEST, PRIVATE, QUIET, RunningJobs, draw_errors, follow_job
from hfdemo.ui.read_options import build_read_options, parse_read_options, render_reading
from hfdemo.ui.tabs.tokens import length_view, padding_view
from hfdemo.ui.tabs.tokens.copy_fold import build_copy_fold

ABOUT = (
    "Before a data set is padded: how long its rows are, what a `max_length` would cut, and what each strategy costs "
    "over all of it, batched by a collator as in training. `Dataset.map(tokenize, batched=True)`, "
    "`DataCollatorWithPadding`"
)
MAP_ABOUT = (
    "With `batched=True` the tokenizer's Rust core gets a thousand rows at a time and uses every core; without it, "
    "Python calls it row by row. What map returns is written to Arrow files beside the data and memory-mapped when it "
    "is read, so that a data set larger than the memory will do."
)
NO_COLUMN = "(none)"


@dataclass(frozen=True)
class DatasetChoice:
    """What this view can send to the tab Fine-tune when `button` is pressed: the components that hold it."""

    button: gr.Button
    file: gr.File
    dataset: gr.Dropdown
    text: gr.Dropdown
    pair: gr.Dropdown
    tokenizer: gr.Dropdown
    model: gr.Dropdown
    padding: gr.Dropdown
    max_length: gr.Number
    batch_size: gr.Number


# The fields of the view by their names in a link; the file and what all views have in common are not among them.
LINKED = (
    "dataset",
    "dataset_config",
    "dataset_split",
    "text_column",
    "pair_column",
    "set_batch_size",
    "set_max_length",
)


@dataclass(frozen=True)
class DatasetForm:
    """What stands in the view's fields, in their order."""

    file: Any
    encoding: str
    header: str
    dataset: str
    config: str
    split: str
    text: str
    pair: str
    tokenizer: str
    model: str
    batch_size: int
    max_length: int

    @property
    def source(self) -> DatasetSource:
        """Where the data set is."""
        return _find_source(self.file, self.encoding, self.header, self.dataset, self.config, self.split)

    @property
    def columns(self) -> tuple[str | None, str | None]:
        """The columns that are asked for; None where they are to be guessed, "" where there is to be no pair."""
        return self.text or None, "" if self.pair == NO_COLUMN else self.pair

    @property
    def link_values(self) -> dict[str, Any]:
        """The values by their names in a link."""
        own = (self.dataset, self.config, self.split, self.text, self.pair, self.batch_size, self.max_length)
        return {**dict(zip(LINKED, own, strict=True)), "tokenizer": self.tokenizer, "model": self.model}


def build(
    app: App, demo: gr.Blocks, opened: Any, tokenizer: gr.Dropdown, model: gr.Dropdown
) -> tuple[dict[str, Any], DatasetChoice]:
    """Lay the view out, to be counted when it is `opened`; return what a link restores and what Fine-tune can get."""
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            of_file, fields = _build_fields(app)
            with gr.Row():
                count = gr.Button("Count", variant="primary", min_width=100)
                stop = gr.Button("Stop", min_width=70)
        with gr.Column(scale=7, min_width=320):
            reading, progress = gr.HTML(), gr.HTML()
            view = gr.HTML(html.placeholder("Histogram, percentiles and the cost of every strategy appear here."))
            with gr.Row(visible=False) as sending:
                padding = gr.Dropdown(
                    list(trainable_names()), value=LONGEST_IN_BATCH.name, label="Padding to train with", min_width=160
                )
                cut = gr.Number(
                    0, label="max_length to train with", info="0: the model's limit", precision=0, min_width=140
                )
                send = gr.Button("Use this in Fine-tune", variant="primary", min_width=170)
            address = gr.HTML()
            kept = gr.State(None)
            build_copy_fold(demo, _write_records, [kept])
            with gr.Accordion("map(batched=True) against row by row", open=False):
                gr.HTML(html.about(MAP_ABOUT))
                measure = gr.Button("Measure on this data", size="md")
                mapped = gr.HTML()
    (file, encoding, header), (dataset, config, split, text, pair, size, length) = of_file, fields
    inputs = [*of_file, dataset, config, split, text, pair, tokenizer, model, size, length]
    outputs = [progress, view, sending, padding, cut, kept, address]
    handlers = DatasetEvents(app)
    gone = (
        "",
        gr.update(visible=False),
        gr.skip(),
        gr.skip(),
        None,
        "",
    )  # a report of other data would look like its own
    counted: Callable[..., Any] = draw_errors(handlers.count, *gone)
    wires: dict[str, Any] = {**LATEST, **HEAVY}
    gr.on(
        [
            *(dataset.input, file.upload, file.clear, encoding.input, header.input),
            *(opened, config.submit, split.submit),
        ],
        draw_errors(handlers.guess_columns, gr.update(choices=[], value=None), gr.skip()),
        [*of_file, dataset, config, split],
        [reading, text, pair],
        **wires,
    ).then(counted, inputs, outputs, **wires)
    changed = [count.click, text.input, pair.input, tokenizer.change, model.change]
    gr.on(changed, counted, inputs, outputs, **wires)
    measure.click(draw_errors(handlers.measure_map), inputs, mapped, **QUIET, **HEAVY)
    stop.click(handlers.running.on_stop, **PRIVATE, **LIGHT)
    demo.unload(handlers.running.on_unload)
    linked = dict(zip(LINKED, fields, strict=True))
    return linked, DatasetChoice(send, file, dataset, text, pair, tokenizer, model, padding, cut, size)


def _build_fields(app: App) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Lay out what is counted and how; return the file with how it is read, and the fields in LINKED."""
    dataset = gr.Dropdown(
        list(EXAMPLE_NAMES),
        value=EXAMPLE_NAMES[0],
        label="Data set",
        info="an example or a Hub id" + ("" if app.settings.public else ", or a path (/… ./… ~…)"),
        allow_custom_value=True,
    )
    with gr.Row():
        config = gr.Textbox(label="Configuration", info="of a Hub data set", min_width=120)
        split = gr.Textbox(label="Split", info="empty: all of them", min_width=120)
    file = gr.File(label="Your own CSV, JSON, Excel, Parquet or text file", file_types=[*FORMATS], height=130)
    with gr.Accordion("How it is read", open=False):
        options = build_read_options()
    with gr.Row():
        text = gr.Dropdown([], label="Text column", allow_custom_value=True, min_width=140)
        pair = gr.Dropdown([NO_COLUMN], value=NO_COLUMN, label="Second text column", min_width=140)
    with gr.Row():
        size = gr.Number(16, label="Batch size", precision=0, minimum=1, min_width=100)
        length = gr.Number(0, label="max_length", info="0: the model's limit", precision=0, min_width=100)
    return (file, *options), (dataset, config, split, text, pair, size, length)


def _find_source(file: Any, encoding: str, header: str, dataset: str, config: str, split: str) -> DatasetSource:
    """Return where a data set is and how its files are read, of what stands in the fields."""
    options = parse_read_options(encoding, header)
    return DatasetSource(dataset or "", uploaded_path(file), config or None, split or None, options)


class DatasetEvents:
    """What the events of the view do."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.running = RunningJobs()

    def guess_columns(self, request: gr.Request, *given: Any) -> tuple[Any, ...]:
        """Guess the columns of a data set that has been chosen; `given` is what `_find_source` takes."""
        source = _find_source(*given)
        stop = self.running.begin(request.session_hash)
        try:
            found = self.app.engine.call(outline_dataset, source, self.app.settings, stop)
        except DataError:  # the count that follows says why
            return "", gr.update(choices=[], value=None), gr.skip()
        return (
            render_reading(found.rows, found.columns, found.reading, found.notes),
            gr.update(choices=list(found.columns), value=found.text),
            gr.update(choices=[NO_COLUMN, *found.columns], value=found.pair or NO_COLUMN),
        )

    def count(self, request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Count the tokens of every row, and yield how far it is and then the report."""
        form, app = DatasetForm(*values), self.app

        def work(tell: Progress, stop: Event) -> DatasetReport:
            return app.engine.call(
                report_dataset,
                form.source,
                form.columns,
                ModelRef.parse(form.tokenizer),
                ModelRef.parse(form.model or form.tokenizer),
                int(form.batch_size or 0),
                int(form.max_length or 0) or None,
                app.settings,
                stop=stop,
                tell=tell,
            )

        nothing = (gr.skip(),) * 6
        for now, result in follow_job(self.running, request.session_hash, work):
            if result is None:
                yield (now, *nothing)
                continue
            advised = result.lengths.recommended
            yield (
                _render_facts(form, result),
                html.notes(result.warnings) + length_view.render_report(result.lengths),
                gr.Row(visible=True),
                advised.padding,
                advised.max_length or 0,
                result.lengths,
                render_tokens_link("dataset", form.link_values),
            )

    def measure_map(self, request: gr.Request, *values: Any) -> Iterator[Any]:
        """Map the rows twice, and yield how far it is and then both times."""
        form, app = DatasetForm(*values), self.app

        def work(tell: Progress, stop: Event) -> MapTiming:
            # Made and removed here: whatever ends the work, nothing of it is left.
            with TemporaryDirectory() as folder:
                return app.engine.call(
                    time_dataset_map,
                    *(form.source, form.columns, ModelRef.parse(form.tokenizer), Path(folder), app.settings),
                    stop=stop,
                    tell=tell,
                )

        for now, result in follow_job(self.running, request.session_hash, work):
            yield now if result is None else length_view.render_map_trial(result)


def _write_records(report: LengthReport | None, stop: Event | None = None) -> list[dict[str, Any]]:
    """Return the cost table of a report as rows to copy."""
    return padding_view.cost_records(report.strategies) if report else []


def _render_facts(form: DatasetForm, found: DatasetReport) -> str:
    """Render what was counted, and how fast."""
    counted = found.lengths
    tokens = sum(length * rows for length, rows in counted.lengths)
    return html.facts(
        [
            ("data", path.name if (path := uploaded_path(form.file)) else form.dataset),
            ("rows", f"{counted.rows:,}"),
            ("tokens", f"{tokens:,}"),
            ("counted in", f"{found.seconds:.2f} s"),
            ("rows a second", f"{counted.rows / found.seconds:,.0f}"),
            ("tokenizer", form.tokenizer),
        ]
    )
