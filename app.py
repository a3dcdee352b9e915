"""The page that a person opens: `python app.py`, and the entry of a Hugging Face Space."""

from threading import Thread

from hfdemo.lazy_imports import import_libraries
from hfdemo.settings import Settings
from hfdemo.ui import build, launch_options

settings = Settings.from_env()
demo = build(settings)

if __name__ == "__main__":
    # The page is there at once; what its first answer needs is imported while it is being opened.
    Thread(target=import_libraries, daemon=True, name="warm-up").start()
    demo.launch(**launch_options(settings))
