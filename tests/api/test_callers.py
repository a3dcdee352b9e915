"""Whatever a visitor cancels has stopped within two seconds of a processor, and the others are answered.

A call is cancelled as gradio_client does it (`job.cancel()`), as clients of MCP do (a notification), or by closing the
stream that its answer would come by, which is what a page that is closed does.
"""

import contextlib
import json
import random
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from gradio_client import Client

from hfdemo.engine import InlineEngine
from hfdemo.settings import Settings
from hfdemo.ui import build
from tests.clock import cpu_until_gone, cpu_until_idle
from tests.conftest import Server, serve, wait_until
from tests.engine.misbehaving import make_endless_tokenizer
from tests.models import hub

WORDS = ("harbour", "lamp", "boat", "tide", "morning", "gull", "rope", "crane", "ship", "water", "light", "engine")
ROWS = 100_000
WHOLE = 40 * 1024 * 1024  # a minute of dripping

pytestmark = pytest.mark.slow


def write_rows(path: Path, rows: int, words: int) -> Path:
    """A CSV of that many different texts with labels."""
    chosen = random.Random(0)
    texts = (" ".join([*chosen.choices(WORDS, k=words), str(row)]) for row in range(rows))
    path.write_text("text,label\n" + "".join(f"{text},{WORDS[len(text) % 3]}\n" for text in texts))
    return path


@dataclass
class Shared:
    """A server whose Hub is slow, the files that it is sent, and what became of the downloads."""

    server: Server
    folder: Path
    client: Client
    begun: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def worker(self) -> psutil.Process:
        """The process that holds the models."""
        server = psutil.Process(self.server.process.pid)
        found: list[psutil.Process] = []

        def find() -> bool:
            found[:] = [each for each in server.children(recursive=True) if each.ppid() != server.pid]
            return len(found) == 1

        wait_until(find, 60, "the worker")
        return found[0]

    def upload(self, path: Path) -> dict[str, Any]:
        """Send a file; return the argument that it is."""
        with path.open("rb") as file:
            sent = httpx.post(f"{self.server.url}/gradio_api/upload", files={"files": file}, timeout=60)
        return {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny: Path, zoo: Callable[[str], Path]) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("callers")
    begun: list[str] = []
    broken: list[str] = []
    repos = {
        "some/dripping": hub.of_folder(tiny, dripping=("model.safetensors",)),
        "some/writer": hub.of_folder(zoo("text-generation"), dripping=("model.safetensors",)),
        "some/stalled": hub.of_folder(tiny, stalled=("model.safetensors",)),
        "datasets/some/rows": hub.Repo({"train.csv": b"text,label\n" + b"a,b\n" * 10_000_000}, dripping=("train.csv",)),
    }
    for name in ("some/dripping", "some/writer"):
        files: Any = repos[name].files
        files["model.safetensors"] += bytes(WHOLE)  # never read: it never comes whole
    with (
        hub.serve(repos, begun, broken) as endpoint,
        serve(folder / "home", HF_ENDPOINT=endpoint, HF_HOME=str(folder / "hf"), HF_HUB_DISABLE_XET="1") as server,
    ):
        client = Client(server.url, verbose=False)
        client.predict("warm", api_name="/text_classification")
        yield Shared(server, folder, client, begun, broken)


