"""The process that has imported the libraries: it forks workers and trainings that have them, and does nothing else.

An import of torch, transformers and datasets is eight seconds of a processor; a fork is hundredths of one. It touches
no device and starts no thread: a fork takes one thread along and leaves the locks of the others.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from hfdemo.engine.messages import WORKER
from hfdemo.engine.worker import run_worker
from hfdemo.lazy_imports import import_libraries

# What a training imports beside what a worker does; when nobody waits for anything.
_OF_TRAININGS = ("datasets", "evaluate", "accelerate", "peft", "sklearn.metrics", "hfdemo.finetuning.training.training")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(control: socket.socket) -> None:
    """Fork what is asked for with each socket that comes, until the page is gone."""
    left = list(_OF_TRAININGS)
    while True:
        while left and not select.select([control], [], [], 0)[0]:
            importlib.import_module(left.pop(0))
            gc.freeze()
        said, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not said:
            return
        try:
            child = os.fork()
        except OSError:  # no process, or no memory: whoever asked finds its socket closed
            child = -1
        if child == 0:
            control.close()
            _become(said, descriptors)
        for each in descriptors:
            os.close(each)


def _become(said: bytes, descriptors: list[int]) -> NoReturn:
    """Be the worker, or the parent of the program, that was asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if said == WORKER:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        run_worker(descriptors[0])
    connection, log = Connection(descriptors[0]), descriptors[1]
    os.setsid()  # a program outlives the page
    asked = json.loads(connection.recv_bytes())
    program = os.fork()
    if program == 0:
        connection.close()
        _run_program(asked, log)
    os.close(log)
    with contextlib.suppress(OSError):
        connection.send_bytes(json.dumps({"pid": program}).encode())
    _, status = os.waitpid(program, 0)
    with contextlib.suppress(OSError):
        connection.send_bytes(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())
    os._exit(0)


def _run_program(asked: dict[str, Any], log: int) -> NoReturn:
    """Do what `python -m MODULE ARGUMENT` would, in a session of its own, and print to `log`.

    The libraries are not taken apart at the end, as an interpreter does: that writes to each page that is shared.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["environment"])
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    for number in (1, 2):
        os.dup2(log, number)
    code: Any = 1
    try:
        _forget_parent()
        code = importlib.import_module(f"{asked['module']}.__main__").main(asked["arguments"])
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            file.flush()
    os._exit(code if isinstance(code, int) else 1)


def _forget_parent() -> None:
    """Draw other random numbers than the next fork, and compute with as many threads as this program's own variable
    says."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the page's to hear
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the page sees an end by a socket
    import_libraries()
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
