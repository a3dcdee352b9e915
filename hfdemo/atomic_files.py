"""Files that a reader finds whole or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write `text` so that a reader sees the old file or the new one, never half of one.

    `mode` says who may read and write the file, less what this process leaves to nobody else (its umask).
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        partial.touch(mode)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a full disk, which this should not make fuller
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
