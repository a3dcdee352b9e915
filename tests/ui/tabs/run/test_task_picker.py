"""The choice of a task: all of them are in the list, in groups, with words that say what they do."""

import re

import gradio as gr
import pytest

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, Task
from hfdemo.tasks.task import GROUPS
from hfdemo.ui.tabs.run.task_picker import read_picked, render_tasks
from tests.ui.samples import Tags

DRAWN = render_tasks(TASKS["fill-mask"])
# What a person brings who has this kind of input.
MEDIA = {
    "Text": set(),
    "Image and video": {"image", "video"},
    "Audio": {"audio"},
    "Table and document": {"image", "table"},
    "Several kinds": {"image", "video", "audio"},
}


def test_each_task_is_in_the_list_once_and_one_is_chosen() -> None:
    assert re.findall(r'type="radio" name="hf-task" value="([^"]+)"', DRAWN) == list(TASKS)
    assert re.findall(r'value="([^"]+)"\s*checked', DRAWN) == ["fill-mask"]
    assert re.findall(r"<legend>([^<]+)", DRAWN) == list(GROUPS)
    Tags(DRAWN)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_says_what_it_does_in_a_few_plain_words_and_stands_with_its_kind_of_input(task: Task) -> None:
    assert 15 < len(task.subtitle) <= 60
    assert not re.search(r"`|logit|token|tensor|softmax|embedding", task.subtitle)
    assert task.subtitle not in [other.subtitle for other in TASKS.values() if other is not task]
    media = {field.kind for field in task.inputs} & {"image", "video", "audio", "table"}
    assert media <= MEDIA[task.group]
    assert bool(media) == (task.group != "Text")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ner", "token-classification"),
        ("object-detection", "object-detection"),
        ("picture boxes", "object-detection"),
        ("sentiment", "text-classification"),
        ("speech", "automatic-speech-recognition"),
        ("option", "decision"),
    ],
)
def test_a_task_is_found_by_its_title_its_words_and_the_librarys_names(typed: str, found: str) -> None:
    words = dict(re.findall(r'data-words="([^"]+)".*?value="([^"]+)"', DRAWN))
    assert found in [name for text, name in words.items() if all(word in text for word in typed.split())]


@pytest.mark.parametrize("sent", [{}, {"task": None}, {"task": ["fill-mask"]}, {"task": "no-such-task"}])
def test_a_page_can_send_anything_as_the_task_that_was_picked(sent: dict[str, object]) -> None:
    with pytest.raises(DemoError):
        read_picked(gr.EventData(None, sent))


def test_the_task_that_was_picked_is_its_row() -> None:
    assert read_picked(gr.EventData(None, {"task": "fill-mask"})) is TASKS["fill-mask"]
