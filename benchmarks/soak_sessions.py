"""Open pages and close them, as browsers do, and say what the server has left of them: memory, threads, files.

    python -m benchmarks.soak_sessions 2000

Opens the sessions of a server that it starts itself, some at a time: the page, its config, what it asks when it is
drawn, a heartbeat and a stream; then closes them. Exits with 1 where more than 50 MB, 5 threads or 20 files stay.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.conftest import serve

AT_ONCE = 20
TOLD_EVERY = 200
MOST_BYTES, MOST_THREADS, MOST_FILES = 50 * 1024**2, 5, 20


@dataclass(frozen=True)
class Use:
    """What a server takes: resident bytes, threads, open files, and files in its home folder."""

    memory: int
    threads: int
    descriptors: int
    files: int

    @classmethod
    def of(cls, process: psutil.Process, home: Path) -> Use:
        with process.oneshot():
            files = sum(path.is_file() for path in home.rglob("*"))
            return cls(process.memory_info().rss, process.num_threads(), process.num_fds(), files)

    def __str__(self) -> str:
        memory = f"{self.memory / 1024**2:.0f} MB"
        return f"{memory}, {self.threads} threads, {self.descriptors} descriptors, {self.files} files"


def open_page(url: str, session: str, events: list[int]) -> None:
    """Open one page, ask what it asks while it is drawn, and close it again."""
    place = urlsplit(url).netloc
    beat = http.client.HTTPConnection(place, timeout=60)
    beat.request("GET", f"/gradio_api/heartbeat/{session}")
    beat.getresponse().readline()
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.request("GET", "/config")
    connection.getresponse().read()
    for function in events:
        body = json.dumps({"data": [], "fn_index": function, "session_hash": session, "trigger_id": None})
        connection.request("POST", "/gradio_api/queue/join", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    stream = http.client.HTTPConnection(place, timeout=60)
    stream.request("GET", f"/gradio_api/queue/data?session_hash={session}")
    _read_until_closed(stream.getresponse())
    for each in (stream, connection, beat):
        _hang_up(each)


def _read_until_closed(answer: http.client.HTTPResponse) -> None:
    while line := answer.readline():
        if b"close_stream" in line:
            return


def _hang_up(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def find_load_events(url: str) -> list[int]:
    """Return the events that a page fires when it is drawn, those without inputs."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/config")
    config = json.loads(connection.getresponse().read())
    connection.close()
    fired = [each for each in config["dependencies"] if any(target[1] == "load" for target in each["targets"])]
    return [each["id"] for each in fired if not each["inputs"]]


def soak(url: str, process: psutil.Process, home: Path, sessions: int) -> tuple[Use, Use]:
    """Open and close that many pages; return what the server took before and takes afterwards."""
    events = find_load_events(url)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: open_page(url, f"warm{number}", events), range(2 * AT_ONCE)))
        time.sleep(15)
        before = Use.of(process, home)
        for first in range(0, sessions, TOLD_EVERY):
            numbers = range(first, min(first + TOLD_EVERY, sessions))
            list(pool.map(lambda number: open_page(url, f"page{number}", events), numbers))
            print(f"{numbers.stop:,} sessions: {Use.of(process, home)}", flush=True)
    peak = Use.of(process, home)
    deadline = time.monotonic() + 90
    after = peak
    while time.monotonic() < deadline and find_excess(before, after):
        time.sleep(3)
        open_page(url, f"late{time.monotonic()}", events)  # a pool lets its idle threads go when it is used again
        after = Use.of(process, home)
    print(f"{sessions:,} sessions: before {before}; at the end {peak}; after {after}", flush=True)
    return before, after


def find_excess(before: Use, after: Use) -> str:
    """Say what has stayed that should not have; "" where nothing has."""
    grown = {
        "memory": (after.memory - before.memory, MOST_BYTES),
        "threads": (after.threads - before.threads, MOST_THREADS),
        "descriptors": (after.descriptors - before.descriptors, MOST_FILES),
        "files": (after.files - before.files, MOST_FILES),
    }
    return ", ".join(f"{name} {found:,} (at most {most:,})" for name, (found, most) in grown.items() if found > most)


def main(sessions: int) -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), HFDEMO_SESSION_SECONDS="2", HFDEMO_SESSIONS="4000") as server,
    ):
        process = psutil.Process(server.process.pid)
        before, after = soak(server.url, process, Path(folder), sessions)
    excess = find_excess(before, after)
    print(f"stays: {excess}" if excess else "nothing stays")
    return 1 if excess else 0


if __name__ == "__main__":
    threading.stack_size(512 * 1024)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
