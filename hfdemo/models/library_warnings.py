"""What transformers logs as a warning while it loads or computes, for whoever asked for that."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 400
# A LoadReport says the first in its own words; the others are about the code that calls, and not about the answer.
_SAID_OTHERWISE = re.compile(
    r"LOAD REPORT|deprecated|will be removed|seem to have been set|output_attentions=True|Setting `pad_token_id`"
    r"|Token indices sequence length|You passed `num_labels|The specified target token"
)


class _Collector(logging.Handler):
    """Keeps what this very thread logs; as a filter of other handlers it keeps that from them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.found: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if not _SAID_OTHERWISE.search(text):
            self.found[f"transformers: {text if len(text) <= LONGEST else text[:LONGEST] + '…'}"] = None

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread == self._thread

    def reject(self, record: logging.LogRecord) -> bool:
        """Return whether another handler may write `record`."""
        return record.thread != self._thread


@contextmanager
def collect_library_warnings() -> Iterator[list[str]]:
    """Collect what transformers warns of in this thread, each sentence once; it is there when the block ends."""
    said: list[str] = []
    library, collector = logging.getLogger("transformers"), _Collector()
    once: Any = logging.Logger.warning_once  # type: ignore[attr-defined]
    once.cache_clear()  # what was said of one model is said of the next
    others = list(library.handlers)
    for handler in others:
        handler.addFilter(collector.reject)
    library.addHandler(collector)
    try:
        yield said
    finally:
        library.removeHandler(collector)
        for handler in others:
            handler.removeFilter(collector.reject)
        said += collector.found
