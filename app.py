"""The page that a person opens: `python app.py`, and the entry of a Hugging Face Space."""

from hfdemo.launch import build_demo, end_quietly, prepare_process, serve_page

if __name__ == "__main__":
    end_quietly()
settings = prepare_process()
demo = build_demo(settings)

if __name__ == "__main__":
    serve_page(demo, settings)
