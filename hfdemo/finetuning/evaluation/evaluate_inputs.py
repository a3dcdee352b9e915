"""What was answered, as evaluate modules take it, one self-contained function per kind of answer.

Each makes (predictions, references) of logits, references and labels, and needs nothing but the libraries it imports in
its own body: a run's stand-alone train.py holds the source of the one that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def classes_handed(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Label indices [rows] of logits [rows, labels] (or [..., labels])."""
    return logits.argmax(-1), references


def flags_handed(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """0/1 [rows, labels] of logits [rows, labels]."""
    return (logits > 0).astype("int64"), references.astype("int64")


def numbers_handed(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Numbers [rows] of logits [rows, 1], in double precision."""
    import numpy as np

    return np.asarray(logits, np.float64).reshape(-1), np.asarray(references, np.float64).reshape(-1)


def tags_handed(logits: Any, references: Any, labels: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """The names of the counted tags, row by row, of logits [rows, width, labels] or tag indices [rows, width]."""
    answers, counted = logits.argmax(-1) if logits.ndim == 3 else logits, references != -100
    predictions, truth = (
        [[labels[tag] for tag in row[keep]] for row, keep in zip(tags, counted, strict=True)]
        for tags in (answers, references)
    )
    return predictions, truth
