"""train.py repeats its run with the public libraries alone."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.trainer import train
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import TRAINABLE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "padding", "more"),
    [
        ("full", "longest_in_batch", {}),
        ("lora", "multiple_of_8", {}),
        ("full", "grouped", {"data_seed": 3}),
        ("full", "longest_in_dataset", {"train_sampling_strategy": "group_by_length"}),
    ],
)
def test_the_script_reaches_the_metrics_of_the_run(
    settings: Settings, tmp_path: Path, tiny: Path, method: Any, padding: str, more: dict[str, Any]
) -> None:
    path = tmp_path / "lengths.csv"
    rows = [
        f"{i} is {('warm', 'cold')[i % 3 == 0]}{' word' * (7 * i % 30)},{('up', 'down')[i % 3 == 0]}" for i in range(60)
    ]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    training = {"num_train_epochs": 3, "learning_rate": 2e-3, "per_device_train_batch_size": 8, **more}
    config = RunConfig("lengths", model=str(tiny), method=method, padding=padding, training=training)
    run = RunStore(settings).create(config, path)
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
    assert said["loss"] == pytest.approx(expected["loss"], abs=1e-6)


MODELS = [
    *[(model, method) for model in ("embedded:minilm", "embedded:sentiment") for method in ("full", "lora", "frozen")],
    ("untrained:embedded:minilm", "full"),
    ("untrained:embedded:minilm", "frozen"),
]


@pytest.mark.parametrize(("model", "method"), MODELS)
@pytest.mark.parametrize("padding", TRAINABLE)
def test_every_script_is_python(settings: Settings, model: str, padding: str, method: str) -> None:
    config = RunConfig("paraphrases", model=model, padding=padding, max_length=64, method=method)  # type: ignore[arg-type]
    script = RunStore(settings).create(config).script()
    compile(script, "train.py", "exec")
    assert "hfdemo" not in script
