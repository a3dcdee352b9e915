"""The one door to the Hub, the runs, the package and the disk; what it says when a door is closed."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import ModelError, Unreachable
from hfdemo.models import sources
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import check, local_folder, offline_choices
from hfdemo.settings import Settings
from tests.conftest import ROOT


def test_without_a_network_a_hub_reference_says_so_within_three_seconds_and_lists_what_works(
    settings: Settings,
) -> None:
    for ask in (local_folder, check):
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"can't be reached.*embedded:sentiment, embedded:minilm"):
            ask(ModelRef.parse("owner/name@v2"), settings)
        assert time.monotonic() - started < 3


def test_a_hub_that_accepts_and_never_answers_is_given_up_within_three_seconds(settings: Settings) -> None:
    code = (
        "import time, sys\n"
        "from pathlib import Path\n"
        "from hfdemo.errors import Unreachable\n"
        "from hfdemo.models.reference import ModelRef\n"
        "from hfdemo.models.sources import local_folder\n"
        "from hfdemo.settings import Settings\n"
        "import huggingface_hub.hf_api\n"
        "started = time.monotonic()\n"
        "try:\n    local_folder(ModelRef.parse('bert-base-uncased'), Settings(home=Path(sys.argv[1])))\n"
        "except Unreachable as error:\n    print(time.monotonic() - started, error)\n"
    )
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = subprocess.run(
            [sys.executable, "-c", code, str(settings.home)],
            cwd=ROOT,
            env={**os.environ, "HF_ENDPOINT": endpoint},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
    seconds, _, sentence = said.partition(" ")
    assert float(seconds) < 3
    assert "can't be reached" in sentence


def test_finished_runs_are_offered_newest_first(settings: Settings) -> None:
    for name in ("20260101-000000-a", "20260102-000000-b", "20260103-000000-unfinished"):
        (settings.runs / name / "model").mkdir(parents=True)
        if "unfinished" not in name:
            (settings.runs / name / "model" / "config.json").write_text("{}")
    assert offline_choices(settings)[:4] == [
        "embedded:sentiment",
        "embedded:minilm",
        "run:20260102-000000-b",
        "run:20260101-000000-a",
    ]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("run:never", "no run 'never'"),
        ("./nowhere", "no folder './nowhere'"),
        ("./app.py", "is a file"),
        ("./tests", "no config.json"),
    ],
)
def test_what_is_not_there_is_named(
    settings: Settings, reference: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ModelError, match=said):
        local_folder(ModelRef.parse(reference), settings)


def test_a_public_server_reads_no_folder(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(ModelError, match="shared server"):
        local_folder(ModelRef.parse(str(tiny)), Settings(home=tmp_path, public=True))


def test_embedded_weights_that_are_not_the_tested_ones_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="sha256"):
        local_folder(ModelRef.parse("embedded:minilm"), settings)


@pytest.fixture
def hub(tiny: Path) -> Iterator[str]:
    """A Hub on this machine that has one model, `owner/tiny`, and a gated one: the real client talks to it."""
    files = {path.name: path for path in sorted(tiny.iterdir()) if path.is_file()}
    sha = "a" * 40

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.answer(send_body=False)

        def do_GET(self) -> None:
            self.answer(send_body=True)

        def answer(self, send_body: bool) -> None:
            path = self.path.split("?")[0]
            if path.startswith("/api/models/owner/tiny/tree/"):
                tree = [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": f"{index:040x}"}
                    for index, (name, file) in enumerate(files.items())
                ]
                self.reply(json.dumps(tree).encode(), send_body)
            elif path.startswith("/api/models/owner/tiny"):
                info = {"id": "owner/tiny", "sha": sha, "siblings": [{"rfilename": name} for name in files]}
                self.reply(json.dumps(info).encode(), send_body)
            elif path.startswith("/api/models/owner/gated"):
                self.reply(b"{}", send_body, status=403, headers={"X-Error-Code": "GatedRepo"})
            elif path.startswith("/owner/tiny/resolve/") and path.rsplit("/", 1)[1] in files:
                name = path.rsplit("/", 1)[1]
                tag = {"ETag": f'"{list(files).index(name):040x}"', "X-Repo-Commit": sha}
                self.reply(files[name].read_bytes(), send_body, headers=tag)
            else:
                self.reply(b"{}", send_body, status=404, headers={"X-Error-Code": "RepoNotFound"})

        def reply(self, body: bytes, send_body: bool, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if send_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_hub_model_is_downloaded_with_progress_once_and_works_offline_afterwards(hub: str, tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from hfdemo.errors import DemoError\n"
        "from hfdemo.models.reference import ModelRef\n"
        "from hfdemo.models.loading import load\n"
        "from hfdemo.models.sources import local_folder, offline_choices\n"
        "from hfdemo.settings import Settings\n"
        "settings, seen, said = Settings(home=Path(sys.argv[1])), [], []\n"
        "def see(done, total): seen.append((done, total))\n"
        "for name in sys.argv[2:]:\n"
        "    try: said.append(str(local_folder(ModelRef.parse(name), settings, see)))\n"
        "    except DemoError as error: said.append(str(error))\n"
        "loaded = load(ModelRef.parse('owner/tiny'), 'AutoModelForSequenceClassification', settings)\n"
        "print(json.dumps([said, seen, loaded.card()['load_report'], offline_choices(settings)]))\n"
    )

    def run(endpoint: str, *names: str) -> Any:
        environment = {
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_XET": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), *names],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    said, seen, report, _ = run(hub, "owner/tiny", "owner/gated", "owner/none")
    assert Path(said[0], "model.safetensors").is_file()
    assert "gated" in said[1]
    assert "no model 'owner/none'" in said[2]
    assert report == "Every weight came from the checkpoint."
    done, total = seen[-1]
    assert done == total > 1_000_000  # bytes, not files

    said, _, report, offered = run("http://127.0.0.1:9", "owner/tiny")
    assert Path(said[0], "model.safetensors").is_file()
    assert "owner/tiny" in offered
