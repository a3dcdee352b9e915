"""A Hub on this machine, of models and data sets, and the real client as a child process that asks it things."""

import contextlib
import json
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests import forked
from tests.conftest import ROOT, wait_until

SHA = "a" * 40
NOWHERE = "http://127.0.0.1:9"
DRIP_BYTES = 64 * 1024


@dataclass
class Repo:
    """One repository: its files, and how the Hub answers for it. `status` and `code` refuse the question itself: every
    time, or the first `refusals` times.

    `card` is what the Hub read at the top of its README.md.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    pipeline_tag: str | None = None
    gated: bool = False
    status: int = 200
    code: str = ""
    refusals: int = sys.maxsize
    card: Mapping[str, Any] | None = None
    #: files of which half is sent, and nothing more
    stalled: Sequence[str] = ()
    #: files that come at 640 KB a second
    dripping: Sequence[str] = ()


def of_folder(folder: Path, **more: Any) -> Repo:
    """A repository with the files of `folder`."""
    return Repo({path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}, **more)


@contextmanager
def serve(
    repos: Mapping[str, Repo], stalling: list[str] | None = None, broken: list[str] | None = None
) -> Iterator[str]:
    """Answer as the Hub does for `repos` (by id); gives the address.

    The id of a data set is written with "datasets/" before it. The revisions are main, v1 and refs/convert/parquet.
    `stalling` comes to hold the paths of downloads that hang or drip, `broken` those that the client broke off.
    """
    hanging, ended = [] if stalling is None else stalling, threading.Event()
    gone = [] if broken is None else broken

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.answer(send_body=False)

        def do_GET(self) -> None:
            self.answer(send_body=True)

        def answer(self, send_body: bool) -> None:
            parts = self.path.split("?")[0].strip("/").split("/")
            api = parts[0] == "api"
            parts = parts[1:] if api else parts
            kind = "datasets/" if parts[0] == "datasets" else ""
            parts = parts[1:] if parts[0] in ("models", "datasets") else parts
            repo, rest = repos.get(kind + "/".join(parts[:2])), parts[2:]
            if repo is None:
                self.reply(b"{}", send_body, 401, {"X-Error-Code": "RepoNotFound"})
            elif repo.status != 200 and repo.refusals > 0:
                repo.refusals -= 1
                self.reply(b"{}", send_body, repo.status, {"X-Error-Code": repo.code} if repo.code else {})
            elif len(rest) > 1 and rest[1] not in ("main", "v1", SHA, "refs%2Fconvert%2Fparquet"):
                self.reply(b"{}", send_body, 404, {"X-Error-Code": "RevisionNotFound"})
            elif not api and repo.gated:
                self.reply(b"{}", send_body, 403, {"X-Error-Code": "GatedRepo"})
            elif api and rest[:1] == ["tree"]:
                tree = [
                    {"type": "file", "path": name, "size": len(content), "oid": f"{index:040x}"}
                    for index, (name, content) in enumerate(repo.files.items())
                ]
                self.reply(json.dumps(tree).encode(), send_body)
            elif api:
                info = {
                    "id": "/".join(parts[:2]),
                    "sha": SHA,
                    "pipeline_tag": repo.pipeline_tag,
                    "cardData": repo.card,
                    "gated": "manual" if repo.gated else False,
                    "siblings": [{"rfilename": name, "size": len(body)} for name, body in repo.files.items()],
                }
                self.reply(json.dumps(info).encode(), send_body)
            else:
                name = "/".join(rest[2:])
                if name not in repo.files:
                    self.reply(b"", send_body, 404, {"X-Error-Code": "EntryNotFound"})
                    return
                tag = {"ETag": f'"{list(repo.files).index(name):040x}"', "X-Repo-Commit": SHA}
                dripping = name in repo.dripping
                self.reply(repo.files[name], send_body, headers=tag, stalled=name in repo.stalled, dripping=dripping)

        def reply(
            self,
            body: bytes,
            send_body: bool,
            status: int = 200,
            headers: dict[str, str] | None = None,
            stalled: bool = False,
            dripping: bool = False,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if send_body and dripping:
                self.drip(body)
            elif send_body:
                self.wfile.write(body[: len(body) // 2] if stalled else body)
            if send_body and stalled:
                hanging.append(self.path)
                ended.wait()

        def drip(self, body: bytes) -> None:
            hanging.append(self.path)
            for begin in range(0, len(body), DRIP_BYTES):
                try:
                    self.wfile.write(body[begin : begin + DRIP_BYTES])
                except OSError:
                    gone.append(self.path)
                    self.close_connection = True
                    return
                if ended.wait(0.1):
                    return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class SilentHub:
    """What accepts every connection and never says a word, and since when until when somebody waited for it."""

    address: str
    asked: list[float] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)

    def count_waits(self) -> int:
        """Return how often somebody has waited for it, those who waited at the same time counted once; and forget it.

        How long each has waited is what the client's own clock says, however late a busy machine looks at it.
        """
        wait_until(lambda: len(self.waits) == len(self.asked), 60, "the last one to give up")
        found, self.asked, self.waits = sorted(self.waits), [], []
        count, end = 0, 0.0
        for began, ended in found:
            count += began >= end
            end = max(end, ended)
        return count


@contextmanager
def keep_silent() -> Iterator[SilentHub]:
    """Serve a Hub that says nothing: how a network looks that loses what is sent to it."""

    class Hub(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            began = time.monotonic()
            hub.asked.append(began)
            with contextlib.suppress(OSError):
                while self.request.recv(65536):
                    continue
            hub.waits.append((began, time.monotonic()))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Hub) as server:
        hub = SilentHub(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()


@contextmanager
def drop_packets() -> Iterator[str]:
    """Give an address at which no connection is ever made or refused: its queue of those who knock is full."""
    with socket.socket() as full, contextlib.ExitStack() as knocking:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            each = knocking.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


_ASK = """
import json, sys
from pathlib import Path
from hfdemo.data_sources import read_corpus
from hfdemo.errors import DemoError
from hfdemo.models.model_facts import infer_task
from hfdemo.models.hub import count_download_bytes
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.models.folders import local_folder, list_offline_models, list_offline_tokenizers
from hfdemo.models.processors import load_tokenizer
from hfdemo.settings import Settings
from tests.clock import quiet_time

