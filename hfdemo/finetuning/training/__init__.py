"""Training: one run, from the checkpoint it begins with to the model it saves.

train         one training: a prepared run folder in, events out
base_model    the checkpoint that it begins with
class_weights what a class counts
peft          what LoRA adapts, and what each method trains whole
collator      the padding plan as batches
trainer       the Trainer with our order of rows, loss and checkpoints
memory_probe  a few trial steps: time and memory
checkpoints   written whole or not at all
callbacks     the Trainer's hooks as events
saving        the model that is left behind
standalone    train.py, which repeats it without this app
"""
