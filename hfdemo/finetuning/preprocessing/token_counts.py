"""How many tokens the rows of a data set have for a model, as its training would read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from hfdemo.data_sources import Corpus
from hfdemo.errors import Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare
from hfdemo.finetuning.kinds import find_kind
from hfdemo.models.folders import local_folder
from hfdemo.models.model_facts import load_config, readable_length
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

MOST_COUNTED = 20_000  # rows whose tokens are counted, of larger data sets evenly spread ones
_CHUNK = 1_000
_UNCUT = 1_000_000


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
