"""The engine whose calls go to a worker, which can be ended at any moment and is started anew."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, ParamSpec, TypeVar, cast

import psutil

from hfdemo.engine.inline import Child, Ownable, start_program
from hfdemo.engine.messages import (
    PROGRAM,
    WORKER,
    Call,
    Callback,
    Cancel,
    Failure,
    Held,
    Hello,
    Item,
    Result,
    Stop,
    name_function,
    read_answer,
    write,
)
from hfdemo.errors import DemoError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings, child_environment

P = ParamSpec("P")
Answer = TypeVar("Answer")
Kind = TypeVar("Kind", bound=Ownable)

LOOK_SECONDS = 0.05
# How long a worker may take to end a call that was stopped, before it is ended itself.
STOP_SECONDS = 1.5
MOST_TRIES = 2
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 1.0, 30.0


class _Link:
    """The connection to one worker."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = Lock()
        self.process: psutil.Process | None = None

    def send(self, message: object) -> None:
        """Send `message`; if the worker has ended, whoever receives is told."""
        written = write(message)
        with self._sending, contextlib.suppress(OSError):
            self._connection.send_bytes(written)

    def receive(self) -> Any:
        """Return the next message of the worker.

        Raises:
            EOFError, OSError: it has ended.
        """
        return read_answer(self._connection.recv_bytes())

    def end(self) -> None:
        """End the worker, whatever it does."""
        if self.process is not None:
            with contextlib.suppress(psutil.Error):
                self.process.kill()


@dataclass(eq=False)
class _Pending:
    """A call that waits for its answer: where it was sent, how often, and what was said of it since.

    None in the `inbox` says that the worker has ended.
    """

    call: Call
    inbox: SimpleQueue[Item | Result | Failure | None] = field(default_factory=SimpleQueue)
    link: _Link | None = None
    tries: int = 0

    def cancel(self) -> None:
        """Tell the worker that nobody waits for this any more."""
        if self.link is not None:
            self.link.send(Cancel(self.call.number))


