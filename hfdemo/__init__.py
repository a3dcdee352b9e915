"""hfdemo: run any transformers task, see its tokens, fine-tune its model.

The rooms, in import order (a room imports only from rooms below it; a test holds this):

    ui, api          the page and the public endpoints, with edge.py between them and the core; with app.py the only
                     rooms that know gradio
    inference        task + model reference + inputs -> Prediction, at once, as a stream, or for a file
    finetuning       data set + RunConfig -> a run folder, trained by a child process
    snippets         the Python that loads a model or a tokenizer again
    tokenization     texts -> rows of cells; lengths -> batches and what they cost
    corpora          data sets by name -> tables of texts
    models           references -> loaded models, and the cache that holds them
    tasks            what can be run: one row per task
    devices          the accelerator at hand, or why there is none
    turns            one heavy job at a time; equal ones that wait go together
    background       work in a thread that ends when nobody listens
    tables           a file as a table of texts
    serializing      numpy, torch, pictures and sound -> plain JSON values and files
    media            files <-> pictures, sound, video
    heavy            the libraries that take seconds to import, imported in one order
    settings, errors what the environment may change; what may go wrong

One text's way through: ui/panel.py -> inference.predict -> models.loading -> the task's row -> Prediction
-> ui/drawings.py. A call over the API enters at api.py and meets the same inference.predict.
"""

__version__ = "0.4.0"
