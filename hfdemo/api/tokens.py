"""The endpoints of tokenizers: tokenize, decode, align words, search a vocabulary, count a data set, train one."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import secrets
from dataclasses import asdict
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.api.callers import caller_left
from hfdemo.api.uploads import missing_dataset, required_path, served_folder, uploaded_path
from hfdemo.data_sources import DatasetSource
from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.models.processors import retrain_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.trained_tokenizers import archive_tokenizer, train_from_file
from hfdemo.models.trained_tokenizers import import_tokenizer as keep_tokenizer_file
from hfdemo.tables import ReadOptions
from hfdemo.tokenization.by_reference import (
    browse_vocabulary,
    encode_texts,
    label_words,
    read_ids,
)
from hfdemo.tokenization.length_report import report_dataset
from hfdemo.tokenization.options import Options


def tokenize(
    app: App,
    texts: str | list[str],
    text_pairs: str | list[str] | None = None,
    tokenizer: str | None = None,
    padding: bool | str = False,
    truncation: bool | str = False,
    max_length: int | None = None,
    stride: int = 0,
    pad_to_multiple_of: int | None = None,
    padding_side: str | None = None,
    add_special_tokens: bool = True,
    return_overflowing_tokens: bool = False,
    pad_token: str | None = None,
    split_special_tokens: bool | None = None,
    model: str | None = None,
) -> dict:
    """Return what the tokenizer makes of a batch of texts, with its tokens, words, sequences, offsets and warnings.

    Args:
        texts: one text or several; a lone text is a batch of one
        text_pairs: the second text of each pair
        tokenizer: a model reference; left out, embedded:minilm
        padding: false, true ("longest") or "max_length"
        truncation: false, true ("longest_first"), "only_first" or "only_second"
        max_length: the length to pad and truncate to; left out, the tokenizer's own limit
        stride: tokens that overflowing windows share
        pad_to_multiple_of: round the padded width up to a multiple of this
        padding_side: "left" or "right"; left out, the tokenizer's own side
        add_special_tokens: whether [CLS], [SEP] and the like are added
        return_overflowing_tokens: whether what was cut off comes back as rows of its own
        pad_token: what to pad with where the tokenizer has no pad token of its own
        split_special_tokens: whether special tokens that stand in a text are read as ordinary text
        model: the model that will read the ids, for the warnings; left out, the one that the tokenizer belongs to
    """
    options = Options(
        _parse_switch(padding),
        _parse_switch(truncation),
        max_length,
        stride,
        pad_to_multiple_of,
        padding_side,
        _parse_switch(add_special_tokens),
        _parse_switch(return_overflowing_tokens),
        pad_token,
        _parse_switch(split_special_tokens),
    )
    ref = ModelRef.parse(tokenizer or "embedded:minilm")
    reader = ModelRef.parse(model) if model else ref
    pairs = None if text_pairs is None else _list_texts(text_pairs) or None
    most = app.settings.max_tokenized
    found = app.engine.call(
        encode_texts, app.models, ref, _list_texts(texts), pairs, options, most, reader, stop=caller_left()
    )
    return found.to_json()


def padding_report(
    app: App,
    file: gr.FileData | None = None,
    dataset: str | None = None,
    dataset_config: str | None = None,
    split: str | None = None,
    tokenizer: str | None = None,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    batch_size: int = 8,
    max_length: int | None = None,
    seed: int = 42,
    model: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> dict:
    """Report how long the rows of a data set are, what truncation cuts, what each padding strategy costs, what to take.

    Args:
        file: an uploaded file of any format that can be trained on; it wins over dataset
        dataset: an example name (tickets, paraphrases), a Hub id, or a path on a local server
        dataset_config: the configuration of a Hub data set that has several
        split: the split to count; left out, all of them
        tokenizer: a model reference; left out, embedded:minilm
        text_column: the column of the texts; left out, the one called text or the like, else the one of the longest
        text_pair_column: the column of the second texts; left out, the one called so, if any; "" for none
        batch_size: rows per batch
        max_length: the length that rows are cut to; left out, what the model and the tokenizer can read
        seed: of the shuffle that makes batches as training does
        model: the model whose size decides the FLOPs; left out, the one that the tokenizer belongs to
        encoding: the encoding of the file, such as cp1251; left out, it is found out
        header: whether the first line names the columns; left out, it is found out
    """
    path = uploaded_path(file)
    if path is None and not dataset:
        raise missing_dataset()
    ref = ModelRef.parse(tokenizer or "embedded:minilm")
    found = app.engine.call(
        report_dataset,
        DatasetSource(dataset or "", path, dataset_config, split, ReadOptions(encoding or None, header)),
        (text_column, text_pair_column),
        ref,
        ModelRef.parse(model) if model else ref,
        batch_size,
        max_length,
        app.settings,
        seed=seed,
        stop=caller_left(),
    )
    return {
        **found.lengths.to_json(),
        "text_column": found.text_column,
        "text_pair_column": found.pair_column,
        "warnings": list(found.warnings),
    }


def decode_ids(app: App, ids: list[int], tokenizer: str | None = None) -> dict:
    """Decode token ids: the token of each, and their text with and without special tokens.

    Args:
        ids: whole numbers of the vocabulary
        tokenizer: a model reference; left out, embedded:minilm
    """
    if not isinstance(ids, list):
        raise DemoError(f"ids must be a list of whole numbers, but is a {type(ids).__name__}.")
    ref = ModelRef.parse(tokenizer or "embedded:minilm")
    return asdict(app.engine.call(read_ids, app.models, ref, ids, caller_left()))


def align_words(app: App, words: list[str], labels: list[str] | None = None, tokenizer: str | None = None) -> dict:
    """Tokenize words that are cut already, and align their labels with the tokens as training does, -100 elsewhere.

    Args:
        words: the words of one text
        labels: the label of each word; left out, the words are numbered
        tokenizer: a model reference; left out, embedded:minilm
    """
    ref = ModelRef.parse(tokenizer or "embedded:minilm")
    labels = None if labels is None else _list_texts(labels)
    found = app.engine.call(label_words, app.models, ref, _list_texts(words), labels, caller_left())
    return found.to_json()


def search_vocabulary(
    app: App, query: str = "", tokenizer: str | None = None, first: int = 0, count: int = 100
) -> dict:
    """Search a tokenizer's vocabulary: tokens with their ids, and what they read as.

    Args:
        query: a piece of a token as it is written or as it reads, or an id; left out, all tokens
        tokenizer: a model reference; left out, embedded:minilm
        first: how many of the found ones are left out before the first that is returned
        count: how many are returned at most
    """
    ref = ModelRef.parse(tokenizer or "embedded:minilm")
    return app.engine.call(browse_vocabulary, app.models, ref, query or "", first, count, caller_left()).to_json()


def train_tokenizer(
    app: App, file: gr.FileData, algorithm: str = "bpe", vocabulary: int = 1000, like: str | None = None
) -> dict:
    """Train a small tokenizer on a text file and keep it under a reference that every tokenizer argument takes.

    Args:
        file: an uploaded text file
        algorithm: wordpiece, bpe or unigram
        vocabulary: how many tokens it may have at most
        like: a model reference, whose tokenizer is trained anew in place of an algorithm: all but the vocabulary stays
    """
    path = required_path(file, "a text")
    if like:
        ref = app.engine.call(retrain_tokenizer, ModelRef.parse(like), path, vocabulary, app.settings, caller_left())
    else:
        ref = app.engine.call(train_from_file, path, algorithm, vocabulary, app.settings, caller_left())
    known = app.engine.call(ModelCache.count_vocabulary, app.models, ref)
    return {"tokenizer": str(ref), "algorithm": f"like {like}" if like else algorithm, "vocabulary": known}


def import_tokenizer(app: App, file: gr.FileData) -> dict:
    """Keep a tokenizer.json under a reference that every tokenizer argument takes.

    Args:
        file: an uploaded tokenizer.json, as `Tokenizer.save()` or `tokenizer.save_pretrained` writes it
    """
    ref = app.engine.call(keep_tokenizer_file, required_path(file, "a tokenizer.json"), app.settings)
    return {"tokenizer": str(ref), "vocabulary": app.engine.call(ModelCache.count_vocabulary, app.models, ref)}


def download_tokenizer(app: App, tokenizer: str) -> gr.FileData:
    """Download a zip of a tokenizer that was trained here or brought along: the folder that `from_pretrained` reads.

    Args:
        tokenizer: its reference, tokenizer:<name>
    """
    folder = served_folder("results") / secrets.token_hex(8)
    ref = ModelRef.parse(tokenizer)
    return gr.FileData(path=str(app.engine.call(archive_tokenizer, ref, folder, app.settings)))


def _parse_switch(value: Any) -> Any:
    """Return the switch that a text stands for: clients that can only send text send "true" and "false"."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _list_texts(texts: Any) -> list[str]:
    if not isinstance(texts, str | list | None):
        raise DemoError(f"The texts must be one text or a list of them, but are a {type(texts).__name__}.")
    return [texts] if isinstance(texts, str) else list(texts or [])
