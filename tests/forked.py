"""Python processes for the tests that start hundreds: forked from one that has imported the large libraries.

`Forked(arguments)` stands where `subprocess.Popen([sys.executable, *arguments])` would. What is proven with it has to
hold for a real start as well: each way of starting (python -m, torchrun, a script) keeps one test that does start an
interpreter.
"""

import atexit
import contextlib
import fcntl
import functools
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_SERVER = Path(__file__).with_name("fork_server.py")
# What huggingface_hub and those that stand on it read when they are imported: who differs in one imports them anew.
_READ_ON_IMPORT = (
    *("HF_ENDPOINT", "HF_HOME", "HF_MODULES_CACHE", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_HUB_DISABLE_XET"),
    "HF_UPDATE_DOWNLOAD_COUNTS",
)
_FORKED = ("hfdemo.engine.zygote", "hfdemo.finetuning", "hfdemo.finetuning.runs.search_trials", "torch.distributed.run")
_POPEN = subprocess.Popen


@functools.cache
def _server(libraries: str) -> str:
    """The address of the session's fork server with these libraries, which lives as long as the session."""
    folder = Path(os.environ["HFDEMO_TESTS"])
    path = folder / libraries
    with (folder / f"{libraries}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with (folder / f"{libraries}.log").open("ab") as log:
                server = _POPEN(
                    [sys.executable, "-I", str(_SERVER), str(path), os.environ["HFDEMO_TESTS_OWNER"], libraries],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while not path.exists():
                assert server.poll() is None, (folder / f"{libraries}.log").read_text()
                time.sleep(0.05)
    return str(path)


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + 10
    while True:
        try:
            connection.connect(path)
        except ConnectionRefusedError:  # bound, and not yet listening
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return connection


class Forked(subprocess.Popen[bytes]):
    """What `subprocess.Popen` is to an interpreter, for a fork: its pid, its end, and signals to it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: int | IO[bytes] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        start_new_session: bool = False,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        forking: bool = False,
    ) -> None:
        """Start `python *arguments`. With `forking`, what that starts of this project is forked, too."""
        environment = dict(os.environ if env is None else env)
        usual = all(environment.get(name) == os.environ.get(name) for name in _READ_ON_IMPORT)
        self.args, self.returncode, self._child_created = list(arguments), None, False
        self._connection = _connect(_server("with_hub" if usual else "without_hub"))
        request = {
            "arguments": self.args,
            "cwd": str(cwd or Path.cwd()),
            "env": environment,
            "start_new_session": start_new_session,
            "pass_fds": list(pass_fds),
            "forking": forking,
        }
        body = json.dumps(request).encode()
        with Path(os.devnull).open("r+b") as nothing:
            files = [_number(stdin, 0, nothing), _number(stdout, 1, nothing), _number(stderr, 2, nothing)]
            files[2] = files[1] if stderr == subprocess.STDOUT else files[2]
            socket.send_fds(self._connection, [len(body).to_bytes(8)], [*files, *pass_fds])
        self._connection.sendall(body)
        self.pid = self._told()

    def _told(self) -> int:
        told = self._connection.recv(8, socket.MSG_WAITALL)
        assert len(told) == 8, "the fork server is gone"
        return int.from_bytes(told, signed=True)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            ended, _, _ = select.select([self._connection], [], [], timeout)
            if not ended:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = self._told()
            self._connection.close()
        return self.returncode


def _number(file: int | IO[bytes] | None, inherited: int, nothing: IO[bytes]) -> int:
    if file is None or file == subprocess.STDOUT:
        return inherited
    if file == subprocess.DEVNULL:
        return nothing.fileno()
    return file if isinstance(file, int) else file.fileno()


def run(
    arguments: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    forking: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Do as `subprocess.run([sys.executable, *arguments], capture_output=True, text=True)` does, with a fork."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        files: Any = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": error}
        code = Forked(arguments, cwd=cwd, env=env, forking=forking, **files).wait()
        said = [(file.seek(0), file.read().decode(errors="replace"))[1] for file in (out, error)]
    return subprocess.CompletedProcess(list(arguments), code, *said)


class Rank(subprocess.Popen[bytes]):
    """A process that a forked torchrun starts: a fork of torchrun itself, whose child it has to be."""

    def __init__(
        self,
        args: Sequence[str],
        *,
        path: list[str],
        env: Mapping[str, str],
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
        start_new_session: bool = False,
    ) -> None:
        """Start `args`, this interpreter and what it is given; `path` is sys.path as torchrun found it."""
        assert args[0] == sys.executable, f"{args[0]} is no python to fork"
        self.args, self.returncode, self._child_created = list(args), None, True
        self.stdin = self.stdout = self.stderr = None
        self._waitpid_lock = threading.Lock()
        files = [
            os.dup(number if file is None else file.fileno()) for number, file in enumerate((None, stdout, stderr))
        ]
        request = {
            "arguments": self.args[1:],
            "cwd": str(Path.cwd()),
            "env": dict(env),
            "start_new_session": start_new_session,
            "pass_fds": [],
            "forking": False,
            "files": files,
        }
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _forget_torchrun(path, files)
            from tests import fork_server

            fork_server.live(request)
        for number in files:
            os.close(number)


def _forget_torchrun(path: list[str], kept_files: list[int]) -> None:
    """Undo what torchrun did here that none of its children would find: its connections, signals and last words."""
    borders = [2, *sorted(kept_files), os.sysconf("SC_OPEN_MAX")]
    for below, above in itertools.pairwise(borders):
        os.closerange(below + 1, above)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    atexit._clear()
    sys.path[:] = path


def popen(args: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start `args` as `subprocess.Popen` does, but fork where they begin a run or a search of this project."""
    if [*args[:2]] == [sys.executable, "-m"] and args[2] in _FORKED:
        return Forked(args[1:], forking=True, **options)
    return _POPEN(args, **options)