class ProcessEngine:
    """The engine whose models are in a child.

    A call that was stopped and goes on all the same costs the child its life. The others that it was at work on are
    sent to the next one once more; whoever was there twice when a child ended gets a sentence.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = itertools.count()
        self._pending: dict[int, _Pending] = {}
        self._link: _Link | None = None
        self._lock = Lock()
        self._closed = Event()
        start = _Zygote if sys.platform == "linux" else _Spawner
        self._starter = start(child_environment(settings))
        Thread(target=self._keep_worker, daemon=True, name="engine").start()

    @property
    def models(self) -> ModelCache:
        """What stands for the worker's cache among the arguments of a call."""
        return self.hold(ModelCache)

    def hold(self, kind: Callable[[Settings], Kind]) -> Kind:
        """Return what stands for the worker's one `kind` among the arguments of a call."""
        return cast(Kind, Held(name_function(kind)))

    @property
    def worker(self) -> psutil.Process | None:
        """The process that holds the models, None while there is none."""
        link = self._link
        return None if link is None else link.process

    def call(self, function: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """Return `function(*args, **kwargs)`, done by the worker: see `Engine.call`."""
        callbacks: dict[str, Callable[..., Any]] = {}
        stops: list[Event] = []

        def stand_in(name: str, value: Any) -> Any:
            if isinstance(value, Event):
                stops.append(value)
                return Stop()
            if callable(value) and not isinstance(value, type):
                callbacks[name] = value
                return Callback(name)
            return value

        call = Call(
            next(self._numbers),
            name_function(function),
            tuple(stand_in(str(place), value) for place, value in enumerate(args)),
            {name: stand_in(name, value) for name, value in kwargs.items()},
        )
        pending = _Pending(call)
        with self._lock:
            self._pending[call.number] = pending
        try:
            self._send(pending)
            return cast(Answer, self._wait(pending, callbacks, stops[0] if stops else None))
        except BaseException:
            pending.cancel()
            raise
        finally:
            with self._lock:
                del self._pending[call.number]

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments`: see `Engine.start_program`."""
        return self._starter.start_program(module, arguments, environment, log)

    def close(self) -> None:
        """End the worker, and what starts workers."""
        self._closed.set()
        if self._link is not None:
            self._link.end()
        self._starter.close()

    def _send(self, pending: _Pending) -> None:
        """Send a call to the worker; while there is none, it is sent once there is."""
        with self._lock:
            link = pending.link = self._link
        if link is not None:
            pending.tries += 1
            link.send(pending.call)

    def _wait(self, pending: _Pending, callbacks: dict[str, Callable[..., Any]], stop: Event | None) -> Any:
        """Wait for the answer; what the worker tells meanwhile is told on."""
        began, asked, reason = time.monotonic(), 0.0, None
        patient = stop is None and not self._settings.call_seconds
        while True:
            if reason is None and (reason := self._find_reason_to_stop(began, stop)):
                asked = time.monotonic()
                pending.cancel()
            if reason is not None and time.monotonic() > asked + STOP_SECONDS:
                if pending.link is not None:
                    pending.link.end()
                raise reason
            try:
                said = pending.inbox.get(timeout=None if patient else LOOK_SECONDS)
            except Empty:
                continue
            if isinstance(said, Item):
                callbacks[said.name](*read_answer(said.args))
            elif isinstance(said, Result):
                return read_answer(said.value)
            elif isinstance(said, Failure):
                error = read_answer(said.error)
                raise reason if reason is not None and isinstance(error, Stopped) else error
            elif reason is not None:
                raise reason
            else:
                self._send_again(pending)

    def _find_reason_to_stop(self, began: float, stop: Event | None) -> DemoError | None:
        """Return why a call is to end that began then, None while it may go on."""
        if stop is not None and stop.is_set():
            return Stopped()
        most = self._settings.call_seconds
        if most and time.monotonic() > began + most:
            return DemoError(
                f"This took longer than {most} seconds, which is all that one call may take here, with what it waits "
                "for others. Send less at once, or take a smaller model."
            )
        return None

    def _send_again(self, pending: _Pending) -> None:
        """Send a call to the next worker, because that of before has ended.

        Raises:
            DemoError: it was there twice when a worker ended, or there is to be no other.
        """
        if pending.tries >= MOST_TRIES or self._closed.is_set():
            raise DemoError(
                "The process that holds the models ended while it worked on this, most likely because memory ran out. "
                "Try a smaller model, a shorter text or fewer rows."
            )
        self._send(pending)

    def _keep_worker(self) -> None:
        """See to it that there is a worker, as long as the engine is open, and hand out what it says."""
        pause = FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            link = _Link(self._starter.start_worker())
            link.send(self._settings)
            self._serve_link(link)
            if link.process is not None:
                pause = FIRST_PAUSE_SECONDS
            else:  # one that can't even begin must not be begun all the time
                self._closed.wait(pause)
                pause = min(2 * pause, MOST_PAUSE_SECONDS)

    def _serve_link(self, link: _Link) -> None:
        """Hand out what a worker says, until it ends."""
        try:
            while True:
                said = link.receive()
                if isinstance(said, Hello):
                    self._connect(link, said)
                    continue
                with self._lock:
                    pending = self._pending.get(said.number)
                if pending is not None and pending.link is link:
                    pending.inbox.put(said)
        except (EOFError, OSError):
            pass
        except Exception:
            logging.getLogger(__name__).exception("The worker said what no answer can hold")
            link.end()
        with self._lock:
            self._link = None
            left = [pending for pending in self._pending.values() if pending.link is link]
        for pending in left:
            pending.inbox.put(None)

    def _connect(self, link: _Link, hello: Hello) -> None:
        """Send all that waits to a worker that has just begun."""
        with contextlib.suppress(psutil.Error):
            link.process = psutil.Process(hello.pid)
        with self._lock:
            self._link = link
            waiting = [pending for pending in self._pending.values() if pending.link is None]
        for pending in waiting:
            self._send(pending)


class ForkedProgram:
    """A program that the zygote runs, as `subprocess.Popen` shows one: its number, and how it ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pid = int(json.loads(connection.recv_bytes())["pid"])
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, None while it is at work; -9 where whoever would tell is gone."""
        if self.returncode is None and self._connection.poll():
            try:
                self.returncode = int(json.loads(self._connection.recv_bytes())["code"])
            except (EOFError, OSError):
                self.returncode = -signal.SIGKILL
            self._connection.close()
        return self.returncode


class _Zygote:
    """Starts workers and programs as forks of a process that has imported the libraries."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = _start_python("hfdemo.engine.zygote", theirs, environment)

    def start_worker(self) -> Connection:
        """Return the connection to a worker that begins now; it ends at once if the zygote is gone."""
        return self._ask(WORKER)

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments` in a session of its own; what it prints goes to the file `log`.

        Raises:
            OSError: the zygote is gone, or the machine has no process left.
        """
        connection = self._ask(PROGRAM, log)
        asked = {"module": module, "arguments": list(arguments), "environment": dict(environment)}
        try:
            connection.send_bytes(json.dumps(asked).encode())
            return ForkedProgram(connection)
        except EOFError as error:
            raise OSError("no process could be forked") from error

    def _ask(self, what: bytes, *files: int) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(OSError):
            socket.send_fds(self._control, [what], [theirs.fileno(), *files])
        return Connection(ours.detach())

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


class _Spawner:
    """Starts each worker as an interpreter of its own, where a fork is not safe."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> Connection:
        """Return the connection to a worker that begins now."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._processes = [each for each in self._processes if each.poll() is None]
            self._processes.append(_start_python("hfdemo.engine.worker", theirs, self._environment))
        return Connection(ours.detach())

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments`, as an interpreter."""
        return start_program(module, arguments, environment, log)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _start_python(module: str, theirs: socket.socket, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start `module` in an interpreter that has one end of a socket."""
    number = theirs.fileno()
    command = [sys.executable, "-m", module, str(number)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number], env=environment)