home, questions = json.loads(sys.argv[1])
for what, reference, public in questions:
    settings = Settings(home=Path(home), public=public)
    seen = []
    see = lambda *step: seen.append(step)
    started = quiet_time()
    try:
        if what == "offered":
            answer = list_offline_models(settings)
        elif what == "tokenizers":
            answer = list_offline_tokenizers(settings)
        elif what == "tokenizer":
            answer = load_tokenizer(ModelRef.parse(reference), settings)("the car")["input_ids"]
        elif what == "task":
            row, why = infer_task(ModelRef.parse(reference), settings)
            answer = [row.name, why]
        elif what == "bytes":
            answer = count_download_bytes(ModelRef.parse(reference), public)
        elif what == "ready":
            from hfdemo.finetuning.preflight import SlowChecks

            answer = SlowChecks(settings).check_is_there(reference)
        elif what == "data":
            name, config, split = (*reference.split("|"), None, None)[:3]
            found = read_corpus(name, settings, config=config or None, split=split or None, progress=see)
            tables = {split: table.to_dict("list") for split, table in found.tables.items()}
            answer = {"tables": tables, "notes": found.notes}
        elif what == "load":
            ref = ModelRef.parse(reference)
            answer = load_model(ref, "AutoModelForSequenceClassification", settings, progress=see).card()
        else:
            answer = str(local_folder(ModelRef.parse(reference), settings, see, weights=what == "folder"))
    except DemoError as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps({"answer": answer, "seen": seen, "seconds": quiet_time() - started}))
"""


def ask(endpoint: str, home: Path, *questions: Sequence[Any]) -> list[dict[str, Any]]:
    """Put (what, reference[, public]) to a fresh process whose Hub is `endpoint` and whose cache is below `home`.

    `what` is "folder", "words" (the folder without weights), "load" (its card), "task", "bytes", "offered" or
    "ready" (what preflight finds of it); or
    "data", whose reference is a data set's, with "|config|split" where they matter. Each answer has "answer", "seen"
    (the progress) and "seconds".
    """
    asked = [(*question, False)[:3] for question in questions]
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = forked.run(["-c", _ASK, json.dumps([str(home), asked])], cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
