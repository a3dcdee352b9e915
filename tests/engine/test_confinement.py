"""Children of a shared server: they see no secret and no file but what they need, and can't use up the machine."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hfdemo.engine import ProcessEngine
from hfdemo.engine.confinement import explain_exposed
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings, child_environment, scrub_environment
from tests.conftest import ROOT, wait_until

pytestmark = pytest.mark.slow

CANARY = "canary-5d1f"
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "HFDEMO_AUTH", "DATABASE_URL", "MY_PASSWORD")

# In a process of its own, with an interpreter's own environment: a fork has that of its parent in /proc.
SERVER = """
import json, os, sys
from pathlib import Path
from hfdemo.engine import ProcessEngine
from hfdemo.engine.confinement import hide_process
from hfdemo.errors import DemoError
from hfdemo.inference import predict
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
import misbehaving
settings = Settings.from_env()
hide_process()
engine = ProcessEngine(settings)
task, ref = TASKS["text-classification"], ModelRef.parse("embedded:sentiment")
found = {"label": engine.call(predict, engine.models, task, ref, {"text": "fine"}).output[0]["label"]}
here = {"server": os.getpid(), "zygote": engine.worker.ppid(), "worker": "self"}
paths = {**{name: f"/proc/{pid}/environ" for name, pid in here.items()}, **json.loads(sys.argv[1])}
for name, path in paths.items():
    try:
        found[name] = engine.call(misbehaving.read_file, path)
    except Exception as error:
        found[name] = str(error).split(chr(10))[0]
print(json.dumps(found), flush=True)
engine.close()
"""


@pytest.fixture
def misbehaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The functions that a confined child can find: it does not see the folder of these tests."""
    folder = tmp_path / "functions"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("misbehaving.py"), folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), str(ROOT))))
    monkeypatch.delitem(sys.modules, "misbehaving", raising=False)
    return importlib.import_module("misbehaving")


@pytest.mark.slow
def test_a_child_of_a_shared_server_reads_no_secret_and_nothing_but_what_it_needs(
    tmp_path: Path, misbehaving: Any
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere.txt"
    home.mkdir()
    for path in (home / "key", elsewhere):
        path.write_text(CANARY)
    environment = {
        **os.environ,
        **dict.fromkeys(SECRETS, CANARY),
        **{"HFDEMO_PUBLIC": "1", "HFDEMO_HOME": str(home), "OMP_NUM_THREADS": "1"},
    }
    paths = {
        "key": str(home / "key"),
        "elsewhere": str(elsewhere),
        "package": str(ROOT / "README.md"),
        "home": str(Path.home()),
        "terminal": "/dev/console",
    }
    done = subprocess.run(
        [sys.executable, "-c", SERVER, json.dumps(paths)], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert CANARY not in done.stdout, "by no route"
    found = json.loads(done.stdout)
    assert found.pop("label") == "positive", done.stderr
    assert "OMP_NUM_THREADS" in found.pop("worker"), "its own environment it may read: nothing is in it"
    assert set(found) == {"server", "zygote", *paths}
    assert all("Permission denied" in said for said in found.values())


def test_a_file_of_users_must_not_lie_where_children_see_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", public=True)
    for path in (settings.home / "users", tmp_path / "users", ROOT / "users"):
        assert explain_exposed(path, settings) is None
    children_see = (ROOT / "hfdemo" / "users", settings.home / "cache" / "users")
    for path in (Path("/etc/hfdemo/users"), Path("/usr/../etc/users"), *children_see):
        assert "could be read by the processes that hold models" in str(explain_exposed(path, settings))
        assert explain_exposed(Path(path), Settings(home=settings.home)) is None, "whose children read everything"


def test_the_environment_of_a_child_has_no_name_that_may_be_a_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"PATH": "/bin", "HF_HOME": "/hf", "HFDEMO_MODEL_BYTES": "5", "CUDA_VISIBLE_DEVICES": "0", "LC_ALL": "C"}
    needed["HFDEMO_MAX_NEW_TOKENS"] = "7"  # which is called like a secret
    assert scrub_environment({**needed, **dict.fromkeys(SECRETS, CANARY), "ANYTHING_ELSE": CANARY}) == needed
    for name in SECRETS:
        monkeypatch.setenv(name, CANARY)
    assert CANARY not in child_environment(Settings(home=Path("/tmp/hfdemo-home"), public=True)).values()
    local = child_environment(Settings(home=Path("/tmp/hfdemo-home")))
    assert local["HF_TOKEN"] == CANARY, "a local server's child downloads what its owner may"


@pytest.fixture
def shared(tmp_path: Path, misbehaving: Any, forked_runs: None) -> ProcessEngine:
    return ProcessEngine(Settings(home=tmp_path, public=True, call_seconds=2, child_bytes=4 * 1024**3))


def test_a_call_that_takes_too_long_or_too_much_ends_in_a_sentence(shared: ProcessEngine, misbehaving: Any) -> None:
    try:
        with pytest.raises(DemoError, match="longer than 2 seconds, which is all that one call may take here"):
            shared.call(misbehaving.spin, lambda _: None, threading.Event())
        wait_until(lambda: shared.worker is not None, 30, "the next worker")
        with pytest.raises(Exception, match=r"MemoryError"):
            shared.call(misbehaving.allocate, 64 * 1024**3)
        assert shared.call(misbehaving.allocate, 1024) == 1024, "and the worker is still there"
    finally:
        shared.close()


@pytest.mark.slow
def test_a_run_of_a_shared_server_is_confined_and_finishes(
    tmp_path: Path, colours: Path, forked_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFDEMO_LOG_BYTES", "1000")
    store = RunStore(Settings(home=tmp_path, public=True))
    config = RunConfig("colours", model="embedded:minilm", method="frozen", training={"max_steps": 2})
    run = store.start(store.create(config, colours))
    wait_until(lambda: not run.status().active, 120, "the run to end")
    assert run.status().state == "finished", (run.folder / "log.txt").read_text()
    assert (run.folder / "log.txt").stat().st_size <= 1000
    assert "bytes were left out here" in (run.folder / "log.txt").read_text(), "it may shorten its own log"
