"""The rows of a run's data as model inputs, what of them is not learned or evaluated, and how many tokens they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from hfdemo.data_sources import Corpus
from hfdemo.errors import DemoError, Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.models.folders import local_folder
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import load_config, readable_length
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tables import format_row_numbers

MOST_COUNTED = 20_000  # rows whose tokens are counted, of larger data sets evenly spread ones
_CHUNK = 1_000
_UNCUT = 1_000_000


if TYPE_CHECKING:
    from datasets import DatasetDict


def encode_splits(
    config: RunConfig,
    kind: Kind,
    loaded: LoadedModel,
    max_length: int | None,
    folder: Path,
    check_stop: Callable[[], None] = lambda: None,
) -> tuple[DatasetDict, list[str]]:
    """Encode data/*.csv as Arrow data sets of model inputs, unpadded, and notes on what is left out of them.

    Training rows in which nothing is learned are left out. Held-out rows are all there, in the order of their file.
    `check_stop` is called before each batch of rows, and may raise.

    Raises:
        DemoError: a split has no row in which anything is learned or evaluated, or the tokenizer can't do this task.
    """
    import pandas as pd
    from datasets import DatasetDict, Features, Value, disable_progress_bars, load_dataset

    if kind.needs_word_ids and not loaded.tokenizer.is_fast:
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

    def encode_batch(batch: Any) -> dict[str, Any]:
        check_stop()
        return kind.encode(batch, tokenizer=loaded.tokenizer, max_length=max_length, labels=config.labels or ())

    # The folder of the cache is the run's own, so a name will do for what is computed.
    encoded = DatasetDict(
        {
            split: table.map(
                encode_batch, batched=True, remove_columns=table.column_names, new_fingerprint=f"encoded-{split}"
            )
            for split, table in rows.items()
        }
    )
    if not kind.sequence_labels:
        return encoded, []
    notes: list[str] = []
    for split in encoded:
        labels = encoded[split]["labels"]
        if kind.find_notes:
            notes += kind.find_notes(split, rows[split], labels, loaded.tokenizer, max_length)
        kept = find_rows_with_targets(labels, kind.count)
        if not kept:
            raise DemoError(describe_nothing_left(split, len(labels), max_length))
        if len(kept) < len(labels):
            notes.append(describe_left_out(split, sorted(set(range(len(labels))) - set(kept)), max_length))
        if split == "train":
            encoded[split] = encoded[split].select(kept)
    return encoded, notes


def find_rows_with_targets(labels: Sequence[Sequence[int]], count: Any) -> list[int]:
    """Return the rows in which anything is learned or evaluated: where `count` finds something in their labels."""
    import torch

    return [row for row, own in enumerate(labels) if int(count(torch.tensor([own])))]


def describe_left_out(split: str, rows: Sequence[int], cut: int | None) -> str:
    """Say that nothing is learned or evaluated in `rows` of a split."""
    many, train = len(rows) > 1, split == "train"
    return (
        f"{split}: {len(rows):,} row{'s have' if many else ' has'} nothing to {'learn' if train else 'evaluate'}"
        f"{_within_limit(cut)}, so {'they are' if many else 'it is'} "
        f"{'not trained on' if train else 'without a score'} "
        f"({format_row_numbers([row + 1 for row in rows])})."
    )


def describe_nothing_left(split: str, rows: int, cut: int | None) -> str:
    """Say that nothing is learned or evaluated in a whole split, and what to do."""
    what = "learn" if split == "train" else "evaluate"
    advice = "Give longer texts." if cut is None else "Raise max_length, or pick a model that reads longer texts."
    return f"Of the {rows:,} rows of {split} none has anything to {what}{_within_limit(cut)}. {advice}"


def _within_limit(cut: int | None) -> str:
    return "" if cut is None else f" in the {cut} tokens that max_length or the model leaves it"


@dataclass(frozen=True)
class Lengths:
    """Tokens per row, uncut; `limit` is the most that the model reads, `rows` how many rows the data has in all."""

    lengths: tuple[int, ...]
    limit: int | None
    rows: int


def count_tokens(
    corpus: Corpus,
    config: RunConfig,
    model: str,
    settings: Settings,
    stop: Event | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Lengths:
    """Count the tokens of the rows as a training of `model` by `config` would read them, but uncut.

    `on_progress` is called with how many rows are done, of how many.

    Raises:
        DemoError: the data can't be trained on as it is, or the model can't be found.
        Stopped: `stop` was set.
    """
    ready = prepare(config, corpus.tables, corpus.refused)
    kind = find_kind(config.task, ready.problem_type)
    ref = ModelRef.parse(model)
    # A copy of its own: nobody who types has to wait until a whole data set is counted.
    tokenizer = load_tokenizer(ref, settings)
    limit = readable_length(load_config(local_folder(ref, settings, weights=False), settings), tokenizer)
    rows = [row for part in ready.splits.values() for row in part.to_dict("records")]
    counted = rows if len(rows) <= MOST_COUNTED else [rows[i * len(rows) // MOST_COUNTED] for i in range(MOST_COUNTED)]
    lengths: list[int] = []
    for start in range(0, len(counted), _CHUNK):
        if stop is not None and stop.is_set():
            raise Stopped
        chunk = counted[start : start + _CHUNK]
        batch = {name: [str(row[name]) for row in chunk] for name in chunk[0]}
        lengths += map(len, kind.encode(batch, tokenizer, _UNCUT, ready.labels)["input_ids"])
        on_progress(len(lengths), len(counted))
    return Lengths(tuple(lengths), limit, len(rows))
