"""The line above Start: how much a run would learn from and for how long, or the sentences that refuse it."""

from __future__ import annotations

from collections.abc import Callable

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.preflight import Preflight, RunData
from hfdemo.ui import html
from hfdemo.ui.tabs.finetune.dataset_preview import Examined
from hfdemo.ui.tabs.finetune.form_values import Values, config_of, find_overruled

REFUSED = "hf-refused"  # the class by which the page knows that Start has begun nothing
_METHODS = {"full": "all weights", "lora": "a LoRA adapter", "frozen": "the head"}


def summarise_data(examined: Examined) -> RunData:
    """Return what a run on the data would have: a page keeps it, so it is made of tuples that gradio can hash."""
    if examined.inspection.prepared is not None:
        return RunData.of(examined.inspection.prepared)
    rows = {**examined.split_rows, "train": examined.train_rows}
    return RunData(tuple(rows.items()), examined.labels, refusal=examined.refusal)


def render_ready_line(values: Values, data: RunData | None, check: Callable[[RunConfig, RunData], Preflight]) -> str:
    """Render what Start would do with the form as it is, by the very check that Start makes."""
    if data is None:
        return render_refusal("There is no data yet that could be trained on.")
    try:
        config = config_of(values)
    except DemoError as error:
        return render_refusal(str(error))
    checked = check(config, data)
    if checked.error is not None:
        return html.notes(checked.warnings) + render_refusal(str(checked.error))
    won = find_overruled(values)
    said = [f"{', '.join(won)}: the box of TrainingArguments wins over the field of the form."] if won else []
    return html.notes([*checked.warnings, *said]) + render_plan(checked.config or config, data)


def render_plan(config: RunConfig, data: RunData) -> str:
    """Render what a run would do, in a line."""
    rows = data.train_rows
    filled = config.with_training_defaults(rows, find_kind(config.task, config.problem_type).learning_rate)
    steps = filled.steps(rows)
    held = {name: count for name, count in data.split_rows if name != "train"}
    said = "".join(f", {count:,} {'for' if name == 'validation' else 'to'} {name}" for name, count in held.items())
    many = f" in {config.processes} processes" if config.processes > 1 else ""
    return (
        f"<div class='hf-ready'>Start trains {html.escape(_METHODS[config.method])} of "
        f"<b>{html.escape(config.model)}</b> on <b>{rows:,} rows</b>{html.escape(said)}: "
        f"<b>{steps:,} {'step' if steps == 1 else 'steps'}</b>{many}.</div>"
    )


def render_refusal(sentence: str) -> str:
    """Render a sentence so that the page knows that Start has begun nothing."""
    return f"<div class='{REFUSED}'>{html.notes([sentence])}</div>"
