"""hfdemo: run any transformers task, see its tokens, fine-tune its model.

The rooms, in import order (a room imports only from rooms below it; a test holds this):

    __main__        what a shell can ask for: the page, a prediction, tokens, a training, any endpoint
    launch          the start of the page
    ui              the page: three tabs, and the renderers of what models answer
    api             the public endpoints, and the boundary that turns errors into sentences
    inference       task + model reference + inputs -> Prediction, at once, as a stream, or for a file
    finetuning      data set + RunConfig -> a run folder, trained by a child process
    engine          where models are held: in this process, or in a child that can be ended at any moment
    tokenization    texts -> rows of cells; lengths -> batches and what they cost
    data_sources    data sets by name -> tables of texts
    models          references -> folders -> loaded models, and the cache that holds them
    ownership       whose a run, a search or a trained tokenizer is, and what they take of the disk
    tasks           what can be run: one row per task
    devices         the accelerator at hand, or why there is none
    scheduler       one heavy job at a time; equal ones that wait go together
    background      work in a thread that ends when nobody listens
    tables          a file as a table of texts
    serialization   numpy, torch, images and audio -> plain JSON values and files
    media           files <-> images, audio, video
    lazy_imports    the libraries that take seconds to import, imported in one order
    users           who may sign in, and the command that writes a user's line
    settings        what the environment may change
    example_files   where the examples lie
    errors          what may go wrong, as sentences
    atomic_files    files that a reader finds whole or not at all

One text's way through: ui/tabs/run/task_panel.py -> inference/predict.py -> models/loading.py -> the task's row
-> Prediction -> ui/renderers/. A call over the API enters at a row of api/endpoints.py and meets the same
inference/predict.py.
"""

__version__ = "0.4.0"
