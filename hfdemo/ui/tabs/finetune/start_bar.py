"""The bar of Start: what is chosen in each step, and what Start would do, or why it would not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS, find_kind
from hfdemo.finetuning.preflight import Preflight, RunData
from hfdemo.ui import html
from hfdemo.ui.tabs.finetune import form_values
from hfdemo.ui.tabs.finetune.form_table import FORM, FieldError, column_name
from hfdemo.ui.tabs.finetune.run_charts import format_duration
from hfdemo.ui.tabs.finetune.steps import STEPS, render_step_button

REFUSED = "hf-refused"  # the class by which the page knows that Start has begun nothing
START_BUTTON = "start-training"
METHODS: Mapping[str, str] = MappingProxyType({"full": "all weights", "lora": "a LoRA adapter", "frozen": "head only"})
# The field that a reason of preflight to refuse a run is about; "data" is about none.
FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "task": "kind",
        "model": "model",
        "base_model": "model",
        "class_weights": "class_weights",
        "processes": "processes",
        "accelerate_config": "accelerate_config",
        "metrics": "metrics",
        "metric_for_best_model": "best_metric",
        "training": "more",
        "public_limits": "epochs",
        "limits": "epochs",
        "steps": "epochs",
        "disk_space": "model",
    }
)


def render_ready_line(
    values: form_values.Values,
    data: RunData | None,
    check: Callable[[RunConfig, RunData], Preflight],
    estimate: Callable[[RunConfig, int], float | None] = lambda config, steps: None,
) -> str:
    """Render what is chosen, and what Start would do with it by the very check that Start makes.

    `estimate` returns the seconds that a config takes for a number of steps, None where nobody knows.
    """
    if data is None:
        said = render_refusal("There is no data yet that could be trained on.", "data", "dataset")
        return render_chosen(values, data) + said
    try:
        config = form_values.config_from_values(values)
    except FieldError as error:
        return render_chosen(values, data) + render_refusal(str(error), find_step(error.field), error.field)
    except DemoError as error:
        return render_chosen(values, data) + render_refusal(str(error), "train")
    checked = check(config, data)
    if checked.error is not None:
        field = next((FIELDS.get(each.code, "") for each in checked.findings if each.refuses), "")
        refused = render_refusal(str(checked.error), find_step(field), field)
        return render_chosen(values, data) + html.notes(checked.warnings) + refused
    won = form_values.find_overruled(values)
    overruled = [f"{', '.join(won)}: the box of TrainingArguments wins over the field of the form."] if won else []
    drawn = html.notes([*checked.warnings, *overruled]) + render_plan(checked.config or config, data, estimate)
    return render_chosen(values, data) + drawn


def render_chosen(values: form_values.Values, data: RunData | None) -> str:
    """Render what is chosen in each step as a button that leads there."""
    rows = f" · {sum(count for _, count in data.split_rows):,} rows" if data and data.split_rows else ""
    kind = KINDS.get(values["kind"] or "")
    columns = [name for name in (values["text"], column_name(values["pair"])) if name]
    learned = ", ".join(values["label"] or ()) or (kind.page.choice if kind else "nothing yet")
    counted = f" · {len(data.labels)} labels" if data and data.labels else ""
    chosen = {
        "data": f"{values['dataset']}{rows}",
        "check": f"{' + '.join(columns) or '–'} → {learned}{counted}",
        "model": f"{values['model']} · {METHODS[values['method']]}",
        "train": " · ".join(
            [_count(values["epochs"], "epoch"), f"batch {_number(values['batch'])}", f"rate {_number(values['rate'])}"]
        ),
    }
    return f"<div class='hf-chosen'>{''.join(render_step_button(step, words) for step, words in chosen.items())}</div>"


def render_plan(
    config: RunConfig,
    data: RunData,
    estimate: Callable[[RunConfig, int], float | None] = lambda config, steps: None,
) -> str:
    """Render how many rows and steps a run would have, and how long it would take where that is known."""
    rows = data.train_rows
    filled = config.with_training_defaults(rows, find_kind(config.task, config.problem_type).learning_rate)
    steps = filled.steps(rows)
    held = {name: count for name, count in data.split_rows if name != "train"}
    said = "".join(f", {count:,} {'for' if name == 'validation' else 'to'} {name}" for name, count in held.items())
    many = f" in {config.processes} processes" if config.processes > 1 else ""
    seconds = estimate(filled, steps)
    why = "as the last run on this data took"
    takes = "" if seconds is None else f" · <span title='{why}'>about {format_duration(seconds)}</span>"
    return (
        f"<div class='hf-ready'>Trains on <b>{rows:,} rows</b>{html.escape(said)} · "
        f"<b>{steps:,} {'step' if steps == 1 else 'steps'}</b>{many}{takes}</div>"
    )


def render_refusal(sentence: str, step: str = "", field: str = "") -> str:
    """Render a sentence by which the page knows that Start has begun nothing, and a way to the `field` it is about."""
    way = render_step_button(step, f"Go to {STEPS[step]}", field) if step else ""
    return f"<div class='{REFUSED}'>{html.notes([sentence])}{way}</div>"


def find_step(field: str) -> str:
    """Return the step that has a field of the form; "" is the data, which Check says everything of."""
    return FORM[field].step if field else "check"


def _count(number: float | None, thing: str) -> str:
    return f"{_number(number)} {thing}{'' if number == 1 else 's'}"


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:g}"
