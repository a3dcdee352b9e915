"""Fine-tuning: a data set and a RunConfig become a run folder, and a child process trains in it.

arguments        what is asked of TrainingArguments: defaults, every field's help
argument_checks  what of it is refused
kinds/           the kinds of answers: everything that differs between them, a row each
config           what is asked for: RunConfig, validated, JSON in and out
launcher         what starts a training: python, torchrun, accelerate
events           what a run says while it works
stop_request     what it is told: to stop, and whether to keep what was learned
dataset/         any file or Hub id -> checked splits, and what is wrong with it, with what mends it
preprocessing    rows -> model inputs
evaluation/      metrics, baseline, mistakes, the report
training/        one training, from the base model to the saved one
preflight/       every reason to refuse a run, or to warn of it; limits of a shared server
runs/            a run's life: made, started, stopped, resumed, compared
__main__         python -m hfdemo.finetuning config.json | RUN_DIR

Each imports only from those above it.
"""
