"""`Dataset.map` over the same rows, batched, one by one and from its cache, timed, with the Arrow files it leaves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.data_sources import DatasetSource, read_text_rows
from hfdemo.errors import DemoError, Stopped, wrap_tokenizer_errors
from hfdemo.models.hub import Progress
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

MOST_MAPPED_ROWS = 5_000


@dataclass(frozen=True)
class MapTiming:
    """`Dataset.map` over the same rows with batched=True, without, and with batched=True a second time.

    The second time the library finds the file of the first and calls nothing. `files` are Arrow cache files (name,
    bytes). `rows` were measured, which may be fewer than were given.
    """

    rows: int
    batched_seconds: float
    unbatched_seconds: float
    cached_seconds: float
    files: tuple[tuple[str, int], ...]


def time_dataset_map(
    source: DatasetSource,
    columns: tuple[str | None, str | None],
    tokenizer: ModelRef,
    folder: Path,
    settings: Settings,
    stop: Event,
    tell: Progress,
) -> MapTiming:
    """Read a data set, the texts and their pairs in `columns`, and time tokenizing it: see `time_map`.

    Raises:
        DemoError: as `read_text_rows`, `load_tokenizer` and `time_map`.
        Stopped: `stop` was set.
    """
    data = read_text_rows(source, settings, *columns, tell, stop)
    tell("Mapping", 0, len(data.texts))
    return time_map(load_tokenizer(tokenizer, settings), data.texts, data.pairs, folder, stop)


def time_map(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, folder: Path, stop: Event) -> MapTiming:
    """Tokenize with `Dataset.map` in each way, its cache files in a new folder below `folder`.

    At most MOST_MAPPED_ROWS rows are taken, the first ones. The caller holds the tokenizer for itself, and removes the
    folder.

    Raises:
        Stopped: `stop` was set; it is looked at before each batch or row.
        DemoError: there is no text, or one that can't be tokenized or written.
    """
    if not texts:
        raise DemoError("There is no text to tokenize. Give at least one row.")
    from datasets import Dataset
    from datasets.arrow_writer import ArrowWriter

    columns = {"text": list(texts[:MOST_MAPPED_ROWS])}
    if pairs is not None:
        columns["text_pair"] = list(pairs[:MOST_MAPPED_ROWS])

    def tokenize(row: Mapping[str, Any]) -> Any:
        if stop.is_set():
            raise Stopped
        return tokenizer(row["text"], row["text_pair"] if pairs is not None else None, truncation=True, verbose=False)

    folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="map-", dir=folder))
    with wrap_tokenizer_errors(), _disable_progress_bars():
        with ArrowWriter(path=str(home / "data.arrow")) as writer:
            writer.write_batch(columns)
            writer.finalize()
        # With a fingerprint given, the library does not pickle and hash the function and its tokenizer.
        # The first call of all pays for imports and for the tokenizer's own caches.
        few = Dataset.from_dict({name: values[:8] for name, values in columns.items()})
        few.map(tokenize, batched=True, new_fingerprint="first")
        dataset = Dataset.from_file(str(home / "data.arrow"))
        seconds = {}
        for timed, mapped in (("batched", "batched"), ("unbatched", "unbatched"), ("cached", "batched")):
            began = time.perf_counter()
            dataset.map(
                tokenize,
                batched=mapped == "batched",
                cache_file_name=str(home / f"cache-{mapped}.arrow"),
                # The same fingerprint and file again: nothing is called.
                new_fingerprint=mapped,
            )
            seconds[timed] = time.perf_counter() - began
    files = tuple((path.name, path.stat().st_size) for path in sorted(home.glob("*.arrow")))
    return MapTiming(len(columns["text"]), seconds["batched"], seconds["unbatched"], seconds["cached"], files)


@contextmanager
def _disable_progress_bars() -> Iterator[None]:
    """Turn off all progress bars of the library, which has one switch for them: they cost time that is measured."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    were_off = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not were_off:
            enable_progress_bars()
