"""The README.md of a trained model: what it was trained on and how, how good it is, and how to use it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.tokenization.chat_templates import PLAIN_NAME, PLAIN_TEMPLATE

# A larger confusion matrix is a wall of numbers; report.json holds it whole.
CARD_LABELS = 12


def write_model_card(config: RunConfig, report: Mapping[str, Any], *, adapter: bool = False) -> str:
    """Write Markdown: what it was trained on and how, how good it is, how to use it; `adapter` for the bare adapter.

    `report` is what `write_report` returned.
    """
    kind = find_kind(config.task, config.problem_type)
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

{kind.evaluator.meaning} Blank: not defined.{_notes(report)}
{_confusion(report)}
## How it was trained

On {report["rows"]["train"]:,} rows, {report["steps"]:,} steps; kept: the model after step {kept:,}; \
device: {report["device"]}.
Libraries: {versions}.
Data: sha256 {report["data_sha256"]} over `data/*.csv`.{_chat_template(report)}

## Use it

{_ADAPTER_USE if adapter else _model_use(config, kind, "chat_template" in report)}

## Train it again

`train.py` in the run's folder repeats it with the public libraries and the data beside it. With hfdemo: save this as
`config.json`, put the data where `dataset` says (for an upload: the path of your file), and run
`{report["command"]}`.

```json
{settings}
```
"""


def _front_matter(config: RunConfig, report: Mapping[str, Any], adapter: bool) -> str:
    """Write the YAML that the Hub reads, with the results as a model-index."""
    from huggingface_hub import EvalResult, ModelCardData

    kind = find_kind(config.task, config.problem_type)
    base, on_the_hub = config.model_ref.origin, re.fullmatch(r"[\w.-]+/[\w.-]+", config.dataset)
    results = [
        EvalResult(
            task_type=config.task,
            dataset_type=config.dataset if on_the_hub else "csv",
            dataset_name=_dataset_name(config),
            dataset_config=config.dataset_config,
            dataset_split=split,
            metric_type=_HUB_METRICS.get(name, name),
            metric_name=kind.evaluator.title(name, config.positive_label),
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
    """Write every metric of every split, with the baseline and what the model scored before training below it."""
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


def _notes(report: Mapping[str, Any]) -> str:
    """Return how it came to an end before its time, as a paragraph."""
    notes = report.get("notes") or ()
    return f"\n\n{' '.join(_cell(note) for note in notes)}" if notes else ""


def _confusion(report: Mapping[str, Any]) -> str:
    """Write the confusion matrix of the test split, else of validation; nothing where there is none, or a large one."""
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
    """Escape text, so that it can't break out of its place in a Markdown table."""
    return re.sub(r"([\\|`*<\[\]])", r"\\\1", " ".join(text.split()))


def _dataset_name(config: RunConfig) -> str:
    """Return what a stranger may read: of a path only the file's name."""
    return Path(config.dataset).name if config.dataset.startswith(("/", "./", "../", "~")) else config.dataset


def _chat_template(report: Mapping[str, Any]) -> str:
    """Say by which chat template messages were written; print it where it is the one that was lent."""
    template = report.get("chat_template")
    if template is None:
        return ""
    if template != PLAIN_TEMPLATE:
        return "\nMessages: written by the tokenizer's own chat template; the answers were learned."
    return (
        f"\nMessages: the tokenizer had no chat template, so the {PLAIN_NAME} one of hfdemo wrote them, and is saved "
        f"with it; the answers were learned:\n\n```jinja\n{PLAIN_TEMPLATE}\n```"
    )


def _model_use(config: RunConfig, kind: Kind, chats: bool) -> str:
    pair = '{"text": "some text", "text_pair": "another text"}'
    use = kind.usage.replace('"some text"', pair) if config.text_pair_column else kind.usage
    use = kind.chat_usage if chats else use
    return f"""```python
from transformers import pipeline

pipe = pipeline("{config.task}", model="path/to/this/folder")
{use}
```"""


_ADAPTER_USE = """This is the adapter alone; hfdemo loads its folder as it is. The folder `model/` beside it holds
the merged model, which transformers loads without peft."""

# The Hub's ids of metrics that go by other names here.
_HUB_METRICS = {"f1_weighted": "f1", "f1_micro": "f1", "pearson": "pearsonr"}
