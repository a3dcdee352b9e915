"""What a training does with the rows; trainer.py is the one training that puts it together.

loading     the checkpoint that it begins with
inputs      rows -> model inputs with labels, one function per kind of answer
encoding    a run's data/*.csv as those inputs
remarks     what of the rows is not learned or judged as one would think
losses      what is minimised
weighing    what a class counts
adapting    what LoRA adapts, and what each method trains whole
batching    the padding plan as batches
loop        the Trainer with our order of rows, loss and checkpoints
probing     a few trial steps: time and memory
reporting   the Trainer's hooks as events
saving      the model that is left behind
script      train.py, which repeats it without this app
"""
