"""Training survives whatever happens to the server."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client, handle_file

from tests.conftest import free_port, serve, wait_until

ENDLESS = {"training": {"num_train_epochs": 10_000}}


@pytest.fixture(autouse=True)
def no_survivors(tmp_path: Path) -> Iterator[None]:
    """Whatever a test says, no training process of its outlives it."""
    yield
    for path in tmp_path.glob("home/runs/*/process.json"):
        with contextlib.suppress(psutil.Error):
            psutil.Process(json.loads(path.read_text())["pid"]).kill()


@pytest.mark.slow
def test_a_killed_server_loses_nothing_and_the_next_run_waits_its_turn(
    tmp_path: Path, colours: Path, tiny: Path
) -> None:
    """Kill -9 in the middle of training: the new server shows the same run, still progressing. A second run queues."""
    home, port = tmp_path / "home", free_port()
    config = {"model": str(tiny), **ENDLESS}
    with serve(home, port, forking=True) as server:
        client = Client(server.url, verbose=False)
        run = client.predict(config=config, file=handle_file(str(colours)), api_name="/start_run")["run"]
        wait_until(lambda: client.predict(run, api_name="/run_status")["step"] > 0, 240, "the first step")
        before = client.predict(run, api_name="/run_status")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()

    with serve(home, port, forking=True) as server:
        client = Client(server.url, verbose=False)

        def status(which: str = run) -> dict[str, Any]:
            return dict(client.predict(which, api_name="/run_status"))

        assert [each["run"] for each in client.predict(api_name="/list_runs")] == [run]
        assert status()["state"] == "running"
        wait_until(lambda: status()["step"] > before["step"], 240, "progress after the restart")

        second = client.predict(config=config, file=handle_file(str(colours)), api_name="/start_run")["run"]
        wait_until(lambda: status(second)["state"] == "queued", 240, "the second run to queue")
        client.predict(second, api_name="/stop_run")
        wait_until(lambda: status(second)["state"] == "stopped", 30, "the queued run to stop")

        process = json.loads((home / "runs" / run / "process.json").read_text())
        psutil.Process(process["pid"]).kill()
        wait_until(lambda: status()["state"] == "lost", 30, "the killed training to be found lost")
        assert "left no word: it was killed, most likely out of memory" in str(status()["error"])


@pytest.mark.slow
def test_a_training_process_that_is_killed_is_failed_with_what_to_do_and_the_server_lives(
    tmp_path: Path, colours: Path, tiny: Path
) -> None:
    with serve(tmp_path / "home", forking=True) as server:
        client = Client(server.url, verbose=False)
        config = {"model": str(tiny), **ENDLESS}
        run = client.predict(config=config, file=handle_file(str(colours)), api_name="/start_run")["run"]
        path = server.home / "runs" / run / "process.json"
        wait_until(path.exists, 240, "the child")
        psutil.Process(json.loads(path.read_text())["pid"]).kill()
        wait_until(lambda: client.predict(run, api_name="/run_status")["state"] == "failed", 240, "the failure")
        assert (
            "was killed, most likely out of memory. Use a smaller batch"
            in client.predict(run, api_name="/run_status")["error"]
        )
        assert client.predict("hello", api_name="/tokenize")["tokens"]
