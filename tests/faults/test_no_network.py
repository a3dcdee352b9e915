"""Without a network nothing waits longer than three seconds, and whatever needs none works.

The Hub of this server accepts every connection and says nothing, as behind a firewall that loses packets. How often it
is waited for is counted there, each time for two seconds: what a busy machine takes for its own work does not count.
"""

import re
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hfdemo.models import hub as door
from tests.conftest import Server, serve
from tests.models import hub

CACHED = "owner/tiny"
RUN = {"dataset": "tickets", "training": {"max_steps": 2}}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Alone:
    """A server without a network, and the Hub that it asks in vain."""

    server: Server
    hub: hub.SilentHub
    client: Client


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Alone]:
    home = tmp_path_factory.mktemp("alone")
    with hub.serve({CACHED: hub.of_folder(tiny)}) as endpoint:
        hub.ask(endpoint, home, ("folder", CACHED))
    with (
        hub.keep_silent() as silent,
        serve(
            home / "home",
            HF_ENDPOINT=silent.address,
            HF_HOME=str(home / "hf"),
            HF_HUB_DISABLE_XET="1",
        ) as server,
    ):
        yield Alone(server, silent, Client(server.url, verbose=False))


def a_file(folder: Path) -> Any:
    path = folder / "rows.csv"
    path.write_text("text\nA text.\n")
    return handle_file(str(path))


UNREACHABLE: list[tuple[str, Mapping[str, Any]]] = [
    ("/text_classification", {"text": "A text.", "model": "some/one"}),
    ("/text_generation", {"text": "A text.", "model": "some/one"}),
    ("/text_classification", {"text": "A text.", "model": "untrained:some/one"}),
    ("/load_model", {"model": "some/one"}),
    ("/load_model", {"model": "some/one", "task": "fill-mask"}),
    ("/predict_file", {"file": a_file, "task": "text-classification", "model": "some/one"}),
    ("/tokenize", {"texts": "A text.", "tokenizer": "some/one"}),
    ("/tokenize", {"texts": "A text.", "model": "some/one"}),
    ("/padding_report", {"dataset": "some/rows"}),
    ("/padding_report", {"dataset": "tickets", "tokenizer": "some/one", "model": "some/other"}),
    ("/inspect_dataset", {"dataset": "some/rows"}),
    ("/inspect_dataset", {"config": {"dataset": "tickets", "model": "some/one"}, "count": True}),
    ("/start_run", {"config": {**RUN, "model": "some/one"}}),
    ("/start_run", {"config": {**RUN, "dataset": "some/rows"}}),
    ("/start_run", {"config": {**RUN, "metrics": ["some/metric"]}}),
    ("/start_search", {"config": {**RUN, "model": "some/one"}, "trials": 2}),
]


@pytest.mark.parametrize(("endpoint", "arguments"), UNREACHABLE)
def test_whatever_names_the_hub_answers_with_a_sentence(
    alone: Alone, endpoint: str, arguments: Mapping[str, Any], tmp_path: Path
) -> None:
    sent = {name: value(tmp_path) if callable(value) else value for name, value in arguments.items()}
    alone.hub.count_waits()
    with pytest.raises(AppError, match=r"can't be reached|does not answer"):
        alone.client.predict(**sent, api_name=endpoint)
    assert alone.hub.count_waits() <= 1


def test_the_hub_is_waited_for_no_longer_than_that() -> None:
    assert door.HUB_SECONDS <= 2.0


def test_what_a_run_would_report_to_is_refused_without_a_network_at_all(alone: Alone) -> None:
    alone.hub.count_waits()
    config = {**RUN, "training": {"report_to": "wandb"}}
    with pytest.raises(AppError, match="report_to is 'wandb'"):
        alone.client.predict(config=config, api_name="/start_run")
    assert alone.hub.count_waits() == 0


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_model_that_was_downloaded_answers_and_is_trained(alone: Alone, method: str) -> None:
    alone.hub.count_waits()
    answer = alone.client.predict("A text.", model=CACHED, api_name="/text_classification")
    assert [each["label"] for each in answer["output"]]
    run = alone.client.predict(config={**RUN, "model": CACHED, "method": method}, api_name="/start_run")["run"]
    assert alone.hub.count_waits() <= 1
    *_, status = alone.client.submit(run, api_name="/watch_run")
    assert status["state"] == "finished", status
    assert alone.hub.count_waits() <= 1


def test_the_page_names_no_other_server_and_needs_none(alone: Alone) -> None:
    alone.hub.count_waits()
    for query in ("", "?model=some/one&text=hello", "?tokenizer=some/one", "?dataset=some/rows"):
        with urllib.request.urlopen(f"{alone.server.url}/{query}", timeout=60) as answer:
            page = answer.read().decode()
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"'](?:https?:)?//([^/\"']+)", page)
        assert set(loaded) <= {alone.server.url.removeprefix("http://")}
    assert alone.hub.count_waits() == 0
