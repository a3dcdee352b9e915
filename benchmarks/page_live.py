"""How long the page takes to answer while it trains and writes: `python -m benchmarks.page_live`.

A server that it starts itself is asked first while nothing else is at work, then while a training and a generation that
streams go on. Exits with 1 where 95 of 100 answers of the cheapest endpoint take longer than 100 ms then.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

from gradio_client import Client

from tests.conftest import Server, serve, wait_until
from tests.zoo import make_writer

CALLS = 200
MOST_SECONDS = 0.1
LIST_TASKS = "POST /gradio_api/run/list_tasks"
ASKED = (LIST_TASKS, "GET /", "GET /config")
RUN = {"dataset": "tickets", "model": "embedded:minilm", "training": {"num_train_epochs": 1_000, "logging_steps": 5}}


def time_answers(server: Server, calls: int, asked: Sequence[str] = ASKED) -> dict[str, list[float]]:
    """Return by request the seconds that each of so many answers took, one after the other in turns."""
    found: dict[str, list[float]] = {each: [] for each in asked}
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    for _ in range(calls):
        for each in asked:
            method, path = each.split()
            body = json.dumps({"data": []}) if method == "POST" else None
            began = time.perf_counter()
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            found[each].append(time.perf_counter() - began)
            assert answer.status == 200, answer.status
    connection.close()
    return found


@contextlib.contextmanager
def keep_busy(server: Server, writer: str) -> Iterator[None]:
    """Have the server train and write at the same time, until the block ends."""
    training, writing = Client(server.url, verbose=False), Client(server.url, verbose=False)
    run = training.predict(config=RUN, api_name="/start_run")["run"]
    wait_until(lambda: training.predict(run, api_name="/run_status")["step"] > 2, 240, "the first steps")
    asked = {"text": "A lamp", "model": writer, "max_new_tokens": 4096, "api_name": "/text_generation"}
    job = writing.submit(**asked)
    wait_until(lambda: len(job.outputs()) > 2, 240, "the first tokens")
    try:
        yield
        assert not job.done(), job.result()
        assert training.predict(run, api_name="/run_status")["state"] == "running"
    finally:
        job.cancel()
        training.predict(run, False, api_name="/stop_run")


def describe_times(found: Mapping[str, Sequence[float]]) -> str:
    """Return a line for each request: median, 95th percentile and longest, in milliseconds."""
    lines = []
    for name, seconds in found.items():
        percentiles = statistics.quantiles(seconds, n=100)
        said = " ".join(
            f"{what} {1000 * each:6.1f}" for what, each in (("p50", percentiles[49]), ("p95", percentiles[94]))
        )
        lines.append(f"  {name:34s} {said} max {1000 * max(seconds):6.1f} ms")
    return "\n".join(lines)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        writer = make_writer(Path(folder) / "writer")
        with serve(Path(folder) / "home", OMP_NUM_THREADS=str(os.cpu_count() or 1)) as server:
            time_answers(server, 20)
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores before it began, {CALLS} calls each")
            print(f"quiet\n{describe_times(time_answers(server, CALLS))}", flush=True)
            with keep_busy(server, writer):
                busy = time_answers(server, CALLS)
            print(f"while it trains and writes\n{describe_times(busy)}")
    return int(statistics.quantiles(busy[LIST_TASKS], n=100)[94] > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
