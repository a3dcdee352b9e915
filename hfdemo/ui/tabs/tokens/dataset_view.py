"""The view A data set: how long its rows are, what padding costs over all of it, and what to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.api.uploads import uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES, Corpus, likely_columns, read_corpus
from hfdemo.models.hub import Progress
from hfdemo.models.model_facts import model_facts
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.dataset_map import try_map
from hfdemo.tokenization.length_report import Report, report_on
from hfdemo.tokenization.padding import LONGEST_IN_BATCH, trainable_names
from hfdemo.ui import html
from hfdemo.ui.event_options import PRIVATE, QUIET, draw_errors
from hfdemo.ui.jobs import RunningJobs, follow_job
from hfdemo.ui.tabs.tokens import length_view, padding_view
from hfdemo.ui.tabs.tokens.links import link_line
from hfdemo.ui.tabs.tokens.view_parts import copy_fold, reader_of

ABOUT = (
    "Before a data set is padded: how long its rows are, what a `max_length` would cut, and what each strategy costs "
    "over all of it, batched as training does. `Dataset.map(tokenize, batched=True)`, `DataCollatorWithPadding`"
)
MAP_ABOUT = (
    "With `batched=True` the tokenizer's Rust core gets a thousand rows at a time and uses every core; without it, "
    "Python calls it row by row. What map returns is written to Arrow files beside the data and memory-mapped when it "
    "is read, so that a data set larger than the memory will do."
)
NO_COLUMN = "(none)"


@dataclass(frozen=True)
class Chosen:
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


@dataclass(frozen=True)
class Data:
    """The texts that were chosen, row by row."""

    texts: list[str]
    pairs: list[str] | None


def build(app: App, demo: gr.Blocks, tokenizer: gr.Dropdown, model: gr.Dropdown) -> tuple[dict[str, Any], Chosen]:
    """Lay the view out; returns what a link restores, and what can be sent to Fine-tune."""
    running = RunningJobs()
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
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
            file = gr.File(label="Your own CSV, with a header line", file_types=[".csv", ".tsv", ".txt"], height=130)
            with gr.Row():
                text = gr.Dropdown([], label="Text column", allow_custom_value=True, min_width=140)
                pair = gr.Dropdown([NO_COLUMN], value=NO_COLUMN, label="Second text column", min_width=140)
            with gr.Row():
                size = gr.Number(16, label="Batch size", precision=0, minimum=1, min_width=100)
                length = gr.Number(0, label="max_length", info="0: the model's limit", precision=0, min_width=100)
            with gr.Row():
                count = gr.Button("Count", variant="primary", min_width=100)
                stop = gr.Button("Stop", min_width=70)
        with gr.Column(scale=7, min_width=320):
            said = gr.HTML()
            view = gr.HTML(html.empty("Histogram, percentiles and the cost of every strategy will stand here."))
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
            copy_fold(lambda report: padding_view.records(report.strategies) if report else [], [kept])
            with gr.Accordion("map(batched=True) against row by row", open=False):
                gr.HTML(html.about(MAP_ABOUT))
                measure = gr.Button("Measure on this data", size="md")
                mapped = gr.HTML()
    chosen = [file, dataset, config, split]
    inputs = [*chosen, text, pair, tokenizer, model, size, length]
    names = (
        "dataset",
        "dataset_config",
        "dataset_split",
        "text_column",
        "pair_column",
        "set_batch_size",
        "set_max_length",
    )
    linked = dict(zip(names, (dataset, config, split, text, pair, size, length), strict=True))

    def corpus_of(
        file: Any, dataset: str, config: str, split: str, *_: Any, progress: Progress | None = None
    ) -> Corpus:
        path = uploaded_path(file)
        return read_corpus(dataset or "", app.settings, path, config or None, split or None, progress)

    def look(*values: Any) -> tuple[Any, ...]:
        """A data set has been chosen: guess its columns, or say what is wrong with it."""
        corpus = corpus_of(*values)
        table = corpus.whole()
        columns = list(table.columns)
        text, pair = likely_columns(table)
        about = html.about(f"{len(table):,} rows with the columns {', '.join(columns)}.") + html.notes(corpus.notes)
        return (
            about,
            gr.update(choices=columns, value=text),
            gr.update(choices=[NO_COLUMN, *columns], value=pair or NO_COLUMN),
        )

    def data_of(*values: Any, progress: Progress | None = None) -> Data:
        text, pair = values[4:6]
        table = corpus_of(*values, progress=progress).whole()
        first, second = likely_columns(table, text or None, "" if pair == NO_COLUMN else pair)
        return Data(list(table[first]), list(table[second]) if second else None)

    def report(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        reference, read_by, batch_size, max_length = values[6:]
        reader = model_facts(reader_of(reference, read_by), app.settings)

        def work(tell: Progress, stop: Event) -> tuple[Report, float]:
            data = data_of(*values[:6], progress=tell)
            # A copy of its own: nobody who types has to wait until a whole data set is counted.
            own = load_tokenizer(ModelRef.parse(reference), app.settings)
            started = time.perf_counter()
            found = report_on(
                own,
                data.texts,
                data.pairs,
                reader,
                int(batch_size or 0),
                int(max_length or 0) or None,
                public=app.settings.public,
                stop=stop,
                tell=lambda done, whole: tell("Rows counted", done, whole),
            )
            return found, time.perf_counter() - started

        nothing = (gr.skip(),) * 6
        for now, result in follow_job(running, request.session_hash, work):
            if result is None:
                yield (now, *nothing)
                continue
            found, seconds = result
            tokens = sum(length * rows for length, rows in found.lengths)
            facts = html.facts(
                [
                    ("data", path.name if (path := uploaded_path(values[0])) else values[1]),
                    ("rows", f"{found.rows:,}"),
                    ("tokens", f"{tokens:,}"),
                    ("counted in", f"{seconds:.2f} s"),
                    ("rows a second", f"{found.rows / seconds:,.0f}"),
                    ("tokenizer", reference),
                ]
            )
            taken = found.recommended
            yield (
                facts,
                length_view.report(found),
                gr.Row(visible=True),
                taken.padding,
                taken.max_length or 0,
                found,
                link_line("dataset", dict(zip(names, [*values[1:6], *values[8:]], strict=True)) | shared(*values[6:8])),
            )

    def tried(request: gr.Request, *values: Any) -> Iterator[Any]:
        def work(tell: Progress, stop: Event) -> Any:
            data = data_of(*values[:6])
            tell("Mapping twice", 0, len(data.texts))
            own = load_tokenizer(ModelRef.parse(values[6]), app.settings)
            with TemporaryDirectory() as folder:
                return try_map(own, data.texts, data.pairs, Path(folder), stop)

        for now, result in follow_job(running, request.session_hash, work):
            yield now if result is None else length_view.trial(result)

    outputs = [said, view, sending, padding, cut, kept, address]
    counted: Callable[..., Any] = draw_errors(report, *[gr.skip()] * (len(outputs) - 1))
    gr.on(
        [dataset.input, file.upload, file.clear, demo.load, config.submit, split.submit],
        draw_errors(look, gr.update(choices=[], value=None), gr.skip()),
        chosen,
        [said, text, pair],
        **QUIET,
        **HEAVY,
    ).then(counted, inputs, outputs, **QUIET, **HEAVY)
    gr.on(
        [count.click, text.input, pair.input, tokenizer.change, model.change],
        counted,
        inputs,
        outputs,
        **QUIET,
        **HEAVY,
    )
    measure.click(draw_errors(tried), inputs, mapped, **QUIET, **HEAVY)
    stop.click(running.on_stop, **PRIVATE, **LIGHT)

    demo.unload(running.on_unload)
    return linked, Chosen(send, file, dataset, text, pair, tokenizer, model, padding, cut, size)


def shared(tokenizer: str, model: str) -> dict[str, str]:
    """What all views of the tab have in common, as a link names it."""
    return {"tokenizer": tokenizer, "model": model}
