"""The tab See the tokens: one text, a batch under every padding strategy, a whole data set."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from types import MappingProxyType
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import LIGHT, TRAINING
from hfdemo.api.uploads import served_folder, uploaded_path
from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import list_offline_models, list_offline_tokenizers
from hfdemo.models.processors import retrain_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.tokenizer_training import ALGORITHMS
from hfdemo.models.trained_tokenizers import archive_tokenizer, import_tokenizer, train_from_file
from hfdemo.ui import html
from hfdemo.ui.deep_links import keep_known, read_tokens_query
from hfdemo.ui.event_handling import PRIVATE, QUICK, QUIET, RunningJobs, follow_look, toast_errors, when_opened
from hfdemo.ui.page_state import PageState, find_upload, read_kept
from hfdemo.ui.tabs.tokens import batch_view, dataset_view, text_view
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

ABOUT = (
    "The tokenizer cuts text into pieces of its vocabulary and looks up their ids; padding makes the rows of a batch "
    "equally long so that they fit one tensor; the attention mask tells the model which positions are real. "
    '`tokenizer(texts, padding=True, truncation=True, return_tensors="pt")`'
)
# What of a link names files, which may be anybody's, and what it is called.
REFERENCES = MappingProxyType({"tokenizer": "tokenizer", "model": "model", "dataset": "data set"})
OWN = "(the tokenizer's own)"
LIKE = "like the one above"


def build(app: App, demo: gr.Blocks, tabs: gr.Tabs, opened: Any, page: PageState) -> DatasetChoice:
    """Lay the tab out, to be drawn when it is `opened`; return what its data set view can send to Fine-tune."""
    gr.HTML(html.about(ABOUT))
    with gr.Row():
        tokenizer = gr.Dropdown(
            list_offline_tokenizers(app.settings),
            value="embedded:minilm",
            label="Tokenizer",
            info="any model, or tokenizer:wordpiece, :bpe, :unigram, :bytes",
            allow_custom_value=True,
            min_width=280,
        )
        model = gr.Dropdown(
            [(OWN, ""), *list_offline_models(app.settings)],
            value="",
            label="Model that reads the tokens",
            info="its size and its positions count; it is what is measured",
            allow_custom_value=True,
            min_width=280,
        )
    foreign = ForeignReferences(app)
    with gr.Accordion("Train a tokenizer on a text of yours, or bring one", open=False):
        _build_training(app, demo, tokenizer)
        _build_files(app, tokenizer)
    with gr.Tabs() as views:
        with gr.Tab("One text", id="text") as first:
            linked = text_view.build(app, demo, opened, tokenizer, model)
        with gr.Tab("A batch", id="batch") as second:
            linked |= batch_view.build(app, demo, when_opened(second), tokenizer, model)
        with gr.Tab("A data set", id="dataset") as third:
            more, chosen = dataset_view.build(app, demo, when_opened(third), tokenizer, model)
    for view in (first, second, third):
        view.select(None, js=f"hfdemo.nameView({json.dumps(view.id)})", **PRIVATE)
    linked |= {"tokenizer": tokenizer, "model": model, **more}
    kinds = {name: _value_type(component) for name, component in linked.items()}

    def follow_link(kept: str | None, request: gr.Request) -> dict[Any, Any]:
        """Open the tab as the address of the page asks for, with what was `kept` of it before it was loaded again."""
        asked, held = read_tokens_query(dict(request.query_params), kinds), read_kept(kept)[1]
        view, values = asked or ("", {})
        values |= keep_known(held, kinds)
        shown = {tabs: gr.Tabs(selected="tokens"), views: gr.Tabs(selected=view)} if asked else {tabs: gr.skip()}
        path, gone = find_upload(held.get("file"))
        if gone:
            gr.Info(gone, title="See the tokens")
        if path is not None:
            shown[chosen.file] = path
        if not values:
            return shown
        return {**shown, **foreign.hold_back(values), **{linked[name]: value for name, value in values.items()}}

    outputs = [tabs, views, chosen.file, *foreign.outputs, *linked.values()]
    demo.load(follow_link, page.recalled, outputs, js=page.recall("tokens"), **QUICK)
    page.keep("tokens", {**linked, "file": chosen.file})
    foreign.use_in(linked)
    tokenizer.focus(lambda: gr.update(choices=list_offline_tokenizers(app.settings)), outputs=tokenizer, **QUICK)
    model.focus(lambda: gr.update(choices=[(OWN, ""), *list_offline_models(app.settings)]), outputs=model, **QUICK)
    return chosen


class ForeignReferences:
    """What an address names and nobody here has asked for: it is not read before a person says so."""

    def __init__(self, app: App) -> None:
        self.app = app
        with gr.Row(visible=False) as self.row:
            self.note = gr.HTML()
            self.use = gr.Button("Use what the address names", size="sm", min_width=200)
        self.held = gr.State({})
        self.outputs = [self.row, self.note, self.held]

    def hold_back(self, values: dict[str, Any]) -> dict[Any, Any]:
        """Take what may be foreign out of `values`, and return what the page shows in its place."""
        held = {name: values.pop(name) for name in REFERENCES if not self._is_trusted(name, values.get(name))}
        named = " and ".join(f"the {REFERENCES[name]} {reference}" for name, reference in held.items())
        note = html.notes([f"The address of this page names {named}. Nothing of it has been read yet."])
        return {self.row: gr.Row(visible=bool(held)), self.note: note, self.held: held}

    def use_in(self, components: Mapping[str, Any]) -> None:
        """Wire the button: what was held back is filled in."""
        self.use.click(
            lambda held: (gr.Row(visible=False), *(held.get(name, gr.skip()) for name in REFERENCES)),
            self.held,
            [self.row, *(components[name] for name in REFERENCES)],
            **QUICK,
        )

    def _is_trusted(self, name: str, reference: str | None) -> bool:
        if name == "dataset":
            return not reference or reference in EXAMPLE_NAMES
        try:
            return not reference or self.app.engine.call(
                ModelCache.is_trusted, self.app.models, ModelRef.parse(reference)
            )
        except DemoError:  # what is no reference is said where it is read
            return True


def _value_type(component: Any) -> type | tuple[type, ...]:
    """Return what a link may set a component to."""
    if isinstance(component, gr.Checkbox):
        return bool
    return (int, float) if isinstance(component, gr.Number | gr.Slider) else str


def _build_training(app: App, demo: gr.Blocks, tokenizer: gr.Dropdown) -> None:
    """Lay out the training of a tokenizer on a text file; what is trained is chosen at once."""
    gr.HTML(
        html.about(
            "The algorithms start from the same text and end with different pieces. What is trained is kept under the "
            "name that it then has above: `tokenizer.train_from_iterator(lines, trainer)`. One that is like the "
            "tokenizer above has all of it but the vocabulary: `old.train_new_from_iterator(lines, size)`."
        )
    )
    with gr.Row():
        file = gr.File(label="A text file, one sentence or paragraph a line", file_types=["text"], height=120)
        algorithm = gr.Radio([*ALGORITHMS, LIKE], value=ALGORITHMS[1], label="Algorithm")
        vocabulary = gr.Slider(100, 10_000, 1000, step=100, label="Vocabulary", info="most tokens it may have")
        with gr.Column(min_width=100):
            start = gr.Button("Train", variant="primary")
            stop = gr.Button("Stop")
    trained = gr.HTML()
    running = RunningJobs()
    start.click(
        toast_errors(make_train(app, running)),
        [file, algorithm, vocabulary, tokenizer],
        [tokenizer, trained],
        **QUIET,
        **TRAINING,
    )
    stop.click(running.on_stop, **PRIVATE, **LIGHT)
    demo.unload(running.on_unload)


def _build_files(app: App, tokenizer: gr.Dropdown) -> None:
    """Lay out the way in and out for tokenizers as files: what is brought along is chosen at once."""
    gr.HTML(html.about("A tokenizer is one file. `Tokenizer.from_file(path)`, `tokenizer.save_pretrained(folder)`"))
    with gr.Row():
        brought = gr.UploadButton("Bring a tokenizer.json", file_types=[".json"], size="sm")
        download = gr.Button("Download the chosen tokenizer", size="sm")
    said = gr.HTML()
    out = gr.File(label="The tokenizer's files", visible=False, interactive=False)

    def bring(file: Any) -> tuple[Any, Any]:
        path = uploaded_path(file)
        if path is None:
            raise DemoError("No file arrived. Choose a tokenizer.json.")
        ref = app.engine.call(import_tokenizer, path, app.settings)
        known = app.engine.call(ModelCache.count_vocabulary, app.models, ref)
        return choose_tokenizer(app, str(ref)), html.about(f"`{ref}` has {known:,} tokens and is chosen above.")

    def pack(reference: str) -> Any:
        folder = served_folder("results") / secrets.token_hex(8)
        path = app.engine.call(archive_tokenizer, ModelRef.parse(reference), folder, app.settings)
        return gr.update(value=str(path), visible=True)

    brought.upload(toast_errors(bring), brought, [tokenizer, said], **QUIET, **LIGHT)
    download.click(toast_errors(pack), tokenizer, out, **QUIET, **LIGHT)


def choose_tokenizer(app: App, reference: str) -> Any:
    """Return the update that chooses a tokenizer which has just come, and offers it first."""
    return gr.update(choices=list(dict.fromkeys([reference, *list_offline_tokenizers(app.settings)])), value=reference)


def make_train(app: App, running: RunningJobs) -> Callable[..., Iterator[tuple[Any, Any]]]:
    """Return a handler that trains a tokenizer on an uploaded text, and chooses it."""

    def train(
        request: gr.Request, file: Any, algorithm: str, vocabulary: float, chosen: str = ""
    ) -> Iterator[tuple[Any, Any]]:
        path = uploaded_path(file)
        if path is None:
            raise DemoError("There is no text file yet. Choose one on the left, then press Train.")

        def work(stop: Event) -> tuple[str, int]:
            size, settings = int(vocabulary), app.settings
            if algorithm == LIKE:
                ref = app.engine.call(retrain_tokenizer, ModelRef.parse(chosen), path, size, settings, stop)
            else:
                ref = app.engine.call(train_from_file, path, algorithm, size, settings, stop)
            return str(ref), app.engine.call(ModelCache.count_vocabulary, app.models, ref)

        for said, result, _ in follow_look(running, request.session_hash, work):
            if result is None:
                yield gr.skip(), said
                continue
            reference, known = result
            told = f"`{reference}` has {known:,} tokens"
            if known < vocabulary:
                told += f", fewer than {vocabulary:,.0f}: the text has no more pieces that are worth learning"
            yield choose_tokenizer(app, reference), html.about(f"{told}.")

    return train
