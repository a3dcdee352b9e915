"""Time limits that hold on a busy machine, too."""

import contextlib
import time
from pathlib import Path

import psutil


def cpu_until_gone(process: psutil.Process, seconds: float) -> float:
    """Wait until `process` is gone, at most so many seconds; return the seconds of a processor that it took meanwhile.

    Raises:
        AssertionError: it is still there.
    """
    deadline, used = time.monotonic() + seconds, []
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{process} is still there after {seconds} s"
            found = process.cpu_times()
            used.append(found.user + found.system)
            time.sleep(0.02)
    return used[-1] - used[0] if used else 0.0


def quiet_time() -> float:
    """Return monotonic seconds without those in which this thread was ready to run and others had the core.

    Differences of it are what `time.monotonic` would tell on a machine that does nothing else. Where the kernel keeps
    no account of the waiting, they are those of `time.monotonic`.
    """
    waited = 0
    with contextlib.suppress(OSError, IndexError):
        waited = int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    return time.monotonic() - waited / 1e9
