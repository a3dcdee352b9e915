"""What stands before Start: how much a run would learn from and for how long, or the sentences that refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from hfdemo.devices import find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.launcher import check_accelerate
from hfdemo.finetuning.training.base_model import check_base
from hfdemo.finetuning.training.class_weights import check_weights
from hfdemo.settings import Settings
from hfdemo.ui import html
from hfdemo.ui.tabs.finetune.dataset_preview import Examined
from hfdemo.ui.tabs.finetune.form_values import Values, config_of, overruled

REFUSED = "hf-refused"  # the class by which the page knows that Start has begun nothing
_METHODS = {"full": "all weights", "lora": "a LoRA adapter", "frozen": "the head"}


@dataclass(frozen=True)
class Known:
    """What the form has found out about its data: (split, rows), labels in the model's order, and why a run would be
    refused; "" where it would not. Tuples throughout: gradio hashes what a page keeps."""

    split_rows: tuple[tuple[str, int], ...]
    labels: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def train_rows(self) -> int:
        return dict(self.split_rows).get("train", 0)


def known_of(examined: Examined) -> Known:
    rows = {**examined.split_rows, "train": examined.train_rows}
    return Known(tuple(rows.items()), examined.labels, examined.refusal)


def render_ready_line(values: Values, known: Known | None, settings: Settings) -> str:
    """The line above Start. Imports transformers, which checks the training values."""
    if known is None:
        return refused("There is no data yet that could be trained on.")
    try:
        config = config_of(values)
        config.check_training()
        check_accelerate(config, find_device(), public=settings.public)
        recipe = find_kind(config.task, config.problem_type)
        check_base(config, recipe, settings)
        check_weights(config, recipe, known.labels)
    except DemoError as error:
        return refused(str(error))
    if known.refusal:
        return refused(known.refusal)
    won = overruled(values)
    said = [f"{', '.join(won)}: the box of TrainingArguments wins over the field of the form."] if won else []
    return html.notes(said) + ready(config, known)


def ready(config: RunConfig, known: Known) -> str:
    """What a run would do, in a line."""
    rows = known.train_rows
    filled = config.with_training_defaults(rows, find_kind(config.task, config.problem_type).learning_rate)
    steps = filled.steps(rows)
    held = {name: count for name, count in known.split_rows if name != "train"}
    told = "".join(f", {count:,} {'for' if name == 'validation' else 'to'} {name}" for name, count in held.items())
    many = f" in {config.processes} processes" if config.processes > 1 else ""
    return (
        f"<div class='hf-ready'>Start trains {html.escape(_METHODS[config.method])} of "
        f"<b>{html.escape(config.model)}</b> on <b>{rows:,} rows</b>{html.escape(told)}: "
        f"<b>{steps:,} {'step' if steps == 1 else 'steps'}</b>{many}.</div>"
    )


def refused(sentence: str) -> str:
    return f"<div class='{REFUSED}'>{html.notes([sentence])}</div>"
