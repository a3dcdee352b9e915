"""The fields of the form in their steps: which data, what of it is learned, which model, how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.formats import FORMATS
from hfdemo.finetuning.config import AS_IT_STANDS
from hfdemo.finetuning.dataset.layouts import LAYOUTS
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS
from hfdemo.tokenization.padding import trainable_names
from hfdemo.ui.read_options import build_read_options
from hfdemo.ui.tabs.finetune import inspection_view
from hfdemo.ui.tabs.finetune.form_data import ExaminedData
from hfdemo.ui.tabs.finetune.form_values import (
    BALANCED,
    DEFAULTS,
    EQUAL,
    HINTS,
    LABELS,
    NO_COLUMN,
    NO_SPLIT,
    OWN_METRIC,
    READING,
)

COUNTING = (
    "<div class='hf-about hf-small'>How many rows max_length would cut, and one row with what is learned of it marked: "
    "both as the model of the next step reads them.</div>"
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
    """`fields` by the names of form_values.DEFAULTS, and what shows them: how the data was read, how many problems it
    has, its first rows, what the doctor says, and the rows that can't be read, page by page."""

    fields: dict[str, Any]
    reading: gr.HTML
    verdict: gr.HTML
    preview: gr.HTML
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


def build_data_steps(
    panels: Mapping[str, gr.Column], examined: ExaminedData, values: dict[str, Any], public: bool
) -> DataStep:
    """Lay the steps Data and Check out in their panels, already filled in for the data in `examined`."""
    fields: dict[str, Any] = {}
    with panels["data"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            _build_source(fields, values, public)
        with gr.Column(scale=5, min_width=300):
            reading = gr.HTML(inspection_view.render_reading(examined))
            verdict = gr.HTML(inspection_view.render_verdict(examined), js_on_load="hfdemo.announce(element)")
            preview = gr.HTML(inspection_view.render_first_rows(examined))
    with panels["check"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            _build_mapping(fields, examined, values)
        with gr.Column(scale=5, min_width=300):
            report = gr.HTML(
                inspection_view.render_inspection(examined, ()),
                js_on_load="hfdemo.listenToFixes(element, trigger)",
            )
            with gr.Accordion("Rows that can't be read", open=False, visible=False) as refused_fold:
                refused = gr.HTML()
                page = gr.Number(1, label="Page", precision=0, minimum=1, visible=False)
            with gr.Row():
                count = gr.Button("Count the tokens", size="sm", min_width=120, scale=0)
                counting = gr.HTML(COUNTING, min_width=200)
    fields["labels"] = gr.State(values["labels"])
    fields["fixes"] = gr.State(())
    fields["found"] = gr.State(values["found"])
    return DataStep(
        fields,
        reading,
        verdict,
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
    fields["label"] = gr.Dropdown(
        columns,
        value=list(values["label"]),
        label="Label column",
        info="several: columns of 0 and 1, a label each",
        multiselect=True,
        **free,
    )
    fields["positive"] = gr.Dropdown(
        list(examined.inspection.label_order),
        value=examined.inspection.positive_label,
        label="Positive class",
        info="the one that precision, recall and F1 are about",
        visible=examined.inspection.positive_label is not None,
        **free,
    )
    with gr.Accordion("Splits", open=False):
        fields["split"] = gr.Dropdown([NO_COLUMN, *columns], value=values["split"], label="Split column", **free)
        _build_splits(fields, values)


def _build_splits(fields: dict[str, Any], values: dict[str, Any]) -> None:
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
    gr.HTML("<div class='hf-about hf-small'>Rows are drawn by label, with the seed of the step Train.</div>")


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


def build_training_steps(
    panels: Mapping[str, gr.Column], choices: list[str], suggested: dict[str, Any]
) -> TrainingStep:
    """Lay the steps Model and Train out in their panels; `suggested` are the epochs and the learning rate that fit the
    data.

    No number has a lowest value: gradio would say it in a toast that names no field. The line before Start does.
    """
    fields: dict[str, Any] = {}
    with panels["model"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            lora = _build_model(fields, choices)
        with gr.Column(scale=5, min_width=300), gr.Accordion("Length and padding", open=True) as length_fold:
            _build_lengths(fields)
    with panels["train"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            _build_numbers(fields, suggested)
            with gr.Accordion("Optimizer and checkpoints", open=False):
                _build_optimization(fields)
        with gr.Column(scale=5, min_width=300):
            with gr.Accordion("Multi-GPU / multi-process", open=False):
                device = _build_processes(fields)
            with gr.Accordion("Every other field of TrainingArguments", open=False) as table_fold:
                checked, search, table = _build_more(fields)
    for name, hint in HINTS.items():
        fields[name].info = hint
    return TrainingStep(fields, lora, length_fold, table_fold, table, search, device, checked)


def _build_model(fields: dict[str, Any], choices: list[str]) -> gr.Group:
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
    return lora


def _build_lengths(fields: dict[str, Any]) -> None:
    with gr.Row():
        fields["padding"] = gr.Dropdown(trainable_names(), value=DEFAULTS["padding"], label="Padding", min_width=160)
        fields["max_length"] = gr.Number(
            DEFAULTS["max_length"],
            label="max_length",
            info="tokens kept per row; 0: the model's limit",
            precision=0,
            min_width=120,
        )


def _build_numbers(fields: dict[str, Any], suggested: dict[str, Any]) -> None:
    with gr.Row(elem_classes="hf-level"):
        fields["epochs"] = gr.Number(suggested["epochs"], label=LABELS["epochs"], precision=2, min_width=90)
        fields["batch"] = gr.Number(DEFAULTS["batch"], label=LABELS["batch"], precision=0, min_width=90)
        fields["rate"] = gr.Number(suggested["rate"], label=LABELS["rate"], min_width=90)


def _build_processes(fields: dict[str, Any]) -> gr.HTML:
    fields["processes"] = gr.Number(
        DEFAULTS["processes"], label=LABELS["processes"], info=_NEED_MORE, precision=0, min_width=110
    )
    fields["accelerate_config"] = gr.Textbox(
        DEFAULTS["accelerate_config"],
        label="Accelerate config file",
        info="path of a file that `accelerate config` wrote; it shards the model with FSDP or DeepSpeed",
        max_lines=1,
    )
    return gr.HTML()


def _build_more(fields: dict[str, Any]) -> tuple[gr.HTML, gr.Textbox, gr.HTML]:
    fields["more"] = gr.Textbox(
        label="TrainingArguments",
        info='as JSON, checked when you leave the box: {"optim": "adafactor", "max_grad_norm": 0.5}',
        lines=2,
    )
    checked = gr.HTML()
    search = gr.Textbox(label="Search fields", placeholder="warm, eval, bf16 …", max_lines=1)
    return checked, search, gr.HTML()


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
