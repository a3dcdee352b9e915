"""The child that holds the models: it does what it is asked to, each call in a thread, until the page is gone."""

from __future__ import annotations

import contextlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from threading import Event, Lock
from typing import Any, NoReturn

from hfdemo.engine.confinement import confine_process
from hfdemo.engine.messages import (
    Call,
    Callback,
    Cancel,
    Failure,
    Held,
    Hello,
    Item,
    Result,
    Stop,
    find_function,
    read_call,
    sendable_error,
    write,
)
from hfdemo.models.hub import wait_once
from hfdemo.settings import Settings

MOST_CALLS = 64


class Worker:
    """What one process holds, and the calls that it works on."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._held: dict[str, Any] = {}
        self._holding = Lock()
        self._connection = connection
        self._sending = Lock()
        self._stops: dict[int, Event] = {}
        # Threads that are kept: each new one would make torch a team of threads of its own.
        self._threads = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="call")

    def serve(self) -> None:
        """Do what the page asks for, until it is gone."""
        while True:
            try:
                message = read_call(self._connection.recv_bytes())
            except (EOFError, OSError):
                return
            if isinstance(message, Cancel):
                if stop := self._stops.get(message.number):
                    stop.set()
            else:
                self._stops[message.number] = Event()
                self._threads.submit(self._answer, message)

    def _answer(self, call: Call) -> None:
        try:
            args = [self._argument(call, value) for value in call.args]
            kwargs = {name: self._argument(call, value) for name, value in call.kwargs.items()}
            with wait_once():
                result = find_function(call.function)(*args, **kwargs)
            self._send(Result(call.number, write(result)))
        except BaseException as error:
            self._send(Failure(call.number, write(sendable_error(error))))
        finally:
            self._stops.pop(call.number, None)

    def _argument(self, call: Call, value: Any) -> Any:
        """Return what an argument stands for here."""
        if isinstance(value, Held):
            with self._holding:
                if value.name not in self._held:
                    self._held[value.name] = find_function(value.name)(self._settings)
                held = self._held[value.name]
            return held.of_owner(value.owner)
        if isinstance(value, Stop):
            return self._stops[call.number]
        if isinstance(value, Callback):
            return lambda *args: self._send(Item(call.number, value.name, write(args)))
        return value

    def _send(self, message: Item | Result | Failure) -> None:
        written = write(message)
        with self._sending:
            self._connection.send_bytes(written)


def run_worker(descriptor: int) -> NoReturn:
    """Serve the page at the other end of a socket in this process, until it is gone."""
    connection = Connection(descriptor)
    try:
        settings: Settings = read_call(connection.recv_bytes())
    except (EOFError, OSError):  # it is gone already
        os._exit(0)
    confine_process(settings)
    worker = Worker(settings, connection)
    with contextlib.suppress(OSError):
        connection.send_bytes(write(Hello(os.getpid())))
    worker.serve()
    os._exit(0)  # a thread that still computes would keep the process


if __name__ == "__main__":
    run_worker(int(sys.argv[1]))
