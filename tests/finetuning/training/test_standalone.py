"""train.py repeats its run with the public libraries alone."""

import ast
import dataclasses
import inspect
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare, read_data
from hfdemo.finetuning.evaluation.score_metric import ScoreMetric
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.training.standalone import training_script
from hfdemo.finetuning.training.trainer import EpochSampler, PaddingCollator, SelectionCallback, TaskTrainer
from hfdemo.settings import Settings
from hfdemo.tokenization.chat_templates import PLAIN_TEMPLATE
from hfdemo.tokenization.padding import row_order, trainable_names
from tests import forked
from tests.finetuning.tiny_runs import LABELS, Zoo, model_of, run_folder, trained
from tests.zoo import copy_without_template

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("single_label", {"method": "lora", "padding": "multiple_of_8", "class_weights": "balanced"}),
    ("single_label", {"padding": "grouped", "training": {"data_seed": 3, "label_smoothing_factor": 0.1}}),
    (
        "single_label",
        {
            "padding": "longest_in_dataset",
            "training": {"train_sampling_strategy": "group_by_length", "metric_for_best_model": "eval_loss"},
        },
    ),
    (
        "single_label",
        {
            "method": "frozen",
            "early_stopping_patience": 1,
            "training": {"eval_strategy": "steps", "eval_steps": 2, "gradient_accumulation_steps": 2},
        },
    ),
    ("multi_label", {"class_weights": {"cold": 1.0, "loud": 2.0, "warm": 0.5}}),
    ("regression", {"padding": "max_length", "max_length": 20}),
    ("tokens", {"class_weights": "balanced"}),
    ("tokens", {"method": "lora", "max_length": 12}),
    ("language", {"method": "lora"}),
]


def run_interpreter(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a new interpreter, as a person does."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_plain_python_reaches_the_metrics_of_the_run_by_the_script(settings: Settings, tiny: Path, zoo: Zoo) -> None:
    kind, more = VARIANTS[0]
    repeats(run_folder(settings, kind, model_of(kind, tiny, zoo), **more), settings, run_interpreter)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "more"), VARIANTS[1:])
def test_the_script_reaches_the_metrics_of_the_run(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str, more: dict[str, Any]
) -> None:
    repeats(run_folder(settings, kind, model_of(kind, tiny, zoo), **more), settings)


def repeats(
    folder: Path, settings: Settings, run: Callable[..., subprocess.CompletedProcess[str]] = forked.run
) -> None:
    trained(folder, settings)
    done = run(["-I", str(folder / "train.py")], cwd=settings.home, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((folder / "report.json").read_text())
    for split in ("validation", "test"):
        line = re.search(rf"^{split} (.*)$", done.stdout, re.MULTILINE)
        assert line, done.stdout[-2000:]
        said = {name.removeprefix(f"{split}_"): value for name, value in json.loads(line[1]).items()}
        expected = report["metrics"][split]
        assert {name: said[name] for name in expected} == expected, "to the last digit"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "frozen"])
def test_the_script_trains_what_the_checkpoint_had_no_weights_for(
    settings: Settings, tiny: Path, tmp_path: Path, method: str
) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    made: Any = BertForMaskedLM(BertConfig.from_pretrained(tiny))
    made.save_pretrained(tmp_path / "without")
    AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "without")
    repeats(run_folder(settings, "single_label", tmp_path / "without", method=method), settings)


@pytest.mark.slow
def test_the_script_leaves_out_the_rows_that_the_run_left_out(settings: Settings, zoo: Zoo) -> None:
    folder = run_folder(settings, "language", zoo("text-generation"), max_length=32)
    for split in ("train", "validation", "test"):
        asked = [("word " * 60 if number % 4 == 1 else f"hi {number}") for number in range(11)]
        rows = [[{"role": "user", "content": each}, {"role": "assistant", "content": "yes"}] for each in asked]
        pd.DataFrame({"text": [json.dumps(row) for row in rows]}).to_csv(folder / "data" / f"{split}.csv", index=False)
    repeats(folder, settings)


@pytest.mark.slow
@pytest.mark.parametrize("template", ["own", "plain"])
def test_the_script_repeats_a_run_on_share_gpt_by_the_chat_template_of_the_model_or_a_plain_one(
    settings: Settings, zoo: Zoo, tmp_path: Path, template: str
) -> None:
    model = zoo("text-generation")
    if template == "plain":
        model = copy_without_template(model, tmp_path / "without")
    source = tmp_path / "share_gpt.jsonl"
    turns = [[("human", f"say {n}"), ("gpt", f"it is {'very ' * (n % 5)}{n}")] for n in range(40)]
    rows = [{"conversations": [{"from": who, "value": said} for who, said in each]} for each in turns]
    source.write_text("\n".join(map(json.dumps, rows)))
    config = RunConfig(str(source), task="text-generation", splits={"validation": 0.2, "test": 0.2})
    folder = run_folder(settings, "language", model, training={"num_train_epochs": 1})
    for split, part in prepare(config, read_data(config, settings).tables).splits.items():
        part.to_csv(folder / "data" / f"{split}.csv", index=False)
    repeats(folder, settings)
    said = json.loads((folder / "report.json").read_text())["chat_template"]
    assert (said == PLAIN_TEMPLATE) == (template == "plain")
    assert (folder / "model" / "chat_template.jinja").read_text() == said
    card = (folder / "model" / "README.md").read_text()
    assert 'print(pipe([{"role": "user"' in card
    assert (PLAIN_TEMPLATE in card) == (template == "plain")


