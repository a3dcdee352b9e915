"""python -I fork_server.py SOCKET OWNER with_hub|without_hub: fork Python processes that have their libraries already.

An interpreter that imports torch, transformers, datasets, peft and accelerate takes seven seconds of a core before it
does anything; a fork of one that has done so takes none. A request is what `python` would be given: the arguments, the
working directory, the environment, and the three standard files. This file imports nothing of this project, so that
a forked process finds it only where an interpreter would. See `tests/forked.py` for the other side.
"""

import atexit
import contextlib
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import types
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

# What knows nothing of the Hub: huggingface_hub and all that stands on it read their settings when they are imported.
WITHOUT_HUB = (
    *("torch", "torch.utils.data", "safetensors.torch", "tokenizers", "numpy", "pandas", "pyarrow.parquet"),
    *("pyarrow.dataset", "scipy.stats", "sklearn.metrics", "regex", "yaml", "httpx", "aiohttp", "dill", "fsspec"),
    *("PIL.Image", "jinja2", "psutil", "pydantic"),
)
WITH_HUB = ("transformers", "transformers.trainer", "datasets", "evaluate", "peft", "accelerate", "gradio")
# Written by transformers' lazy modules only when they are asked for; each costs a training tenths of a second.
ALSO = (
    ("transformers", "AutoModelForSequenceClassification", "AutoTokenizer", "DataCollatorWithPadding", "BertModel"),
    ("sklearn.metrics", "f1_score"),
    ("torch.utils.tensorboard", "SummaryWriter"),
    ("torch.distributed.run", "main"),
    ("scipy.stats", "spearmanr"),
    ("optuna",),
)


def preload(with_hub: bool) -> None:
    """Import what every training needs, and leave it as it is shared between this process and its forks."""
    for name in (*WITHOUT_HUB, *(WITH_HUB if with_hub else ())):
        __import__(name)
    for module, *names in ALSO if with_hub else ():
        __import__(module, fromlist=names)
        for name in names:
            getattr(sys.modules[module], name)
    assert with_hub or "huggingface_hub" not in sys.modules
    assert threading.active_count() == 1, "a fork takes one thread along, and leaves the locks of the others"
    gc.collect()
    gc.freeze()


def serve(path: str, owner: int) -> socket.socket:
    """Fork for each client, and return its connection in that fork. The server ends with the process `owner`."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks here
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    listener.settimeout(1.0)
    while Path(f"/proc/{owner}").exists():
        with contextlib.suppress(TimeoutError):
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                client.setblocking(True)
                return client
            client.close()
    raise SystemExit


def fork(client: socket.socket) -> dict[str, Any]:
    """Fork once more, and return the client's request there; here, tell the client its pid and its exit code."""
    size, files, _, _ = socket.recv_fds(client, 8, 8)
    request = json.loads(client.recv(int.from_bytes(size), socket.MSG_WAITALL))
    pid = os.fork()
    if pid == 0:
        client.close()
        return {**request, "files": files}
    for number in files:
        os.close(number)
    with contextlib.suppress(OSError):
        client.sendall(pid.to_bytes(8, signed=True))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        client.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, signed=True))
    os._exit(0)


def become(request: dict[str, Any]) -> None:
    """Make this process the one that was asked for, but for its program."""
    import numpy as np
    import torch

    if request["start_new_session"]:
        os.setsid()
    # First out of the way of the numbers that they are to have.
    files = [fcntl.fcntl(file, fcntl.F_DUPFD, 200) for file in request["files"]]
    for file in request["files"]:
        os.close(file)
    for number, file in zip([0, 1, 2, *request["pass_fds"]], files, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if "huggingface_hub" in sys.modules:
        offline = os.environ.get("HF_HUB_OFFLINE") == "1"
        for name in ("huggingface_hub.constants", "datasets.config"):
            vars(sys.modules[name])["HF_HUB_OFFLINE"] = offline
    np.random.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["forking"]:
        clean = [*sys.path]
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests import forked

        sys.path[:] = clean
        subprocess.Popen = forked.popen  # type: ignore[assignment,misc]
        if "torch.distributed.run" in sys.modules:
            from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

            subprocess_handler.Popen = partial(forked.Rank, path=clean)


def run(arguments: list[str]) -> None:
    """Do what `python *arguments` does: -m MODULE, -c CODE or FILE, perhaps with -I or -u before it."""
    arguments = list(arguments)
    isolated = arguments[0] == "-I"
    if arguments[0] == "-u":
        for file in (sys.stdout, sys.stderr):
            file.reconfigure(write_through=True)  # type: ignore[union-attr]
    if arguments[0] in ("-I", "-u"):
        del arguments[0]
    path = [] if isolated else [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if arguments[0] == "-m":
        sys.path[:0] = [*([] if isolated else [str(Path.cwd())]), *path]
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.path[:0] = [*([] if isolated else [""]), *path]
        sys.argv = ["-c", *arguments[2:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(arguments[1], "<string>", "exec"), main.__dict__)
    else:
        sys.path[:0] = [*([] if isolated else [str(Path(arguments[0]).parent.absolute())]), *path]
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def live(request: dict[str, Any]) -> NoReturn:
    """Be the process that was asked for to its end, and leave without taking the libraries apart.

    An interpreter does that last, once all that was to be done is done; here it would take four tenths of a second, to
    write on each page that is shared with the other forks.
    """
    code: Any = 0
    try:
        become(request)
        run(request["arguments"])
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            file.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    preload(sys.argv[3] == "with_hub")
    live(fork(serve(sys.argv[1], int(sys.argv[2]))))
