"""Many who start a run at the same moment, by every way there is: none is lost, and none too many is at work."""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from gradio_client import Client

from hfdemo.errors import RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from tests.conftest import Server, serve, wait_until

Start = Callable[[Server, Mapping[str, Any]], str]


def at_once(count: int, start: Callable[[int], str]) -> list[str]:
    """Call `start(number)` so many times in the same moment; returns what each has said."""
    together = Barrier(count)

    def one(number: int) -> str:
        together.wait()
        return start(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.slow
def test_of_ten_that_begin_on_two_public_servers_at_once_as_many_do_as_there_may_be(
    settings: Settings, colours: Path
) -> None:
    stores = [RunStore(Settings(home=settings.home, public=True)) for _ in range(2)]

    def create(number: int) -> str:
        try:
            return stores[number % 2].create(RunConfig("colours"), colours).id
        except RunError as error:
            return str(error)

    said = at_once(10, create)
    refused = [each for each in said if "3 runs are at work or waiting" in each]
    assert len(refused) == 10 - Settings(public=True).runs_at_work
    assert {run.id for run in stores[0].list()} == {*said} - {*refused}
    assert [run.status().state for run in stores[1].list()] == ["starting"] * Settings(public=True).runs_at_work
    assert not list((settings.runs / ".new").iterdir()), "nothing is left of those that were refused"


def call(server: Server, route: str, body: Any) -> Any:
    """POST `body` below the API, and return what comes back."""
    address = f"{server.url}/gradio_api/{route}"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def by_queue(server: Server, config: Mapping[str, Any]) -> str:
    try:
        client = Client(server.url, verbose=False, httpx_kwargs={"timeout": 120})
        return str(client.predict(config=config, api_name="/start_run")["run"])
    except Exception as error:
        return str(error)


def by_run(server: Server, config: Mapping[str, Any]) -> str:
    answer = call(server, "run/start_run", {"data": [config, None]})
    return str(answer["data"][0]["run"] if "data" in answer else answer)


def by_mcp(server: Server, config: Mapping[str, Any]) -> str:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def start() -> str:
        async with (
            streamable_http_client(f"{server.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            answer = await session.call_tool("start_run", {"config": dict(config)})
            return str(answer.content[0].text)

    said = asyncio.run(start())
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(said.replace("'", '"'))["run"])
    return said


def by_page(server: Server, config: Mapping[str, Any]) -> str:
    """What a click on Start sends, with the form as it is but for the config's model and epochs."""
    with urllib.request.urlopen(f"{server.url}/config", timeout=60) as answer:
        page = json.load(answer)
    parts = {each["id"]: each for each in page["components"]}
    click = next(each for each in page["dependencies"] if each["api_name"] == "start_training")
    typed = {"dataset": config["dataset"], "model": config["model"], "epochs": config["training"]["num_train_epochs"]}
    session = uuid4().hex
    form, *others = (parts[each]["props"].get("value") for each in click["inputs"])
    data = [{**form, **typed}, *others]
    call(server, "queue/join", {"data": data, "fn_index": click["id"], "session_hash": session})
    with urllib.request.urlopen(f"{server.url}/gradio_api/queue/data?session_hash={session}", timeout=120) as stream:
        for line in stream:
            said = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else {}
            if said.get("msg") == "process_completed":
                begun, refused = said["output"]["data"]
                return str(begun.get("value") or refused)
    raise AssertionError("the stream ended without an answer")


WAYS: tuple[Start, ...] = (by_page, by_queue, by_run, by_mcp)


def start_everywhere(count: int, servers: list[Server], config: Mapping[str, Any]) -> list[str]:
    """Start so many runs at once: on the first server by every way in turn, and every fifth on the second."""

    def start(number: int) -> str:
        if number % 5 == 4:
            return WAYS[number // 5 % len(WAYS)](servers[1], config)
        return WAYS[number % 5](servers[0], config)

    return at_once(count, start)


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, pytest.param(20, marks=pytest.mark.soak)])
def test_of_runs_that_are_started_at_once_by_every_way_one_trains_at_a_time_and_none_is_lost(
    home: Path, tiny: Path, count: int
) -> None:
    config = {"dataset": "tickets", "model": str(tiny), "training": {"num_train_epochs": 1}}
    with serve(home, forking=True) as first, serve(home, forking=True) as second:
        begun = start_everywhere(count, [first, second], config)
        store = RunStore(Settings(home=home))
        assert {run.id for run in store.list()} == {*begun}, "each has a run of its own, and its id"
        seen: Counter[str] = Counter()
        deadline = time.monotonic() + 60 * count
        while (states := Counter(run.status().state for run in store.list())) != {"finished": count}:
            assert states["running"] <= 1
            assert not states["failed"] + states["lost"] + states["stopped"], states
            assert time.monotonic() < deadline, states
            seen |= states
            time.sleep(0.1)
        assert seen["queued"] >= 1


@pytest.mark.soak
def test_of_ten_that_are_started_at_once_by_every_way_on_two_public_servers_three_are(home: Path) -> None:
    config = {"dataset": "tickets", "model": "embedded:minilm", "training": {"num_train_epochs": 5}}
    with (
        serve(home, forking=True, HFDEMO_PUBLIC="1") as first,
        serve(home, forking=True, HFDEMO_PUBLIC="1") as second,
    ):
        said = start_everywhere(10, [first, second], config)
        store = RunStore(Settings(home=home, public=True))
        admitted = {run.id for run in store.list()}
        assert len(admitted) == Settings(public=True).runs_at_work
        assert admitted <= {*said}
        refused = [each for each in said if each not in admitted]
        assert all("3 runs are at work or waiting" in each for each in refused), refused
        for run in admitted:
            store.stop(run, keep=False)
        wait_until(lambda: not any(run.status().active for run in store.list()), 30, "the end")
