"""What a run says of its model at the end: report.json, errors.csv and the model card."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation import Judge
from hfdemo.finetuning.evaluation.evaluator import finite, texts
from hfdemo.finetuning.launcher import command
from hfdemo.finetuning.recipes import find_recipe
from hfdemo.models.reference import ModelRef

if TYPE_CHECKING:
    import numpy as np

LIBRARIES = ("torch", "transformers", "datasets", "accelerate")
# A larger confusion matrix is a wall of numbers; report.json holds it whole.
CARD_LABELS = 12


@dataclass(frozen=True)
class Predicted:
    """What the model that is kept says of one split, in the order of its rows, and how good that is.

    `logits` and `references` have the shapes that evaluation/ names for the kind of answer; `metrics` go by evaluate's
    names. Of rows of words, `judged` has the numbers of those that have a reference.
    """

    logits: np.ndarray
    references: np.ndarray
    metrics: Mapping[str, float]
    judged: Sequence[Sequence[int]] | None = None


def write_report(
    config: RunConfig,
    folder: Path,
    facts: Mapping[str, Any],
    predictions: Mapping[str, Predicted],
    train_references: Any,
) -> dict[str, Any]:
    """Judge the predictions on every held-out split, write report.json and errors.csv, and return the report.

    `facts` are what only the trainer knows: run, device, rows, steps, best_step, seconds, and in `before` the metrics
    on the validation split before training, or None. What judging describes (per_class, confusion_matrix, ...) stands
    in the report under its own name, by split; a number that is not defined is null. errors.csv is of the validation
    split.

    Raises:
        ValueError: the predictions of a split are not one per row of its file in folder/data.
    """
    judge = find_recipe(config.task, config.problem_type).judge
    labels, before = list(config.labels or ()), facts.get("before")
    report: dict[str, Any] = {
        "model": config.model,
        "task": config.task,
        "kind": judge.kind,
        "method": config.method,
        "dataset": config.dataset,
        "labels": labels,
        "positive_label": config.positive_label,
        "command": shlex.join(command(config, "config.json")),
        "data_sha256": data_hash(folder),
        "versions": {name: version(name) for name in LIBRARIES},
        **facts,
        "before": {} if before is None else {"validation": dict(before)},
        "metrics": {},
        "baseline": {},
    }
    for split, found in predictions.items():
        rows = rows_of(folder, split)
        if len(rows) != len(found.logits):
            raise ValueError(f"{split} has {len(rows)} rows, but there are predictions of {len(found.logits)}")
        report["metrics"][split] = dict(found.metrics)
        baseline = judge.baseline(train_references, found.references, labels, config.positive_label)
        report["baseline"][split] = {**baseline, "metrics": baseline["metrics"] or report["before"].get(split, {})}
        described = judge.describe(found.logits, found.references, labels, config.positive_label)
        for name, value in described.items():
            report.setdefault(name, {})[split] = value
        if split == "validation":
            if found.judged is not None:
                rows = [{**row, "judged": json.dumps(words)} for row, words in zip(rows, found.judged, strict=True)]
            wrong = judge.errors(rows, found.logits, found.references, labels)
            _write_errors(folder, wrong, ["row", "label", "predicted", *texts(rows[0])])
    report = finite(report)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    return report


def data_hash(folder: Path) -> str:
    """sha256 over the names and bytes of data/*.csv, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted((folder / "data").glob("*.csv")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def rows_of(folder: Path, split: str) -> list[dict[str, str]]:
    """The rows of a split as a run's data has them."""
    import pandas as pd

    table = pd.read_csv(folder / "data" / f"{split}.csv", dtype=str, keep_default_na=False)
    rows: list[dict[str, str]] = table.to_dict("records")
    return rows


def _write_errors(folder: Path, wrong: Sequence[Mapping[str, Any]], names_of_none: Sequence[str]) -> None:
    with (folder / "errors.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(wrong[0]) if wrong else names_of_none)
        writer.writeheader()
        writer.writerows(wrong)


def model_card(config: RunConfig, report: Mapping[str, Any], *, adapter: bool = False) -> str:
    """Markdown: what it was trained on and how, how good it is, and how to use it; `adapter` for the bare adapter.

    `report` is what `write_report` returned.
    """
    judge = find_recipe(config.task, config.problem_type).judge
    kept = report.get("best_step") or report["steps"]
    labels = f"\nLabels: {', '.join(_cell(label) for label in report['labels'])}.\n" if report["labels"] else ""
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    settings = json.dumps(config.to_json(), indent=2, ensure_ascii=False)
    return f"""---
{_front_matter(config, report, adapter)}
---

# {report["run"]}

`{config.model}` fine-tuned ({config.method}) on {_dataset_name(config)} for {config.task}.
{labels}
## How good it is

{_scores(config, report)}

{judge.meaning} Blank: not defined.
{_confusion(report)}
## How it was trained

On {report["rows"]["train"]:,} rows, {report["steps"]:,} steps; kept: the model after step {kept:,}; \
device: {report["device"]}.
Libraries: {versions}.
Data: sha256 {report["data_sha256"]} over `data/*.csv`.

## Use it

{_ADAPTER_USE if adapter else _model_use(config, judge)}

## Train it again

`train.py` in the run's folder repeats it with the public libraries and the data beside it. With hfdemo: save this as
`config.json`, put the data where `dataset` says (for an upload: the path of your file), and run
`{report["command"]}`.

```json
{settings}
```
"""


def _front_matter(config: RunConfig, report: Mapping[str, Any], adapter: bool) -> str:
    """The YAML that the Hub reads, with the results as a model-index."""
    from huggingface_hub import EvalResult, ModelCardData

    base, on_the_hub = ModelRef.parse(config.model).origin, re.fullmatch(r"[\w.-]+/[\w.-]+", config.dataset)
    results = [
        EvalResult(
            task_type=config.task,
            dataset_type=config.dataset if on_the_hub else "csv",
            dataset_name=_dataset_name(config),
            dataset_config=config.dataset_config,
            dataset_split=split,
            metric_type=_HUB_METRICS.get(name, name),
            metric_name=name,
            metric_value=value,
        )
        for split, found in report["metrics"].items()
        for name, value in found.items()
        if value is not None
    ]
    data = ModelCardData(
        model_name=report["run"],
        eval_results=results,
        pipeline_tag=config.task,
        library_name="peft" if adapter else "transformers",
        base_model=base.name if base.source == "hub" else None,
        datasets=[config.dataset] if on_the_hub else None,
        tags=["hfdemo"],
    )
    matter: str = data.to_yaml()
    return matter


def _scores(config: RunConfig, report: Mapping[str, Any]) -> str:
    """Every metric of every split, with the baseline and what the model scored before training below it."""
    names = list(dict.fromkeys(name for found in report["metrics"].values() for name in found))
    of = f' of "{config.positive_label}"' if config.positive_label else ""
    lines = [
        ["split", "rows", "answers", *(name + (of if name == "f1" else "") for name in names)],
        ["---"] * (3 + len(names)),
    ]
    for split, found in report["metrics"].items():
        baseline, before = report["baseline"][split], report["before"].get(split)
        compared = [("this model", found), (f"baseline: {baseline['answer']}", baseline["metrics"])]
        if before and before != baseline["metrics"]:
            compared.append(("the model before training", before))
        for answers, scores in compared:
            numbers = ["" if scores.get(name) is None else f"{scores[name]:.4f}" for name in names]
            lines.append([split, f"{report['rows'][split]:,}", answers, *numbers])
    return _table(lines)


def _confusion(report: Mapping[str, Any]) -> str:
    """The confusion matrix of the test split, else of validation; nothing where there is none, or too large a one."""
    labels = report["labels"]
    if not report.get("confusion_matrix") or len(labels) > CARD_LABELS:
        return ""
    split, matrix = list(report["confusion_matrix"].items())[-1]
    lines = [[f"{split}: true ↓, predicted →", *labels], ["---"] * (1 + len(labels))]
    lines += [[label, *map(str, counts)] for label, counts in zip(labels, matrix, strict=True)]
    return f"\n{_table(lines)}\n"


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that can't break out of its place in a Markdown table."""
    return re.sub(r"([\\|`*<\[\]])", r"\\\1", " ".join(text.split()))


def _dataset_name(config: RunConfig) -> str:
    """What a stranger may read: of a path only the file's name."""
    return Path(config.dataset).name if config.dataset.startswith(("/", "./", "../", "~")) else config.dataset


def _model_use(config: RunConfig, judge: Judge) -> str:
    pair = '{"text": "some text", "text_pair": "another text"}'
    use = judge.use.replace('"some text"', pair) if config.text_pair_column else judge.use
    return f"""```python
from transformers import pipeline

pipe = pipeline("{config.task}", model="path/to/this/folder")
{use}
```"""


_ADAPTER_USE = """This is the adapter alone; hfdemo loads its folder as it is. The folder `model/` beside it holds
the merged model, which transformers loads without peft."""

# The Hub's ids of metrics that go by other names here.
_HUB_METRICS = {"f1_weighted": "f1", "f1_micro": "f1", "pearson": "pearsonr"}
