"""What a run says of its model at the end: report.json, errors.csv and the model card."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.devices import Device
from hfdemo.finetuning import metrics
from hfdemo.finetuning.config import RunConfig

if TYPE_CHECKING:
    from datasets import DatasetDict


def write_report(config: RunConfig, folder: Path, device: Device, trainer: Any, splits: DatasetDict) -> dict[str, Any]:
    """Evaluate the model that is kept on every held-out split, and write report.json and errors.csv."""
    import numpy as np

    labels = list(config.labels or ())
    train_labels = np.asarray(splits["train"]["labels"])
    report: dict[str, Any] = {
        "run": folder.name,
        "model": config.model,
        "task": config.task,
        "method": config.method,
        "dataset": config.dataset,
        "device": str(device),
        "labels": labels,
        "positive_label": config.positive_label,
        "rows": {name: len(split) for name, split in splits.items()},
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step,
        "metrics": {},
        "baseline": {},
        "per_class": {},
        "confusion_matrix": {},
    }
    # Grouping by length would reorder what is predicted, too, and errors.csv would name the wrong rows.
    trainer.args.train_sampling_strategy = "sequential"
    for name in ("validation", "test"):
        if name not in splits:
            continue
        prediction = trainer.predict(splits[name], metric_key_prefix=name)
        references, predicted = prediction.label_ids, prediction.predictions.argmax(-1)
        report["metrics"][name] = plain_metrics(prediction.metrics, f"{name}_")
        report["baseline"][name] = dataclasses.asdict(metrics.majority_baseline(train_labels, references, labels))
        report["per_class"][name] = metrics.per_class(references, predicted, labels)
        report["confusion_matrix"][name] = metrics.confusion(references, predicted, labels)
        report.setdefault("shapes", {})[name] = {
            "logits": list(prediction.predictions.shape),
            "labels": list(references.shape),
        }
        if name == "validation":
            _write_errors(folder, metrics.errors(_rows(folder, name), prediction.predictions, references, labels))
    (folder / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def _rows(folder: Path, split: str) -> list[dict[str, str]]:
    with (folder / "data" / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_errors(folder: Path, wrong: list[dict[str, Any]]) -> None:
    names = list(wrong[0]) if wrong else ["row", "label", "predicted", "confidence", "text"]
    with (folder / "errors.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(wrong)


def plain_metrics(found: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The metrics under evaluate's names: without the prefix and without the Trainer's own timings."""
    timings = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    named = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: float(value) for name, value in named.items() if name not in timings}


def model_card(config: RunConfig, report: Mapping[str, Any], *, adapter: bool = False) -> str:
    """Markdown: what it was trained on and how, how good it is, and how to use it; `adapter` for the bare adapter."""
    scores = "\n".join(
        f"| {split} | {report['rows'][split]:,} | {found['accuracy']:.4f} | {found['f1']:.4f} "
        f"| {report['baseline'][split]['accuracy']:.4f} |"
        for split, found in report["metrics"].items()
    )
    f1 = f'of "{config.positive_label}"' if config.positive_label else "macro"
    settings = json.dumps(config.to_json(), indent=2, ensure_ascii=False)
    return f"""---
pipeline_tag: {config.task}
library_name: {"peft" if adapter else "transformers"}
tags: [hfdemo]
---

# {report["run"]}

`{config.model}` fine-tuned ({config.method}) on {config.dataset} for {config.task}.
Labels: {", ".join(report["labels"])}.

| split | rows | accuracy | f1 ({f1}) | majority baseline |
|---|---|---|---|---|
{scores}

Trained on {report["rows"]["train"]:,} rows, {report["steps"]} steps; device: {report["device"]}.

## Use it

{_ADAPTER_USE if adapter else _MODEL_USE.format(task=config.task)}

## Train it again

`train.py` in the run's folder repeats it with the public libraries and the data beside it. With hfdemo: save this as
`config.json`, put the data where `dataset` says (for an upload: the path of your file), and run
`python -m hfdemo.finetuning config.json`.

```json
{settings}
```
"""


_MODEL_USE = """```python
from transformers import pipeline

pipe = pipeline("{task}", model="path/to/this/folder")
print(pipe("some text", top_k=None))
```"""

_ADAPTER_USE = """This is the adapter alone; hfdemo loads its folder as it is. The folder `model/` beside it holds
the merged model, which transformers loads without peft."""
