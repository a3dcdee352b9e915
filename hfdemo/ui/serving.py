"""The life of the server: its address is free or that is said, and it ends within three seconds when it is told to."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import gradio as gr

from hfdemo.api.user_guard import REALM
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from hfdemo.ui import launch_options

# An answer that takes a moment is still given; one that takes longer (a model writing, a page's stream) is broken off.
ANSWER_SECONDS = 1.0
END_SECONDS = 2.5
_M_ARENA_MAX = -8  # malloc.h


def serve(demo: gr.Blocks, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """Serve the page until somebody ends it with Ctrl-C or SIGTERM; runs that are at work go on.

    Raises:
        SystemExit: the port is taken, or can't be used; the message says what to do.
    """
    name, port = environment.get("GRADIO_SERVER_NAME") or "127.0.0.1", _read_port(environment)
    if refusal := explain_taken_port(name, port):
        sys.exit(refusal)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _end_in_thread(demo, settings))
    _share_arenas()
    try:
        demo.launch(server_name=name, server_port=port, **launch_options(settings))
    except OSError:  # taken between the look and now
        sys.exit(explain_taken_port(name, port) or f"Nothing can be served at {name}:{port}. {_another(port)}")


def _share_arenas() -> None:
    """Let the threads that answer share the memory that each would keep free for itself: 5 MB after a few answers."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # glibc has it, other C libraries have not
        mallopt(_M_ARENA_MAX, 2)


def _read_port(environment: Mapping[str, str]) -> int:
    text = environment.get("GRADIO_SERVER_PORT") or "7860"
    if not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"GRADIO_SERVER_PORT is a port, a number from 1 to 65535, but was set to {text!r}.")
    return int(text)


def explain_taken_port(name: str, port: int) -> str | None:
    """Return why nothing can be served at `name`:`port`, and what to do; None where it can."""
    host = name.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            if os.name != "nt":  # where it would share a port that is taken
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        url = f"http://{'localhost' if host in ('0.0.0.0', '::') else name}:{port}"
        if _is_hfdemo(url):
            return f"hfdemo is running at {url} already: open that page. {_another(port)}"
        return f"Port {port} of {name} can't be used: {error.strerror or error}. {_another(port)}"
    return None


def _another(port: int) -> str:
    return f"To serve on another port: GRADIO_SERVER_PORT={port % 65535 + 1} python app.py"


def _is_hfdemo(url: str) -> bool:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/config", timeout=2) as answer:
            return bool(json.load(answer).get("title") == "hfdemo")
    except urllib.error.HTTPError as error:
        return f'realm="{REALM}"' in error.headers.get("WWW-Authenticate", "")
    except (OSError, ValueError, AttributeError):
        return False


def _end_in_thread(demo: gr.Blocks, settings: Settings) -> None:
    # The main thread may be at work in a library, and a further Ctrl-C must not break off the end.
    if not any(thread.name == "end" for thread in threading.enumerate()):
        threading.Thread(target=_end, args=(demo, settings), daemon=True, name="end").start()


def _end(demo: gr.Blocks, settings: Settings) -> None:
    """Say what goes on, answer whoever waits for a moment only, and end this process, whatever its threads are at."""
    deadline = threading.Timer(END_SECONDS, os._exit, (0,))
    deadline.daemon = True
    deadline.start()
    server: Any = getattr(demo, "server", None)
    if server is not None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that it breaks answers off is meant
        server.config.timeout_graceful_shutdown = ANSWER_SECONDS
        server.should_exit = True
    with suppress(OSError, ValueError):  # the terminal is gone
        print(f"\n{describe_end(RunStore(settings).count_at_work())}", flush=True)
    if server is not None:
        server.thread.join(END_SECONDS)
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    # Not sys.exit: it would wait for every thread that a model is computing in.
    os._exit(0)


def describe_end(at_work: int) -> str:
    """Return the last line of the server, which says what becomes of the runs."""
    if not at_work:
        return "The server has ended."
    runs, them = ("1 run goes", "it") if at_work == 1 else (f"{at_work:,} runs go", "them")
    return f"The server has ended. {runs} on in the background; open the page again to watch {them}."
