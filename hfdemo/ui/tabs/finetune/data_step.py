"""The first two steps of the form: which data, and what of it is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.formats import FORMATS
from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.inspection import Inspection
from hfdemo.finetuning.kinds import KINDS
from hfdemo.ui.tabs.finetune import form_values, inspection_view
from hfdemo.ui.tabs.finetune.dataset_preview import Examined
from hfdemo.ui.tabs.finetune.form_values import DEFAULTS, NO_COLUMN, NO_SPLIT

PREVIEWED = 8
COUNTING = "<div class='hf-about hf-small'>How many rows max_length would cut, read by the model of step 3.</div>"
COUNTED = "<div class='hf-about hf-small'>Counted: see above.</div>"
# The fields that are drawn anew after every look at the data.
SHOWN = (
    *("kind", "text", "pair", "label", "split", "positive", "train_split", "validation_split", "test_split"),
    *("labels", "fixes", "found", "validation_share", "test_share"),
)


@dataclass(frozen=True)
class DataStep:
    """`fields` by the names of filling.DEFAULTS, and what shows them: how the data was read, its first rows, what the
    doctor says, and the rows that can't be read, page by page."""

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


def build(examined: Examined, values: dict[str, Any], public: bool) -> DataStep:
    """Lay both steps out, answered already for the data in `examined`."""
    fields: dict[str, Any] = {}
    gr.Markdown("### 1 · Data")
    fields["dataset"] = gr.Dropdown(
        list(EXAMPLE_NAMES),
        value=values["dataset"],
        label="Data set",
        info="an example or a Hub id" + ("" if public else ", or a path (/… ./… ~…)") + "; or upload a file below",
        allow_custom_value=True,
    )
    fields["file"] = gr.File(
        label="Your own CSV, TSV, JSON, JSON lines, Parquet, CoNLL or text file",
        file_types=[*FORMATS],
        height=140,
    )
    with gr.Accordion("Configuration of a Hub data set", open=False):
        fields["dataset_config"] = gr.Textbox(label="Configuration", info="such as sst2 of nyu-mll/glue")
    reading = gr.HTML(inspection_view.reading(examined))
    with gr.Accordion("The first rows", open=False):
        preview = gr.Dataframe(first_rows(examined), interactive=False, wrap=True, show_label=False)
    gr.Markdown("### 2 · What is learned")
    _learned(fields, examined, values)
    report = gr.HTML(inspection_view.findings(examined, ()), js_on_load="hfdemo.listenToFixes(element, trigger)")
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


def _learned(fields: dict[str, Any], examined: Examined, values: dict[str, Any]) -> None:
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
        fields["label"] = gr.Dropdown([NO_COLUMN, *columns], value=values["label"], label="Label column", **free)
        fields["split"] = gr.Dropdown([NO_COLUMN, *columns], value=values["split"], label="Split column", **free)
    fields["positive"] = gr.Dropdown(
        list(examined.inspection.label_order),
        value=examined.inspection.positive_label,
        label="Positive class",
        info="the one that precision, recall and F1 are about",
        visible=examined.inspection.positive_label is not None,
        **free,
    )
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


def first_rows(examined: Examined) -> pd.DataFrame:
    return next(iter(examined.corpus.tables.values())).head(PREVIEWED)


def opened(found: Inspection, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the data fields' values for data that was just read: as they look right, or as `wanted` has them."""
    columns = columns_of(found.suggested)
    fresh = {name: DEFAULTS[name] for name in ("labels", "positive", "fixes", "validation_share", "test_share")}
    if wanted is not None:
        fresh = {name: wanted[name] for name in fresh}
        columns |= {name: wanted[name] for name in columns if wanted[name] in (NO_COLUMN, *found.columns)}
    return {"kind": found.kind or (wanted or DEFAULTS)["kind"], **columns, **fresh}


def columns_of(mapped: Columns | None) -> dict[str, Any]:
    """Return the fields that name columns."""
    if mapped is None:
        return {"text": None, **dict.fromkeys(("pair", "label", "split"), NO_COLUMN)}
    return {
        "text": mapped.text_column,
        "pair": mapped.text_pair_column or NO_COLUMN,
        "label": mapped.label_column or NO_COLUMN,
        "split": mapped.split_column or NO_COLUMN,
    }


def split_values(names: Any, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return which of the data's splits is which: by their usual names, or as `wanted` has them."""
    usual = form_values.usual(names)
    fields = {f"{split}_split": usual.get(split, NO_SPLIT) for split in ("train", "validation", "test")}
    if wanted is not None and any(wanted[name] != NO_SPLIT for name in fields):
        fields = {name: wanted[name] for name in fields}
    return {"found": tuple(names), **fields}


def updates(found: Inspection, values: dict[str, Any]) -> dict[str, Any]:
    """Return what the data fields show for `values`, with the choices that the data has."""
    columns = list(found.columns)
    optional = [NO_COLUMN, *columns]
    splits = [NO_SPLIT, *values["found"]]
    kind = KINDS.get(found.kind or "")
    binary = kind is not None and kind.rows.is_single_label and len(found.label_order) == 2
    return {
        "text": gr.update(choices=columns, value=values["text"]),
        **{name: gr.update(choices=optional, value=values[name]) for name in ("pair", "label", "split")},
        **{
            f"{split}_split": gr.update(choices=splits, value=values[f"{split}_split"])
            for split in ("train", "validation", "test")
        },
        "positive": gr.update(
            choices=list(found.label_order), value=found.positive_label if binary else None, visible=binary
        ),
        **{name: values[name] for name in ("kind", "labels", "fixes", "found", "validation_share", "test_share")},
    }


def nothing() -> dict[str, Any]:
    """Return what the data fields show where the data can't be read: nothing of the last."""
    gone = gr.update(choices=[], value=None)
    columns = dict.fromkeys(("text", "pair", "label", "split", "train_split", "validation_split", "test_split"), gone)
    return {**columns, "positive": gr.update(value=None, visible=False), "labels": None, "fixes": (), "found": ()}