OTHER = """
import datasets
import evaluate


class Other(evaluate.Metric):
    def _info(self):
        value = {feature}
        features = datasets.Features({{"predictions": value, "references": value}})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        same = sum(p == r for p, r in zip(predictions, references))
        return {{"share": same / len(references), "accuracy": -1.0, "words": "none"}}
"""
FEATURES = {
    "single_label": 'datasets.Value("int64")',
    "multi_label": 'datasets.List(datasets.Value("int64"))',
    "regression": 'datasets.Value("float64")',
    "tokens": 'datasets.List(datasets.Value("string"))',
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FEATURES)
def test_the_script_picks_the_best_by_a_metric_of_others_as_the_run_did(
    settings: Settings, tiny: Path, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other.py"
    other.write_text(OTHER.format(feature=FEATURES[kind]))
    folder = run_folder(settings, kind, tiny, metrics=(str(other),), training={"metric_for_best_model": "share"})
    repeats(folder, settings)
    found = json.loads((folder / "report.json").read_text())["metrics"]["validation"]
    assert {"share", "accuracy" if kind == "regression" else "extra_accuracy"} < found.keys()
    assert "words" not in found


MODELS = [
    *[(model, method) for model in ("embedded:minilm", "embedded:sentiment") for method in ("full", "lora", "frozen")],
    ("untrained:embedded:minilm", "full"),
    ("untrained:embedded:minilm", "frozen"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_script_is_python(settings: Settings, kind: str) -> None:
    folder = run_folder(settings, kind, Path("embedded:minilm"), max_length=64)
    values = {**json.loads((folder / "config.json").read_text()), "labels": list(LABELS[kind])}
    wrong = []
    for (model, method), padding in itertools.product(MODELS, trainable_names()):
        config = RunConfig.from_json({**values, "model": model, "method": method, "padding": padding})
        script = training_script(config, settings)
        try:
            compile(script, "train.py", "exec")
        except SyntaxError as error:
            wrong.append((model, method, padding, str(error)))
        if "hfdemo" in script:
            wrong.append((model, method, padding, "names hfdemo"))
    assert wrong == []


def test_the_script_carries_the_very_code_that_the_run_goes_by(settings: Settings) -> None:
    script = (run_folder(settings, "single_label", Path("embedded:minilm")) / "train.py").read_text()
    evaluator = KINDS["single_label"].evaluator
    carried: list[Any] = [
        PaddingCollator,
        EpochSampler,
        SelectionCallback,
        TaskTrainer,
        ScoreMetric,
        evaluator.scores,
        row_order,
    ]
    assert [each.__name__ for each in carried if inspect.getsource(each).strip() not in script] == []


def test_uv_finds_in_the_script_the_libraries_that_the_run_had(settings: Settings) -> None:
    """PEP 723: a block of comments that is TOML."""
    folder = run_folder(settings, "tokens", Path("embedded:minilm"), method="lora")
    script = (folder / "train.py").read_text()
    (block,) = re.findall(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", script)
    metadata = tomllib.loads("".join(f"{line[2:]}\n" for line in block[0].splitlines()))
    assert metadata["requires-python"] == ">=3.11"
    pins = dict(line.split("==") for line in metadata["dependencies"])
    assert pins == {name: version(name).partition("+")[0] for name in pins}
    needed = {"torch", "transformers", "datasets", "accelerate", "evaluate", "peft", "seqeval", "scikit-learn"}
    assert needed <= pins.keys()


def test_every_name_in_a_script_is_defined(settings: Settings, tmp_path: Path) -> None:
    more: list[dict[str, Any]] = [{}, {"early_stopping_patience": 1}, {"training": {"eval_strategy": "no"}}]
    for kind in KINDS:
        for number, (method, change) in enumerate(itertools.product(("full", "lora", "frozen"), more)):
            weights = {"class_weights": "balanced"} if KINDS[kind].balance and number % 2 else {}
            folder = run_folder(
                settings, kind, Path("embedded:minilm"), f"{kind}-{number}", method=method, **change, **weights
            )
            shutil.copy(folder / "train.py", tmp_path / f"{folder.name}.py")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F821,F811", str(tmp_path)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_that_a_config_says_becomes_code(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    evil = 'f1"]; __import__("os").abort(); value = metrics["eval_f1'
    odd = tmp_path / 'we"""ird\\'
    shutil.copytree(tiny, odd)
    folder = run_folder(settings, "single_label", odd, training={"metric_for_best_model": evil})
    config = RunConfig.read(folder / "config.json")
    launched = dataclasses.replace(config, processes=2, accelerate_config=f"{odd}.yaml")
    for each in (config, launched):
        tree = ast.parse(training_script(each, settings))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert not {getattr(call, "id", getattr(call, "attr", "")) for call in calls} & {"__import__", "abort"}


def test_the_script_of_several_processes_says_how_to_start_them(settings: Settings) -> None:
    folder = run_folder(settings, "single_label", Path("embedded:minilm"), processes=2)
    said = ast.get_docstring(ast.parse((folder / "train.py").read_text())) or ""
    assert "python -m torch.distributed.run --standalone --nproc_per_node 2 train.py" in said
