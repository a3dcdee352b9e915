"""A form without a page: its values by name over real files, as the handlers of the page get them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api import App
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import form_steps, form_table, steps
from hfdemo.ui.tabs.finetune.form_data import DatasetCache, ExaminedData, FormFields, suggest_values

THINGS = ("sea", "sky", "wall", "road", "leaf", "lamp", "boat", "bird")


def rows_of(*more: tuple[str, str]) -> list[tuple[str, str]]:
    """Sixteen good rows of two labels, and `more`."""
    good = [(f"the {thing} is {mood}", label) for thing in THINGS for mood, label in (("warm", "up"), ("cold", "down"))]
    return [*good, *more]


def write(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("note", "mood")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def open_file(path: Path, settings: Settings, **values: Any) -> tuple[FormFields, dict[str, Any]]:
    """The form, and the form's values after the file at `path` was chosen."""
    fields = {name: gr.State() for name in form_table.DEFAULTS}
    form = FormFields(fields, DatasetCache(App.create(settings)))
    named = suggest_values(form, {**form_table.DEFAULTS, "dataset": str(path), "rate": 1e-4, **values}, None)
    return form, named


def look(form: FormFields, named: dict[str, Any]) -> ExaminedData:
    return form.examine(named, None)[0]


def lay_out_training() -> form_steps.TrainingStep:
    """The steps Model and Train of a page that has nothing else."""
    with gr.Blocks():
        return form_steps.build_training_steps(steps.build_steps(), ["embedded:minilm"], {"epochs": 3, "rate": 1e-4})
