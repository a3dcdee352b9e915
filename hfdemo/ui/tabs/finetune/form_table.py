"""The fields of the form: the step that has each, its component and what it opens with, and what a config has of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import gradio as gr

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.formats import FORMATS
from hfdemo.data_sources.splits import SPLITS
from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import COMMON, METHODS
from hfdemo.finetuning.config import AS_IT_STANDS, LORA, RunConfig, list_columns
from hfdemo.finetuning.dataset.layouts import LAYOUTS
from hfdemo.finetuning.dataset.splitting import VALIDATION_SHARE
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS
from hfdemo.tokenization.padding import LONGEST_IN_BATCH
from hfdemo.ui.read_options import header_choice, parse_read_options

NO_COLUMN = "(none)"
NO_SPLIT = "(none)"
EQUAL, BALANCED = "all labels count the same", "balanced"
OWN_METRIC = "(the task's own)"
# The fields that say how a data set is read: those of one say nothing of another.
READING = ("layout", "encoding", "header")


class FieldError(DemoError):
    """What a field of the form can't be; `field` is its name."""

    def __init__(self, sentence: str, field: str) -> None:
        super().__init__(sentence)
        self.field = field


def _keep(value: Any) -> Any:
    return value


def _stripped_or_none(text: str | None) -> str | None:
    return (text or "").strip() or None


def _or_none(value: Any) -> Any:
    return value or None


def _or_empty(value: Any) -> Any:
    return value or ""


def _or_zero(value: Any) -> Any:
    return value or 0


def _listed(value: Any) -> list[Any]:
    return list(value or ())


def _whole_or_none(value: Any) -> int | None:
    return int(value) if value else None


def column_name(picked: str | None) -> str:
    """Return a column that need not be there; "" says that none is wanted, where None would have one suggested."""
    return "" if picked in (None, NO_COLUMN) else str(picked)


def _column_choice(given: str | None) -> str | None:
    return NO_COLUMN if given == "" else given


def parse_class_weights(text: str | None) -> Any:
    """Parse what the field of class weights holds.

    Raises:
        FieldError: it is neither a word that it knows nor a JSON object.
    """
    if text in (None, "", EQUAL, BALANCED):
        return BALANCED if text == BALANCED else None
    try:
        weights = json.loads(str(text))
    except ValueError:
        weights = None
    if not isinstance(weights, dict):
        raise FieldError(
            f'Class weights are "balanced" or a JSON object with a weight per label, such as {{"no": 1, "yes": 3}}; '
            f"{text!r} is neither.",
            "class_weights",
        )
    return weights


def _write_class_weights(weights: Any) -> str:
    return EQUAL if weights is None else weights if isinstance(weights, str) else json.dumps(weights)


@dataclass(frozen=True)
class FormField:
    """A field of the form: what it opens with, its component, how that looks, and the `step` that has it.

    `path` is where a config has its value, such as "training.seed"; "" where it makes one with others, or none. `read`
    makes the config's value of the field's, and `write` the field's of the config's. Where `is_always_told`, a config
    names a training value that is the usual one, too; below `lowest` none is taken.
    """

    default: Any
    component: Callable[..., Any] = gr.State
    look: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    read: Callable[[Any], Any] = _keep
    write: Callable[[Any], Any] = _keep
    is_always_told: bool = False
    lowest: int | None = None
    step: str = ""

    @property
    def label(self) -> str:
        """How the page calls it."""
        return str(self.look["label"])

    def lay_out(self, **more: Any) -> Any:
        """Lay its component out, with `more` of how it looks."""
        return self.component(**{"value": self.default, **self.look, **more})


def _choice(default: Any, label: str, path: str = "", choices: Any = None, **more: Any) -> FormField:
    return _row(default, gr.Dropdown, path, {"label": label, "choices": choices, **more})


def _text(default: Any, label: str, path: str, info: str, **more: Any) -> FormField:
    return _row(default, gr.Textbox, path, {"label": label, "info": info, **more})


def _number(default: Any, label: str, path: str, info: str, **more: Any) -> FormField:
    return _row(default, gr.Number, path, {"label": label, "info": info, "min_width": 140, **more})


def _row(default: Any, component: Any, path: str, given: dict[str, Any]) -> FormField:
    how = {name: given.pop(name) for name in ("read", "write", "is_always_told", "lowest") if name in given}
    return FormField(default, component, given, path, **how)