class Stream:
    """A call of an endpoint as a page makes it: it joins the queue, and its answer comes by a stream."""

    def __init__(self, shared: Shared, function: int, data: list[Any]) -> None:
        place, session = shared.server.url.removeprefix("http://"), uuid.uuid4().hex
        joining = {"data": data, "fn_index": function, "session_hash": session}
        httpx.post(f"{shared.server.url}/gradio_api/queue/join", json=joining, timeout=60).raise_for_status()
        self._connection = HTTPConnection(place, timeout=60)
        self._connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        assert self._connection.getresponse().status == 200

    def leave(self) -> None:
        """Close the connection."""
        assert self._connection.sock is not None
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class McpStream:
    """A call of an endpoint as a client of MCP makes it: of an address, its answer is a stream."""

    def __init__(self, shared: Shared, tool: str, arguments: Mapping[str, Any]) -> None:
        self._server = shared.server
        asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        with contextlib.closing(self._post("initialize", asked, 0)) as connection:
            answer = connection.getresponse()
            assert answer.status == 200
            self.session = answer.headers["mcp-session-id"]
        self._connection = self._post("tools/call", {"name": tool, "arguments": arguments}, 1)

    def _post(self, method: str, params: Any, number: int | None, session: str = "") -> HTTPConnection:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        session = session or getattr(self, "session", "")
        told = {"jsonrpc": "2.0", "method": method, "params": params, **({} if number is None else {"id": number})}
        connection = HTTPConnection(self._server.url.removeprefix("http://"), timeout=60)
        more = {"mcp-session-id": session} if session else {}
        connection.request("POST", "/gradio_api/mcp/", json.dumps(told), {**headers, **more})
        return connection

    def cancel(self, session: str = "") -> None:
        """Say that the call is cancelled, in its own session or another."""
        with contextlib.closing(self._post("notifications/cancelled", {"requestId": 1}, None, session)) as connection:
            assert connection.getresponse().status == 202

    def read(self) -> Mapping[str, Any]:
        """Wait for the answer of the call."""
        (told,) = [each for each in self._connection.getresponse().read().split(b"\r\n") if each.startswith(b"data:")]
        return dict(json.loads(told.removeprefix(b"data:"))["result"])

    def leave(self) -> None:
        """Close the connection."""
        assert self._connection.sock is not None
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@dataclass(frozen=True)
class Case:
    """A call that takes long. It has begun once the Hub was asked for a file, or the worker has computed so long."""

    endpoint: str
    arguments: Mapping[str, Any]
    seconds: float = 0.0


def find_call(shared: Shared, case: Case) -> tuple[int, list[Any]]:
    """Return the number of the endpoint's function, and its values in their order."""
    index = next(number for number, each in shared.client.endpoints.items() if each.api_name == case.endpoint)
    fields = shared.client.view_api(print_info=False, return_format="dict")["named_endpoints"][case.endpoint][
        "parameters"
    ]
    values = {each["parameter_name"]: each.get("parameter_default") for each in fields} | dict(case.arguments)
    return index, [values[each["parameter_name"]] for each in fields]


@contextlib.contextmanager
def running(shared: Shared, case: Case, way: str) -> Iterator[Callable[[], None]]:
    """Make the call and wait until it has begun; gives what ends it. Nobody else's call suffers."""
    downloads, worker = len(shared.begun), shared.worker
    before = sum(worker.cpu_times()[:2])
    index, data = find_call(shared, case)
    if way == "cancelled":
        job = Client(shared.server.url, verbose=False).submit(**case.arguments, api_name=case.endpoint)
        end: Callable[[], Any] = job.cancel
    elif way.startswith("mcp"):
        call = McpStream(shared, case.endpoint.strip("/"), case.arguments)
        end = call.cancel if way == "mcp cancelled" else call.leave
    else:
        end = Stream(shared, index, data).leave
    if case.seconds:
        wait_until(lambda: sum(worker.cpu_times()[:2]) > before + case.seconds, 240, "the worker to compute")
    else:
        wait_until(lambda: len(shared.begun) > downloads, 240, "the download")
    texts = [" ".join(WORDS * 10)] * 200
    expected = shared.client.predict(texts, api_name="/tokenize")
    other = shared.client.submit(texts, api_name="/tokenize")
    yield end
    assert other.result(timeout=240) == expected, "the other visitor is answered"
    assert shared.client.predict("Fine.", api_name="/text_classification")["output"]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "way"),
    [
        ("/text_classification", {"text": "A text.", "model": "some/dripping"}, "cancelled"),
        ("/text_generation", {"text": "A text.", "model": "some/writer"}, "cancelled"),
        ("/text_generation", {"text": "A text.", "model": "some/writer"}, "closed"),
        ("/text_generation", {"text": "A text.", "model": "some/writer"}, "mcp cancelled"),
        ("/text_classification", {"text": "A text.", "model": "some/dripping"}, "mcp closed"),
        ("/load_model", {"model": "some/dripping", "task": "text-classification"}, "closed"),
        ("/inspect_dataset", {"dataset": "some/rows"}, "closed"),
        ("/padding_report", {"dataset": "some/rows"}, "cancelled"),
        ("/start_run", {"config": {"dataset": "some/rows"}}, "cancelled"),
    ],
)
def test_a_download_ends_and_nobody_loses_a_model(
    shared: Shared, endpoint: str, arguments: Mapping[str, Any], way: str
) -> None:
    worker, broken = shared.worker, len(shared.broken)
    with running(shared, Case(endpoint, arguments), way) as end:
        end()
        assert cpu_until_idle(worker, 60) < 2.0
        wait_until(lambda: len(shared.broken) > broken, 30, "the download to be broken off")
    assert shared.worker == worker


