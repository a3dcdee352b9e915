"""Data as people keep it, from the file to the model and its train.py: flags, places, missing labels, commas."""

import csv
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Finished
from hfdemo.finetuning.runs.store import RunStore
from hfdemo.settings import Settings
from tests import forked
from tests.finetuning.tiny_runs import FAST, trained

TEXTS = [f"{number} {('ice', 'fire')[number % 2]}{' word' * (number % 5)}" for number in range(40)]
WARM = [number % 2 for number in range(40)]
LOUD = [int(number % 3 == 0) for number in range(40)]
PLAIN = [f"{number % 2}{'.0' * (number % 4 > 1)}" for number in range(40)]
FILES: dict[str, tuple[Sequence[str], list[Sequence[Any]], dict[str, Any]]] = {
    "flags": (
        ("id", "comment", "warm", "loud"),
        [(f"{n:04x}", TEXTS[n], WARM[n], LOUD[n]) for n in range(40)],
        {"label_column": ["warm", "loud"], "labels": ["warm", "loud"], "fixes": []},
    ),
    "places": (
        ("text", "labels [warm, loud, never]"),
        [(TEXTS[n], f"[{WARM[n]}. {LOUD[n]}. 0.]") for n in range(40)],
        {"labels": ["warm", "loud"], "fixes": []},
    ),
    "written twice": (
        ("text", "label"),
        [(TEXTS[n], PLAIN[n]) for n in range(40)],
        {"labels": ["0", "1"], "positive_label": "1", "fixes": ["merge_spellings"]},
    ),
    "no label": (
        ("text", "label", "set"),
        [(TEXTS[n], "NaN" if n == 6 else -1 if n >= 32 else WARM[n], "train" if n < 32 else "test") for n in range(40)],
        {"labels": ["0", "1"], "split_column": "set", "fixes": ["drop_unlabelled_rows"]},
    ),
    "decimal commas": (
        ("title", "body", "score"),
        [(TEXTS[n], f"the rest {n}", "N/A" if n == 6 else f"{n % 7},5") for n in range(40)],
        {"problem_type": "regression", "text_pair_column": "body", "fixes": ["drop_unlabelled_rows"]},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_meant_recorded_trained_and_repeated_by_its_script(
    name: str, settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    header, rows, recorded = FILES[name]
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([header, *rows])
    run = RunStore(settings).create(RunConfig(str(path), model=str(tiny), training=FAST))
    written = json.loads((run.folder / "config.json").read_text())
    assert {key: written[key] for key in recorded} == recorded
    events = trained(run.folder, settings)
    assert isinstance(events[-1], Finished)
    report = json.loads((run.folder / "report.json").read_text())
    assert "test" not in report["metrics"], "what has no label has no score"
    done = forked.run(
        ["-I", str(run.folder / "train.py")], cwd=settings.home, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    line = re.search(r"^validation (.*)$", done.stdout, re.MULTILINE)
    assert line, done.stdout[-2000:]
    said = json.loads(line[1])
    assert {name: said[f"validation_{name}"] for name in report["metrics"]["validation"]} == (
        report["metrics"]["validation"]
    ), "to the last digit"
    answered = run.folder / "answers.csv"
    assert answered.is_file() == (name == "no label")
    if name == "no label":
        answers = pd.read_csv(answered, dtype=str)
        assert answers["row"].tolist() == [str(number) for number in range(1, 9)]
        assert answers["text"].tolist() == TEXTS[32:]
        assert set(answers["predicted"]) <= {"0", "1"}
        assert pd.to_numeric(answers["confidence"]).between(0.5, 1).all()


@pytest.mark.slow
def test_a_model_that_answers_every_row_alike_is_said_to_in_the_report_and_in_the_events(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    rows = "".join(f"{text},{'spam' if n % 8 == 0 else 'ham'}\n" for n, text in enumerate(TEXTS))
    path.write_text(f"text,label\n{rows}")
    training = {**FAST, "learning_rate": 1e-9, "num_train_epochs": 1}
    run = RunStore(settings).create(RunConfig(str(path), model=str(tiny), training=training))
    assert run.config.positive_label == "spam"
    events = trained(run.folder, settings)
    report = json.loads((run.folder / "report.json").read_text())
    end = events[-1]
    assert isinstance(end, Finished)
    (note,) = end.notes
    assert re.match(r"On validation the model answers '(ham|spam)' whatever the text is", note)
    assert note in report["notes"]
    card = (run.folder / "model" / "README.md").read_text()
    assert "f1 of “spam”" in card
    assert 'f1 of "spam"' in card
