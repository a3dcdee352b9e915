"""The fields of the inspectors of one text, in groups that are shown together."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.models.folders import list_offline_tokenizers
from hfdemo.ui.tabs.tokens.chat_view import build_chat_fields

WORD = "gastroenterologist"
STRATEGIES = ["longest_first", "only_first", "only_second"]
COMPARED = ["tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes"]
LABELLED_WORDS = "Rotterdam B-LOC\nharbourmaster O\nPieternella B-PER\nVermeulen I-PER\nretires O"
MERGES, MOST_MERGES = 64, 2_000


def build_inspector_fields(app: App) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lay out what single inspectors ask for; return the fields by name, and the groups that an inspector names."""
    with gr.Row(visible=False) as for_word:
        word = gr.Textbox(WORD, label="Word", info="its first word is taken apart", max_lines=1)
    with gr.Row(visible=False) as for_merges:
        merges = gr.Slider(0, MOST_MERGES, MERGES, step=1, label="Merges", info="so many of the first are used")
    with gr.Row(visible=False) as for_vocabulary:
        query = gr.Textbox(
            label="Search", info="a piece of a token or of what it reads, or an id; empty: all", max_lines=1, scale=3
        )
        entries = gr.Number(1, label="Page", precision=0, minimum=1, min_width=90)
    with gr.Row(visible=False) as for_cutting:
        max_length = gr.Number(16, label="max_length", info="special tokens included", precision=0)
        with gr.Row(visible=False) as for_sliding:
            stride = gr.Number(3, label="stride", info="tokens that neighbours share", precision=0)
            strategy = gr.Radio(STRATEGIES, value=STRATEGIES[0], label="truncation")
    with gr.Row(visible=False) as for_words:
        words = gr.Textbox(
            LABELLED_WORDS, label="Words", info="a word a line, its label behind a space", lines=5, max_lines=16
        )
    with gr.Column(visible=False) as for_chat:
        chat = build_chat_fields(app.settings.public)
    with gr.Row(visible=False) as for_comparing:
        others = gr.Dropdown(
            list_offline_tokenizers(app.settings),
            value=COMPARED,
            label="Tokenizers",
            multiselect=True,
            allow_custom_value=True,
        )
    with gr.Row(visible=False) as for_ids:
        ids = gr.Textbox(label="Ids", info="such as 101, 7592, 102; empty: those of the text above", max_lines=4)
    fields = {
        **{"word": word, "merges": merges, "query": query, "entries": entries, "max_length": max_length},
        **{"stride": stride, "strategy": strategy, "words": words, **chat, "others": others, "ids": ids},
    }
    groups = {
        **{"word": for_word, "merges": for_merges, "vocabulary": for_vocabulary, "cutting": for_cutting},
        **{"sliding": for_sliding, "words": for_words, "chat": for_chat, "others": for_comparing, "ids": for_ids},
    }
    return fields, groups
