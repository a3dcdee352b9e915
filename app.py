"""The page that a person opens: `python app.py`, and the entry of a Hugging Face Space."""

import os
import signal
import sys
from typing import Any

from hfdemo.settings import Settings
from hfdemo.users import read_users

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # before there is a page, Ctrl-C ends it at once and without a word
try:
    settings = Settings.from_env()
    settings.make_home()
    if settings.auth is not None:
        read_users(settings.auth)
except ValueError as error:
    sys.exit(str(error))
os.environ.update(settings.cache_folders())  # gradio and the Hub's libraries read these when they are imported
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")  # datasets would tell a server of each file that it reads

from hfdemo.engine import start_engine
from hfdemo.engine.confinement import explain_exposed, hide_process


def build_demo() -> Any:
    """Start the engine, which imports the large libraries while this process imports gradio, and build the page."""
    if settings.public:
        hide_process()
    if settings.auth is not None and (refusal := explain_exposed(settings.auth, settings)):
        sys.exit(refusal)
    engine = start_engine(settings)
    from hfdemo.ui import build

    return build(settings, engine)


demo = build_demo()

if __name__ == "__main__":
    from hfdemo.ui.serving import serve

    serve(demo, settings)
