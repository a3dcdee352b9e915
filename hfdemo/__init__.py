"""hfdemo: run any transformers task, see its tokens, fine-tune its model.

The rooms, in import order (a room imports only from rooms below it; a test holds this):

    ui, api          the page and the public endpoints; with app.py the only rooms that know gradio
    inference        one prediction: task + model reference + inputs -> Prediction
    finetuning       data set + RunConfig -> a run folder, trained by a child process
    snippets         the Python that reproduces what a panel just did
    tokenization     texts -> rows of cells; lengths -> padded widths
    models           references -> loaded models, and the cache that holds them
    serializing      numpy, torch and floats -> plain JSON values
    devices          the accelerator at hand, or why there is none
    tasks            what can be run: one row per task
    heavy            the libraries that take seconds to import, imported in one order
    settings, errors what the environment may change; what may go wrong

One text's way through: ui/inference.py -> inference.predict -> models.loading -> the task's row -> Prediction
-> ui/widgets.py. A call over the API enters at api.py and meets the same inference.predict.
"""

__version__ = "0.1.0"
