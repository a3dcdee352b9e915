"""The start of the page, by `python app.py`, by `hfdemo` or on a Space."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from hfdemo.engine import start_engine
from hfdemo.engine.confinement import explain_exposed, hide_process
from hfdemo.settings import Settings
from hfdemo.users import read_users


def prepare_process() -> Settings:
    """Read the settings of this process, and have the libraries that it will import follow them.

    Raises:
        SystemExit: one can't be read; the message says which.
    """
    try:
        settings = Settings.from_env()
        settings.make_home()
        if settings.auth is not None:
            read_users(settings.auth)
    except ValueError as error:
        sys.exit(str(error))
    os.environ.update(settings.cache_folders())  # gradio and the Hub's libraries read these when they are imported
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")  # datasets would tell a server of each file that it reads
    return settings


def build_demo(settings: Settings) -> Any:
    """Start the engine, which imports the large libraries while this process imports gradio, and build the page."""
    if settings.public:
        hide_process()
    if settings.auth is not None and (refusal := explain_exposed(settings.auth, settings)):
        sys.exit(refusal)
    engine = start_engine(settings)
    from hfdemo.ui import build

    return build(settings, engine)


def main() -> None:
    """Open the page and serve it until somebody ends it."""
    end_quietly()
    settings = prepare_process()
    serve_page(build_demo(settings), settings)


def end_quietly() -> None:
    """Let Ctrl-C end this process at once and without a word, as long as there is no page."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def serve_page(demo: Any, settings: Settings) -> None:
    """Serve the page until somebody ends it."""
    from hfdemo.ui.serving import serve

    serve(demo, settings)
