"""The tab See the tokens: a batch of texts as the tensors that the model gets."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import gradio as gr

from hfdemo.api import HEAVY, LIGHT, Endpoints
from hfdemo.errors import DemoError
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import offline_choices
from hfdemo.snippets import tokenization_script
from hfdemo.tokenization.encoding import Options, encode
from hfdemo.tokenization.padding import Waste
from hfdemo.ui import batches, html

ABOUT = (
    "The tokenizer cuts text into pieces of its vocabulary and looks up their ids; padding makes the rows of a batch "
    "equally long so that they fit one tensor, and the attention mask tells the model which slots are real. "
    '`tokenizer(texts, padding=True, truncation=True, return_tensors="pt")`'
)
TEXTS = "The ferry leaves at seven.\nUnbelievably, tokenizers split rare words like “gastroenterologist”.\nWhy?"
PADDINGS = [("True: to the longest of the batch", True), ("False", False), ('"max_length"', "max_length")]


def build(endpoints: Endpoints, demo: gr.Blocks) -> None:
    """Lay the tab out; it is filled when `demo` is opened."""
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            texts = gr.Textbox(TEXTS, label="Texts", info="one per line: each line is a row of the batch", lines=5)
            pairs = gr.Textbox(label="Second texts", info="optional, one per line: the pair of each text", lines=2)
            tokenizer = gr.Dropdown(
                offline_choices(endpoints.settings),
                value="embedded:minilm",
                label="Tokenizer",
                info="the same references as in Run a model",
                allow_custom_value=True,
            )
            padding = gr.Radio(PADDINGS, value=True, label="padding")
            with gr.Row():
                truncation = gr.Checkbox(False, label="truncation", min_width=120)
                max_length = gr.Number(0, label="max_length", info="0: the tokenizer's own", precision=0, min_width=140)
            with gr.Accordion("More arguments", open=False):
                special = gr.Checkbox(True, label="add_special_tokens")
                side = gr.Radio([("as the tokenizer says", ""), "left", "right"], value="", label="padding_side")
                multiple = gr.Number(
                    0, label="pad_to_multiple_of", info="8 or 64 suit some accelerators; 0: none", precision=0
                )
        with gr.Column(scale=7, min_width=320):
            view = gr.HTML(html.empty("The batch will stand here."))
            with gr.Accordion("Code", open=False):
                code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24)

    def show(*values: Any) -> tuple[str, str]:
        try:
            return draw(*values)
        except DemoError as error:  # while somebody types, a sentence in its place is better than a toast
            return html.notes([str(error)]), ""

    def draw(
        texts: str,
        pairs: str,
        tokenizer: str,
        padding: bool | str,
        truncation: bool,
        max_length: int | None,
        special: bool,
        side: str,
        multiple: int | None,
    ) -> tuple[str, str]:
        batch, seconds = _rows(texts, pairs)
        if not batch:
            return html.empty("Type a text on the left: each line becomes a row."), ""
        options = Options(
            padding,
            truncation,
            max_length or None,
            pad_to_multiple_of=multiple or None,
            padding_side=side or None,
            add_special_tokens=special,
        )
        with endpoints.models.tokenizer(ModelRef.parse(tokenizer)) as loaded:
            encoding = encode(loaded, batch, seconds, options, endpoints.settings.max_characters)
        slots = sum(len(ids) for ids in encoding.columns["input_ids"])
        given: dict[str, Any] = {"padding": padding, "truncation": truncation}
        given |= {"max_length": max_length} if max_length else {}
        given |= {"pad_to_multiple_of": multiple} if multiple else {}
        given |= {"padding_side": side} if side else {}
        given |= {} if special else {"add_special_tokens": False}
        script = tokenization_script(tokenizer, batch, seconds, given, endpoints.settings)
        return batches.token_rows(encoding, Waste(slots, sum(encoding.lengths))), script

    inputs = [texts, pairs, tokenizer, padding, truncation, max_length, special, side, multiple]
    wires: dict[str, Any] = {
        "inputs": inputs,
        "outputs": [view, code],
        "trigger_mode": "always_last",
        "show_progress": "hidden",
        "api_visibility": "private",
        **HEAVY,
    }
    tokenizer.focus(
        lambda: gr.update(choices=offline_choices(endpoints.settings)),
        outputs=tokenizer,
        show_progress="hidden",
        api_visibility="private",
        **LIGHT,
    )
    # .change, not .input: the latter hears the keyboard, but no paste.
    gr.on([*(widget.change for widget in inputs), demo.load], show, **wires)


def _rows(texts: str, pairs: str) -> tuple[list[str], list[str] | None]:
    """The lines of both boxes, paired by their line number; empty lines of the first are no rows.

    Raises:
        DemoError: only some lines have a second text.
    """
    first, second = (texts or "").split("\n"), (pairs or "").split("\n")
    if not any(line.strip() for line in second):
        return [line for line in first if line.strip()], None
    lines = list(zip_longest(first, second, fillvalue=""))
    for number, (text, pair) in enumerate(lines, start=1):
        if bool(text.strip()) != bool(pair.strip()):
            missing = "second text" if text.strip() else "text"
            raise DemoError(f"Line {number} has no {missing}. Give every line a pair, or empty the second box.")
    kept = [(text, pair) for text, pair in lines if text.strip()]
    return [text for text, _ in kept], [pair for _, pair in kept]
