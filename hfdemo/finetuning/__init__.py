"""Fine-tuning: a data set and a RunConfig become a run folder, and a child process trains in it.

config           what is asked for: RunConfig, validated, JSON in and out
arguments        its part that is TrainingArguments: defaults, every field's help
argument_checks  what of it is refused
public_limits    what a shared server refuses besides
dataset/         any file or Hub id -> checked splits, and what is wrong with it
recipes          what each kind of answer is learned with: model, inputs, loss, evaluator
preprocessing/   rows -> model inputs
training/        one training, from the base model to the saved one
evaluation/      metrics, baseline, curves, mistakes, the report
events           what a run says while it works
runs/            a run's life: made, started, stopped, resumed, compared
launcher         what starts it: python, torchrun, accelerate
__main__         python -m hfdemo.finetuning config.json | RUN_DIR
"""