def test_a_download_that_stalls_ends_with_the_worker(shared: Shared) -> None:
    worker = shared.worker
    with running(shared, Case("/text_classification", {"text": "A text.", "model": "some/stalled"}), "closed") as end:
        end()
        assert cpu_until_gone(worker, 60) < 2.0


def ten_thousand_rows(shared: Shared) -> dict[str, Any]:
    file = shared.upload(write_rows(shared.folder / "rows.csv", 10_000, 60))
    return {"file": file, "task": "text-classification"}


def a_large_data_set(shared: Shared) -> dict[str, Any]:
    return {"dataset": str(write_rows(shared.folder / "large.csv", ROWS, 20))}


def a_model_of_many_layers(shared: Shared) -> dict[str, Any]:
    """One that takes long to build, and nothing can be asked meanwhile."""
    path = shared.folder / "many.json"
    sizes = {"hidden_size": 512, "intermediate_size": 4096, "num_hidden_layers": 40, "num_attention_heads": 8}
    path.write_text(json.dumps({"model_type": "bert", "architectures": ["BertForSequenceClassification"], **sizes}))
    return {"model": f"untrained:{path}", "task": "text-classification"}


def a_large_text(shared: Shared) -> dict[str, Any]:
    path, chosen = shared.folder / "large.txt", random.Random(0)
    path.write_text("\n".join("".join(chosen.choices("abcdefghijklmnop ", k=80)) for _ in range(40_000)))
    return {"file": shared.upload(path), "algorithm": "unigram", "vocabulary": 20_000}


def an_endless_tokenizer(shared: Shared) -> dict[str, Any]:
    return {"texts": "a" * 1000, "tokenizer": make_endless_tokenizer(shared.folder / "endless")}


@pytest.mark.parametrize(
    ("endpoint", "arguments", "way"),
    [
        ("/predict_file", ten_thousand_rows, "cancelled"),
        ("/inspect_dataset", a_large_data_set, "closed"),
        ("/padding_report", a_large_data_set, "cancelled"),
        ("/load_model", a_model_of_many_layers, "cancelled"),
        ("/train_tokenizer", a_large_text, "closed"),
        ("/tokenize", an_endless_tokenizer, "closed"),
        ("/tokenize", an_endless_tokenizer, "cancelled"),
        ("/tokenize", an_endless_tokenizer, "mcp closed"),
        ("/padding_report", a_large_data_set, "mcp cancelled"),
    ],
)
def test_what_computes_long_ends_by_itself_or_with_the_worker(
    shared: Shared, endpoint: str, arguments: Callable[[Shared], dict[str, Any]], way: str
) -> None:
    worker = shared.worker
    with running(shared, Case(endpoint, arguments(shared), seconds=0.5), way) as end:
        end()
        assert cpu_until_idle(worker, 60) < 2.0
    assert cpu_until_idle(shared.worker, 60) < 2.0, "the next worker does not do it again"


def test_a_call_by_mcp_is_cancelled_in_its_own_session_alone(shared: Shared) -> None:
    call = McpStream(shared, "inspect_dataset", a_large_data_set(shared))
    other = McpStream(shared, "tokenize", {"texts": "Fine."})
    assert call.session != other.session
    for session in (other.session, "guessed", call.session[:-1]):
        call.cancel(session)
    assert not call.read()["isError"]
    assert not other.read()["isError"]
    answer = httpx.get(f"{shared.server.url}/gradio_api/mcp/", headers={"mcp-session-id": call.session}, timeout=60)
    assert answer.status_code == 405, "no stream is held open for what never comes"


def test_a_measurement_ends_when_its_page_is_closed(shared: Shared) -> None:
    """The lab's benchmark of padding, an event of the page: it joins the queue by its number."""
    worker = shared.worker
    before = sum(worker.cpu_times()[:2])
    demo = build(Settings(home=shared.folder / "same"), InlineEngine(Settings(home=shared.folder / "same")))
    measure = next(each for each in demo.fns.values() if each.name == "measure")
    texts, of_batch = "\n".join([" ".join(WORDS * 10)] * 60), ("", "embedded:minilm", "", 16, 256)
    page = Stream(shared, measure._id, [texts, *of_batch, "", True, False, True, 0, ""])
    wait_until(lambda: sum(worker.cpu_times()[:2]) > before + 1.0, 240, "the worker to measure")
    page.leave()
    assert cpu_until_idle(worker, 60) < 2.0
    assert shared.worker == worker
