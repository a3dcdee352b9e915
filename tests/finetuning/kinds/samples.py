"""Four rows of every kind of answer and predictions of them, wrong ones too, for scores, baselines and reports."""

from dataclasses import dataclass
from typing import Any

import numpy as np

TAGS = ("O", "B-PER", "I-PER")


@dataclass(frozen=True)
class Sample:
    """Predictions of four rows.

    cells       the label column, as a run's data has it; [] without one
    logits      what evaluation keeps of the four rows
    references  their labels, encoded, as an array
    wrong_rows  the rows in errors.csv, in their order; they count from 1
    train       the labels of some training rows, encoded
    baseline    the answer that the baseline learns from `train`
    """

    labels: tuple[str, ...]
    cells: list[str]
    logits: Any
    references: Any
    wrong_rows: list[int]
    train: list[Any]
    baseline: str


SAMPLES = {
    "single_label": Sample(
        labels=("no", "yes"),
        cells=["yes", "no", "no", "no"],
        logits=[[0, 1], [0, 2], [1, 0], [1, 0]],
        references=[1, 0, 0, 0],
        wrong_rows=[2],
        train=[1, 1, 0],
        baseline="always 'yes'",
    ),
    "multi_label": Sample(
        labels=("a|b", "c"),
        cells=['["c"]', "[]", '["c"]', '["a|b", "c"]'],
        logits=[[-1, 1], [-1, 1], [-1, 1], [-1, 1]],
        references=[[0, 1], [0, 0], [0, 1], [1, 1]],
        wrong_rows=[2, 4],
        train=[[1.0, 0.0], [1.0, 0.0]],
        baseline="always 'a|b'",
    ),
    "regression": Sample(
        labels=(),
        cells=["0.5", "1", "2", "2"],
        logits=[[0.5], [1.0], [4.0], [2.0]],
        references=[0.5, 1, 2, 2],
        wrong_rows=[3, 1, 2, 4],
        train=[2.0, 4.0],
        baseline="always 3, the mean of training",
    ),
    "tokens": Sample(
        labels=TAGS,
        cells=['["O", "B-PER"]'] * 4,
        logits=np.eye(3)[[[2, 0, 1], [0, 0, 1], [0, 0, 0], [1, 2, 1]]],
        references=[[-100, 0, 1]] * 4,
        wrong_rows=[3, 4],
        train=[[-100, 1, -100], [0, 1]],  # rows of several lengths
        baseline="always 'B-PER'",
    ),
    "language": Sample(
        labels=(),
        cells=[],
        logits=[[1, 1], [4, 2], [9, 3], [0, 0]],
        references=[[1, 2]] * 4,
        wrong_rows=[3, 2, 1],
        train=[[5, 6, 7], [-100, 8]],
        baseline="the model before training",
    ),
}


def sample_of(kind: str) -> tuple[Sample, Any, Any]:
    """Return the sample of `kind`, its logits and its references as arrays."""
    assert kind in SAMPLES, f"add four rows of {kind} to SAMPLES in tests/finetuning/kinds/samples.py"
    sample = SAMPLES[kind]
    return sample, np.array(sample.logits, np.float32), np.array(sample.references)
