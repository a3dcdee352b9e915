"""Judging: what a run's answers are worth, for each kind of answer.

judge       Judge, and what all kinds show alike
scores      the headline numbers as plain functions, which train.py holds a copy of
handing     the answers as evaluate modules take them
curves      ROC, precision-recall, calibration
single      one label per row
multi       several labels per row
regression  a number per row
tokens      a tag per token
language    the next token
epochs      what the validation split looked like after each epoch
report      report.json, errors.csv, the model card
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hfdemo.finetuning.judging.judge import Judge
from hfdemo.finetuning.judging.language import LANGUAGE
from hfdemo.finetuning.judging.multi import MULTI_LABEL
from hfdemo.finetuning.judging.regression import REGRESSION
from hfdemo.finetuning.judging.single import SINGLE_LABEL
from hfdemo.finetuning.judging.tokens import TOKENS

__all__ = ["JUDGES", "Judge"]

JUDGES: Mapping[str, Judge] = MappingProxyType(
    {judge.kind: judge for judge in (SINGLE_LABEL, MULTI_LABEL, REGRESSION, TOKENS, LANGUAGE)}
)
