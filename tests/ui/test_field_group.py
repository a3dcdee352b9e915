"""Many fields in one component: what it holds is what the fields would have sent, and nothing else is taken."""

from typing import Any

import gradio as gr
import pytest

from hfdemo.errors import DemoError
from hfdemo.ui.field_group import FieldGroup


@pytest.fixture
def group() -> FieldGroup:
    with gr.Blocks():
        return FieldGroup(
            {
                "name": gr.Textbox("a", label="Name"),
                "rows": gr.Number(3, label="Rows", precision=0),
                "kind": gr.Dropdown(["one", "two"], value="one", label="Kind"),
            }
        )


def test_it_begins_with_what_the_fields_begin_with_and_nobody_sees_it(group: FieldGroup) -> None:
    told = group.component.get_config()
    assert told["value"] == {"name": "a", "rows": 3, "kind": "one"}
    assert told["visible"] is False


def test_its_values_are_those_that_the_fields_would_send(group: FieldGroup) -> None:
    # A number without decimal places is a whole one, as its component has it.
    assert group.read({"name": "b", "rows": 4.0, "kind": "two"}) == {"name": "b", "rows": 4, "kind": "two"}
    assert group.read({"name": None, "rows": None, "kind": "two"}) == {"name": None, "rows": None, "kind": "two"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (None, "an object with name, rows, kind"),
        (["b", 4, "two"], "an object with name, rows, kind"),
        ({"name": "b", "rows": 4}, "an object with name, rows, kind"),
        ({"name": "b", "rows": 4, "kind": "two", "more": 1}, "an object with name, rows, kind"),
        ({"name": ["b"], "rows": 4, "kind": "two"}, "Name is .* but must be a text"),
        ({"name": "b", "rows": "4", "kind": "two"}, "Rows is .* but must be a number"),
        ({"name": "b", "rows": 4, "kind": {"a": 1}}, "Kind is .* but must be one of the choices or a text"),
        ({"name": "\ud800", "rows": 4, "kind": "two"}, "half a surrogate pair"),
    ],
)
def test_what_no_page_sends_is_refused(group: FieldGroup, payload: Any, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        group.read(payload)
