"""Time limits that hold on a busy machine, too."""

import contextlib
import time
from pathlib import Path

import psutil


def cpu_of(pid: int) -> float:
    """Return the seconds of a processor that a process and its children have taken so far."""
    process, total = psutil.Process(pid), 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            found = each.cpu_times()
            total += found.user + found.system
    return total


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


def cpu_until_idle(process: psutil.Process, seconds: float) -> float:
    """Wait until `process` is gone or none of its threads has computed, or wanted to, for half a second; return the
    seconds of a processor that it took meanwhile.

    Raises:
        AssertionError: it still computes after so many seconds.
    """
    deadline, used, idle = time.monotonic() + seconds, [0.0], 0
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        found = process.cpu_times()
        used = [found.user + found.system]
        while idle < 25 and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{process} still computes after {seconds} s"
            idle = 0 if _is_computing(process.pid) else idle + 1
            found = process.cpu_times()
            used.append(found.user + found.system)
            time.sleep(0.02)
    return used[-1] - used[0]


def _is_computing(pid: int) -> bool:
    """Return whether a thread of the process has a core, or waits for one."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return "R" in states


def quiet_time() -> float:
    """Return monotonic seconds without those in which this thread was ready to run and others had the core.

    Differences of it are what `time.monotonic` would tell on a machine that does nothing else. Where the kernel keeps
    no account of the waiting, they are those of `time.monotonic`.
    """
    waited = 0
    with contextlib.suppress(OSError, IndexError):
        waited = int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    return time.monotonic() - waited / 1e9
