"""Fine-tuning: a data set and a RunConfig become a run folder, and a child process trains in it.

What is asked for
    config      RunConfig, validated and JSON in and out
    arguments   its part that is TrainingArguments: defaults, every field's help
    checking    what of it is refused
    sharing     what a shared server refuses besides

The rows: corpora.read_corpus -> columns -> rows -> fixes -> labels -> splitting -> dataset.prepare
    columns     which column is what, and what is learned
    cells       one label cell of each kind
    rows        tables -> rows of text, text_pair and label, and what is wrong with each
    labels      their order, and the positive one
    fixes       repairs by name
    splitting   given splits, or made ones
    problems    what can be wrong with a data set, and the change of the config that mends it
    doctor      all of that as one Inspection
    dataset     all of that as checked splits
    counting    how many tokens the rows have

What is learned: one recipe per kind of answer
    recipes     model, inputs, loss, of each kind
    inputs      rows -> model inputs with labels
    losses      what is minimised
    weighing    what a class counts
    adapting    what LoRA adapts, and what it trains whole
    batching    the padding plan as batches
    loop        the Trainer with our order of rows, loss and checkpoints
    probing     a few trial steps: time and memory
    trainer     one training
    reporting   the Trainer's hooks as events
    epochs      what the validation split looked like after each epoch
    saving      the model that is left behind
    script      train.py, which repeats it without this app

What came of it
    metrics     evaluate modules by path
    judging/    metrics, baseline, curves and mistakes of each kind
    report      report.json, errors.csv, the model card

The run's life
    events      what a run says while it works
    run         Run: what a folder tells, whoever reads it
    runs        RunStore: make, start, stop, resume, duplicate, delete
    checkpoints written whole or not at all
    processes   which they are, and how they are made to end
    launching   what starts it: python, torchrun, accelerate
    stopping    a stop that is obeyed
    resuming    going on where a run ended
    queueing    whose turn it is
    ranks       several processes of one run
    child       signs of life, the device's lock, the last word
    space       what it takes on the disk
    archive     a run as one file
    comparing   several runs side by side
    search      trials chosen by Optuna
    __main__    python -m hfdemo.finetuning config.json | RUN_DIR
"""
