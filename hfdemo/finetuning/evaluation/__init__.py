"""Evaluation: what a run's answers are worth, by the evaluator of their kind.

compute_metrics  compute_metrics through evaluate: our own scores, and further modules
scores_module  the evaluate module of our own scores, by kind
score_metric   the class that makes it one
report         epochs/N.json, report.json and errors.csv
model_card     README.md beside the weights
"""
