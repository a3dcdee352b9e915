"""What a component holds and what a person means by it, for every kind of field."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.tasks import TASKS, Field
from hfdemo.tasks.field import REQUIRED
from hfdemo.ui.tabs.run.widgets import (
    build_widget,
    narrow_widgets,
    read_component,
    restore_values,
    to_component_value,
)

FIELDS = [(task.name, field) for task in TASKS.values() for field in task.fields]


@pytest.mark.parametrize(("task", "field"), FIELDS, ids=[f"{task}-{field.name}" for task, field in FIELDS])
def test_every_field_has_a_component_that_can_be_filled_in(task: str, field: Field) -> None:
    example = next((each[field.name] for each in TASKS[task].examples if field.name in each), None)
    component = build_widget(field, example)
    assert component.label == field.label
    held = to_component_value(field, example)
    if example is not None and field.kind not in ("labels", "json", "boxes"):
        meant = read_component(field, held)
        assert field.check(meant, 100_000) == field.check(example, 100_000)


@pytest.mark.parametrize(
    ("kind", "held", "meant"),
    [
        ("number", "", None),
        ("number", " ", None),
        ("number", "3", 3),
        ("number", "0.25", 0.25),
        ("number", "many", "many"),
        ("texts", "one\n\ntwo\n", ["one", "two"]),
        ("texts", "one", "one"),
        ("image", None, None),
        ("image", "/tmp/a.png", Path("/tmp/a.png")),
        ("flag", False, False),
    ],
)
def test_what_is_left_in_a_component_is_what_it_means(kind: Any, held: Any, meant: Any) -> None:
    found = read_component(Field("name", kind, "Name", "help", default=None), held)
    assert found == meant
    assert type(found) is type(meant)


def test_a_table_goes_in_and_out_with_its_headers() -> None:
    field = Field("table", "table", "Table", "help")
    columns = {"city": ["Oslo", "Rome"], "people": ["709037", "2748109"]}
    held = to_component_value(field, columns)
    assert isinstance(held, pd.DataFrame)
    assert read_component(field, held) == columns


def test_a_parameter_that_a_model_can_not_take_is_hidden_and_a_narrower_one_narrowed() -> None:
    wide = Field("mode", "choice", "Mode", "help", default=None, choices=("a", "b"))
    narrow = Field("mode", "choice", "Mode", "help", default=None, choices=("b",))
    other = Field("n", "number", "n", "help", default=None)
    first, second = narrow_widgets((wide, other), (narrow,))
    assert first["visible"] is True
    assert first["choices"] == [("as the model says", ""), ("b", "b")]
    assert second["visible"] is False


@pytest.mark.parametrize("name", TASKS)
def test_what_a_browser_keeps_of_a_panel_opens_it_as_it_was(name: str) -> None:
    task = TASKS[name]
    kept, meant = {}, {}
    for field in task.fields:
        value = task.examples[0].get(field.name, field.default)
        if field.is_media or (value is None and field.is_required) or value is REQUIRED:
            continue
        sent = build_widget(field, value).postprocess(to_component_value(field, value))
        kept[field.name] = sent.model_dump() if hasattr(sent, "model_dump") else sent
        meant[field.name] = read_component(field, to_component_value(field, value))
    values, gone = restore_values(task, json.loads(json.dumps(kept)))
    assert gone == []
    defaults = {field.name: field.default for field in task.fields}
    assert {key: value for key, value in values.items() if value is not None} == {
        key: value for key, value in meant.items() if value not in (None, "") and value != defaults[key]
    }


def test_what_a_panel_never_had_is_not_restored() -> None:
    task = TASKS["text-classification"]
    held = {"text": ["a"], "top_k": {"a": 1}, "nothing": "x", "text_pair": "second", "function_to_apply": ""}
    assert restore_values(task, held) == ({"text_pair": "second", "function_to_apply": None}, [])
    assert restore_values(task, {"text": ""}) == ({}, []), "the example stands there again"
    flags = [(each, field) for each in TASKS.values() for field in each.fields if field.default is True]
    assert flags
    for each, field in flags:
        assert restore_values(each, {field.name: False}) == ({field.name: False}, []), "unticked"
    odd = {"table": {"data": [["a", "b"], 3], "headers": ["one"]}}
    assert restore_values(TASKS["table-question-answering"], odd) == ({}, [])
    gone = restore_values(TASKS["image-classification"], {"image": {"path": "/gone.png", "orig_name": "cat.png"}})
    assert gone == ({}, ["cat.png is no longer on this server. Upload it again."])
