"""train.py repeats its run with the public libraries alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hfdemo.devices import Device
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.trainer import train
from hfdemo.settings import Settings


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_script_reaches_the_metrics_of_the_run(settings: Settings, colours: Path, tiny: Path, method: str) -> None:
    training = {"num_train_epochs": 3, "learning_rate": 5e-3, "per_device_train_batch_size": 8}
    config = RunConfig("colours", model=str(tiny), method=method, training=training)  # type: ignore[arg-type]
    run = RunStore(settings).create(config, colours)
    train(run.config, run.folder, settings, Device("cpu", "CPU"), lambda event: None)
    done = subprocess.run(
        [sys.executable, "-I", str(run.folder / "train.py")],
        cwd=settings.home,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = {name: float(value) for name, value in re.findall(r"'test_(\w+)': ([\d.]+)", done.stdout)}
    expected = run.report()["metrics"]["validation"]
    assert said["accuracy"] == expected["accuracy"]
    assert said["f1"] == pytest.approx(expected["f1"])
    assert said["loss"] == pytest.approx(expected["loss"], abs=1e-4)


TRAINABLE = [
    *[(model, method) for model in ("embedded:minilm", "embedded:sentiment") for method in ("full", "lora", "frozen")],
    ("untrained:embedded:minilm", "full"),
    ("untrained:embedded:minilm", "frozen"),
]


@pytest.mark.parametrize(("model", "method"), TRAINABLE)
@pytest.mark.parametrize("padding", ["longest_in_batch", "longest_in_dataset", "multiple_of_8"])
def test_every_script_is_python(settings: Settings, model: str, padding: str, method: str) -> None:
    config = RunConfig("paraphrases", model=model, padding=padding, method=method)  # type: ignore[arg-type]
    script = RunStore(settings).create(config).script()
    compile(script, "train.py", "exec")
    assert "hfdemo" not in script
