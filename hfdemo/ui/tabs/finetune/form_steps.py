"""The fields of the form in their steps: which data, what of it is learned, which model, how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hfdemo.data_sources.splits import SPLITS
from hfdemo.tokenization.padding import trainable_names
from hfdemo.ui.read_options import build_read_options
from hfdemo.ui.tabs.finetune import inspection_view
from hfdemo.ui.tabs.finetune.form_data import ExaminedData
from hfdemo.ui.tabs.finetune.form_table import FORM, NO_COLUMN, NO_SPLIT

COUNTING = (
    "<div class='hf-about hf-small'>How many rows max_length would cut, and one row with what is learned of it marked: "
    "both as the model of the next step reads them.</div>"
)
COUNTED = "<div class='hf-about hf-small'>Counted: see above.</div>"


@dataclass(frozen=True)
class DataStep:
    """`fields` by the names of form_table.FORM, and what shows them: how the data was read, how many problems it
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
    _lay_out(fields, values, "labels", "fixes", "found")
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


def _lay_out(fields: dict[str, Any], values: Mapping[str, Any], *names: str) -> None:
    """Lay out the fields called `names`, with their `values` where there are any."""
    for name in names:
        fields[name] = FORM[name].lay_out(value=values.get(name, FORM[name].default))


def _build_source(fields: dict[str, Any], values: dict[str, Any], public: bool) -> None:
    path = "" if public else ", or a path (/… ./… ~…)"
    files = "or upload a CSV, JSON, Excel, Parquet, CoNLL or text file"
    fields["dataset"] = FORM["dataset"].lay_out(value=values["dataset"], info=f"an example or a Hub id{path}; {files}")
    _lay_out(fields, {}, "file")
    with gr.Accordion("How it is read", open=False):
        _lay_out(fields, values, "dataset_config", "layout")
        fields["encoding"], fields["header"] = build_read_options(values["encoding"], values["header"])


def _build_mapping(fields: dict[str, Any], examined: ExaminedData, values: dict[str, Any]) -> None:
    columns, found = list(examined.inspection.columns), examined.inspection
    optional = [NO_COLUMN, *columns]
    _lay_out(fields, values, "kind")
    with gr.Row():
        fields["text"] = FORM["text"].lay_out(choices=columns, value=values["text"])
        fields["pair"] = FORM["pair"].lay_out(choices=optional, value=values["pair"])
    fields["label"] = FORM["label"].lay_out(choices=columns, value=list(values["label"]))
    fields["positive"] = FORM["positive"].lay_out(
        choices=list(found.label_order), value=found.positive_label, visible=found.positive_label is not None
    )
    with gr.Accordion("Splits", open=False):
        fields["split"] = FORM["split"].lay_out(choices=optional, value=values["split"])
        with gr.Row():
            for name in (f"{split}_split" for split in SPLITS):
                fields[name] = FORM[name].lay_out(choices=[NO_SPLIT, *values["found"]], value=values[name])
        with gr.Row():
            _lay_out(fields, {}, "validation_share", "test_share")
        gr.HTML("<div class='hf-about hf-small'>Rows are drawn by label, with the seed of the step Train.</div>")


@dataclass(frozen=True)
class TrainingStep:
    """`fields` by the names of form_table.FORM, the box that only LoRA needs, the folds that somebody may have to
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
    data."""
    fields: dict[str, Any] = {}
    with panels["model"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            lora = _build_model(fields, choices)
        with gr.Column(scale=5, min_width=300), gr.Accordion("Length and padding", open=True) as length_fold, gr.Row():
            fields["padding"] = FORM["padding"].lay_out(choices=trainable_names())
            _lay_out(fields, {}, "max_length")
    with panels["train"], gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            with gr.Row(elem_classes="hf-level"):
                _lay_out(fields, suggested, "epochs", "batch", "rate")
            with gr.Accordion("Optimizer and checkpoints", open=False):
                _build_optimization(fields)
        with gr.Column(scale=5, min_width=300):
            with gr.Accordion("Multi-GPU / multi-process", open=False):
                _lay_out(fields, {}, "processes", "accelerate_config")
                device = gr.HTML()
            with gr.Accordion("Every other field of TrainingArguments", open=False) as table_fold:
                _lay_out(fields, {}, "more")
                checked = gr.HTML()
                search = gr.Textbox(label="Search fields", placeholder="warm, eval, bf16 …", max_lines=1)
                table = gr.HTML()
    return TrainingStep(fields, lora, length_fold, table_fold, table, search, device, checked)


def _build_model(fields: dict[str, Any], choices: list[str]) -> gr.Group:
    fields["model"] = FORM["model"].lay_out(choices=choices)
    _lay_out(fields, {}, "method")
    with gr.Group(visible=False) as lora:
        with gr.Row(elem_classes="hf-level"):
            _lay_out(fields, {}, "lora_r", "lora_alpha", "lora_dropout")
        _lay_out(fields, {}, "lora_modules", "lora_more")
    return lora


def _build_optimization(fields: dict[str, Any]) -> None:
    pairs = (("accumulation", "warmup"), ("weight_decay", "seed"), ("class_weights", "smoothing"))
    for pair in (*pairs, ("best_metric", "patience")):
        with gr.Row(elem_classes="hf-level"):
            _lay_out(fields, {}, *pair)
    _lay_out(fields, {}, "metrics")
