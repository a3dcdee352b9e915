"""The tab See the tokens: one text, a batch under every padding strategy, a whole data set."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.endpoints import TRAINING
from hfdemo.api.uploads import uploaded_path
from hfdemo.errors import DemoError
from hfdemo.models.folders import list_offline_models, list_offline_tokenizers
from hfdemo.models.reference import ModelRef
from hfdemo.models.trained_tokenizers import ALGORITHMS, train_from_file
from hfdemo.ui import html
from hfdemo.ui.deep_links import read_tokens_query
from hfdemo.ui.event_handling import PRIVATE, QUICK, toast_errors
from hfdemo.ui.tabs.tokens import batch_view, dataset_view, text_view
from hfdemo.ui.tabs.tokens.dataset_view import DatasetChoice

ABOUT = (
    "The tokenizer cuts text into pieces of its vocabulary and looks up their ids; padding makes the rows of a batch "
    "equally long so that they fit one tensor; the attention mask tells the model which slots are real. "
    '`tokenizer(texts, padding=True, truncation=True, return_tensors="pt")`'
)
OWN = "(the tokenizer's own)"


def build(app: App, demo: gr.Blocks, tabs: gr.Tabs) -> DatasetChoice:
    """Lay the tab out; returns what its data set view can send to the tab Fine-tune."""
    settings = app.settings
    gr.HTML(html.about(ABOUT))
    with gr.Row():
        tokenizer = gr.Dropdown(
            list_offline_tokenizers(settings),
            value="embedded:minilm",
            label="Tokenizer",
            info="any model, or tokenizer:wordpiece, :bpe, :unigram, :bytes",
            allow_custom_value=True,
            min_width=280,
        )
        model = gr.Dropdown(
            [(OWN, ""), *list_offline_models(settings)],
            value="",
            label="Model that reads the tokens",
            info="its size and its positions count; it is what is measured",
            allow_custom_value=True,
            min_width=280,
        )
    with gr.Accordion("Train a tokenizer on a text of yours", open=False):
        _build_training(app, tokenizer)
    with gr.Tabs() as views:
        with gr.Tab("One text", id="text"):
            linked = text_view.build(app, demo, tokenizer, model)
        with gr.Tab("A batch", id="batch"):
            linked |= batch_view.build(app, demo, tokenizer, model)
        with gr.Tab("A data set", id="dataset"):
            more, chosen = dataset_view.build(app, demo, tokenizer, model)
    linked |= {"tokenizer": tokenizer, "model": model, **more}
    kinds = {name: _value_type(component) for name, component in linked.items()}

    def follow_link(request: gr.Request) -> dict[Any, Any]:
        asked = read_tokens_query(dict(request.query_params), kinds)
        if asked is None:
            return {tabs: gr.skip()}
        view, values = asked
        return {
            tabs: gr.Tabs(selected="tokens"),
            views: gr.Tabs(selected=view),
            **{linked[name]: value for name, value in values.items()},
        }

    demo.load(follow_link, outputs=[tabs, views, *linked.values()], **QUICK)
    tokenizer.focus(lambda: gr.update(choices=list_offline_tokenizers(settings)), outputs=tokenizer, **QUICK)
    model.focus(lambda: gr.update(choices=[(OWN, ""), *list_offline_models(settings)]), outputs=model, **QUICK)
    return chosen


def _value_type(component: Any) -> type | tuple[type, ...]:
    """Return what a link may set a component to."""
    if isinstance(component, gr.Checkbox):
        return bool
    return (int, float) if isinstance(component, gr.Number | gr.Slider) else str


def _build_training(app: App, tokenizer: gr.Dropdown) -> None:
    """Lay out the training of a tokenizer on a text file; what is trained is chosen at once."""
    gr.HTML(
        html.about(
            "All three algorithms start from the same text and end with different pieces. What is trained is kept "
            "under the name that it then has above. `tokenizer.train_from_iterator(lines, trainer)`"
        )
    )
    with gr.Row():
        file = gr.File(label="A text file, one sentence or paragraph a line", file_types=["text"], height=120)
        algorithm = gr.Radio(ALGORITHMS, value=ALGORITHMS[1], label="Algorithm")
        vocabulary = gr.Slider(100, 10_000, 1000, step=100, label="Vocabulary", info="most tokens it may have")
        start = gr.Button("Train", variant="primary", min_width=100)
    trained = gr.HTML()

    def train(file: Any, algorithm: str, vocabulary: float) -> Any:
        path = uploaded_path(file)
        if path is None:
            raise DemoError("There is no text file yet. Choose one on the left, then press Train.")
        reference = str(train_from_file(path, algorithm, int(vocabulary), app.settings))
        choices = list(dict.fromkeys([reference, *list_offline_tokenizers(app.settings)]))
        with app.models.hold_tokenizer(ModelRef.parse(reference)) as made:
            said = f"`{reference}` has {len(made):,} tokens"
        if len(made) < vocabulary:
            said += f", fewer than {vocabulary:,.0f}: a piece has to occur twice to be learned"
        return gr.update(choices=choices, value=reference), html.about(f"{said}.")

    start.click(
        toast_errors(train),
        [file, algorithm, vocabulary],
        [tokenizer, trained],
        **PRIVATE,
        **TRAINING,
    )
