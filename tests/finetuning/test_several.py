"""Several processes train as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfdemo.finetuning.events import Evaluated, Finished, Saved, Started, StepLogged
from hfdemo.finetuning.runs import Run
from hfdemo.settings import Settings
from tests.finetuning.kinds import Zoo, calm, model_of, run_folder, trained, weights


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single_label", "tokens", "language"])
def test_two_processes_have_the_gradient_and_the_metrics_of_one_with_twice_the_batch(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str
) -> None:
    """By the entry point that a person starts; 11 and 9 held-out rows can't be shared out evenly. Without dropout."""
    model = calm(model_of(kind, tiny, zoo))
    more = {"max_steps": 2, "logging_steps": 1}
    one = run_folder(settings, kind, model, "one", training={"per_device_train_batch_size": 16, **more})
    alone = trained(one, settings)
    two = run_folder(settings, kind, model, "two", processes=2, training={"per_device_train_batch_size": 8, **more})
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "hfdemo.finetuning"]
    done = subprocess.run(
        [sys.executable, *launch, str(two)],
        env={**os.environ, "HFDEMO_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    together = Run(two).events()
    for name in ("loss", "grad_norm"):
        expected = [getattr(event, name) for event in alone if isinstance(event, StepLogged)]
        found = [getattr(event, name) for event in together if isinstance(event, StepLogged)]
        assert found == pytest.approx(expected, rel=1e-5)
    apart, joined = weights(one), weights(two)
    assert max(float((apart[name] - joined[name]).abs().max()) for name in apart) < 1e-6
    reports = [json.loads((folder / "report.json").read_text())["metrics"] for folder in (one, two)]
    for split in ("validation", "test"):
        assert reports[1][split] == pytest.approx(reports[0][split], rel=1e-4)
    # Only the first process writes.
    assert sum(isinstance(event, Started) for event in together) == 1
    assert sum(isinstance(event, Finished) for event in together) == 1
    assert sum(isinstance(event, Saved) and event.folder == "model" for event in together) == 1
    evaluated = [(event.step, event.split) for event in together if isinstance(event, Evaluated)]
    assert evaluated == [(0, "validation"), (2, "validation"), (2, "validation"), (2, "test")]
