"""The page that a person opens: `python app.py`, and the entry of a Hugging Face Space."""

from hfdemo.settings import Settings
from hfdemo.ui import build, launch_options

settings = Settings.from_env()
demo = build(settings)

if __name__ == "__main__":
    demo.launch(**launch_options(settings))
