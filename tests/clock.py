"""Time limits that hold on a busy machine, too."""

import contextlib
import time
from pathlib import Path


def quiet_time() -> float:
    """Return monotonic seconds without those in which this thread was ready to run and others had the core.

    Differences of it are what `time.monotonic` would tell on a machine that does nothing else. Where the kernel keeps
    no account of the waiting, they are those of `time.monotonic`.
    """
    waited = 0
    with contextlib.suppress(OSError, IndexError):
        waited = int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    return time.monotonic() - waited / 1e9
