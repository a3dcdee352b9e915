"""The three steps of the form, laid out: which data, what of it is learned, which model and how it is trained."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.formats import FORMATS
from hfdemo.devices import Device
from hfdemo.finetuning.arguments import Knob
from hfdemo.finetuning.config import AS_IT_STANDS
from hfdemo.finetuning.dataset.layouts import LAYOUTS
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS
from hfdemo.tokenization.padding import trainable_names
from hfdemo.ui import html
from hfdemo.ui.read_options import build_read_options
from hfdemo.ui.tabs.finetune import inspection_view
from hfdemo.ui.tabs.finetune.form_data import ExaminedData
from hfdemo.ui.tabs.finetune.form_values import (
    BALANCED,
    DEFAULTS,
    EQUAL,
    LABELS,
    NO_COLUMN,
    NO_SPLIT,
    OWN_METRIC,
    READING,
    TRAINING,
)

PREVIEWED = 8
COUNTING = (
    "<div class='hf-about hf-small'>How many rows max_length would cut, and one row with what is learned of it marked: "
    "both as the model of step 3 reads them.</div>"
)
COUNTED = "<div class='hf-about hf-small'>Counted: see above.</div>"
# The fields that are drawn anew after every look at the data.
DATA_FIELDS = (
    *(*READING, "kind", "text", "pair", "label", "split", "positive"),
    *("train_split", "validation_split", "test_split", "labels", "fixes", "found", "validation_share", "test_share"),
)
_NEED_MORE = "Several processes train on parts of each batch: one per GPU, or per few cores of a CPU."


@dataclass(frozen=True)
class DataStep:
    """`fields` by the names of form_values.DEFAULTS, and what shows them: how the data was read, its first rows, what
    the doctor says, and the rows that can't be read, page by page."""

    fields: dict[str, Any]
    reading: gr.HTML
    preview: gr.Dataframe
    report: gr.HTML
    refused_fold: gr.Accordion
    refused: gr.HTML
    page: gr.Number
    count: gr.Button
    counting: gr.HTML
    taken: gr.State
    counted: gr.State
    pending: gr.State
    seen: gr.State


def build_data_step(examined: ExaminedData, values: dict[str, Any], public: bool) -> DataStep:
    """Lay both steps out, already filled in for the data in `examined`."""
    fields: dict[str, Any] = {}
    gr.Markdown("## 1 · Data", elem_classes="hf-step")
    _build_source(fields, values, public)
    reading = gr.HTML(inspection_view.render_reading(examined))
    with gr.Accordion("The first rows", open=False):
        preview = gr.Dataframe(first_rows(examined), interactive=False, wrap=True, show_label=False)
    gr.Markdown("## 2 · What is learned", elem_classes="hf-step")
    _build_mapping(fields, examined, values)
    report = gr.HTML(
        inspection_view.render_inspection(examined, ()), js_on_load="hfdemo.listenToFixes(element, trigger)"
    )
    with gr.Accordion("Rows that can't be read", open=False, visible=False) as refused_fold:
        refused = gr.HTML()
        page = gr.Number(1, label="Page", precision=0, minimum=1, visible=False)
    with gr.Row():
        count = gr.Button("Count the tokens", size="sm", min_width=120, scale=0)
        counting = gr.HTML(COUNTING)
    fields["labels"] = gr.State(values["labels"])
    fields["fixes"] = gr.State(())
    fields["found"] = gr.State(values["found"])
    return DataStep(
        fields,
        reading,
        preview,
        report,
        refused_fold,
        refused,
        page,
        count,
        counting,
        taken=gr.State([]),
        counted=gr.State(None),
        pending=gr.State(None),
        seen=gr.State(values["dataset"]),
    )


def _build_source(fields: dict[str, Any], values: dict[str, Any], public: bool) -> None:
    fields["dataset"] = gr.Dropdown(
        list(EXAMPLE_NAMES),
        value=values["dataset"],
        label="Data set",
        info="an example or a Hub id"
        + ("" if public else ", or a path (/… ./… ~…)")
        + "; or upload a CSV, JSON, Excel, Parquet, CoNLL or text file",
        allow_custom_value=True,
    )
    fields["file"] = gr.File(
        label="A file of your own",
        file_types=[*FORMATS],
        height=140,
    )
    with gr.Accordion("How it is read", open=False):
        fields["dataset_config"] = gr.Textbox(
            label="Configuration of a Hub data set", info="such as sst2 of nyu-mll/glue"
        )
        layouts = [(layout.title, layout.name) for layout in LAYOUTS.values()]
        fields["layout"] = gr.Dropdown(
            [("as they look", ""), *layouts, ("as the table stands", AS_IT_STANDS)],
            value=values["layout"],
            label="The rows are",
            info="chats and tagged words are kept in many ways; the one that was found is said below",
        )
        fields["encoding"], fields["header"] = build_read_options(values["encoding"], values["header"])


