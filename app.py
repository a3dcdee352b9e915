"""The page that a person opens: `python app.py`, and the entry of a Hugging Face Space."""

import os
import signal
import sys
from threading import Thread

from hfdemo.settings import Settings

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # before there is a page, Ctrl-C ends it at once and without a word
try:
    settings = Settings.from_env()
    settings.make_home()
except ValueError as error:
    sys.exit(str(error))
os.environ.update(settings.cache_folders())  # gradio and the Hub's libraries read these when they are imported

from hfdemo.engine.confinement import hide_process
from hfdemo.lazy_imports import import_libraries
from hfdemo.ui import build
from hfdemo.ui.serving import serve

if settings.public:
    hide_process()
demo = build(settings)

if __name__ == "__main__":
    # The page is there at once; what its first answer needs is imported while it is being opened.
    Thread(target=import_libraries, daemon=True, name="warm-up").start()
    serve(demo, settings)
