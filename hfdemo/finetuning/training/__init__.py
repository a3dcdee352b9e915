"""Training: one run, from the checkpoint it begins with to the model it saves.

training      one training: a prepared run folder in, events out
base_model    the checkpoint that it begins with
class_weights what a class counts
peft          what LoRA adapts, and what each method trains whole
trainer       the Trainer, collator, order of rows and selection that train.py carries, too
run_trainer   what a run's Trainer does besides: counting, whole checkpoints
selection_metric  the metric that the best checkpoint has the best of
stop_signal   breaking off at the next batch
memory_probe  a few trial steps: time and memory
checkpoints   written whole or not at all
event_callback  the Trainer's hooks as events
saving        the model that is left behind
standalone    train.py, which repeats it without this app
"""