def _build_mapping(fields: dict[str, Any], examined: ExaminedData, values: dict[str, Any]) -> None:
    columns = list(examined.inspection.columns)
    fields["kind"] = gr.Dropdown(
        [(kind.page.choice, kind.name) for kind in KINDS.values()],
        value=values["kind"],
        label="What is learned",
        info="suggested from the data; change it where the guess is wrong",
    )
    # Free text is let through: a value of the data before may be on its way while the choices are new already, and
    # gradio would refuse it with a toast. The doctor says what is no column.
    free: dict[str, Any] = {"allow_custom_value": True, "min_width": 140}
    with gr.Row():
        fields["text"] = gr.Dropdown(columns, value=values["text"], label="Text column", **free)
        fields["pair"] = gr.Dropdown([NO_COLUMN, *columns], value=values["pair"], label="Second text column", **free)
    with gr.Row():
        fields["label"] = gr.Dropdown(
            columns,
            value=list(values["label"]),
            label="Label column",
            info="several: columns of 0 and 1, a label each",
            multiselect=True,
            **free,
        )
        fields["split"] = gr.Dropdown([NO_COLUMN, *columns], value=values["split"], label="Split column", **free)
    fields["positive"] = gr.Dropdown(
        list(examined.inspection.label_order),
        value=examined.inspection.positive_label,
        label="Positive class",
        info="the one that precision, recall and F1 are about",
        visible=examined.inspection.positive_label is not None,
        **free,
    )
    _build_splits(fields, values)


def _build_splits(fields: dict[str, Any], values: dict[str, Any]) -> None:
    with gr.Accordion("Splits", open=False):
        with gr.Row():
            for split in ("train", "validation", "test"):
                fields[f"{split}_split"] = gr.Dropdown(
                    [NO_SPLIT, *values["found"]],
                    value=values[f"{split}_split"],
                    label=f"{split.capitalize()} split",
                    allow_custom_value=True,
                    min_width=110,
                )
        with gr.Row():
            fields["validation_share"] = gr.Number(
                DEFAULTS["validation_share"],
                label="Validation share",
                info="held out of train where the data has no validation split",
                minimum=0,
                maximum=0.9,
                step=0.05,
                min_width=140,
            )
            fields["test_share"] = gr.Number(
                DEFAULTS["test_share"],
                label="Test share",
                info="the same for test; 0: none is made",
                minimum=0,
                maximum=0.9,
                step=0.05,
                min_width=140,
            )
        gr.HTML("<div class='hf-about hf-small'>Rows are drawn by label, with the seed of step 3.</div>")


def first_rows(examined: ExaminedData) -> pd.DataFrame:
    return next(iter(examined.corpus.tables.values())).head(PREVIEWED)


@dataclass(frozen=True)
class TrainingStep:
    """`fields` by the names of form_values.DEFAULTS, the box that only LoRA needs, the folds that somebody may have to
    look into, and what is filled in once the libraries are there."""

    fields: dict[str, Any]
    lora: gr.Group
    length_fold: gr.Accordion
    table_fold: gr.Accordion
    table: gr.HTML
    search: gr.Textbox
    device: gr.HTML
    checked: gr.HTML


def build_training_step(choices: list[str], suggested: dict[str, Any]) -> TrainingStep:
    """Lay the step out; `suggested` are the epochs and the learning rate that fit the data.

    No number has a lowest value: gradio would say it in a toast that names no field. The line before Start does.
    """
    fields: dict[str, Any] = {}
    gr.Markdown("## 3 · Model and training", elem_classes="hf-step")
    fields["model"] = gr.Dropdown(
        choices,
        value=DEFAULTS["model"],
        label="Base model",
        info="same choices as in Run a model",
        allow_custom_value=True,
    )
    fields["method"] = gr.Radio(
        [("all weights", "full"), ("LoRA: a small adapter", "lora"), ("head only", "frozen")],
        value=DEFAULTS["method"],
        label="What is trained",
    )
    with gr.Group(visible=False) as lora:
        _build_lora(fields)
    with gr.Row(elem_classes="hf-level"):
        fields["epochs"] = gr.Number(suggested["epochs"], label=LABELS["epochs"], precision=2, min_width=90)
        fields["batch"] = gr.Number(DEFAULTS["batch"], label=LABELS["batch"], precision=0, min_width=90)
        fields["rate"] = gr.Number(suggested["rate"], label=LABELS["rate"], min_width=90)
    with gr.Accordion("Length and padding", open=False) as length_fold, gr.Row():
        fields["padding"] = gr.Dropdown(trainable_names(), value=DEFAULTS["padding"], label="Padding", min_width=160)
        fields["max_length"] = gr.Number(
            DEFAULTS["max_length"],
            label="max_length",
            info="tokens kept per row; 0: the model's limit",
            precision=0,
            min_width=120,
        )
    with gr.Accordion("Optimizer and checkpoints", open=False):
        _build_optimization(fields)
    with gr.Accordion("Multi-GPU / multi-process", open=False):
        fields["processes"] = gr.Number(
            DEFAULTS["processes"], label=LABELS["processes"], info=_NEED_MORE, precision=0, min_width=110
        )
        fields["accelerate_config"] = gr.Textbox(
            DEFAULTS["accelerate_config"],
            label="Accelerate config file",
            info="path of a file that `accelerate config` wrote; it shards the model with FSDP or DeepSpeed",
            max_lines=1,
        )
        device = gr.HTML()
    with gr.Accordion("Every other field of TrainingArguments", open=False) as table_fold:
        fields["more"] = gr.Textbox(
            label="TrainingArguments",
            info='as JSON, checked when you leave the box: {"optim": "adafactor", "max_grad_norm": 0.5}',
            lines=2,
        )
        checked = gr.HTML()
        search = gr.Textbox(label="Search fields", placeholder="warm, eval, bf16 …", max_lines=1)
        table = gr.HTML()
    return TrainingStep(fields, lora, length_fold, table_fold, table, search, device, checked)


