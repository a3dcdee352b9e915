"""A small data set and a tiny model for each kind of answer that can be trained, and a run folder made of them."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from hfdemo.devices import Device
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Event
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.training.checkpoints import find_newest_whole
from hfdemo.finetuning.training.standalone import training_script
from hfdemo.finetuning.training.training import Resume, train
from hfdemo.settings import Settings

CPU = Device("cpu", "CPU")
LABELS = {
    "single_label": ("cold", "warm"),
    "multi_label": ("cold", "loud", "warm"),
    "regression": (),
    "tokens": ("O", "B-THING", "I-THING"),
    "language": (),
}
FAST = {"num_train_epochs": 2, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "seed": 3}
# Where what is evaluated and saved on the way is not meant.
STEPS_ALONE = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
Zoo = Callable[[str], Path]


def table(kind: str, rows: int, start: int = 0) -> pd.DataFrame:
    """Rows of very different lengths, no two alike, whose answers can be learned from the text."""
    assert kind in LABELS, f"add {kind} to LABELS and its rows to table() in tests/finetuning/tiny_runs.py"
    numbers = range(start, start + rows)
    words = [f"{number} {('ice', 'fire')[number % 2]}{' word' * (7 * number % 23)}".split() for number in numbers]
    columns: dict[str, list[str]] = {"text": [" ".join(each) for each in words]}
    if kind == "single_label":
        columns["label"] = [LABELS[kind][number % 2] for number in numbers]
    if kind == "multi_label":
        has = [[["cold"], ["warm"]][number % 2] + ["loud"] * (number % 3 == 0) for number in numbers]
        columns["label"] = [json.dumps(sorted(names)) for names in has]
    if kind == "regression":
        # -100 is the number that transformers takes for "no label".
        columns["label"] = [str(float([-100.0, 2.5][number % 2])) for number in numbers]
    if kind == "tokens":
        columns["text"] = [json.dumps(each) for each in words]
        tags = [["O", "B-THING", *["I-THING"] * (len(each) > 2), *["O"] * (len(each) - 3)] for each in words]
        columns["label"] = [json.dumps(each) for each in tags]
    assert "label" in columns or not KINDS[kind].rows.has_labels, f"add the labels of {kind} here"
    return pd.DataFrame(columns)


def model_of(kind: str, tiny: Path, zoo: Zoo) -> Path:
    return zoo("text-generation") if kind == "language" else tiny


def calm(model: Path) -> Path:
    """A copy of a model without dropout."""
    copy = model.parent / f"{model.name}-calm"
    if not copy.exists():
        shutil.copytree(model, copy)
        config = json.loads((copy / "config.json").read_text())
        config |= {name: 0.0 for name in config if "dropout" in name and isinstance(config[name], float)}
        (copy / "config.json").write_text(json.dumps(config))
    return copy


def run_folder(settings: Settings, kind: str, model: Path, name: str = "run", **config: Any) -> Path:
    """A run as the store would make it: 37 rows to train on, 11 and 9 held out."""
    folder = settings.runs / name
    (folder / "data").mkdir(parents=True)
    for split, rows, start in (("train", 37, 0), ("validation", 11, 40), ("test", 9, 60)):
        table(kind, rows, start).to_csv(folder / "data" / f"{split}.csv", index=False)
    row = KINDS[kind]
    training = {**FAST, **config.pop("training", {})}
    filled = RunConfig(
        dataset="made",
        model=str(model),
        task=row.task,
        problem_type=row.problem_type,
        text_column="text",
        label_column="label",
        labels=LABELS[kind],
        training=training,
        **config,
    ).with_training_defaults(37, row.learning_rate)
    (folder / "config.json").write_text(json.dumps(filled.to_json()))
    (folder / "train.py").write_text(training_script(filled, settings))
    return folder


def trained(folder: Path, settings: Settings, device: Device = CPU, resume: bool = False) -> list[Event]:
    events: list[Event] = []
    there = None
    if resume:
        checkpoint, notes = find_newest_whole(folder / "checkpoints")
        assert checkpoint is not None
        there = Resume(checkpoint, int(checkpoint.name.removeprefix("checkpoint-")), notes)
    train(RunConfig.read(folder / "config.json"), folder, settings, device, events.append, there)
    return events


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model" / "model.safetensors"))


def changed(config: RunConfig, **training: Any) -> RunConfig:
    return dataclasses.replace(config, training={**config.training, **training})
