"""After each epoch there is a file of what the validation split looked like, and it agrees with the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from hfdemo.errors import RunError
from hfdemo.finetuning.evaluation.report import delete_epochs_after, epoch_numbers, write_epoch
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.runs.run import Run
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import Zoo, model_of, run_folder, trained

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_every_epoch_is_told_of_and_that_of_the_kept_model_is_the_reports(
    kind: str, settings: Settings, tiny: Path, zoo: Zoo
) -> None:
    folder = run_folder(settings, kind, model_of(kind, tiny, zoo), training={"num_train_epochs": 3})
    trained(folder, settings)
    run = Run(folder)
    assert run.epochs() == [0, 1, 2, 3]
    report = run.report()
    (kept,) = [found for found in map(run.epoch, run.epochs()) if found["step"] == report["best_step"]]
    told = set(kept) - {"kind", "labels", "positive_label", "epoch", "step"}
    assert told >= {"single_label": {"per_class", "confusion_matrix", "roc", "precision_recall", "calibration"}}.get(
        kind, set()
    )
    assert told
    for name in told:
        assert json.dumps(kept[name]["validation"]) == json.dumps(report[name]["validation"])
    if kind != "language":
        assert run.epoch(0) != {**run.epoch(3), "epoch": 0.0, "step": 0}, "something was learned"


def judged(folder: Path, epoch: float, step: int) -> None:
    logits, references = np.asarray([[1.0, 0.0], [0.0, 1.0]]), np.asarray([0, 1])
    write_epoch(folder, KINDS["single_label"], ["a", "b"], None, epoch, step, logits, references)


def test_an_evaluation_in_the_middle_stands_for_its_epoch_until_that_has_ended(tmp_path: Path) -> None:
    for epoch, step in ((0.0, 0), (0.5, 2), (1.0, 4), (1.5, 6)):
        judged(tmp_path, epoch, step)
    assert epoch_numbers(tmp_path) == [0, 1, 2]
    run = Run(tmp_path)
    assert [(run.epoch(number)["epoch"], run.epoch(number)["step"]) for number in (0, 1, 2)] == [
        (0.0, 0),
        (1.0, 4),
        (1.5, 6),
    ]


def test_where_a_run_goes_on_from_a_checkpoint_later_epochs_never_were(tmp_path: Path) -> None:
    for epoch in range(4):
        judged(tmp_path, float(epoch), epoch)
    delete_epochs_after(tmp_path, 2.0)
    assert epoch_numbers(tmp_path) == [0, 1, 2]


def test_an_epoch_without_an_evaluation_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="none yet"):
        Run(tmp_path).epoch(1)
    judged(tmp_path, 2.0, 8)
    for asked in (1, "2", None, 2.5, [2]):
        with pytest.raises(RunError, match="was in: 2"):
            Run(tmp_path).epoch(asked)  # type: ignore[arg-type]