def _build_lora(fields: dict[str, Any]) -> None:
    with gr.Row(elem_classes="hf-level"):
        fields["lora_r"] = gr.Number(
            DEFAULTS["lora_r"], label="r", info="rank of the change", precision=0, min_width=90
        )
        fields["lora_alpha"] = gr.Number(
            DEFAULTS["lora_alpha"], label="lora_alpha", info="scale: alpha / r", precision=0, min_width=90
        )
        fields["lora_dropout"] = gr.Number(DEFAULTS["lora_dropout"], label="lora_dropout", info="0 to 1", min_width=90)
    fields["lora_modules"] = gr.Textbox(
        DEFAULTS["lora_modules"],
        label="target_modules",
        info='all-linear, the ends of module names ("query, value"), or a pattern for whole names',
        max_lines=1,
    )
    fields["lora_more"] = gr.Textbox(
        label="More of LoraConfig", info='as JSON: {"use_rslora": true}', max_lines=3, lines=1
    )


def _build_optimization(fields: dict[str, Any]) -> None:
    with gr.Row(elem_classes="hf-level"):
        fields["accumulation"] = gr.Number(
            DEFAULTS["accumulation"], label=LABELS["accumulation"], precision=0, min_width=140
        )
        fields["warmup"] = gr.Number(DEFAULTS["warmup"], label=LABELS["warmup"], min_width=140)
    with gr.Row(elem_classes="hf-level"):
        fields["weight_decay"] = gr.Number(DEFAULTS["weight_decay"], label=LABELS["weight_decay"], min_width=140)
        fields["seed"] = gr.Number(DEFAULTS["seed"], label=LABELS["seed"], precision=0, min_width=140)
    with gr.Row(elem_classes="hf-level"):
        fields["class_weights"] = gr.Dropdown(
            [EQUAL, BALANCED],
            value=EQUAL,
            label="Class weights",
            info='balanced: rare labels count more; or a weight per label: {"no": 1, "yes": 3}',
            allow_custom_value=True,
            min_width=200,
        )
        fields["smoothing"] = gr.Number(DEFAULTS["smoothing"], label=LABELS["smoothing"], step=0.05, min_width=140)
    with gr.Row(elem_classes="hf-level"):
        fields["best_metric"] = gr.Dropdown(
            [OWN_METRIC, *DEFAULT_KIND.evaluator.offered],
            value=OWN_METRIC,
            label="Best checkpoint by",
            allow_custom_value=True,
            min_width=140,
        )
        fields["patience"] = gr.Number(
            DEFAULTS["patience"],
            label=LABELS["patience"],
            info="evaluations without a better one before it stops; 0: train to the end",
            precision=0,
            min_width=140,
        )
    fields["metrics"] = gr.Textbox(
        label="Extra metrics (evaluate)",
        info="in addition to the task's own, such as matthews_correlation, brier_score",
        max_lines=1,
    )


def update_help(every: Sequence[Knob], names: Sequence[str]) -> list[Any]:
    """Return the help texts of TrainingArguments as the info of those fields of the form."""
    # An info is Markdown, in which a product of names would turn into italics.
    texts = {knob.name: knob.help.replace(" * ", " × ") for knob in every}
    return [gr.update(info=texts[TRAINING[name]]) for name in names]


def render_arguments(every: Sequence[Knob], search: str | None = "") -> str:
    """List every field of TrainingArguments that `search` is in: its default, its type, what it does, and who decides
    it where a run may not."""
    looked_for = (search or "").strip()
    wanted = looked_for.lower()
    drawn = []
    for knob in every:
        if wanted and wanted not in f"{knob.name} {knob.help}".lower():
            continue
        said = f"Not here: {knob.reserved}." if knob.reserved else knob.help
        drawn.append(
            f"<dt>{html.escape(knob.name)} <small>{html.escape(knob.type)}, the library's default is "
            f"{html.escape(_shorten(knob.default))}</small></dt><dd>{html.code(said)}</dd>"
        )
    if not drawn:
        return html.placeholder(f"No field of TrainingArguments has “{looked_for}” in its name or its help.")
    return f"<dl class='hf-knobs'>{''.join(drawn)}</dl>"


def render_devices(device: Device, count: int) -> str:
    """Say what there is to train on, `count` of the accelerators."""
    pairs = [("found", str(device)), ("GPUs", str(count))]
    if importlib.util.find_spec("deepspeed") is None:
        pairs.append(("deepspeed", "not installed"))
    return html.facts(pairs)


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
