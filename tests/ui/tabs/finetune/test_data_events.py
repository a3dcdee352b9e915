"""What the form has going on for a page ends with the page."""

from pathlib import Path

import gradio as gr
import pytest

from hfdemo.api import App
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune.data_events import DataEvents, FormStates
from hfdemo.ui.tabs.finetune.form_data import DatasetCache, FormFields
from hfdemo.ui.tabs.finetune.form_steps import build_data_steps, build_training_steps
from hfdemo.ui.tabs.finetune.form_table import DEFAULTS
from hfdemo.ui.tabs.finetune.steps import build_steps
from tests.ui.tabs.finetune.forms import look, open_file, rows_of, write


@pytest.mark.slow
def test_a_count_of_tokens_ends_with_its_page_and_nothing_of_it_is_kept(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "rows.csv", rows_of()), settings)
    with gr.Blocks() as demo:
        panels = build_steps()
        step = build_data_steps(panels, look(form, named), named, public=False)
        training = build_training_steps(panels, [DEFAULTS["model"]], named)
        fields = FormFields.lay_out({**step.fields, **training.fields}, DatasetCache(App.create(settings)))
        events = DataEvents(App.create(settings), demo, fields, step, FormStates(gr.State(), gr.State()))
    stops = {page: events.jobs.begin(page) for page in ("closed", "open")}
    closing = [each.fn for each in demo.fns.values() if (None, "unload") in each.targets]
    for handler in closing:
        assert handler is not None
        handler(gr.Request(session_hash="closed"))
    assert {page: stop.is_set() for page, stop in stops.items()} == {"closed": True, "open": False}
    assert {page: events.jobs.is_current(page, stop) for page, stop in stops.items()} == {"closed": False, "open": True}
