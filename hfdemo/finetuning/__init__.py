"""Fine-tuning: a data set and a RunConfig become a run folder, and a child process trains in it.

config      RunConfig, validated and JSON in and out
dataset     a file, folder or example -> checked splits
recipes     what differs per trainable task
metrics     evaluate modules that work offline, and the report
events      what a run says while it works
trainer     the one Trainer
runs        RunStore and Run: start, watch, stop, find again after a restart
__main__    python -m hfdemo.finetuning config.json | RUN_DIR
"""
