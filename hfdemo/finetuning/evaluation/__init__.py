"""Evaluation: what a run's answers are worth, for each kind of answer.

evaluator   Judge, and what all kinds show alike
scores      the headline numbers as plain functions, which train.py holds a copy of
evaluate_inputs  the answers as evaluate modules take them
curves      ROC, precision-recall, calibration
single_label  one label per row
multi_label  several labels per row
regression  a number per row
tokens      a tag per token
language    the next token
epochs      what the validation split looked like after each epoch
report      report.json, errors.csv, the model card
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hfdemo.finetuning.evaluation.evaluator import Judge
from hfdemo.finetuning.evaluation.language import LANGUAGE
from hfdemo.finetuning.evaluation.multi_label import MULTI_LABEL
from hfdemo.finetuning.evaluation.regression import REGRESSION
from hfdemo.finetuning.evaluation.single_label import SINGLE_LABEL
from hfdemo.finetuning.evaluation.tokens import TOKENS

__all__ = ["JUDGES", "Judge"]

JUDGES: Mapping[str, Judge] = MappingProxyType(
    {judge.kind: judge for judge in (SINGLE_LABEL, MULTI_LABEL, REGRESSION, TOKENS, LANGUAGE)}
)
