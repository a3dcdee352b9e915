"""Training: one run, from the checkpoint it begins with to the model it saves.

training      one training: a prepared run folder in, events out
model         the checkpoint that it begins with, what of it is trained (LoRA, the head), the model that is left behind
class_weights what a class counts
trainer       the Trainer, collator, order of rows and selection that train.py carries, too
run_trainer   what a run's Trainer does besides: counting, events, whole checkpoints
stop_signal   breaking off at the next batch
memory_probe  a few trial steps: time and memory
checkpoints   written whole or not at all
standalone    train.py, which repeats it without this app
"""
