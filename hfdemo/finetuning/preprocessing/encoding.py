"""data/*.csv as model inputs, with a word on what of them is not learned or judged."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.preprocessing.data_notes import left_out, nothing_left
from hfdemo.finetuning.recipes import Recipe
from hfdemo.models.loading import LoadedModel

if TYPE_CHECKING:
    from datasets import DatasetDict


def encode(
    config: RunConfig, recipe: Recipe, loaded: LoadedModel, max_length: int | None, folder: Path
) -> tuple[DatasetDict, list[str]]:
    """data/*.csv as Arrow data sets of model inputs, unpadded, and notes on what is left out of them.

    Training rows in which nothing is learned are left out. Held-out rows are all there, in the order of their file.

    Raises:
        DemoError: a split has no row in which anything is learned or judged, or the tokenizer can't do this task.
    """
    import pandas as pd
    from datasets import Features, Value, disable_progress_bars, load_dataset

    if recipe.needs_words and not loaded.tokenizer.is_fast:
        raise DemoError(
            f"{config.model} has a tokenizer written in Python, which can't tell which token is which word."
        )
    disable_progress_bars()
    files = {split.stem: str(split) for split in sorted((folder / "data").glob("*.csv"))}
    # Said outright, or "007" would become 7 and a label "1" a number.
    columns = pd.read_csv(files["train"], nrows=0).columns
    features = Features({column: Value("string") for column in columns})
    rows = load_dataset(
        "csv", data_files=files, features=features, cache_dir=str(folder / "arrow"), keep_default_na=False
    )
    encoded = rows.map(
        functools.partial(recipe.encode, tokenizer=loaded.tokenizer, max_length=max_length, labels=config.labels or ()),
        batched=True,
        remove_columns=rows["train"].column_names,
    )
    if not recipe.sequence_labels:
        return encoded, []
    notes: list[str] = []
    for split in encoded:
        labels = encoded[split]["labels"]
        if recipe.remarks:
            notes += recipe.remarks(split, rows[split], labels, loaded.tokenizer, max_length)
        kept = rows_with_targets(labels, recipe.count)
        if not kept:
            raise DemoError(nothing_left(split, len(labels), max_length))
        if len(kept) < len(labels):
            notes.append(left_out(split, sorted(set(range(len(labels))) - set(kept)), max_length))
        if split == "train":
            encoded[split] = encoded[split].select(kept)
    return encoded, notes


def rows_with_targets(labels: Sequence[Sequence[int]], count: Any) -> list[int]:
    """The rows in which anything is learned or judged: where `count` finds something in their labels."""
    import torch

    return [row for row, own in enumerate(labels) if int(count(torch.tensor([own])))]
