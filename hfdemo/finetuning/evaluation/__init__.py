"""Evaluation: what a run's answers are worth, by the evaluator of their kind.

compute_metrics  compute_metrics through evaluate: our own scores, further modules, and the one that picks the best
scores_module  the evaluate module of our own scores, by kind
score_metric   its class, apart: evaluate takes the first metric that it finds in a module
report         epochs/N.json, report.json and errors.csv
model_card     README.md beside the weights
"""
