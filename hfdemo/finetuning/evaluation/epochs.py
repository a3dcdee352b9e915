"""What the validation split looked like after each epoch: confusion matrix, scores per label, curves; a file each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.atomic_files import write_atomically
from hfdemo.finetuning.evaluation import Judge
from hfdemo.finetuning.evaluation.evaluator import finite

if TYPE_CHECKING:
    import numpy as np

# Shown once, of the model that is kept; besides, grouping by length shows the rows of an evaluation in another order
# than that of their file, and these name single rows.
_ONCE = ("example", "shapes", "worst", "longest")


def write_epoch(
    folder: Path,
    judge: Judge,
    labels: Sequence[str],
    positive_label: str | None,
    epoch: float,
    step: int,
    logits: np.ndarray,
    references: Any,
) -> None:
    """Write epochs/N.json below `folder`: what `judge.describe` says, under the names of report.json, by split.

    N counts from 0, before training. An evaluation in the middle of an epoch stands under that epoch's number until
    its end.
    """
    described = judge.describe(logits, references, labels, positive_label)
    found = {
        "kind": judge.kind,
        "labels": list(labels),
        "positive_label": positive_label,
        "epoch": epoch,
        "step": step,
        **{name: {"validation": value} for name, value in described.items() if name not in _ONCE},
    }
    path = folder / "epochs" / f"{math.ceil(epoch - 1e-6)}.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, json.dumps(finite(found), ensure_ascii=False, allow_nan=False))


def forget_after(folder: Path, epoch: float) -> None:
    """Delete what was written after `epoch`, where a run goes on from again."""
    for number in numbers(folder):
        if number > epoch + 1e-6:
            (folder / "epochs" / f"{number}.json").unlink(missing_ok=True)


def numbers(folder: Path) -> list[int]:
    """The epochs that were judged so far, in order."""
    return sorted(int(path.stem) for path in (folder / "epochs").glob("*.json"))