# Free text is let through: a value of the data before may be on its way while the choices are new already, and gradio
# would refuse it with a toast. The doctor says what is no column.
_FREE: dict[str, Any] = {"allow_custom_value": True, "min_width": 140}
_COLUMN: dict[str, Any] = {**_FREE, "read": column_name, "write": _column_choice}
_OPEN: dict[str, Any] = {"read": _stripped_or_none, "write": _or_empty}
_COUNT: dict[str, Any] = {"read": _whole_or_none, "write": _or_zero, "precision": 0}
_SHARE: dict[str, Any] = {"minimum": 0, "maximum": 0.9, "step": 0.05}
_MAIN: dict[str, Any] = {"is_always_told": True, "min_width": 90}
_LAYOUTS = [("as they look", ""), *((each.title, each.name) for each in LAYOUTS.values())]
_KINDS = [(kind.page.choice, kind.name) for kind in KINDS.values()]

_DATA: Mapping[str, FormField] = {
    "dataset": _choice(EXAMPLE_NAMES[0], "Data set", "dataset", [*EXAMPLE_NAMES], allow_custom_value=True),
    "file": FormField(None, gr.File, {"label": "A file of your own", "file_types": [*FORMATS], "height": 140}),
    "dataset_config": _text(
        "", "Configuration of a Hub data set", "dataset_config", "such as sst2 of nyu-mll/glue", **_OPEN
    ),
    "layout": _choice(
        "",
        "The rows are",
        "layout",
        [*_LAYOUTS, ("as the table stands", AS_IT_STANDS)],
        info="chats and tagged words are kept in many ways; the one that was found is said below",
        **_OPEN,
    ),
    # Both are laid out by build_read_options.
    "encoding": FormField(
        "", path="encoding", read=lambda text: parse_read_options(text, "").encoding, write=_or_empty
    ),
    "header": FormField(
        "", path="header", read=lambda choice: parse_read_options("", choice).header, write=header_choice
    ),
}
_CHECK: Mapping[str, FormField] = {
    "kind": _choice(
        DEFAULT_KIND.name,
        "What is learned",
        "",
        _KINDS,
        info="suggested from the data; change it where the guess is wrong",
    ),
    "text": _choice(None, "Text column", "text_column", **_FREE),
    "pair": _choice(NO_COLUMN, "Second text column", "text_pair_column", **_COLUMN),
    "label": _choice(
        (),
        "Label column",
        "label_column",
        info="several: columns of 0 and 1, a label each",
        multiselect=True,
        read=_listed,
        write=lambda columns: None if columns is None else list(list_columns(columns)),
        **_FREE,
    ),
    "positive": _choice(
        None,
        "Positive class",
        "positive_label",
        info="the one that precision, recall and F1 are about",
        read=_or_none,
        **_FREE,
    ),
    "split": _choice(NO_COLUMN, "Split column", "split_column", **_COLUMN),
    **{
        f"{split}_split": _choice(NO_SPLIT, f"{split.capitalize()} split", **{**_FREE, "min_width": 110})
        for split in SPLITS
    },
    "validation_share": _number(
        VALIDATION_SHARE,
        "Validation share",
        "",
        "held out of train where the data has no validation split",
        **_SHARE,
    ),
    "test_share": _number(0, "Test share", "", "the same for test; 0: none is made", **_SHARE),
    # What the page has of the data besides what can be typed.
    "labels": FormField(None, path="labels", read=lambda order: list(order) if order else None),
    "fixes": FormField((), path="fixes", read=_listed),
    "found": FormField(()),
}
_MODEL: Mapping[str, FormField] = {
    "model": _choice(
        RunConfig.model,
        "Base model",
        "model",
        info="same choices as in Run a model",
        allow_custom_value=True,
        read=lambda text: (text or "").strip() or RunConfig.model,
    ),
    "method": FormField(
        METHODS[0],
        gr.Radio,
        {
            "choices": [("all weights", "full"), ("LoRA: a small adapter", "lora"), ("head only", "frozen")],
            "label": "What is trained",
        },
        "method",
    ),
    "lora_r": _number(LORA["r"], "r", "lora.r", "rank of the change", precision=0, min_width=90),
    "lora_alpha": _number(
        LORA["lora_alpha"], "lora_alpha", "lora.lora_alpha", "scale: alpha / r", precision=0, min_width=90
    ),
    "lora_dropout": _number(LORA["lora_dropout"], "lora_dropout", "lora.lora_dropout", "0 to 1", min_width=90),
    "lora_modules": _text(
        LORA["target_modules"],
        "target_modules",
        "",
        'all-linear, the ends of module names ("query, value"), or a pattern for whole names',
        max_lines=1,
    ),
    "lora_more": _text("", "More of LoraConfig", "", 'as JSON: {"use_rslora": true}', max_lines=3, lines=1),
    "padding": _choice(LONGEST_IN_BATCH.name, "Padding", "padding", min_width=160),
    "max_length": _number(0, "max_length", "max_length", "tokens kept per row; 0: the model's limit", **_COUNT),
}
# No number has a lowest value for gradio: its toast would name no field, and the line before Start does.
# What each does is said to somebody who has never trained; the library's own words stand in the table of all fields.
_TRAIN: Mapping[str, FormField] = {
    "epochs": _number(
        3,
        "Epochs",
        "training.num_train_epochs",
        "Passes over all rows. Too many learn them by heart (overfitting).",
        precision=2,
        **_MAIN,
    ),
    "batch": _number(
        COMMON["per_device_train_batch_size"],
        "Batch size",
        "training.per_device_train_batch_size",
        "Rows per step. Larger is steadier and takes more memory.",
        precision=0,
        **_MAIN,
    ),
    "rate": _number(
        None,
        "Learning rate",
        "training.learning_rate",
        "Larger learns faster; too large forgets what the model knew.",
        **_MAIN,
    ),
    "accumulation": _number(
        1,
        "Gradient accumulation",
        "training.gradient_accumulation_steps",
        "Batches per step: as good as a larger batch, in the memory of a small one.",
        precision=0,
    ),
    "warmup": _number(
        COMMON["warmup_steps"],
        "Warm-up",
        "training.warmup_steps",
        "Steps in which the learning rate grows from 0; below 1, their share of all steps.",
    ),
    "weight_decay": _number(
        COMMON["weight_decay"],
        "Weight decay",
        "training.weight_decay",
        "Pulls the weights a little towards 0, against learning by heart.",
    ),
    "seed": _number(
        COMMON["seed"],
        "Seed",
        "training.seed",
        "All chance begins with it: the same seed trains the same model.",
        precision=0,
    ),
    "smoothing": _number(
        0,
        "Label smoothing",
        "training.label_smoothing_factor",
        "Above 0 the model is asked to be less sure: of use where some labels may be wrong.",
        step=0.05,
    ),
    "best_metric": _choice(
        OWN_METRIC,
        "Best checkpoint by",
        "training.metric_for_best_model",
        [OWN_METRIC, *DEFAULT_KIND.evaluator.offered],
        **_FREE,
    ),
    "patience": _number(
        0,
        "Early stopping patience",
        "early_stopping_patience",
        "evaluations without a better one before it stops; 0: train to the end",
        lowest=0,
        **_COUNT,
    ),
    "class_weights": _choice(
        EQUAL,
        "Class weights",
        "class_weights",
        [EQUAL, BALANCED],
        info='balanced: rare labels count more; or a weight per label: {"no": 1, "yes": 3}',
        read=parse_class_weights,
        write=_write_class_weights,
        **{**_FREE, "min_width": 200},
    ),
    "metrics": _text(
        "",
        "Extra metrics (evaluate)",
        "metrics",
        "in addition to the task's own, such as matthews_correlation, brier_score",
        max_lines=1,
        read=lambda text: [name.strip() for name in (text or "").split(",") if name.strip()],
        write=", ".join,
    ),
    "processes": _number(
        1,
        "Processes",
        "processes",
        "Several processes train on parts of each batch: one per GPU, or per few cores of a CPU.",
        precision=0,
        min_width=110,
        read=lambda count: int(count or 1),
        lowest=1,
    ),
    "accelerate_config": _text(
        "",
        "Accelerate config file",
        "accelerate_config",
        "path of a file that `accelerate config` wrote; it shards the model with FSDP or DeepSpeed",
        max_lines=1,
        **_OPEN,
    ),
    "more": _text(
        "",
        "TrainingArguments",
        "",
        'as JSON, checked when you leave the box: {"optim": "adafactor", "max_grad_norm": 0.5}',
        lines=2,
    ),
}

FORM: Mapping[str, FormField] = MappingProxyType(
    {
        name: dataclasses.replace(row, step=step)
        for step, rows in {"data": _DATA, "check": _CHECK, "model": _MODEL, "train": _TRAIN}.items()
        for name, row in rows.items()
    }
)
DEFAULTS: Mapping[str, Any] = MappingProxyType({name: row.default for name, row in FORM.items()})
"""What the form opens with; a training value that is like this needs no mention in a config."""

DATA_FIELDS = tuple(name for name, row in FORM.items() if row.step == "check" or name in READING)
"""The fields that are drawn anew after every look at the data."""


def list_paths(part: str) -> dict[str, str]:
    """List the fields of a part of a config, such as "training", with their names there; "" is the config itself."""
    whole = {name: row.path.rpartition(".") for name, row in FORM.items() if row.path}
    return {name: last for name, (first, _, last) in whole.items() if first == part}
