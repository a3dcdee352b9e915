"""The choice of a task: by the kind of its input, with a search; folded to the one that is chosen."""

from __future__ import annotations

from itertools import groupby

import gradio as gr

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, Task, find_task, list_names
from hfdemo.ui import html
from hfdemo.ui.event_handling import PRIVATE, read_event


class TaskPicker:
    """The tasks as a list of radio buttons, which the browser searches; `picked` is the event that one is picked.

    `value` holds the name of the chosen task and is not in sight: the browser shows what it becomes.
    """

    def __init__(self, chosen: Task) -> None:
        self.value = gr.Textbox(chosen.name, label="Task", visible="hidden")
        drawn = gr.HTML(
            render_tasks(chosen),
            js_on_load="hfdemo.listenToTasks(element, trigger)",
            elem_classes="hf-picker",
            min_width=320,
        )
        self.picked = drawn.select
        self.value.change(None, self.value, js="hfdemo.showTask", **PRIVATE)


def render_tasks(chosen: Task) -> str:
    """Render the tasks in their groups, each with the words by which it is found."""
    groups = [
        (
            group,
            [
                {"task": row, "words": " ".join((*list_names(row), row.title, row.subtitle, group)).lower()}
                for row in rows
            ],
        )
        for group, rows in groupby(TASKS.values(), key=lambda row: row.group)
    ]
    return html.fill_template("task_picker.html.j2", chosen=chosen, groups=groups)


def read_picked(event: gr.EventData) -> Task:
    """Return the task that the page says was picked.

    Raises:
        DemoError: there is no such task: a page can send anything.
    """
    name = read_event(event, "task")
    if not isinstance(name, str):
        raise DemoError("No task was picked.")
    return find_task(name)
