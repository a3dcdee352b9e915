"""The endpoint that inspects a data set before anything is trained on it."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import dataclasses
from typing import Any

import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.uploads import missing_dataset, uploaded_path
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, read_data
from hfdemo.finetuning.preprocessing import count_tokens


def inspect_dataset(
    app: App,
    file: gr.FileData | None = None,
    dataset: str | None = None,
    dataset_config: str | None = None,
    split: str | None = None,
    config: dict | None = None,
    count: bool = False,
) -> dict:
    """Inspect a data set before anything is trained on it: columns, rows, splits, labels, a suggested task
    and mapping, what is wrong with it, and the change of the config that mends it.

    Args:
        file: an uploaded CSV, TSV, JSON, JSONL, Parquet, CoNLL or text file; it wins over dataset
        dataset: an example name (tickets, paraphrases), a Hub id, run:<id>, or a path on a local server
        dataset_config: the config of a Hub data set that has several
        split: the only split to look at
        config: a RunConfig as JSON: its columns, task and fixes are gone by
        count: also count the tokens of the rows (of 20,000 at most) for the config's model, and what is cut
    """
    path = uploaded_path(file)
    values: Any = {} if config is None else config
    if path is None and dataset is None and "dataset" not in values:
        raise missing_dataset()
    named = {"dataset": path.stem if path else dataset or values.get("dataset")}
    asked = RunConfig.from_json({**values, **named, **({"dataset_config": dataset_config} if dataset_config else {})})
    if split:
        asked = dataclasses.replace(asked, splits={"train": split}, split_column="")
    corpus = read_data(asked, app.settings, path)
    counted = count_tokens(corpus, asked, asked.model, app.settings) if count else None
    known = (counted.lengths, counted.limit) if counted else (None, None)
    found = inspect(corpus.tables, None, asked if config else None, corpus.refused, *known)
    return {**found.to_json(), "reading": corpus.reading, "notes": [*corpus.notes, *found.notes]}
