"""The model card that a run writes beside its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hfdemo.finetuning.config import RunConfig


def model_card(config: RunConfig, report: Mapping[str, Any]) -> str:
    """Markdown: what it was trained on and how, how good it is, and how to use it."""
    scores = "\n".join(
        f"| {split} | {report['rows'][split]:,} | {found['accuracy']:.4f} | {found['f1']:.4f} "
        f"| {report['baseline'][split]['accuracy']:.4f} |"
        for split, found in report["metrics"].items()
    )
    f1 = f'of "{config.positive_label}"' if config.positive_label else "macro"
    settings = json.dumps(config.to_json(), indent=2, ensure_ascii=False)
    return f"""---
pipeline_tag: {config.task}
library_name: {"peft" if config.method == "lora" else "transformers"}
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

```python
from transformers import pipeline

pipe = pipeline("{config.task}", model="path/to/model")
print(pipe("some text", top_k=None))
```

## Train it again

Save this as `config.json`, then `python -m hfdemo.finetuning config.json`.

```json
{settings}
```
"""
