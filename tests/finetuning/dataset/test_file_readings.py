"""From a file as people have it to a trained model: how it was read is shown, recorded, and repeated by its config."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, read_data
from hfdemo.finetuning.events import Finished
from hfdemo.finetuning.runs.store import RunStore
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import STEPS_ALONE, trained

READINGS = Path(__file__).parents[2] / "data_sources" / "readings"
ONE_STEP = {"max_steps": 1, "per_device_train_batch_size": 8, **STEPS_ALONE}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "recorded"),
    [
        ("windows_1251.csv", 48, {"encoding": "Windows-1251"}),
        ("shift_jis.csv", 48, {"encoding": "CP932"}),
        ("sms_no_header.tsv", 48, {"header": False}),
        ("fasttext.txt", 48, {}),
        ("columns.json", 24, {}),
        ("splits.json", 36, {}),
        ("unclosed_quote.csv", 99, {}),
    ],
)
def test_a_file_is_read_shown_trained_on_and_read_so_again(
    settings: Settings, tiny: Path, name: str, rows: int, recorded: dict[str, object]
) -> None:
    asked = RunConfig(str(READINGS / name), str(tiny), fixes=("drop_refused_rows",), training=ONE_STEP)
    corpus = read_data(asked, settings)
    found = inspect(corpus.tables, None, asked, corpus.refused, doubts=corpus.doubts)
    assert (found.rows, found.refusal) == (rows, "")
    assert sum(found.labels.values()) == rows
    run = RunStore(settings).create(asked)
    config = RunConfig.read(run.folder / "config.json")
    assert {key: value for key in ("encoding", "header") if (value := getattr(config, key)) is not None} == recorded
    again = read_data(config, settings)
    for split, table in corpus.tables.items():
        pd.testing.assert_frame_equal(again.tables[split], table)
    assert isinstance(trained(run.folder, settings)[-1], Finished)
    kept = [pd.read_csv(path, dtype=str) for path in (run.folder / "data").glob("*.csv")]
    assert sum(map(len, kept)) == rows


def test_the_doubt_of_a_reading_is_a_problem_with_the_other_one_as_its_change(
    settings: Settings, tmp_path: Path
) -> None:
    lines = "".join(f"этот фильм очень понравился {n},{('хорошо', 'плохо')[n % 2]}\n" for n in range(9))
    path = tmp_path / "mac.csv"
    path.write_bytes(f"text,label\n{lines}".encode("mac_cyrillic"))
    corpus = read_data(RunConfig(str(path)), settings)
    problem = inspect(corpus.tables, None, None, corpus.refused, doubts=corpus.doubts).problems[0]
    assert (problem.code, problem.severity, problem.change) == ("encoding", "warn", {"encoding": "Windows-1251"})
    assert json.dumps(dict(problem.change))
    other = read_data(RunConfig.from_json({"dataset": str(path), **problem.change}), settings)
    assert other.doubts == ()
    assert other.tables[""]["text"][0] != corpus.tables[""]["text"][0]


def test_a_test_file_without_labels_is_answered_and_never_refuses_the_run(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    for split, column in (("train", ",target"), ("test", "")):
        texts = [f"{n},so {('good', 'bad')[n % 2]} a film {n}{f',{n % 2}' if column else ''}\n" for n in range(20)]
        (tmp_path / f"{split}.csv").write_text(f"id,text{column}\n" + "".join(texts))
    (tmp_path / "sample_submission.csv").write_text("id,target\n0,0\n")
    asked = RunConfig(str(tmp_path), str(tiny), text_column="text", label_column="target", training=ONE_STEP)
    corpus = read_data(asked, settings)
    found = inspect(corpus.tables, None, asked, corpus.refused)
    assert found.refusal == ""
    assert "sample_submission.csv" in corpus.notes[0]
