"""A function of the page gets only what its components can hold, and whatever it raises is drawn as text."""

import asyncio
import logging
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from hfdemo.api.component_values import check_event, check_objects, check_values
from hfdemo.api.error_boundary import ServedBlocks
from hfdemo.errors import DemoError

HOLDS: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = [
    (gr.Number(label="Rate"), (1, 0.5, None, -3), ("1", [], True, float("nan"), {})),
    (gr.Slider(label="Rate"), (1, None), ("x", [1])),
    (gr.Checkbox(label="Rate"), (True, False), (1, "true", None)),
    (gr.Textbox(label="Rate"), ("", "x", None), (1, ["x"], {}, "\ud800")),
    (gr.Code(label="Rate"), ("x", None), ({"path": "x"},)),
    (gr.Radio(["a"], value="a", label="Rate"), ("a", "b"), (None, ["a"], {})),
    (gr.Radio(["a"], label="Rate"), (None,), ([],)),
    (gr.Radio([True, False], label="Rate"), (True, None), ({}, [True])),
    (gr.Dropdown([("one", 1)], label="Rate"), (1, "2", None), ([1], 1.5)),
    (gr.Dropdown(["a"], value="a", label="Rate"), ("a", "new", None), (["a"], {}, [[]], 10**30)),
    (gr.Dropdown(["a"], multiselect=True, label="Rate"), (["a"], [], None), ("a", [[]], [None], {})),
    (gr.Dataset(components=["textbox"], samples=[["a"], ["b"]]), (0, 1), (2, -1, 0.0, "0", None, [0], 10**30)),
    (gr.BrowserState([], storage_key="x"), ([], [{}]), ({}, 3, "x", None)),
    (gr.State(), (None, {}, [3]), ("\udc80", {"a": ["\ud800"]})),
]


@pytest.mark.parametrize(("component", "held", "refused"), HOLDS, ids=[type(each[0]).__name__ for each in HOLDS])
def test_a_component_holds_values_of_its_kind_alone(
    component: Any, held: tuple[Any, ...], refused: tuple[Any, ...]
) -> None:
    for value in held:
        check_values([component], [value])
    for value in refused:
        with pytest.raises(DemoError, match=r"but must be|half a surrogate pair"):
            check_values([component], [value])


def test_an_event_names_no_file_that_no_system_has() -> None:
    sent: Any
    for sent in (None, {}, "x", [1], {"run": "a\0b"}, {"path": "/a/b.csv", "meta": {"_type": "gradio.FileData"}}):
        check_event(gr.EventData(None, sent))
    check_event(None)
    for sent in (
        {"path": "a", "meta": "b"},
        {"run": [{"path": "a\0b", "meta": {"_type": "gradio.FileData"}}]},
        ["\ud800"],
    ):
        with pytest.raises(DemoError):
            check_event(gr.EventData(None, sent))


def test_an_object_that_gradio_would_fail_on_as_a_file_gets_a_sentence() -> None:
    for value in ({"path": "a"}, {"meta": "b"}, {"path": 3, "meta": "b"}, {"path": "a", "meta": {}}, [{"path": ["a"]}]):
        check_objects([value])
    for meta in ("b", None, 3, ["b"]):
        with pytest.raises(DemoError, match='both a "path" and a "meta"'):
            check_objects([{"rows": [{"path": "a", "meta": meta}]}])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DemoError("run:<id> is `gone`."), "run:<id> is `gone`."),
        (gr.Error("<b>no</b>", print_exception=False), "<b>no</b>"),
        (KeyError("<bug>"), "This failed in a way that nobody foresaw: KeyError: '<bug>' (the log has more)"),
    ],
)
def test_an_error_is_text_for_a_client_and_no_markup_on_the_page(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(value: Any) -> Any:
        raise error

    with ServedBlocks() as served:
        box = gr.Textbox(label="Name")
        box.change(fail, box, api_visibility="private")
        box.submit(fail, box, api_visibility="public")
    caplog.set_level(logging.CRITICAL)
    for number, expected in ((0, said.replace("<", "&lt;").replace(">", "&gt;").replace("`", "")), (1, said)):
        with pytest.raises(gr.Error) as raised:
            asyncio.run(served.process_api(number, ["x"], state=SessionState(served)))
        assert raised.value.message == expected
        assert not raised.value.print_exception
    with pytest.raises(gr.Error) as raised:
        asyncio.run(served.process_api(0, [["<b>"]], state=SessionState(served)))
    assert "Name is [&#x27;&lt;b&gt;&#x27;]" in raised.value.message or "Name is ['&lt;b&gt;']" in raised.value.message
