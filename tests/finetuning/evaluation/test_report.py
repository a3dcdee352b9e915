"""report.json, errors.csv and the model card, for every kind of answer."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.model_card import write_model_card
from hfdemo.finetuning.evaluation.report import Predicted, data_hash, write_report
from hfdemo.finetuning.kinds import KINDS, find_kind
from tests.finetuning.kinds.samples import sample_of

TEXTS = ["good", 'with "quotes"\nand a line', "NA", "bad"]
WORDS = [json.dumps([word, "x"]) for word in "abcd"]
MORE: dict[str, dict[str, Any]] = {
    "single_label": {"positive_label": "yes"},
    "language": {"model": "owner/tiny", "dataset": "owner/data"},
}


def config(kind: str, **more: Any) -> RunConfig:
    row, labels = KINDS[kind], sample_of(kind)[0].labels or None
    learned = {"task": row.task, "problem_type": row.problem_type, "labels": labels, **MORE.get(kind, {})}
    return RunConfig(**{"dataset": "/home/somebody/secret/my.csv", "training": {"seed": 1}, **learned, **more})


def reported(kind: str, folder: Path, **more: Any) -> tuple[RunConfig, dict[str, Any]]:
    """A report on four rows, of the validation and a test split that are the same."""
    (folder / "data").mkdir(parents=True)
    texts = WORDS if kind == "tokens" else TEXTS
    sample, logits, references = sample_of(kind)
    columns: dict[str, list[str]] = {"text": texts, **({"label": sample.cells} if sample.cells else {})}
    for split in ("train", "validation", "test"):
        with (folder / "data" / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    run = config(kind, **more)
    evaluator = find_kind(run.task, run.problem_type).evaluator
    found = evaluator.scores(logits, references, list(run.labels or ()), run.positive_label)
    predicted = Predicted(logits, references, {"loss": 0.5, **found})
    facts = {
        "run": "tuned-1",
        "device": "cpu",
        "rows": dict.fromkeys(("train", "validation", "test"), 4),
        "steps": 1200,
        "best_step": None,
        "seconds": 1.5,
        "before": {**dict.fromkeys(found, 0.125), "loss": 0.9},
    }
    return run, write_report(run, folder, facts, {"validation": predicted, "test": predicted}, references)


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_is_what_the_file_holds_with_the_result_beside_what_it_has_to_beat(
    kind: str, tmp_path: Path
) -> None:
    _, report = reported(kind, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report
    assert report["kind"] == kind
    for split in ("validation", "test"):
        assert set(report["metrics"][split]) >= {"loss"}
        assert set(report["baseline"][split]) >= {"answer", "metrics"}
        assert report["shapes"][split]["logits"][0] == 4
        assert report["example"][split]["row"] == 1
    assert report["before"]["validation"]["loss"] == 0.9
    assert report["baseline"]["validation"]["metrics"]
    assert set(report["versions"]) == {"torch", "transformers", "datasets", "accelerate"}
    assert report["command"] == "python -m hfdemo.finetuning config.json"


def test_the_keys_that_clients_of_a_classifier_know_stay_where_they_are(tmp_path: Path) -> None:
    _, report = reported("single_label", tmp_path)
    assert report["baseline"]["test"]["accuracy"] == 0.75
    assert report["baseline"]["test"]["label"] == "no"
    assert report["per_class"]["validation"]["yes"]["support"] == 1
    assert report["confusion_matrix"]["validation"] == [[2, 1], [0, 1]]
    assert report["shapes"]["validation"] == {"logits": [4, 2], "labels": [4]}
    assert (report["run"], report["steps"], report["best_step"], report["rows"]["train"]) == ("tuned-1", 1200, None, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_csv_names_the_rows_that_went_wrong_with_their_text_as_it_is(kind: str, tmp_path: Path) -> None:
    reported(kind, tmp_path)
    with (tmp_path / "errors.csv").open(encoding="utf-8", newline="") as file:
        wrong = list(csv.DictReader(file))
    assert [int(each["row"]) for each in wrong] == sample_of(kind)[0].wrong_rows
    for each in wrong:
        assert each["text"] == (WORDS if kind == "tokens" else TEXTS)[int(each["row"]) - 1]


def test_without_a_mistake_errors_csv_has_only_its_heading(tmp_path: Path) -> None:
    run, _ = reported("single_label", tmp_path)
    right = Predicted(np.eye(2, dtype=np.float32)[[1, 0, 0, 0]], np.array([1, 0, 0, 0]), {"accuracy": 1.0})
    facts = {
        "run": "r",
        "device": "cpu",
        "rows": {"train": 4, "validation": 4},
        "steps": 1,
        "best_step": 1,
        "before": None,
    }
    report = write_report(run, tmp_path, facts, {"validation": right}, np.array([0, 1]))
    assert (tmp_path / "errors.csv").read_text(encoding="utf-8").split() == ["row,label,predicted,text"]
    assert report["before"] == {}
    assert "before training" not in write_model_card(run, report)


def test_predictions_that_are_not_one_per_row_are_refused(tmp_path: Path) -> None:
    run, _ = reported("single_label", tmp_path)
    short = Predicted(np.eye(2), np.array([0, 1]), {})
    with pytest.raises(ValueError, match="4 rows, but there are predictions of 2"):
        write_report(run, tmp_path, {}, {"validation": short}, np.array([0, 1]))


def test_the_data_hash_changes_with_any_byte_or_name_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_bytes(b"text\na\n")
    first = data_hash(tmp_path)
    assert first == hashlib.sha256(b"train.csv\0text\na\n\0").hexdigest()
    (tmp_path / "data" / "train.csv").write_bytes(b"text\nb\n")
    second = data_hash(tmp_path)
    (tmp_path / "data" / "train.csv").rename(tmp_path / "data" / "test.csv")
    assert len({first, second, data_hash(tmp_path)}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_hub_reads_the_results_at_the_top_of_the_card(kind: str, tmp_path: Path) -> None:
    run, report = reported(kind, tmp_path)
    data = ModelCard(write_model_card(run, report)).data
    assert data.pipeline_tag == run.task
    assert data.model_name == "tuned-1"
    found = {(each.dataset_split, each.metric_name): each.metric_value for each in data.eval_results}
    title = KINDS[kind].evaluator.title
    assert found == {
        (split, title(name, run.positive_label)): value
        for split, each in report["metrics"].items()
        for name, value in each.items()
    }
    assert (("test", "f1 of “yes”") in found) == (kind == "single_label"), "binary F1 names its class"
    on_the_hub = kind == "language"
    assert data.base_model == ("owner/tiny" if on_the_hub else None)
    assert data.datasets == (["owner/data"] if on_the_hub else None)
    assert ModelCard(write_model_card(run, report, adapter=True)).data.library_name == "peft"


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_says_how_good_it_is_what_it_had_to_beat_and_how_to_use_it(kind: str, tmp_path: Path) -> None:
    run, report = reported(kind, tmp_path)
    card = write_model_card(run, report)
    lines = [line for line in card.splitlines() if line.startswith(("| validation | 4 |", "| test | 4 |"))]
    assert [line.split("|")[3].strip().split(":")[0] for line in lines] == (
        ["this model", "baseline", "this model", "baseline"]
        if kind == "language"  # its baseline is the model before training
        else ["this model", "baseline", "the model before training", "this model", "baseline"]
    )
    assert report["data_sha256"] in card
    assert "1,200 steps" in card
    assert f'pipeline("{run.task}"' in card
    assert json.loads(card.split("```json\n")[1].split("```")[0]) == run.to_json()
    above = card.split("## Train it again")[0]
    assert "/home/somebody" not in above
    compile(above.split("```python\n")[1].split("```")[0], "card", "exec")


def test_the_confusion_matrix_is_a_table_that_no_label_can_break(tmp_path: Path) -> None:
    run, report = reported("single_label", tmp_path, labels=("a|b", "yes"))
    table = write_model_card(run, report).split("true ↓, predicted →")[1]
    assert table.startswith(" | a\\|b | yes |\n| --- | --- | --- |\n| a\\|b | 2 | 1 |\n| yes | 0 | 1 |\n")
    many = {**report, "labels": [str(index) for index in range(77)]}
    assert "true ↓" not in write_model_card(run, many)


def test_a_pair_model_is_shown_with_a_pair(tmp_path: Path) -> None:
    run, report = reported("regression", tmp_path, text_pair_column="second")
    assert 'pipe({"text": "some text", "text_pair": "another text"}, function_to_apply="none")' in write_model_card(
        run, report
    )
