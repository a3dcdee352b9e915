"""The process that has imported the libraries: it forks workers that have them, and does nothing else.

An import of torch, transformers and datasets is eight seconds of a processor; a fork is hundredths of one. It touches
no device and starts no thread: a fork takes one thread along and leaves the locks of the others.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys

from hfdemo.engine.worker import run_worker
from hfdemo.lazy_imports import import_libraries

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(control: socket.socket) -> None:
    """Fork a worker for each socket that comes, until the page is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the page sees a worker's end by its socket
    while True:
        said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not said:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            run_worker(descriptors[0])
        os.close(descriptors[0])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the page's to hear
    import_libraries()
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
