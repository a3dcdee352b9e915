"""The server ends when it is told to, whatever it is at, and its runs go on; a second one says why it can't begin."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from tests.clock import quiet_time
from tests.conftest import ROOT, serve, wait_until
from tests.models import hub
from tests.zoo import make_writer

ENDLESS = {"num_train_epochs": 10_000, "logging_steps": 5}


@pytest.fixture
def writer(tmp_path: Path) -> str:
    return make_writer(tmp_path / "writer")


def open_stream(url: str) -> Any:
    """Open what the server writes to as long as a page is open."""
    stream = urllib.request.urlopen(url, timeout=30)
    assert stream.status == 200
    return stream


def seconds_until_gone(process: subprocess.Popen[bytes], number: int) -> float:
    began, there = quiet_time(), process.poll()
    assert there is None
    process.send_signal(number)
    while process.poll() is None:
        assert quiet_time() - began < 60
        time.sleep(0.02)
    return quiet_time() - began


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_three_seconds_with_pages_open_and_all_at_work_and_its_run_goes_on(
    home: Path, tiny: Path, colours: Path, writer: str, number: int
) -> None:
    """Ctrl-C and `kill`, of the app as a person starts it."""
    stalling: list[str] = []
    repos = {"some/one": hub.of_folder(tiny, stalled=("model.safetensors",))}
    with (
        hub.serve(repos, stalling) as endpoint,
        serve(home, HF_ENDPOINT=endpoint, HF_HOME=str(home / "hf"), HF_HUB_DISABLE_XET="1") as server,
    ):
        client = Client(server.url, verbose=False)
        config = {"dataset": str(colours), "model": str(tiny), "training": ENDLESS}
        run = RunStore(Settings(home=home)).get(client.predict(config=config, api_name="/start_run")["run"])
        pages = [open_stream(f"{server.url}/gradio_api/heartbeat/{number}") for number in range(3)]
        wait_until(lambda: run.status().step > 0, 240, "the first step")
        watching = client.submit(run.id, api_name="/watch_run")
        loading = client.submit("A text.", model="some/one", api_name="/text_classification")
        writing = client.submit("A lamp", model=writer, max_new_tokens=4096, api_name="/text_generation")
        wait_until(lambda: stalling, 240, "the download")
        wait_until(lambda: len(writing.outputs()) >= 3, 240, "the first tokens")
        for each in (watching, loading, writing):
            assert not each.done(), each.result()

        took = seconds_until_gone(server.process, number)
        assert took < 3.0
        assert server.process.returncode == 0
        said = (home / "server.log").read_text()
        assert said.count("1 run goes on in the background; open the page again to watch it.\n") == 1
        assert "Traceback" not in said
        step = run.status().step
        wait_until(lambda: run.status().step > step, 60, "the run to go on")
        assert run.status().state == "running"
        for page in pages:
            page.close()


@pytest.mark.slow
def test_a_second_server_on_the_same_port_says_what_to_do(home: Path, tmp_path: Path) -> None:
    with serve(home, forking=True) as server:
        port = server.url.rpartition(":")[2]
        environment = {**os.environ, "HFDEMO_HOME": str(tmp_path / "other"), "GRADIO_SERVER_PORT": port}
        second = subprocess.run(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
        )
        assert second.returncode == 1
        assert second.stderr.strip().splitlines()[-1] == (
            f"hfdemo is running at {server.url} already: open that page. To serve on another port: "
            f"GRADIO_SERVER_PORT={int(port) + 1} python app.py"
        )
        assert "Traceback" not in second.stderr
